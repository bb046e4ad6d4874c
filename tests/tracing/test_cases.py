"""A lookup is a case: on record before it begins, repeatable, exported with its evidence."""

from pathlib import Path

import openpyxl  # type: ignore[import-untyped]
import pypdf
import pytest

from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger
from sekisho.trace.cases import list_cases, openings_of, read_case, repeat_case, run_case
from sekisho.trace.facts import CaseConcluded, CaseOpened
from sekisho.trace.faults import OTHER_LIST
from sekisho.trace.intake import read_list
from sekisho.trace.report import pdf_of, workbook_of, write_case
from tracing.trace_world import make_registry, parties, rows_of, write_csv


async def test_a_case_from_opening_to_papers(tmp_path: Path) -> None:
    registry, _ = make_registry(tmp_path)
    session = f"s-{parties()[0].id}-6"
    rows = rows_of(registry, session)
    path = write_csv(tmp_path / "買い取った名簿.csv", rows)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "vault")) as ledger:
        case = await run_case(ledger, registry, read_list(path), by="p-sato", reason="申告", processes=1)
        assert [one.session for one in case.answer.sessions] == [session]
        opened, concluded = (recorded.typed() for recorded in case.facts)
        assert isinstance(opened, CaseOpened)
        assert isinstance(concluded, CaseConcluded)
        assert concluded.sha256 == case.answer.sha256
        # Nothing of the list, not even its name, stands in a leaf.
        for recorded in case.facts:
            assert "名簿".encode() not in recorded.leaf
            assert (rows[0][0] or "").encode() not in recorded.leaf
        assert await ledger.content(opened.name) == "買い取った名簿.csv".encode()

        assert await read_case(ledger, case.case) == case
        [row] = await list_cases(ledger)
        assert (row["case"], row["verdict"]) == (case.case, "passed")
        assert await repeat_case(ledger, registry, case.case, read_list(path), by="p-ito", processes=1)
        other = write_csv(tmp_path / "other.csv", rows[1:])
        with pytest.raises(Fault) as caught:
            await repeat_case(ledger, registry, case.case, read_list(other), by="p-ito", processes=1)
        assert caught.value.kind is OTHER_LIST
        [row] = await list_cases(ledger)
        assert row["repeated_same"]

        openings = await openings_of(ledger, case)
        assert len(openings) == 2
        pdf, sheets = pdf_of(case, {}), workbook_of(case, {})
        assert (pdf, sheets) == (pdf_of(case, {}), workbook_of(case, {}))
        written = write_case(tmp_path / "out", case, {}, tmp_path / "no-log", openings)
    assert [file.name for file in written] == ["report.pdf", "report.xlsx", "answer.json"]
    text = "".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "out" / "report.pdf").pages)
    assert session in text
    assert "流出リスト照会報告書" in text
    book = openpyxl.load_workbook(tmp_path / "out" / "report.xlsx")
    assert book["セッション"]["A2"].value == session
