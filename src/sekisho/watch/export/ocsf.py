"""From a fact to an event of the Open Cybersecurity Schema Framework (schema.ocsf.io, 1.4.0).

Only what is named here is sent. Of free text that people typed (reasons, notes, purposes) and of confidential parts
nothing is: a leaf holds no data subject, and so does no event.
"""

from collections.abc import Callable
from typing import Any, Final

from sekisho.ledger import Recorded, values_of
from sekisho.watch.alerts import explain
from sekisho.watch.facts import AlertRaised
from sekisho.watch.reading import host_of

VERSION: Final = "1.4.0"
Event = dict[str, Any]
_CATEGORIES: Final = {2: "Findings", 3: "Identity & Access Management", 6: "Application Activity"}
_CLASSES: Final = {
    2004: "Detection Finding",
    3001: "Account Change",
    3002: "Authentication",
    3005: "User Access Management",
    6005: "Datastore Activity",
}
_ACTIVITIES: Final = {
    (2004, 1): "Create", (2004, 2): "Update", (2004, 3): "Close", (3001, 2): "Enable", (3001, 5): "Disable",
    (3002, 1): "Logon", (3002, 2): "Logoff", (3005, 1): "Assign Privileges", (3005, 2): "Revoke Privileges",
    (6005, 3): "Connect", (6005, 4): "Query",
}  # fmt: skip
_SEVERITIES: Final = {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}
_VERDICTS: Final = {"suspicious": (2, 2), "unclear": (2, 2), "expected": (3, 3)}  # activity, status


def event_of(recorded: Recorded, origin: str, version: str) -> Event | None:
    """None for a fact that is not exported. `origin` names the log; with the fact's index it names the event."""
    make, fact = MAKERS.get(recorded.fact), recorded.typed()
    if make is None or fact is None:
        return None
    data = values_of(fact)
    class_uid, activity, severity, said = make(data, recorded)
    category = class_uid // 1000
    at = int(recorded.at.timestamp() * 1000)
    return {
        "class_uid": class_uid,
        "class_name": _CLASSES[class_uid],
        "category_uid": category,
        "category_name": _CATEGORIES[category],
        "activity_id": activity,
        "activity_name": _ACTIVITIES[class_uid, activity],
        "type_uid": class_uid * 100 + activity,
        "severity_id": severity,
        "severity": _SEVERITIES[severity],
        "time": at,
        "metadata": {
            "uid": f"{origin}/{recorded.seq}",
            "sequence": recorded.seq,
            "event_code": recorded.fact,
            "log_name": origin,
            "version": VERSION,
            "product": {"name": "Sekisho", "vendor_name": "Sekisho", "version": version},
        },
        **said,
    }


_Made = tuple[int, int, int, Event]


def _user(name: str) -> Event:
    return {"name": name, "uid": name}


def _endpoint(peer: str) -> Event:
    return {"ip": host_of(peer)} if peer else {"svc_name": "sekisho"}


def _finding(alert: str, **more: Any) -> Event:
    return {"finding_info": {"uid": alert, **more}}


def _raised(d: dict[str, Any], recorded: Recorded) -> _Made:
    raised = recorded.typed()
    if not isinstance(raised, AlertRaised):
        raise TypeError(recorded.fact)
    severity = 5 if raised.certain or raised.score >= 6 else 4 if raised.score >= 4.5 else 3
    info = _finding(
        raised.alert,
        title=raised.detector,
        desc=explain(raised)["en"],
        created_time=int(recorded.at.timestamp() * 1000),
        last_seen_time=raised.at // 1000,
        analytic={"name": raised.detector, "type": "Behavioral", "type_id": 2, "category": raised.head},
        related_events_count=len(raised.refs),
        data_sources=[str(ref) for ref in raised.refs[-20:]],
    )
    unmapped: Event = {"score": raised.score, "claim": raised.claim, "observed": raised.observed}
    unmapped |= {"expected": raised.expected, "organisation": raised.organisation, "ticket": raised.ticket}
    said = {
        **info,
        "is_alert": True,
        "status_id": 3 if raised.muted else 1,
        "status": "Suppressed" if raised.muted else "New",
        "message": info["finding_info"]["desc"],
        "unmapped": unmapped | {"session": raised.session, "certain": raised.certain},
    }
    if raised.human:
        said["resources"] = [{"type": "person", "uid": raised.human, "name": raised.human}]
    return 2004, 1, severity, said


