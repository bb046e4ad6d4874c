"""What a client demands of whoever handles its data, what an organisation does, and what it holds certificates for."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import msgspec


class Bound(StrEnum):
    """LEAST: a number of approvers, days of keeping a log. MOST: days of keeping data, hours to report."""

    LEAST = "least"
    MOST = "most"


class Demand(msgspec.Struct, frozen=True):
    """A line of an organisation's security profile, for itself and for every tier below it."""

    organisation: str
    control: str
    bound: Bound
    value: int

    def met_by(self, value: int | None) -> bool:
        """A control of which nothing is said is not met."""
        if value is None:
            return False
        return value >= self.value if self.bound is Bound.LEAST else value <= self.value


class Measure(msgspec.Struct, frozen=True):
    """What an organisation says that it does."""

    organisation: str
    control: str
    value: int


class Certificate(msgspec.Struct, frozen=True):
    """ISMS, a privacy mark and the like: shown beside the evidence, never instead of it."""

    organisation: str
    name: str
    until: date


class Profiles(msgspec.Struct, frozen=True):
    demands: tuple[Demand, ...] = ()
    measures: tuple[Measure, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A demand that is not met; `held` is None where nothing is said of it."""

    demand: Demand
    held: int | None


def differences(demands: Iterable[Demand], measures: Iterable[Measure]) -> tuple[Difference, ...]:
    """Which of one organisation's demands another one's measures do not meet."""
    held = {measure.control: measure.value for measure in measures}
    return tuple(
        Difference(demand, held.get(demand.control))
        for demand in demands
        if not demand.met_by(held.get(demand.control))
    )
