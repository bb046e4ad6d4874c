"""What came in one batch, as it is kept: rows as they were, and all that reading them needs.

A segment carries the mapping and the time of its arrival, so that what the engine is shown follows from the segment
alone: the fact says when and how many, the sealed part says what, and whoever has both rebuilds the same scores.
"""

import hashlib
import hmac
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from zlib import compress, decompress

import msgspec

from sekisho.ledger import Erased, Ledger
from sekisho.watch.facts import EventsReceived
from sekisho.watch.foreign import Mapping, RowReader, flat
from sekisho.watch.observation import Kind, Observation
from sekisho.watch.sigma.event import Event, Source, flatten

_EVENTS: Final = "watch.events_received"
_MARK: Final = f'"fact":"{_EVENTS}"'.encode()
_HEAD: Final = 200  # bytes of a leaf in which its fact's name stands
# Names of files can be names of people ("list_tanaka.xlsx"), and alarms name them: only their keyed hash leaves.
_NAMED: Final = frozenset({"file", "archive", "delete", "media", "mail", "web", "print"})
# What a log may tell. Who people are, what a ticket of ours stands for, what the meter counted and whether somebody
# looked are for the checkpoint's own facts: a log that could say it could excuse a theft.
TOLD: Final[frozenset[Kind]] = frozenset(
    {
        "logon", "logoff", "read", "pull", "takeout", "command", "refused", "file", "archive", "delete", "device",
        "media", "mail", "web", "print", "ticket", "approval", "ticket_end", "admin", "count", "canary",
    }
)  # fmt: skip


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """`received` in microseconds since 1970; `zone` seconds east of UTC for times without one."""

    source: str
    received: int
    zone: int
    mapping: Mapping
    salt: bytes
    product: str
    service: str
    category: str
    rows: list[dict[str, Any]]


class Shown(msgspec.Struct, frozen=True):
    """One row: what the engine is shown of it, if anything, and what rules are shown."""

    observation: Observation | None
    event: Event
    part: int
    actor: str
    client: str


class _Leaf(msgspec.Struct):
    seq: int
    data: EventsReceived


_leaves: Final = msgspec.json.Decoder(_Leaf)
_segments: Final = msgspec.msgpack.Decoder(Segment)


def pack(segment: Segment) -> bytes:
    return compress(msgspec.msgpack.encode(segment), 6)


def unpack(packed: bytes) -> Segment:
    return _segments.decode(decompress(packed))


def carries(leaf: bytes) -> bool:
    """Whether this leaf stands for rows that lie in a segment."""
    return _MARK in leaf[:_HEAD]


async def shown_by(ledger: Ledger, leaf: bytes) -> list[Shown]:
    """The rows behind a leaf that `carries`, in order of their times; none when they were erased.

    Raises Fault NO_PART or PART_ALTERED, msgspec.MsgspecError, zlib.error."""
    read = _leaves.decode(leaf)
    content = await ledger.content(read.data.segment)
    return [] if isinstance(content, Erased) else list(show(unpack(content), read.seq))


def show(segment: Segment, seq: int) -> Iterator[Shown]:
    reader = _reader(msgspec.msgpack.encode(segment.mapping), segment.zone)
    source = Source(segment.product, segment.service, segment.category)
    found: list[tuple[int, int, Observation | None, dict[str, Any], dict[str, str]]] = []
    for part, row in enumerate(segment.rows, 1):
        flattened = flat(row)
        observation = reader.read(flattened)
        at = segment.received
        if observation is not None:
            # No row is of the future: a source's wrong clock must not carry the watch's own with it.
            at = min(observation.at, segment.received)
            observation = _placed(observation, segment, at, seq, part)
        about = reader.about(flattened)
        if observation is not None:  # which a pattern may have found where no column says it
            about |= {"actor": observation.actor, "client": observation.client}
        found.append((at, part, observation, row, about))
    found.sort(key=lambda one: one[:2])
    for at, part, observation, row, about in found:
        event = Event(flatten(row), source, at, seq)
        yield Shown(observation, event, part, about.get("actor", ""), about.get("client", ""))


def _placed(one: Observation, segment: Segment, at: int, seq: int, part: int) -> Observation | None:
    if one.kind not in TOLD:
        return None
    target = one.target
    if one.kind in _NAMED and target:
        target = "#" + hmac.digest(segment.salt, target.encode(), hashlib.sha256).hex()[:12]
    # A ticket or session of a log is its own: it is none of ours, whatever its name.
    own = {
        name: f"{segment.source}/{value}" for name in ("ticket", "session") if (value := getattr(one, name))
    }
    return msgspec.structs.replace(one, at=at, ref=seq, part=part, target=target, **own)


@lru_cache(maxsize=64)
def _reader(mapping: bytes, zone: int) -> RowReader:
    return RowReader(msgspec.msgpack.decode(mapping, type=Mapping), zone=zone, strict=False)
