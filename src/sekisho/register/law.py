"""The law as data: which rules hold on a day (`law.yaml`), each with where its words were read.

Only what this house goes by, or what will change it. What is promulgated and not in force yet is listed, and holds on
no day. Nothing here decides whether something must be reported: it says which thresholds and clocks a person asks.
"""

from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from sekisho.register.controls import Said
from sekisho.register.parties import SupervisionItem

TABLE: Final = Path(__file__).with_name("law.yaml")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`since` is None where it is not in force yet; `until` is the last day. `days` counts the day of knowing as 1."""

    id: str
    rule: Said
    says: Said
    since: date | None = msgspec.field(name="from")
    until: date | None = None
    source: str
    supervision: tuple[SupervisionItem, ...] = ()
    above_persons: int | None = None
    public_body: bool = False
    days: dict[str, int] = {}

    def holds(self, on: date) -> bool:
        return self.since is not None and self.since <= on and (self.until is None or on <= self.until)


def all_rules() -> tuple[Rule, ...]:
    return msgspec.yaml.decode(TABLE.read_bytes(), type=tuple[Rule, ...])


def rules_on(day: date) -> tuple[Rule, ...]:
    """The rules that hold on a day, in the order of the file."""
    return tuple(rule for rule in all_rules() if rule.holds(day))


def threshold_on(day: date, *, public_body: bool) -> int | None:
    """More than this many persons are reportable on a day; None where no such rule holds."""
    found = [
        rule.above_persons
        for rule in rules_on(day)
        if rule.above_persons is not None and rule.public_body == public_body
    ]
    return min(found, default=None)
