"""The leaf's bytes; names and versions that stay readable."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ledger_examples import RoomOpened, Visited
from sekisho.faults import FAULT_KINDS
from sekisho.ledger import Fact, fact, upgrades
from sekisho.ledger.leaf import (
    FACTS_BY_NAME,
    complete_leaf,
    encode_tail,
    instant,
    micros,
    read_leaf,
    read_recorded,
    stamp,
)


@fact("test.measured", version=3)
class Measured(Fact):
    length_mm: int
    unit: str = "mm"


@upgrades("test.measured", from_version=1)
def _centimetres(data: dict[str, int]) -> dict[str, int]:
    return {"length_cm": data["length"]}


@upgrades("test.measured", from_version=2)
def _millimetres(data: dict[str, int]) -> dict[str, int]:
    return {"length_mm": data["length_cm"] * 10}


def leaf(name: str, version: int, data: str) -> bytes:
    return (
        f'{{"seq":0,"fact":"{name}","v":{version},"at":"2026-11-21T11:01:26.123456Z","by":"p","about":"s",'
        f'"data":{data}}}'
    ).encode()


def test_a_leaf_has_the_published_form() -> None:
    kind, tail = encode_tail(RoomOpened(name="資料室"), by="p-sato", about="r-1")
    at = micros(datetime(2026, 11, 21, 11, 1, 26, 123456, tzinfo=UTC))
    assert complete_leaf(17, kind, stamp(at), tail).decode() == (
        '{"seq":17,"fact":"test.room_opened","v":1,"at":"2026-11-21T11:01:26.123456Z",'
        '"by":"p-sato","about":"r-1","data":{"name":"資料室"}}'
    )


@given(
    st.integers(0, 2**63), st.integers(0, 4_000_000_000_000_000), st.text(), st.text(), st.integers(0, 2**62)
)
def test_what_goes_in_comes_out(seq: int, at: int, by: str, about: str, rows: int) -> None:
    value = Visited(rows=rows)
    kind, tail = encode_tail(value, by=by, about=about)
    content = complete_leaf(seq, kind, stamp(at), tail)
    assert b"\n" not in content
    assert json.loads(content)["seq"] == seq
    recorded, read = read_recorded(content)
    assert (recorded.seq, micros(recorded.at), recorded.by, recorded.about) == (seq, at, by, about)
    assert read == value
    assert micros(instant(at)) == at


def test_older_versions_are_upgraded_step_by_step() -> None:
    assert read_leaf(leaf("test.measured", 1, '{"length":4}')).typed() == Measured(length_mm=40)
    assert read_leaf(leaf("test.measured", 2, '{"length_cm":4}')).typed() == Measured(length_mm=40)
    assert read_leaf(leaf("test.measured", 3, '{"length_mm":4}')).typed() == Measured(length_mm=4)


def test_unknown_names_and_newer_versions_stay_raw() -> None:
    assert read_leaf(leaf("test.of_the_future", 1, '{"x":[1]}')).typed() is None
    newer = read_leaf(leaf("test.measured", 4, '{"x":1}'))
    assert newer.typed() is None
    assert bytes(newer.data) == b'{"x":1}'


def test_data_that_the_declaration_does_not_know_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        read_leaf(leaf("test.measured", 3, '{"length_mm":4,"more":1}')).typed()


def test_declarations_are_unique_and_named() -> None:
    with pytest.raises(ValueError, match="twice"):

        @fact("test.measured", version=1)
        class Again(Fact):
            pass

    with pytest.raises(ValueError, match="malformed"):
        fact("Measured", version=1)
    with pytest.raises(ValueError, match="two upgrades"):
        upgrades("test.measured", from_version=1)(_centimetres)


def test_the_docs_name_every_fact_and_fault_of_the_ledger() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()
    facts = [name for name in FACTS_BY_NAME if name.startswith("ledger.")]
    codes = [code for code in FAULT_KINDS if code.startswith("SEK-LEDG-")]
    assert len(facts) > 5
    assert len(codes) > 15
    assert [word for word in [*facts, *codes] if word not in docs] == []
