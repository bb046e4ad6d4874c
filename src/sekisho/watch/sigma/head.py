"""The ledger's facts through the rules: matches become alarms of the head "sigma".

A fact is an event of product "sekisho" and of its room's service: `fact`, `by`, `about`, `at` and the members of its
data, with `host` for a `peer` without its port. The level says how rare such a thing should be; from the watch's own
`alert_at` on it is an alarm, once a day for a rule and a person or group. The watch's own alerts are no events: an
alarm about an alarm would have no end.
"""

from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

import msgspec

from sekisho.watch.engine import Alarm
from sekisho.watch.observation import DAY
from sekisho.watch.reading import host_of, microseconds
from sekisho.watch.sigma.event import Event, Source, flatten, text_of
from sekisho.watch.sigma.loading import Library
from sekisho.watch.sigma.ruleset import Match, Ruleset

HEAD: Final = "sigma"
PREFIX: Final = "sigma:"
SCORES: Final[Mapping[str, float]] = {
    "informational": 0.5,
    "low": 1.5,
    "medium": 3.0,
    "high": 4.5,
    "critical": 6.0,
}
_TOLD: Final = 4_096
_UNHEARD: Final = ("watch.alert_", "watch.response_")


class _Leaf(msgspec.Struct, gc=False):
    seq: int
    fact: str
    at: str
    by: str
    about: str
    data: msgspec.Raw


_leaves: Final = msgspec.json.Decoder(_Leaf)
_data: Final = msgspec.json.Decoder(dict[str, Any])


class _Kept(msgspec.Struct):
    told: dict[str, int]
    windows: dict[str, Any]


class SigmaHead:
    """Give it every leaf, in order. `held_back` counts what a full day's budget kept back."""

    def __init__(self, library: Library, *, alert_at: float = 2.5, daily: int = 20) -> None:
        self.library: Final = library
        self.rules: Ruleset = library.load()
        self.held_back = 0
        self._alert_at = alert_at
        self._daily = daily
        self._told: dict[str, int] = {}  # rule and group -> the day
        self._sources: dict[str, Source] = {}

    def reload(self, rules: Ruleset) -> None:
        """Take other rules; correlations whose text is the same go on where they were."""
        rules.load(self._windows())
        self.rules = rules

    def look(self, leaf: bytes, accounts: Mapping[str, str]) -> list[Alarm]:
        """What this fact completes; `accounts` maps an account to its human.

        Raises msgspec.DecodeError for what is no leaf."""
        read = _leaves.decode(leaf)
        room = read.fact.partition(".")[0]
        source = self._sources.get(room)
        if source is None:
            source = self._sources[room] = Source("sekisho", room)
        if not self.rules.routes(source) or read.fact.startswith(_UNHEARD):
            return []
        return self._fed(event_of(read, source), accounts)

    def look_at_row(
        self, event: Event, accounts: Mapping[str, str], *, actor: str, client: str, part: int
    ) -> list[Alarm]:
        """What a row of a foreign log completes. `actor` and `client` as its mapping names them."""
        return self._fed(event, accounts, actor, client, part) if self.rules.routes(event.source) else []

    def _fed(
        self, event: Event, accounts: Mapping[str, str], actor: str = "", client: str = "", part: int = 0
    ) -> list[Alarm]:
        found = [self._alarm(match, accounts, actor, client, part) for match in self.rules.feed(event)]
        return [alarm for alarm in found if alarm is not None]

    def _alarm(
        self, match: Match, accounts: Mapping[str, str], actor: str, client: str, part: int
    ) -> Alarm | None:
        rule = match.rule
        score = SCORES.get(rule.level, SCORES["medium"])
        if score < self._alert_at:
            return None
        fields = match.event.fields
        account = actor or _text(fields, "person") or _text(fields, "claimed") or _text(fields, "by")
        human = accounts.get(account, account) if account not in ("", "sekisho") else ""
        day = match.at // DAY
        key = f"{rule.name}|{human}|{_text(fields, 'about')}" if rule.correlation is None else ""
        key = key or f"{rule.name}|{human}|{_text(fields, 'host')}"
        if self._told.get(key) == day:
            return None
        if rule.level != "critical" and sum(told == day for told in self._told.values()) >= self._daily:
            self.held_back += 1
            return None
        if len(self._told) >= _TOLD:
            self._told = {name: told for name, told in self._told.items() if told == day}
        self._told[key] = day
        english, japanese = rule.words["en"], rule.words["ja"]
        return Alarm(
            alarm=f"a-{match.ref}{f'.{part}' if part else ''}-s{crc32(rule.name.encode()):08x}",
            at=match.at,
            detector=PREFIX + rule.name,
            head=HEAD,
            human=human,
            client=client or _text(fields, "organisation"),
            session=_text(fields, "session"),
            ticket=_text(fields, "ticket"),
            claim=score,
            score=score,
            observed=match.observed,
            expected=0.0,
            values={
                "title": english[0],
                "about": english[1],
                "title_ja": japanese[0],
                "about_ja": japanese[1],
                "level": rule.level,
            },
            refs=match.refs,
            certain=False,
        )

    def _windows(self) -> dict[str, Any]:
        return msgspec.msgpack.decode(msgspec.msgpack.encode(self.rules.dump()), type=dict[str, Any])

    def dump(self) -> bytes:
        """What is remembered; equal memories give equal bytes."""
        return msgspec.msgpack.encode(_Kept(self._told, self.rules.dump()))

    def load(self, dumped: bytes) -> None:
        """Go on where `dump` was. What cannot be read is begun anew."""
        try:
            kept = msgspec.msgpack.decode(dumped, type=_Kept)
        except msgspec.MsgspecError:
            return
        self._told = kept.told
        self.rules.load(kept.windows)


def event_of(leaf: _Leaf, source: Source) -> Event:
    fields = flatten(_data.decode(leaf.data))
    fields.update(fact=leaf.fact, by=leaf.by, about=leaf.about, at=leaf.at)
    peer = fields.get("peer")
    if isinstance(peer, str):
        fields["host"] = host_of(peer)
    return Event(fields, source, microseconds(leaf.at), leaf.seq)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None or isinstance(value, tuple) else text_of(value)
