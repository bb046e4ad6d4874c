"""A fact and its leaf: typed values on one side, the exact bytes of the log on the other.

A leaf is one JSON object without newline, at most 65,535 bytes (tlog-tiles: the entry length is 16 bits):

    {"seq":17,"fact":"relay.statement","v":1,"at":"2026-11-21T11:01:26.123456Z","by":..,"about":..,"data":{..}}

Its bytes are made once, when the fact gets its index, and never again: whoever needs the bytes reads them back.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast, dataclass_transform

import msgspec

from sekisho.evidence.merkle import leaf_hash
from sekisho.faults import Fault
from sekisho.ledger.faults import TOO_LONG

LONGEST_LEAF: Final = 65_535
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class _FactMeta(msgspec.StructMeta):
    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> "_FactMeta":
        return super().__new__(
            mcls, name, bases, namespace, frozen=True, kw_only=True, forbid_unknown_fields=True
        )


class Fact(msgspec.Struct, metaclass=_FactMeta):
    """What a room can record: immutable, keyword-only; a field that the declaration lacks is refused."""


AnyFact = TypeVar("AnyFact", bound=Fact)
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


class FactKind(msgspec.Struct, frozen=True):
    """A declared fact: its stable name, its present version, and how to read older versions."""

    name: str
    version: int
    type: type[Fact]
    infix: bytes  # the leaf's bytes between the index and the time
    upgrades: dict[int, Upgrade]


FACTS_BY_NAME: Final[dict[str, FactKind]] = {}
_BY_TYPE: Final[dict[type[Fact], FactKind]] = {}


def fact(name: str, *, version: int) -> Callable[[type[AnyFact]], type[AnyFact]]:
    """Declare a fact once, under a name that never changes. ValueError on a malformed or repeated name."""
    if not _NAME.fullmatch(name) or version < 1:
        raise ValueError(f"malformed fact name or version: {name!r} {version}")

    def declare(cls: type[AnyFact]) -> type[AnyFact]:
        if name in FACTS_BY_NAME:
            raise ValueError(f"the fact {name} is declared twice")
        infix = f',"fact":"{name}","v":{version},"at":"'.encode()
        FACTS_BY_NAME[name] = _BY_TYPE[cls] = FactKind(name, version, cls, infix, {})
        return cls

    return declare


def upgrades(name: str, *, from_version: int) -> Callable[[Upgrade], Upgrade]:
    """Register how the data of version `from_version` becomes that of the next version."""

    def register(function: Upgrade) -> Upgrade:
        steps = FACTS_BY_NAME[name].upgrades
        if from_version in steps:
            raise ValueError(f"{name}: two upgrades from version {from_version}")
        steps[from_version] = function
        return function

    return register


def kind_of(cls: type[Fact]) -> FactKind:
    """The declaration of a fact type. KeyError when it was never declared with @fact."""
    return _BY_TYPE[cls]


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """A fact in its place in the log."""

    seq: int
    at: datetime
    fact: str
    by: str
    about: str
    leaf: bytes
    leaf_hash: bytes

    def typed(self) -> Fact | None:
        """The fact itself; None when this program does not know its name or its (newer) version."""
        return read_leaf(self.leaf).typed()


class _Tail(msgspec.Struct, gc=False):
    by: str
    about: str
    data: Fact


_encoder: Final = msgspec.json.Encoder()
_LONGEST_HEAD: Final = len('{"seq":18446744073709551615') + len("2026-11-21T11:01:26.123456Z") + 2


def encode_tail(value: Fact, *, by: str, about: str) -> tuple[FactKind, bytes]:
    """All of a leaf that is known before its index and time. Fault TOO_LONG when the leaf could not be an entry."""
    kind = _BY_TYPE[type(value)]
    tail = _encoder.encode(_Tail(by, about, value))
    if (length := len(tail) + len(kind.infix) + _LONGEST_HEAD) > LONGEST_LEAF:
        raise Fault(TOO_LONG, fact=kind.name, length=length)
    return kind, tail


def complete_leaf(seq: int, kind: FactKind, at: bytes, tail: bytes) -> bytes:
    """The leaf's exact bytes. `at` is `stamp()` of its time; `tail` comes from `encode_tail`."""
    return b'{"seq":%d%b%b",%b' % (seq, kind.infix, at, tail[1:])


class Leaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A leaf as read back; `data` stays raw until it is typed."""

    seq: int
    fact: str
    v: int
    at: datetime
    by: str
    about: str
    data: msgspec.Raw

    def typed(self) -> Fact | None:
        """None when the name, or a version newer than the declared one, is unknown here.

        Raises msgspec.ValidationError when the data is not what the declaration says.
        """
        kind = FACTS_BY_NAME.get(self.fact)
        if kind is None or self.v > kind.version:
            return None
        if self.v == kind.version:
            return msgspec.json.decode(self.data, type=kind.type)
        data = msgspec.json.decode(self.data, type=dict[str, Any])
        for version in range(self.v, kind.version):
            if version not in kind.upgrades:
                return None
            data = kind.upgrades[version](data)
        return msgspec.convert(data, kind.type)


_leaf_decoder: Final = msgspec.json.Decoder(Leaf)


def read_leaf(leaf: bytes) -> Leaf:
    """Read a leaf. Raises msgspec.DecodeError or ValidationError when the bytes are not a leaf."""
    return _leaf_decoder.decode(leaf)


def read_recorded(leaf: bytes) -> tuple[Recorded, Fact | None]:
    """A stored leaf as what `record` returned for it, and its fact when it is known here."""
    read = read_leaf(leaf)
    recorded = Recorded(read.seq, read.at, read.fact, read.by, read.about, leaf, leaf_hash(leaf))
    return recorded, read.typed()


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    whole = at.astimezone(UTC).replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000 + at.microsecond


def instant(microseconds: int) -> datetime:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def stamp(microseconds: int) -> bytes:
    """The leaf's form of a time: UTC, always six digits of microseconds."""
    return instant(microseconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


def values_of(value: Fact) -> dict[str, Any]:
    """Field name -> value of a fact, for a projection whose columns have the same names."""
    return {field.name: getattr(value, field.name) for field in msgspec.structs.fields(cast(Any, value))}