def _escalated(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = _finding(d["alert"], title=f"nobody has acknowledged it yet, step {d['level']}")
    return 2004, 2, 4, {**said, "status_id": 1, "status": "New", "unmapped": {"step": d["level"]}}


def _acknowledged(d: dict[str, Any], recorded: Recorded) -> _Made:
    activity, status = _VERDICTS.get(d["verdict"], (2, 2))
    said = {
        **_finding(d["alert"]),
        "status_id": status,
        "status": {2: "In Progress", 3: "Suppressed"}[status],
    }
    return 2004, activity, 1, {**said, "unmapped": {"verdict": d["verdict"], "by": recorded.by}}


def _response(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = {**_finding(d["alert"]), "status_id": 2, "status": "In Progress"}
    return 2004, 2, 3, {**said, "unmapped": {"response": d["what"], "subject": d["subject"]}}


def _logon(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = {
        "user": {**_user(d["account"]), "uid": d["person"]},
        "service": {"name": "console"},
        "session": {"uid": d["session"]},
        "src_endpoint": _endpoint(d["peer"]),
        "logon_process": {"name": d["method"]},
        "is_remote": True,
    }
    return 3002, 1, 1, {**said, "status_id": 1, "status": "Success"}


def _login_failed(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = {
        "user": _user(d["claimed"]) if d["claimed"] else {"name": "unknown"},
        "service": {"name": "console"},
        "src_endpoint": _endpoint(d["peer"]),
        "status_id": 2,
        "status": "Failure",
        "is_remote": True,
    }
    return 3002, 1, 2, said


def _logoff(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = {"user": _user(recorded.by), "service": {"name": "console"}, "session": {"uid": d["session"]}}
    return 3002, 2, 1, {**said, "status_id": 1, "status": "Success"}


def _store(who: str, peer: str, database: str) -> Event:
    return {
        "actor": {"user": _user(who)},
        "src_endpoint": _endpoint(peer),
        "database": {"name": database, "type_id": 1, "type": "Relational"},
        "type_id": 1,
        "type": "Database",
    }


def _opened(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = _store(d["person"], d["peer"], d["dataset"])
    said["actor"]["session"] = {"uid": d["session"]}
    extra = {name: d[name] for name in ("ticket", "organisation", "target", "door")}
    return 6005, 3, 1, {**said, "status_id": 1, "status": "Success", "unmapped": extra}


def _access_refused(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = _store(d["claimed"] or "unknown", d["peer"], d["target"])
    failed = {"status_id": 2, "status": "Failure", "status_code": d["code"]}
    return 6005, 3, 3, {**said, **failed, "unmapped": {"door": d["door"]}}


def _statement(d: dict[str, Any], recorded: Recorded) -> _Made:
    said = _store(recorded.by, "", d["organisation"])
    said["actor"]["session"] = {"uid": d["session"]}
    tables = sorted({name.rpartition(".")[0] for name in d["read"]} - {""})
    if tables:
        said["table"] = {"name": tables[0]}
    figures = {name: _sum(d[name]) for name in ("rows", "persons", "bytes")}
    outcome = d.get("outcome", "passed")
    severity = {"passed": 1, "failed": 1, "lost": 2}.get(outcome, 3)
    ok = outcome == "passed"
    said |= {"status_id": 1 if ok else 2, "status": "Success" if ok else "Failure", "status_detail": outcome}
    extra = {"ticket": d["ticket"], "organisation": d["organisation"], "tables": tables, **figures}
    return 6005, 4, severity, {**said, "unmapped": extra}


def _sum(figure: int | tuple[int, ...]) -> int:
    return figure if isinstance(figure, int) else sum(figure)


def _account(activity: int, severity: int) -> Callable[[dict[str, Any], Recorded], _Made]:
    def make(d: dict[str, Any], recorded: Recorded) -> _Made:
        said = {"user": _user(d["person"]), "actor": {"user": _user(recorded.by)}}
        return 3001, activity, severity, said

    return make


def _role(activity: int) -> Callable[[dict[str, Any], Recorded], _Made]:
    def make(d: dict[str, Any], recorded: Recorded) -> _Made:
        said = {
            "user": _user(d["person"]),
            "actor": {"user": _user(recorded.by)},
            "privileges": [str(d["role"])],
            "unmapped": {"organisation": d["organisation"]},
        }
        return 3005, activity, 2, said

    return make


def _glass(d: dict[str, Any], recorded: Recorded) -> _Made:
    asked = d["asked"]
    said = {"user": _user(asked.person), "actor": {"user": _user(recorded.by)}, "privileges": ["break-glass"]}
    extra = {"ticket": asked.ticket, "organisation": asked.organisation, "target": asked.target}
    return 3005, 1, 4, {**said, "unmapped": extra}


MAKERS: Final[dict[str, Callable[[dict[str, Any], Recorded], _Made]]] = {
    "watch.alert_raised": _raised,
    "watch.alert_escalated": _escalated,
    "watch.alert_acknowledged": _acknowledged,
    "watch.response_taken": _response,
    "people.session_opened": _logon,
    "people.login_failed": _login_failed,
    "people.session_closed": _logoff,
    "people.person_frozen": _account(5, 4),
    "people.person_unfrozen": _account(2, 2),
    "people.role_granted": _role(1),
    "people.role_revoked": _role(2),
    "gate.access_refused": _access_refused,
    "gate.break_glass_opened": _glass,
    "relay.session_opened": _opened,
    "relay.statement": _statement,
    "relay.statements": _statement,
}
EXPORTED: Final = tuple(sorted(MAKERS))
