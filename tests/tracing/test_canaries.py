"""Invented persons of one copy: found in a list however it was written anew, and never by a name alone."""

from pathlib import Path

import pytest

from sekisho.faults import Fault
from sekisho.ledger import KeyRing, Ledger
from sekisho.trace.canaries import Hits, Mark, plant, planted, who
from sekisho.trace.faults import BAD_CANARY
from sekisho.trace.intake import read_content
from tracing.trace_world import HEADING, parties, people

ONE = Mark(name="織部 千景", kana="オリベ チカゲ", phone="080-5500-0017", address="愛知県日和市旭町9-31-2")
TWO = Mark(name="鷺沢 汀", kana="サギサワ ミギワ", phone="080-5500-0018", address="愛知県日和市旭町9-31-3")
OTHER = Mark(name="梧桐 環", kana="アオギリ タマキ", phone="080-5500-0019", birth_date="1980-02-03")


async def test_a_found_list_names_the_copy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "vault")) as ledger:
        recorded = await plant(ledger, "takeout-1/print", "org-a", [ONE, TWO])
        assert "織部".encode() not in recorded.leaf
        second = await plant(ledger, "takeout-1/post", "org-a", [OTHER])
        rows = people(parties()[0], 0, 200)
        # Written anew: no prefecture, no hyphens, half-width kana, old characters.
        rows.append(("鷺澤汀", "ｻｷﾞｻﾜ ﾐｷﾞﾜ", "8055000018", "日和市旭町九丁目31番3号", None))
        # A name with a date of birth is no canary yet.
        rows.append(("梧桐 環", None, None, None, "1980/2/3"))
        text = "\n".join(",".join(cell or "" for cell in row) for row in [HEADING, *rows])
        listing = read_content("list.csv", text.encode("cp932"))
        copies = await planted(ledger)
        assert who(copies, listing) == (Hits("takeout-1/print", "org-a", 2, 1),)
        # What a case saw is what had been planted before it.
        assert [one.copy for one in await planted(ledger, before=second.seq)] == ["takeout-1/print"]
        await ledger.erase_owner("org-a", by="p-sato", reason="end of contract")
        assert await planted(ledger) == []


async def test_a_canary_that_would_accuse_another_copy_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    async with await Ledger.open(url, keys=KeyRing(tmp_path / "vault")) as ledger:
        await plant(ledger, "takeout-1/print", "org-a", [ONE])
        same = Mark(name="織部千景", phone="08055000017")
        for marks in ([], [Mark(name="織部 千景", birth_date="1980-02-03")], [TWO, same]):
            with pytest.raises(Fault) as caught:
                await plant(ledger, "takeout-1/post", "org-a", marks)
            assert caught.value.kind is BAD_CANARY
        assert len(await planted(ledger)) == 1
