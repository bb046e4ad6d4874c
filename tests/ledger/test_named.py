"""The newest fact of a rare name is found by an index, and nothing else is."""

from sqlalchemy import Select, select, text

from ledger.ledger_examples import RoomOpened, Visited
from sekisho.ledger import Ledger
from sekisho.ledger.tables import FACTS, named


async def test_the_newest_of_a_name_needs_no_look_at_the_others(ledger: Ledger, url: str) -> None:
    await ledger.record(RoomOpened(name="a"), by="p-sato", about="r-1")
    for number in range(300):
        ledger.record_soon(Visited(rows=number), by="p-sato", about="s-1")
    last = await ledger.record(RoomOpened(name="b"), by="p-sato", about="r-2")
    newest = select(FACTS.c.seq).where(named("test.room_opened")).order_by(FACTS.c.seq.desc()).limit(1)
    other = select(FACTS.c.seq).where(FACTS.c.about == "r-2", FACTS.c.fact == "test.room_opened")
    async with ledger.read() as connection:
        assert await connection.scalar(newest) == last.seq

        async def plan(query: Select[tuple[int]]) -> str:
            spelled = query.compile(compile_kwargs={"literal_binds": True})
            rows = await connection.execute(text(f"EXPLAIN QUERY PLAN {spelled}"))
            return " ".join(row.detail for row in rows)

        if url.startswith("sqlite"):
            assert "facts_named" in await plan(newest)
            assert "facts_about" in await plan(other)
