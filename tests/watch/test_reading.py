"""Every fact that the watch reads by name exists, and is read whatever its values are."""

import importlib
import pkgutil
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, get_args, get_origin

import msgspec
import pytest

import sekisho
from sekisho.ledger.leaf import FACTS_BY_NAME, complete_leaf, encode_tail, stamp
from sekisho.watch.engine import Engine
from sekisho.watch.reading import READERS, read_observation

for module in pkgutil.walk_packages(sekisho.__path__, "sekisho."):
    if module.name.endswith("facts"):
        importlib.import_module(module.name)


def sample(kind: Any) -> Any:
    """A value of a type, the plainest one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (str, int, bool, float, bytes):
        return {str: "x-1", int: 1, bool: True, float: 1.0, bytes: b"1"}[kind]
    if kind is date:
        return date(2026, 4, 6)
    if kind is datetime:
        return datetime(2026, 4, 6, tzinfo=UTC)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field.name: sample(field.type) for field in msgspec.structs.fields(kind)})
    if origin is dict:
        return {"client:x-1:minato": sample(arguments[1]), "ticket:T-1": sample(arguments[1])}
    if origin is tuple:
        members = arguments[:1] if arguments[-1] is ... else arguments
        return tuple(sample(member) for member in members)
    if origin is list:
        return [sample(arguments[0])]
    if hasattr(kind, "__supertype__"):
        return sample(kind.__supertype__)
    return sample(arguments[0]) if origin is not None and not isinstance(arguments[0], str) else arguments[0]


@pytest.mark.parametrize("name", sorted(READERS))
def test_a_fact_is_read(name: str) -> None:
    fact = sample(FACTS_BY_NAME[name].type)
    kind, tail = encode_tail(fact, by="sato", about="x")
    leaf = complete_leaf(7, kind, stamp(1_795_230_000_123_456), tail)
    observation = read_observation(leaf)
    assert observation is not None
    assert (observation.ref, observation.at) == (7, 1_795_230_000_123_456)
    Engine().step(observation)


def test_what_is_not_named_says_nothing() -> None:
    leaf = b'{"seq":1,"fact":"some.other","v":1,"at":"2026-11-21T11:01:26.123456Z","by":"x","about":"x","data":{}}'
    assert read_observation(leaf) is None


def test_a_lease_is_told_by_its_accounts() -> None:
    leased = {
        "session": "s-1",
        "leased": {"day:sato:2026-11-21": (64, 9), "ticket:T-1": (32, 9), "client:sato:minato": (8, 9)},
    }
    for name, field, sign in (("gate.budget_leased", "leased", 1), ("gate.budget_settled", "given_back", -1)):
        fact = FACTS_BY_NAME[name].type(**{"session": "s-1", field: leased["leased"]})
        kind, tail = encode_tail(fact, by="sekisho", about="s-1")
        seen = read_observation(complete_leaf(1, kind, stamp(1_795_230_000_000_000), tail))
        assert seen is not None
        assert (seen.ticket, seen.persons) == ("T-1", sign * 32)
        assert (seen.actor, seen.client, seen.rows) == ("sato", "minato", sign * 8)
