"""What a detector is: a small memory for each thing it watches, and a function that looks at one observation.

A detector is pure: what it says depends on its memory, the observation and what is `Known`, and nothing else; so the
same facts give the same findings, to the bit. Surprise is measured in bits of base ten: 3 means that such a thing
would be expected once in a thousand occasions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from sekisho.watch.known import Known
from sekisho.watch.observation import Observation

Value = str | int | float


class Head(StrEnum):
    """A family of detectors whose scores are calibrated together. Heads are never added up."""

    VOLUME = "volume"
    TICKET = "ticket"
    TIME = "time"
    PLACE = "place"
    STYLE = "style"
    CHAIN = "chain"
    CONSENT = "consent"
    EVIDENCE = "evidence"


class Memory(msgspec.Struct, array_like=True):
    """What a detector keeps of one thing that it watches. Small, and with an end: no list grows for ever."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`score` is the surprise (−log10 of the chance). `values` fill the detector's sentence. `certain`: no chance
    is involved, so no calibration and no budget holds it back. `human`/`client` when they are not the observation's.
    """

    score: float
    observed: float
    expected: float
    values: dict[str, Value] = field(default_factory=dict)
    certain: bool = False
    human: str = ""
    client: str = ""
    refs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    en: str
    ja: str


Look = Callable[[Any, Observation, Known], Finding | None]
Sweep = Callable[[dict[str, Any], int, Known], Iterator[tuple[str, Finding]]]
Key = Callable[[Observation, Known], str]


@dataclass(frozen=True, slots=True)
class Detector:
    """`look` is called with the memory of `key` for each observation of `kinds`, and not at all where the key is "";
    `sweep` once a day (or an hour) with every memory, for what is found by its absence or by comparing. `reason` says
    why it matters, `finding` what was found, with the numbers.
    """

    number: int
    name: str
    head: Head
    kinds: tuple[str, ...]
    window: str
    memory: type[Memory]
    key: Key
    reason: Words
    finding: Words
    look: Look
    sweep: Sweep | None = None
    hourly: bool = False


def by_human(o: Observation, known: Known) -> str:
    return known.human


def by_human_and_client(o: Observation, known: Known) -> str:
    return known.pair


def by_client(o: Observation, known: Known) -> str:
    return o.client


def by_place(o: Observation, known: Known) -> str:
    return o.place


def by_account(o: Observation, known: Known) -> str:
    return o.actor


def of_the_house(o: Observation, known: Known) -> str:
    return "*"
