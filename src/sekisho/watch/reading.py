"""From a leaf of the ledger to what the engine is shown. Facts of other rooms are read as data, by their names.

A fact that is not named here says nothing to the watch. Personal data of subjects is in none of them; what a session
counted is a number.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from sekisho.watch.observation import DAY, MINUTE, Observation


class _Leaf(msgspec.Struct, gc=False):
    seq: int
    fact: str
    v: int
    at: str
    by: str
    about: str
    data: msgspec.Raw


class _Statement(msgspec.Struct, gc=False):
    session: str
    ticket: str
    organisation: str
    read: tuple[str, ...]
    rows: int
    persons: int
    bytes: int
    outcome: str


class _Statements(msgspec.Struct, gc=False):
    session: str
    ticket: str
    organisation: str
    read: tuple[str, ...]
    rows: tuple[int, ...]
    persons: tuple[int, ...]
    bytes: tuple[int, ...]


_leaves: Final = msgspec.json.Decoder(_Leaf)
_statement: Final = msgspec.json.Decoder(_Statement)
_statements: Final = msgspec.json.Decoder(_Statements)
_anything: Final = msgspec.json.Decoder(dict[str, Any])
_minutes: Final[dict[str, int]] = {}
_tables: Final[dict[tuple[str, ...], tuple[str, ...]]] = {}
_KEPT: Final = 10_000
_AHEAD: Final = 300  # seconds that a source's clock may be ahead
_PAGE_BYTES: Final = 2_000  # a printed page of text


def microseconds(stamp: str) -> int:
    """Microseconds of "2026-11-21T11:01:26.123456Z". The minute is remembered: facts come by the thousand in one."""
    minute = stamp[:16]
    base = _minutes.get(minute)
    if base is None:
        if len(_minutes) >= _KEPT:
            _minutes.clear()
        parsed = datetime.strptime(minute, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
        base = _minutes[minute] = int(parsed.timestamp()) * 1_000_000
    return base + int(stamp[17:19]) * 1_000_000 + int(stamp[20:26])


def _tables_of(read: tuple[str, ...]) -> tuple[str, ...]:
    """The tables among "table.column" names, in order."""
    found = _tables.get(read)
    if found is None:
        if len(_tables) >= _KEPT:
            _tables.clear()
        found = _tables[read] = tuple(sorted({name.rpartition(".")[0] for name in read} - {""}))
    return found


def host_of(peer: str) -> str:
    """A terminal's address without the port, which is another one each time."""
    host, colon, port = peer.rpartition(":")
    return host if colon and port.isdigit() and "]" not in port else peer


def read_observation(leaf: bytes) -> Observation | None:
    """None for a fact that says nothing to the watch. Raises msgspec.DecodeError for what is no leaf."""
    read = _leaves.decode(leaf)
    reader = READERS.get(read.fact)
    return None if reader is None else reader(read)


def _read(leaf: _Leaf) -> Observation:
    said = _statement.decode(leaf.data)
    return Observation(
        at=microseconds(leaf.at),
        kind="read",
        ref=leaf.seq,
        actor=leaf.by,
        client=said.organisation,
        ticket=said.ticket,
        session=said.session,
        tables=_tables_of(said.read),
        what=said.outcome,
        persons=said.persons,
        rows=said.rows,
        size=said.bytes,
    )


def _read_many(leaf: _Leaf) -> Observation:
    said = _statements.decode(leaf.data)
    return Observation(
        at=microseconds(leaf.at),
        kind="read",
        ref=leaf.seq,
        actor=leaf.by,
        client=said.organisation,
        ticket=said.ticket,
        session=said.session,
        tables=_tables_of(said.read),
        persons=sum(said.persons),
        rows=sum(said.rows),
        size=sum(said.bytes),
    )


def _seen(
    kind: Any, values: Callable[[dict[str, Any], _Leaf], dict[str, Any]]
) -> Callable[[_Leaf], Observation]:
    def read(leaf: _Leaf) -> Observation:
        data = _anything.decode(leaf.data)
        base = {"actor": leaf.by if leaf.by != "sekisho" else ""}
        return Observation(
            at=microseconds(leaf.at), kind=kind, ref=leaf.seq, **{**base, **values(data, leaf)}
        )

    return read


