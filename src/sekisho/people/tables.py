"""People's tables, and how their facts become rows.

A row here lets nobody through a door by itself: see `standing` for what the gate reads. Everything that a person
holds (authenticators, sessions, tokens) is good only while its owner's row in `persons` says so: one fact that
sets `left`, `frozen` or one of the two `…_void` times ends all of it at once.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, select

from sekisho.faults import Language
from sekisho.ledger import Connection, Recorded, Writes, projects, values_of
from sekisho.ledger.projections import Row
from sekisho.ledger.tables import Timestamp, metadata
from sekisho.people import facts as f

persons = Table(
    "persons",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("employer", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("manager", String(64), nullable=False),
    Column("language", String(8), nullable=False),
    Column("started", String(10), nullable=False),  # ISO date, or ""
    Column("left", Timestamp, nullable=True),
    Column("frozen", String(64), nullable=False),  # the leaf hash of the freeze in force, or ""
    Column("logins_void", Timestamp, nullable=True),  # sessions and tokens up to here are void
    Column("authenticators_void", Timestamp, nullable=True),
)

# A login name, and the human behind it. Each human has one of the same name.
accounts = Table(
    "accounts",
    metadata,
    Column("account", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
)

# In the tables of authenticators and tokens, `person` is the account.
credentials = Table(
    "credentials",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("verifier", String(64), nullable=False),
    Column("set", Timestamp, nullable=False),
)

# The last one-time code that each person used: a code opens one door once.
codes_used = Table(
    "codes_used",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("step", Integer, nullable=False),
)

passkeys = Table(
    "passkeys",
    metadata,
    Column("credential", Text, primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("public_key", Text, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("label", Text, nullable=False),
    Column("added", Timestamp, nullable=False),
    Column("used", Timestamp, nullable=True),
)

# A key stays in its row when it is revoked, so that nobody can add it again.
ssh_keys = Table(
    "ssh_keys",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("public_key", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("added", Timestamp, nullable=False),
    Column("revoked", Timestamp, nullable=True),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("bound", Timestamp, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("ticket", String(64), primary_key=True),
    Column("target", String(64), primary_key=True),
    Column("token", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("issued", Timestamp, nullable=False),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("person", String(64), nullable=False, index=True),
    Column("method", String(32), nullable=False),
    Column("peer", Text, nullable=False),
    Column("digest", String(64), nullable=False, index=True),
    Column("notice", Text, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("opened", Timestamp, nullable=False),
    Column("used", Timestamp, nullable=False),
    Column("closed", Timestamp, nullable=True),
    Column("reason", Text, nullable=False),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("person", String(64), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("digest", String(64), nullable=False, index=True),
    Column("expires", BigInteger, nullable=False),
    Column("issued", Timestamp, nullable=False),
    Column("revoked", Timestamp, nullable=True),
)

roles_held = Table(
    "roles_held",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("role", String(32), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("since", String(10), nullable=False),
    Column("granted", Timestamp, nullable=False),
    Column("granted_by", String(64), nullable=False),
    Column("rotation_due", Boolean, nullable=False),
)

# What one person asked and a second one must agree to, by the leaf hash of the asking fact.
asks = Table(
    "people_asks",
    metadata,
    Column("request", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("act", String(32), nullable=False),
    Column("person", String(64), nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked", Timestamp, nullable=False),
    Column("role", String(32), nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("agreed_by", String(64), nullable=False),
    Column("agreed", Timestamp, nullable=True),
    Column("digest", String(64), nullable=False),  # of the second half of an enrolment link, when agreed
    Column("expires", BigInteger, nullable=False),
    Column("used", Timestamp, nullable=True),
    Index("people_asks_open", "agreed", "act"),
)

first_links = Table(
    "first_links",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("used", Timestamp, nullable=True),
)

# Inserted once for each link: the ledger refuses a second use.
links_used = Table("links_used", metadata, Column("request", String(64), primary_key=True))

# Trainings and attestations of rules.
qualifications = Table(
    "qualifications",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),  # "training" or "rule"
    Column("name", String(128), primary_key=True),
    Column("since", String(10), nullable=False),
    Column("until", String(10), nullable=False),
)

# What must follow on a leaving; the look-back and the notice are recorded after it.
leavings = Table(
    "leavings",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("left", Timestamp, nullable=False),
    Column("last_day", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("pulls", String(64), nullable=False),  # commitment of the look-back's list, or ""
    Column("notified", Timestamp, nullable=True),
)

headcounts = Table(
    "headcounts",
    metadata,
    Column("agency", String(255), primary_key=True),
    Column("as_of", String(10), nullable=False),
    Column("reconciled", Timestamp, nullable=False),
    Column("listed", Integer, nullable=False),
    Column("ours", Integer, nullable=False),
    # The differences as JSON: read whole, never searched.
    Column("differences", LargeBinary, nullable=False),
)


@projects(f.PersonAdded)
def _person(write: Writes, fact: f.PersonAdded, recorded: Recorded) -> None:
    started = fact.started.isoformat() if fact.started else ""
    row: Row = {**values_of(fact), "started": started}
    # Inserted, not replaced: a second person of the same id, or one named like an account, is refused.
    write.insert(
        persons, {**row, "left": None, "frozen": "", "logins_void": None, "authenticators_void": None}
    )
    write.insert(accounts, {"account": fact.person, "person": fact.person})


@projects(f.PersonMoved)
def _moved(write: Writes, fact: f.PersonMoved, recorded: Recorded) -> None:
    row = values_of(fact)
    write.update(persons, {"person": row.pop("person")}, row)


@projects(f.AccountAdded)
def _account(write: Writes, fact: f.AccountAdded, recorded: Recorded) -> None:
    write.insert(accounts, {"account": fact.account, "person": fact.person})


@projects(f.CredentialSet)
def _credential(write: Writes, fact: f.CredentialSet, recorded: Recorded) -> None:
    write.upsert(credentials, {"person": fact.person}, {"verifier": fact.verifier, "set": recorded.at})


@projects(f.CodeUsed)
def _code(write: Writes, fact: f.CodeUsed, recorded: Recorded) -> None:
    write.upsert(codes_used, {"person": fact.person}, {"step": fact.step})


@projects(f.PasskeyAdded)
def _passkey(write: Writes, fact: f.PasskeyAdded, recorded: Recorded) -> None:
    write.insert(passkeys, {**values_of(fact), "added": recorded.at, "used": None})


@projects(f.PasskeyUsed)
def _passkey_used(write: Writes, fact: f.PasskeyUsed, recorded: Recorded) -> None:
    row: Row = {"sign_count": fact.sign_count, "used": recorded.at}
    write.update(passkeys, {"credential": fact.credential}, row)


@projects(f.PasskeyRemoved)
def _passkey_removed(write: Writes, fact: f.PasskeyRemoved, recorded: Recorded) -> None:
    write.delete(passkeys, {"credential": fact.credential})


@projects(f.SshKeyAdded)
def _ssh_key(write: Writes, fact: f.SshKeyAdded, recorded: Recorded) -> None:
    write.insert(ssh_keys, {**values_of(fact), "added": recorded.at, "revoked": None})


@projects(f.SshKeyRevoked)
def _ssh_key_revoked(write: Writes, fact: f.SshKeyRevoked, recorded: Recorded) -> None:
    write.update(ssh_keys, {"key": fact.key}, {"revoked": recorded.at})


@projects(f.IdentityAsked)
def _identity_asked(write: Writes, fact: f.IdentityAsked, recorded: Recorded) -> None:
    _ask(write, "identity", fact.person, f"{fact.subject} @ {fact.issuer}", recorded)


@projects(f.IdentityBound)
def _bound(write: Writes, fact: f.IdentityBound, recorded: Recorded) -> None:
    _agree(write, fact.request, recorded)
    key: Row = {"issuer": fact.issuer, "subject": fact.subject}
    write.insert(identities, {**key, "person": fact.person, "bound": recorded.at})


@projects(f.IdentityUnbound)
def _unbound(write: Writes, fact: f.IdentityUnbound, recorded: Recorded) -> None:
    write.delete(identities, {"issuer": fact.issuer, "subject": fact.subject})


@projects(f.TokenIssued)
def _token(write: Writes, fact: f.TokenIssued, recorded: Recorded) -> None:
    write.upsert(
        tokens,
        {"person": fact.person, "ticket": fact.ticket, "target": fact.target},
        {"token": fact.token, "expires": fact.expires, "issued": recorded.at},
    )


@projects(f.SessionOpened)
def _session(write: Writes, fact: f.SessionOpened, recorded: Recorded) -> None:
    times: Row = {"opened": recorded.at, "used": recorded.at, "closed": None}
    write.insert(console_sessions, {**values_of(fact), **times, "reason": ""})


@projects(f.SessionUsed)
def _session_used(write: Writes, fact: f.SessionUsed, recorded: Recorded) -> None:
    write.update(console_sessions, {"session": fact.session}, {"used": recorded.at})


@projects(f.SessionClosed)
def _session_closed(write: Writes, fact: f.SessionClosed, recorded: Recorded) -> None:
    _close(write, fact.session, recorded.at, fact.reason)


def _close(write: Writes, session: str, at: datetime, reason: str) -> None:
    write.update(console_sessions, {"session": session}, {"closed": at, "reason": reason})


@projects(f.ApiTokenIssued)
def _api_token(write: Writes, fact: f.ApiTokenIssued, recorded: Recorded) -> None:
    row: Row = {**values_of(fact), "scopes": " ".join(fact.scopes)}
    write.insert(api_tokens, {**row, "issued": recorded.at, "revoked": None})


@projects(f.ApiTokenRevoked)
def _api_token_revoked(write: Writes, fact: f.ApiTokenRevoked, recorded: Recorded) -> None:
    write.update(api_tokens, {"token": fact.token}, {"revoked": recorded.at})


def _ask(write: Writes, act: str, person: str, reason: str, recorded: Recorded, **also: str) -> None:
    row: dict[str, Any] = {
        "request": recorded.leaf_hash.hex(),
        "seq": recorded.seq,
        "act": act,
        "person": person,
        "asked_by": recorded.by,
        "asked": recorded.at,
        "role": "",
        "organisation": "",
        "reason": reason,
        "agreed_by": "",
        "agreed": None,
        "digest": "",
        "expires": 0,
        "used": None,
    }
    write.insert(asks, {**row, **also})


def _agree(write: Writes, request: str, recorded: Recorded, **also: str | int) -> None:
    write.update(asks, {"request": request}, {"agreed_by": recorded.by, "agreed": recorded.at, **also})


@projects(f.RoleAsked)
def _role_asked(write: Writes, fact: f.RoleAsked, recorded: Recorded) -> None:
    _ask(
        write,
        "role",
        fact.person,
        fact.reason,
        recorded,
        role=fact.role.value,
        organisation=fact.organisation,
    )


@projects(f.RoleGranted)
def _role_granted(write: Writes, fact: f.RoleGranted, recorded: Recorded) -> None:
    _agree(write, fact.request, recorded)
    key = {"person": fact.person, "role": fact.role.value, "organisation": fact.organisation}
    row: Row = {"since": fact.since.isoformat(), "granted": recorded.at, "granted_by": recorded.by}
    write.upsert(roles_held, key, {**row, "rotation_due": False})


@projects(f.RoleRevoked)
def _role_revoked(write: Writes, fact: f.RoleRevoked, recorded: Recorded) -> None:
    key = {"person": fact.person, "role": fact.role.value, "organisation": fact.organisation}
    write.delete(roles_held, key)


@projects(f.RotationDue)
def _rotation(write: Writes, fact: f.RotationDue, recorded: Recorded) -> None:
    key = {"person": fact.person, "role": fact.role.value, "organisation": fact.organisation}
    write.update(roles_held, key, {"rotation_due": True})


@projects(f.TrainingCompleted)
def _training(write: Writes, fact: f.TrainingCompleted, recorded: Recorded) -> None:
    key = {"person": fact.person, "kind": "training", "name": fact.course}
    write.upsert(qualifications, key, {"since": fact.on.isoformat(), "until": fact.until.isoformat()})


@projects(f.RuleAttested)
def _rule(write: Writes, fact: f.RuleAttested, recorded: Recorded) -> None:
    key = {"person": fact.person, "kind": "rule", "name": fact.rule}
    write.upsert(qualifications, key, {"since": fact.on.isoformat(), "until": fact.until.isoformat()})


@projects(f.PersonFrozen)
def _frozen(write: Writes, fact: f.PersonFrozen, recorded: Recorded) -> None:
    row: Row = {"frozen": recorded.leaf_hash.hex(), "logins_void": recorded.at}
    write.update(persons, {"person": fact.person}, row)


@projects(f.UnfreezeAsked)
def _unfreeze_asked(write: Writes, fact: f.UnfreezeAsked, recorded: Recorded) -> None:
    _ask(write, "unfreeze", fact.person, fact.reason, recorded)


@projects(f.PersonUnfrozen)
def _unfrozen(write: Writes, fact: f.PersonUnfrozen, recorded: Recorded) -> None:
    _agree(write, fact.request, recorded)
    write.update(persons, {"person": fact.person}, {"frozen": ""})


@projects(f.PersonLeft)
def _left(write: Writes, fact: f.PersonLeft, recorded: Recorded) -> None:
    at = recorded.at
    write.update(persons, {"person": fact.person}, {"left": at, "logins_void": at, "authenticators_void": at})
    for held in fact.roles:
        key = {"person": fact.person, "role": held.role.value, "organisation": held.organisation}
        write.delete(roles_held, key)
    for credential in fact.passkeys:
        write.delete(passkeys, {"credential": credential})
    for session in fact.sessions:
        _close(write, session, at, "left")
    for token in fact.api_tokens:
        write.update(api_tokens, {"token": token}, {"revoked": at})
    row: Row = {"left": at, "last_day": fact.last_day.isoformat(), "reason": fact.reason}
    write.upsert(leavings, {"person": fact.person}, {**row, "pulls": "", "notified": None})


@projects(f.LookedBack)
def _looked_back(write: Writes, fact: f.LookedBack, recorded: Recorded) -> None:
    write.update(leavings, {"person": fact.person}, {"pulls": fact.pulls})


@projects(f.AgencyNotified)
def _notified(write: Writes, fact: f.AgencyNotified, recorded: Recorded) -> None:
    write.update(leavings, {"person": fact.person}, {"notified": recorded.at})


@projects(f.PersonReturned)
def _returned(write: Writes, fact: f.PersonReturned, recorded: Recorded) -> None:
    row = {**values_of(fact), "started": fact.started.isoformat(), "left": None}
    # What the person had before leaving stays void, whatever was overlooked then.
    void: Row = {"logins_void": recorded.at, "authenticators_void": recorded.at}
    write.update(persons, {"person": row.pop("person")}, {**row, **void})


@projects(f.FirstLinkMade)
def _first_link(write: Writes, fact: f.FirstLinkMade, recorded: Recorded) -> None:
    row: Row = {
        "request": recorded.leaf_hash.hex(),
        "digest": fact.digest,
        "expires": fact.expires,
        "used": None,
    }
    write.upsert(first_links, {"person": fact.person}, row)


@projects(f.FirstLinkUsed)
def _first_link_used(write: Writes, fact: f.FirstLinkUsed, recorded: Recorded) -> None:
    write.insert(links_used, {"request": fact.request})
    write.update(first_links, {"person": fact.person}, {"used": recorded.at})


@projects(f.EnrolmentAsked)
def _enrolment_asked(write: Writes, fact: f.EnrolmentAsked, recorded: Recorded) -> None:
    _ask(write, "enrolment", fact.person, fact.reason, recorded)


@projects(f.EnrolmentAllowed)
def _enrolment_allowed(write: Writes, fact: f.EnrolmentAllowed, recorded: Recorded) -> None:
    _agree(write, fact.request, recorded, digest=fact.digest, expires=fact.expires)


@projects(f.EnrolmentUsed)
def _enrolment_used(write: Writes, fact: f.EnrolmentUsed, recorded: Recorded) -> None:
    write.insert(links_used, {"request": fact.request})
    write.update(asks, {"request": fact.request}, {"used": recorded.at})
    void: Row = {"logins_void": recorded.at, "authenticators_void": recorded.at}
    write.update(persons, {"person": fact.person}, void)


@projects(f.HeadcountReconciled)
def _headcount(write: Writes, fact: f.HeadcountReconciled, recorded: Recorded) -> None:
    row: Row = {"as_of": fact.as_of.isoformat(), "reconciled": recorded.at, "listed": fact.listed}
    differences = msgspec.json.encode(fact.differences)
    write.upsert(headcounts, {"agency": fact.agency}, {**row, "ours": fact.ours, "differences": differences})


async def find_identities(connection: Connection, person: str) -> tuple[tuple[str, str], ...]:
    """(issuer, subject) of the OpenID Connect identities that log a human's accounts in."""
    query = (
        select(identities.c.issuer, identities.c.subject)
        .join(accounts, accounts.c.account == identities.c.person)
        .where(accounts.c.person == person)
        .order_by(identities.c.issuer, identities.c.subject)
    )
    return tuple((row.issuer, row.subject) for row in await connection.execute(query))


async def find_language(connection: Connection, account: str) -> Language:
    """The language in which a person is told things; English when the person is not ours."""
    query = select(persons.c.language).join(accounts, accounts.c.person == persons.c.person)
    found = await connection.scalar(query.where(accounts.c.account == account))
    return "ja" if found == "ja" else "en"


async def find_managers(connection: Connection) -> dict[str, str]:
    """Person -> the next one up the chain of command, "" at its top."""
    rows = await connection.execute(select(persons.c.person, persons.c.manager))
    return {row.person: row.manager for row in rows}
