"""A case as papers for people who were not there: report.pdf and report.xlsx (Japanese), the answer, the evidence.

The PDF is made by typst from the answer alone: the same case gives the same bytes. Texts of the answer go in as data,
never as markup. `evidence.zip` holds the case's facts with their proofs, for `sekisho verify`; while the log has not
published them yet it is left out.
"""

import importlib
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from sekisho.evidence.checkpoint import parse_checkpoint
from sekisho.evidence.folder import read_file
from sekisho.evidence.note import parse_note
from sekisho.evidence.proof import make_bundle, write_bundle
from sekisho.trace.answer import Answer
from sekisho.trace.cases import Case
from sekisho.trace.facts import CaseOpened

_JST: Final = timezone(timedelta(hours=9))
_WRITTEN: Final = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")  # OOXML's W3CDTF
Shown = Mapping[str, tuple[datetime, str, str, int]]

VERDICTS: Final = {
    "passed": "このリストは、下記のセッションまたは写しと整合する。",
    "not_here": "調べた範囲では、このリストは当所を通過していない。",
    "undecided": "際立つセッションはない。ただし、通過していないことの証明にはならない。",
}
ITEMS: Final = {
    "name": "氏名",
    "kana": "フリガナ",
    "phone": "電話番号",
    "address": "住所",
    "birth_date": "生年月日",
    "email": "メールアドレス",
    "": "照合しない",
}
WHY: Final = {
    "lift": "同種の本人の出現率と変わらない",
    "own": "他のセッションで説明できる",
    "weak": "根拠が弱い",
    "lead": "手掛かり(特定に足りない)",
}
LIMITS: Final = (
    "「整合する」とは、リストの内容がそのセッションの表示内容で最もよく説明できることをいい、"
    "誰が持ち出したかを示すものではない。",
    "尤度比は、他の説明と比べた確からしさである。リフトは、同じ種類の本人が他の理由で現れる率に対する倍率で、"
    "5倍未満のセッションは特定しない。",
    "セッションの中の一部だけが、ほかの名簿の偏り(地域、新しい顧客など)と重なる場合は特定できないことがある。",
    "人数は、最小・最良・最大の三つで示す。電話番号だけの一致は最大にのみ含める。",
)

# Everything that varies comes in as JSON data: a list's column name cannot become markup.
_TYPST: Final = r"""
#let d = json(bytes(sys.inputs.data))
#set document(title: d.title, author: "Sekisho", date: none)
#set page(paper: "a4", margin: (x: 18mm, y: 20mm), numbering: "1 / 1")
#set text(font: ("Noto Serif CJK JP", "Noto Sans CJK JP"), lang: "ja", size: 9.5pt)
#show heading: set text(font: "Noto Sans CJK JP", size: 12pt)
#set table(stroke: 0.4pt + luma(160), inset: 5pt)
#let ink = rgb("#1d3557")
#let grid-of(heads, rows, columns) = table(
  columns: columns,
  table.header(..heads.map(h => text(font: "Noto Sans CJK JP", size: 8.5pt, weight: "bold", h))),
  ..rows.flatten().map(c => text(size: 8.5pt, c)),
)
#align(center, text(font: "Noto Sans CJK JP", size: 17pt, weight: "bold", d.title))
#v(2mm)
#grid-of(("項目", "内容"), d.facts, (38mm, 1fr))
= 結論
#block(fill: rgb("#eef3f8"), inset: 8pt, width: 100%, text(size: 11pt, weight: "bold", d.verdict))
#if d.sessions.len() > 0 [
  #grid-of(
    ("セッション", "開始", "従事者・チケット", "対数尤度比", "リフト", "割合(95%区間)", "区別できない"),
    d.sessions,
    (auto, auto, 1fr, auto, auto, auto, 1fr))
]
#if d.canaries.len() > 0 [
  = 監視用人物
  一つの写しにだけ入れた架空の人物のうち、リストにあるもの。
  #grid-of(("写し", "委託元", "リストにあり / 登録"), d.canaries, (1fr, 1fr, 40mm))
]
= 委託元ごとの内訳
#if d.clients.len() == 0 [該当なし。] else [
  #for c in d.clients [
    #grid(columns: (42mm, 1fr, 22mm), gutter: 3mm, align: horizon,
      text(size: 8.5pt, c.name), box(width: c.share * 100%, height: 3.2mm, fill: ink),
      align(right, text(size: 8.5pt, c.rows)))
  ]
  #v(2mm)
  #grid-of(
    ("委託元", "行", "弱い一致の行", "記録", "人数(最小)", "人数(最良)", "人数(最大)"),
    d.client_rows,
    (1fr, auto, auto, auto, auto, auto, auto))
]
= 行の内訳
#grid-of(("区分", "行"), d.rows, (1fr, 30mm))
= 特定しなかったセッション
#if d.doubts.len() == 0 [なし。] else [
  #grid-of(("セッション", "対数尤度比", "リフト", "表示", "一致", "理由"), d.doubts,
    (auto, auto, auto, auto, auto, 1fr))
]
= 列の解釈
#grid-of(("列", "照合した項目"), d.columns, (1fr, 1fr))
= 調査範囲
#grid-of(("項目", "内容"), d.coverage, (60mm, 1fr))
= 読み方と限界
#for limit in d.limits [- #limit]
"""