def _opened(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {
        "actor": d["person"],
        "client": d["organisation"],
        "ticket": d["ticket"],
        "session": d["session"],
        "place": host_of(d["peer"]),
        "tool": d["client"],
        "target": d["target"],
    }


def _of_session(d: dict[str, Any]) -> dict[str, Any]:
    """Of a fact that names its person, unless the leaf's `by` does."""
    named = {"actor": d["person"]} if "person" in d else {}
    return {**named, "client": d["organisation"], "session": d["session"], "ticket": d["ticket"]}


def _shown(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {**_of_session(d), "rows": d["rows"], "persons": d["persons"], "size": d["bytes"]}


def _asked(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    bulk = d.get("bulk") or {}
    return {
        "actor": d["person"],
        "client": d["organisation"],
        "ticket": d["ticket"],
        "target": d["target"],
        "expected": max(d["limits"]["ticket_persons"], bulk.get("ticket_persons", 0)),
        "low": d["opens"],
        "until": d["closes"],
    }


def _glass(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {**_asked(d["asked"], leaf), "what": "emergency"}


def _ticket_closed(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {"ticket": d["ticket"], "what": d["how"]}


def _person(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {
        "actor": "",
        "target": d["person"],
        "what": d["unit"] or d["agency"] or d["employer"],
        "other": d["manager"],
        "tool": d["employer"],
    }


def _lease(field: str, sign: int) -> Callable[[dict[str, Any], _Leaf], dict[str, Any]]:
    """The accounts of a lease: "ticket:NAME", "client:PERSON:ORGANISATION", and a day's, which we don't need."""

    def values(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
        found: dict[str, Any] = {"actor": "", "session": d["session"]}
        for account, (persons, _) in d[field].items():
            scope, _, rest = account.partition(":")
            if scope == "ticket":
                found |= {"ticket": rest, "persons": sign * persons}
            elif scope == "client":
                person, _, organisation = rest.partition(":")
                found |= {"actor": person, "client": organisation, "rows": sign * persons}
        return found

    return values


def _left(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    last = date.fromisoformat(d["last_day"])
    # The end of the last day in Japan.
    end = int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()) * 1_000_000 + DAY * 15 // 24
    return {"actor": "", "target": d["person"], "what": "left", "until": end}


def _takeout(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    """A request is to its approvals what a ticket is to its own: who asked, for how many persons, and when."""
    return {
        "actor": d["person"],
        "client": (d["organisations"] or ("",))[0],
        "ticket": d["takeout"],
        "target": d["channel"],
        "expected": d["persons"],
        "low": microseconds(leaf.at),
        "until": d["expires"],
    }


def _left_the_house(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {
        "actor": d.get("person", ""),
        "client": (d.get("organisations") or ("",))[0],
        "ticket": d.get("ticket", ""),
        "persons": d.get("persons", 0),
        "place": d.get("channel", ""),
    }


def _takeout_refused(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {
        "actor": d["claimed"],
        "what": d["code"],
        "ticket": d.get("ticket", ""),
        "persons": d.get("persons", 0),
        "place": d.get("channel", ""),
    }


def _admin(what: str, whom: str) -> Callable[[_Leaf], Observation]:
    return _seen("admin", lambda d, leaf: {"what": what, "other": d.get(whom, "")})


def _gap(source: str, what: str) -> Callable[[_Leaf], Observation]:
    return _seen("gap", lambda d, leaf: {"actor": "", "target": source, "what": what})


def _custody(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {
        "actor": "",
        "client": next(iter(d["organisations"]), ""),
        "target": d["takeout"],
        "what": d["why"],
    }


def _refused(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    return {"what": d.get("code", ""), "session": d.get("session", "")}


def _rows_came(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    """That a log source is alive. Its rows themselves lie in a segment (`watch.ingest.segments`)."""
    what = "skipped" if d["missing"] else "ahead" if d["ahead"] > _AHEAD else ""
    return {"actor": "", "target": f"log {d['source']}", "what": what}


def _source_came(d: dict[str, Any], leaf: _Leaf) -> dict[str, Any]:
    stated = d["silence_minutes"]
    until = microseconds(leaf.at) + stated * MINUTE if stated else 0
    return {"actor": "", "target": f"log {d['source']}", "until": until}


def _events_received(leaf: _Leaf) -> Observation:
    seen = _seen("beat", _rows_came)(leaf)
    return msgspec.structs.replace(seen, kind="gap") if seen.what else seen


READERS: Final[dict[str, Callable[[_Leaf], Observation]]] = {
    "relay.statement": _read,
    "relay.statements": _read_many,
    "relay.session_opened": _seen("logon", _opened),
    "relay.session_closed": _seen("logoff", lambda d, leaf: {"session": d["session"]}),
    "relay.channel_refused": _seen("refused", _refused),
    # What a terminal showed is counted about once a second, whatever the command was.
    "relay.terminal_output": _seen("read", _shown),
    "relay.terminal_volume_high": _seen(
        "print", lambda d, leaf: {**_of_session(d), "rows": d["bytes"] // _PAGE_BYTES}
    ),
    "relay.terminal_encoded": _seen("archive", lambda d, leaf: {**_of_session(d), "size": d["characters"]}),
    "relay.host_key_refused": _gap("target", "host key"),
    "relay.bypass_seen": _seen("gap", lambda d, leaf: {"actor": "", "target": d["target"], "what": "bypass"}),
    "relay.sensor_changed": _seen(
        "gap", lambda d, leaf: {"actor": "", "target": d["target"], "what": "sees" if d["sees"] else "blind"}
    ),
    # The inner session counted its persons as statements; here only that files exist, and that they are gone.
    "workspace.pulled": _seen(
        "pull", lambda d, leaf: {**_of_session(d), "place": "workspace", "size": d["bytes"]}
    ),
    "workspace.looked": _seen(
        "read", lambda d, leaf: {"session": d["session"], "ticket": d["ticket"], "persons": d["persons"]}
    ),
    "workspace.wiped": _seen(
        "delete", lambda d, leaf: {"ticket": d["ticket"], "place": "workspace", "what": "all"}
    ),
    "gate.budget_leased": _seen("lease", _lease("leased", 1)),
    "gate.budget_settled": _seen("lease", _lease("given_back", -1)),
    "gate.access_refused": _seen("refused", _refused),
    "gate.ticket_requested": _seen("ticket", _asked),
    "gate.break_glass_opened": _seen("ticket", _glass),
    "gate.ticket_approved": _seen(
        "approval", lambda d, leaf: {"actor": d["approver"], "ticket": d["ticket"]}
    ),
    "gate.ticket_closed": _seen("ticket_end", _ticket_closed),
    "gate.break_glass_reviewed": _seen(
        "review", lambda d, leaf: {"actor": d["reviewer"], "what": "emergency review"}
    ),
    "gate.policy_proposed": _admin("policy", ""),
    "gate.policy_approved": _admin("policy", ""),
    "people.person_added": _seen("person", _person),
    "people.person_moved": _seen("person", _person),
    "people.person_returned": _seen("person", _person),
    "people.person_left": _seen("person", _left),
    "people.account_added": _seen(
        "account", lambda d, leaf: {"actor": "", "target": d["account"], "other": d["person"]}
    ),
    "people.role_granted": _admin("role", "person"),
    "people.role_revoked": _admin("role", "person"),
    "people.person_unfrozen": _admin("unfreeze", "person"),
    "people.enrolment_allowed": _admin("authenticator", "person"),
    "people.session_opened": _seen(
        "logon",
        lambda d, leaf: {
            "actor": d["account"],
            "session": d["session"],
            "place": host_of(d["peer"]),
            "tool": "console",
        },
    ),
    "people.session_closed": _seen("logoff", lambda d, leaf: {"session": d["session"]}),
    "people.login_failed": _seen(
        "refused", lambda d, leaf: {"actor": d["claimed"], "place": host_of(d["peer"])}
    ),
    "console.log_read": _seen(
        "admin", lambda d, leaf: {"what": "log_read", "other": d["filter"].get("person", "")}
    ),
    "takeout.requested": _seen("ticket", _takeout),
    "takeout.approved": _seen("approval", lambda d, leaf: {"actor": d["approver"], "ticket": d["takeout"]}),
    "takeout.refused": _seen("refused", _takeout_refused),
    "takeout.closed": _seen("ticket_end", lambda d, leaf: {"ticket": d["takeout"], "what": d["how"]}),
    "takeout.released": _seen("takeout", _left_the_house),
    "takeout.recipient_proposed": _admin("recipient", ""),
    "takeout.recipient_approved": _admin("recipient", ""),
    "takeout.recipient_removed": _admin("recipient", ""),
    "takeout.custody_alarmed": _seen("gap", _custody),
    "ledger.clock_jumped": _gap("clock", "jump"),
    "ledger.leaf_mismatch": _gap("ledger", "mismatch"),
    "ledger.publication_stopped": _gap("publisher", "stopped"),
    "ledger.publication_failed": _gap("publisher", "failed"),
    "ledger.quorum_missing": _gap("witnesses", "quorum"),
    "watch.fact_skipped": _gap("watch", "hole"),
    "watch.stopped": _gap("watch", "stopped"),
    "watch.beat": _seen("beat", lambda d, leaf: {"actor": "", "target": d["source"]}),
    "watch.source_registered": _seen("beat", _source_came),
    "watch.source_ended": _seen(
        "beat", lambda d, leaf: {"actor": "", "target": f"log {d['source']}", "what": "ended"}
    ),
    "watch.events_received": _events_received,
    "watch.export_refused": _gap("export", "hole"),
    "watch.export_stalled": _gap("export", "stopped"),
    "watch.signal_received": _seen(
        "outside", lambda d, leaf: {"client": d["organisation"], "what": d["kind"], "actor": ""}
    ),
    "watch.canary_met": _seen(
        "canary",
        lambda d, leaf: {"actor": "", "client": d["organisation"], "target": d["canary"], "what": d["how"]},
    ),
    "watch.population_stated": _seen(
        "client", lambda d, leaf: {"actor": "", "client": d["organisation"], "persons": d["persons"]}
    ),
    "watch.alert_acknowledged": _seen("review", lambda d, leaf: {"what": "alerts"}),
    "watch.review_done": _seen("review", lambda d, leaf: {"what": d["kind"]}),
}
NAMES: Final = tuple(sorted(READERS))
