"""Observations for tests: a working house in a few lines."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sekisho.watch.detectors import BY_NAME
from sekisho.watch.engine import Alarm, Engine, Sensitivity
from sekisho.watch.observation import DAY, HOUR, MINUTE, Kind, Observation

START = int(datetime(2026, 4, 6, 0, tzinfo=UTC).timestamp() * 1e6)  # Monday, 9:00 in Japan


def at(day: int = 0, hour: float = 1.0, minute: float = 0) -> int:
    """`day` after the start; `hour` 0 is 9:00 in Japan."""
    return int(START + day * DAY + hour * HOUR + minute * MINUTE)


def see(kind: Kind, when: int, **values: Any) -> Observation:
    return Observation(kind=kind, at=when, **{"actor": "sato", **values})


def ticket(name: str, when: int, expected: int, **values: Any) -> list[Observation]:
    asked = see("ticket", when, ticket=name, expected=expected, **{"client": "minato", **values})
    return [asked, see("approval", when + 10 * MINUTE, ticket=name, actor="mori")]


def run(name: str, observations: Iterable[Observation], **sensitivity: Any) -> list[Alarm]:
    """What one detector alone says, loud enough to be an alarm."""
    engine = Engine(Sensitivity(**sensitivity), detectors=(BY_NAME[name],))
    return [alarm for one in in_order(observations) for alarm in engine.step(one)]


def in_order(observations: Iterable[Observation]) -> Iterator[Observation]:
    ordered = sorted(observations, key=lambda one: one.at)
    return (Observation(**{**_fields(one), "ref": one.ref or n}) for n, one in enumerate(ordered, 1))


def _fields(one: Observation) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}
