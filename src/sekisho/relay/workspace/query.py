"""One SELECT through the inner door: the columns, then rows as CSV (RFC 4180, UTF-8, LF)."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Final

from sekisho.faults import Fault
from sekisho.relay.wire import Wire
from sekisho.relay.workspace import faults
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder
from sekisho.wire.postgres.frame import HEADER
from sekisho.wire.postgres.rows import Rows

_APPLICATION: Final = "sekisho pull"


class Refused(Exception):  # noqa: N818 (what the door said; the pull makes a Fault of it)
    """The door or the target ended the query; its words are for a person."""


def begin(wire: Wire, login: str, target: str) -> None:
    """Knock at the inner door."""
    parameters = {"user": login, "database": target, "application_name": _APPLICATION}
    wire.write(f.StartupMessage(parameters).encode())


async def run_query(wire: Wire, sql: str) -> AsyncIterator[b.RowDescription | tuple[int, bytes]]:
    """The description, then (rows, CSV) again and again. Raises Refused; Fault NOT_ONE_RESULT.

    The extended protocol takes one statement only, so nothing else can ride along."""
    decoder = BackendDecoder()
    asked = described = False
    while chunk := await wire.receive():
        for message in decoder.feed(chunk):
            match message:
                case b.ReadyForQuery() if not asked:
                    asked = True
                    order = (
                        f.Parse(b"", sql.encode()),
                        f.Bind(b"", b"", (), ()),
                        f.Describe(f.PORTAL, b""),
                        f.Execute(),
                        f.Sync(),
                    )
                    wire.write(b"".join(one.encode() for one in order))
                case b.RowDescription():
                    described = True
                    yield message
                case Rows():
                    yield message.count, _as_csv(decoder.raw, message.count)
                case b.ErrorResponse():
                    raise Refused(message.message)
                case b.ReadyForQuery():
                    if not described:
                        raise Fault(faults.NOT_ONE_RESULT)
                    return
                case _:
                    pass
    raise Refused("the connection ended")


def head(description: b.RowDescription) -> bytes:
    return _line([column.name.decode(errors="replace") for column in description.columns])


def _line(values: list[str | None]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue().encode()


def _as_csv(frames: bytes, count: int) -> bytes:
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    position = 0
    for _ in range(count):
        _, length = HEADER.unpack_from(frames, position)
        values = b.DataRow.parse(frames[position + 5 : position + 1 + length]).values
        write([None if value is None else value.decode(errors="replace") for value in values])
        position += length + 1
    return text.getvalue().encode()
