"""What the red-team suite declares: techniques, what each one ended as, and the guards that stop it.

An attack tries to bring something out with real clients, and returns the `Evidence`. How it ended is judged from that
alone, by `judge`; what it must end as is declared beside it. A guard is a named function of the product that a test
can replace (`guard`): with all guards of a technique replaced, it must end worse than it does with them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pytest


class Outcome(StrEnum):
    BLOCKED = "blocked"
    COUNTED = "counted"  # it came out; what it showed was spent or its volume raised, and a fact says so
    NOT_STOPPED = "not stopped"
    NOT_RUN = "not run"


WORSE: Final = {Outcome.BLOCKED: 0, Outcome.COUNTED: 1, Outcome.NOT_STOPPED: 2}


@dataclass(frozen=True)
class Evidence:
    """`out` things of the target were in the attacker's hands at the end (or doors open that should not be).

    `persons` were spent for them, of which at least `least` must be; `told` are the names of the facts that say so."""

    out: int
    told: tuple[str, ...] = ()
    persons: int = 0
    least: int = 1


def judge(evidence: Evidence) -> Outcome:
    if not evidence.out:
        return Outcome.BLOCKED
    if evidence.told and evidence.persons >= evidence.least:
        return Outcome.COUNTED
    return Outcome.NOT_STOPPED


Run = Callable[[Any], Awaitable[Evidence]]


@dataclass(frozen=True)
class Technique:
    """`ends` is what it must end as. `why` (en, ja) is said when that is not "blocked"."""

    id: str
    en: str
    ja: str
    ends: Outcome
    guards: tuple[str, ...] = ()
    why: tuple[str, str] = ("", "")
    run: Run | None = None

    @property
    def list(self) -> str:
        return self.id.partition("-")[0]


TECHNIQUES: Final[dict[str, Technique]] = {}
GUARDS: Final[dict[str, Callable[[pytest.MonkeyPatch], None]]] = {}


def attack(
    name: str,
    en: str,
    ja: str,
    *,
    ends: Outcome = Outcome.BLOCKED,
    guards: tuple[str, ...] = (),
    why: tuple[str, str] = ("", ""),
) -> Callable[[Run], Run]:
    """Declare a technique that is run."""

    def declare(run: Run) -> Run:
        _add(Technique(name, en, ja, ends, guards, why, run))
        return run

    return declare


def not_run(name: str, en: str, ja: str, why_en: str, why_ja: str) -> None:
    """Declare a technique that no test here can run, with the reason, or with what is known of it."""
    _add(Technique(name, en, ja, Outcome.NOT_RUN, (), (why_en, why_ja)))


def _add(one: Technique) -> None:
    if one.id in TECHNIQUES:
        raise ValueError(f"{one.id} is declared twice")
    if one.ends is not Outcome.BLOCKED and not all(one.why):
        raise ValueError(f"{one.id}: say why it is not blocked")
    TECHNIQUES[one.id] = one


def guard(name: str) -> Callable[[Callable[[pytest.MonkeyPatch], None]], None]:
    """Declare how a guard is switched off."""

    def declare(off: Callable[[pytest.MonkeyPatch], None]) -> None:
        GUARDS[name] = off

    return declare
