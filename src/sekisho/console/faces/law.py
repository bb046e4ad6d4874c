"""The rules of law by day, each with its source: what held when something happened is not what holds now."""

from datetime import date
from typing import Annotated, Final, Literal

from fastapi import Depends
from pydantic import BaseModel

from sekisho.console.access import Needs, Page
from sekisho.console.pages import Face
from sekisho.console.viewer import HouseDep, Viewer
from sekisho.console.words import day_in_japan
from sekisho.register.law import Rule, all_rules

face: Final = Face("register")
Words = dict[Literal["en", "ja"], str]


class RuleLine(BaseModel):
    """`since` is None where a rule is promulgated and not in force; `until` is its last day."""

    id: str
    rule: Words
    says: Words
    since: date | None
    until: date | None
    source: str


class LawView(BaseModel):
    """The rules that hold on a day, and the others of the table."""

    on: date
    hold: list[RuleLine]
    others: list[RuleLine]


@face.shows("/law", "law.html")
async def read_law(
    house: HouseDep,
    viewer: Annotated[Viewer, Depends(Needs("register", Page.CONTROLS))],
    on: date | None = None,
) -> LawView:
    """The rules that the register goes by, as they hold on a day (today in Japan when none is given)."""
    day = on or day_in_japan(house.now())
    rules = all_rules()
    return LawView(
        on=day,
        hold=[_line(rule) for rule in rules if rule.holds(day)],
        others=[_line(rule) for rule in rules if not rule.holds(day)],
    )


def _line(rule: Rule) -> RuleLine:
    return RuleLine(
        id=rule.id,
        rule={"en": rule.rule.said("en"), "ja": rule.rule.said("ja")},
        says={"en": rule.says.said("en"), "ja": rule.says.said("ja")},
        since=rule.since,
        until=rule.until,
        source=rule.source,
    )