def pdf_of(case: Case, shown: Shown) -> bytes:
    """The report as PDF."""
    typst: Any = importlib.import_module("typst")
    data = json.dumps(_data(case, shown), ensure_ascii=False)
    made: bytes = typst.compile(_TYPST.encode(), sys_inputs={"data": data}, format="pdf")
    return made


def workbook_of(case: Case, shown: Shown) -> bytes:
    """The same as sheets, for those who go on reckoning."""
    openpyxl: Any = importlib.import_module("openpyxl")
    data = _data(case, shown)
    book = openpyxl.Workbook()
    book.remove(book.active)
    heads: list[tuple[str, Sequence[str], Sequence[Sequence[str]]]] = [
        ("概要", ("項目", "内容"), [*data["facts"], ["結論", data["verdict"]]]),
        (
            "セッション",
            (
                "セッション",
                "開始",
                "従事者・チケット",
                "対数尤度比",
                "リフト",
                "割合(95%区間)",
                "区別できない",
            ),
            data["sessions"],
        ),
        ("監視用人物", ("写し", "委託元", "リストにあり / 登録"), data["canaries"]),
        (
            "委託元",
            ("委託元", "行", "弱い一致の行", "記録", "人数(最小)", "人数(最良)", "人数(最大)"),
            data["client_rows"],
        ),
        ("行", ("区分", "行"), data["rows"]),
        ("特定せず", ("セッション", "対数尤度比", "リフト", "表示", "一致", "理由"), data["doubts"]),
        ("列", ("列", "照合した項目"), data["columns"]),
        ("範囲", ("項目", "内容"), data["coverage"]),
        ("限界", ("注意",), [[limit] for limit in LIMITS]),
    ]
    for title, heading, rows in heads:
        sheet = book.create_sheet(title)
        sheet.append(list(heading))
        for row in rows:
            # Text cells: what a list calls its columns must not become a formula (CWE-1236).
            sheet.append([_number(cell) for cell in row])
            for cell in sheet[sheet.max_row]:
                if isinstance(cell.value, str):
                    cell.data_type = "s"
    out = BytesIO()
    book.save(out)
    return _timeless(out.getvalue())


def write_case(
    folder: Path, case: Case, shown: Shown, log: Path, openings: Mapping[str, bytes]
) -> list[Path]:
    """Write all papers of a case into a new folder; the files written. `openings` disclose what the facts commit to:
    with them, `answer.json` is proven to be what was recorded."""
    folder.mkdir(parents=True)
    files = {
        "report.pdf": pdf_of(case, shown),
        "report.xlsx": workbook_of(case, shown),
        "answer.json": case.answer.encoded(),
    }
    written = []
    for name, content in files.items():
        (folder / name).write_bytes(content)
        written.append(folder / name)
    if (bundle := evidence_of(case, log, openings)) is not None:
        write_bundle(folder / "evidence.zip", bundle)
        written.append(folder / "evidence.zip")
    return written


def evidence_of(case: Case, log: Path, openings: Mapping[str, bytes]) -> bytes | None:
    """The case's facts with their proofs, or None while the log has not published them."""
    note = read_file(log / "checkpoint")
    entries = [recorded.seq for recorded in case.facts]
    if note is None or max(entries) >= parse_checkpoint(parse_note(note).text).size:
        return None
    return make_bundle(log, entries, note, openings)


