"""Rules in a few lines, and events to hold them against."""

from datetime import timedelta, timezone
from typing import Any

import yaml
from sigma.rule import SigmaRule

from sekisho.watch.sigma.compile import Compiled, Placeholders, compile_rule
from sekisho.watch.sigma.event import Event, Source, flatten

JAPAN = timezone(timedelta(hours=9))


def compiled(detection: str, placeholders: Placeholders | None = None) -> Compiled:
    rule = {"title": "t", "logsource": {"product": "test"}, "detection": yaml.safe_load(detection)}
    return compile_rule(SigmaRule.from_dict(rule), placeholders or {}, JAPAN)


def matches(detection: str, record: dict[str, Any], placeholders: Placeholders | None = None) -> bool:
    return compiled(detection, placeholders).test(event(record))


def item(key: str, value: Any, record: dict[str, Any], placeholders: Placeholders | None = None) -> bool:
    """Whether one field of a rule matches."""
    return matches(yaml.safe_dump({"s": {key: value}, "condition": "s"}), record, placeholders)


def event(record: dict[str, Any], product: str = "test", at: int = 0, ref: int = 0, **source: str) -> Event:
    return Event(flatten(record), Source(product, **source), at, ref)
