"""Facts and tables that the tests of the ledger share."""

from sqlalchemy import BigInteger, Column, Table, Text

from sekisho.ledger import Commitment, Fact, Recorded, Writes, fact, metadata, projects

VISITS = Table(
    "test_visits",
    metadata,
    Column("person", Text, primary_key=True),
    Column("visits", BigInteger, nullable=False, server_default="0"),
    Column("rows", BigInteger),
)
ROOMS = Table(
    "test_rooms", metadata, Column("room", Text, primary_key=True), Column("name", Text, nullable=False)
)


@fact("test.visited", version=1)
class Visited(Fact):
    rows: int
    text: Commitment | None = None


@fact("test.room_opened", version=1)
class RoomOpened(Fact):
    name: str


@projects(Visited)
def _visited(write: Writes, value: Visited, recorded: Recorded) -> None:
    write.add(VISITS, {"person": recorded.by}, {"visits": 1, "rows": value.rows})


@projects(RoomOpened)
def _room_opened(write: Writes, value: RoomOpened, recorded: Recorded) -> None:
    write.insert(ROOMS, {"room": recorded.about, "name": value.name})