def _data(case: Case, shown: Shown) -> dict[str, Any]:
    answer = case.answer
    coverage = answer.coverage
    opened = next(one for one in case.facts if one.fact == "trace.case_opened")
    reason = fact.reason if isinstance(fact := opened.typed(), CaseOpened) else ""
    return {
        "title": "流出リスト照会報告書",
        "facts": [
            ["案件", case.case],
            ["照会日時", f"{opened.at.astimezone(_JST):%Y-%m-%d %H:%M:%S} (日本時間)"],
            ["担当", opened.by],
            ["理由", reason or "—"],
            ["リスト (SHA-256)", answer.list_sha256],
            ["形式・行数", f"{answer.list_form} {answer.list_encoding} {answer.rows:,}行"],
            ["照合台帳", answer.registry],
            ["方法", answer.method],
            ["結果 (SHA-256)", answer.sha256],
            ["台帳記録", ", ".join(f"#{recorded.seq}" for recorded in case.facts)],
        ],
        "verdict": VERDICTS[answer.verdict],
        "sessions": _sessions(answer, shown),
        "canaries": [[one.copy, one.organisation, f"{one.found} / {one.planted}"] for one in answer.canaries],
        "clients": [
            {
                "name": one.organisation,
                "rows": f"{one.rows:,}行",
                "share": round(one.rows / max(answer.rows, 1), 4),
            }
            for one in answer.clients
        ],
        "client_rows": [
            [
                one.organisation,
                *(
                    f"{number:,}"
                    for number in (
                        one.rows,
                        one.weak_rows,
                        one.records,
                        one.persons.lower,
                        one.persons.best,
                        one.persons.upper,
                    )
                ),
            ]
            for one in answer.clients
        ],
        "rows": [
            ["委託元が一つに定まる", f"{answer.own_rows:,}"],
            ["委託元が複数考えられる", f"{answer.ambiguous_rows:,}"],
            ["弱い一致のみ(電話番号など)", f"{answer.weak_rows:,}"],
            ["あいまい照合のみ(整合するセッション内)", f"{answer.fuzzy_rows:,}"],
            ["当所のものでない", f"{answer.foreign_rows:,}"],
            ["合計", f"{answer.rows:,}"],
            ["本人数(最小/最良/最大)", " / ".join(f"{n:,}" for n in _three(answer))],
        ],
        "doubts": [
            [
                one.session,
                f"{one.log10_lr:,.1f}",
                f"{one.lift:,.2f}",
                f"{one.records:,}",
                f"{one.hits:,}",
                WHY[one.why],
            ]
            for one in answer.doubts
        ],
        "columns": [[column.name, ITEMS[column.item]] for column in answer.columns],
        "coverage": [
            ["データセット", f"{len(coverage.datasets)}"],
            ["登録済みの本人", f"{coverage.records:,}"],
            ["調べたセッション", f"{coverage.sessions:,}"],
            ["表示されたが登録のない本人", f"{coverage.unresolved:,}"],
            ["本人の集合がないセッション", f"{coverage.not_gathered:,}"],
            ["消去済みで調べられないデータセット", ", ".join(coverage.erased) or "なし"],
        ],
        "limits": list(LIMITS),
    }


def _three(answer: Answer) -> tuple[int, int, int]:
    return answer.persons.lower, answer.persons.best, answer.persons.upper


def _sessions(answer: Answer, shown: Shown) -> list[list[str]]:
    rows = []
    for one in answer.sessions:
        opened, person, ticket = "—", "—", ""
        if one.session in shown:
            at, person, ticket, _ = shown[one.session]
            opened = f"{at.astimezone(_JST):%Y-%m-%d %H:%M}"
        rows.append(
            [
                one.session,
                opened,
                f"{person} {ticket}".strip(),
                f"{one.log10_lr:,.1f}",
                f"{one.lift:,.1f}",
                f"{one.records:,}人の{one.fraction:.1%} ({one.low:.1%}〜{one.high:.1%})",
                (", ".join(one.ties) or "なし") + (f" (列と行数: {one.favoured})" if one.favoured else ""),
            ]
        )
    return rows


def _number(cell: str) -> str | int:
    bare = cell.replace(",", "")
    return int(bare) if bare.isdigit() and len(bare) < 15 else cell


def _timeless(content: bytes) -> bytes:
    """The same archive with one fixed time in it: an export is the same bytes each time."""
    out = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(content)) as before,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for name in before.namelist():
            content = before.read(name)
            if name == "docProps/core.xml":
                content = _WRITTEN.sub(b"2000-01-01T00:00:00Z", content)
            after.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), content)
    return out.getvalue()
