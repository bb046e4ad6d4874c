"""S6: opening what the gate would not, with facts forged by whoever can write into the database, or by one person."""

import contextlib
import shutil
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from redteam.stage import Stage
from redteam.suite import Evidence, attack, guard, not_run
from sekisho.demo.founding import add_person, appoint
from sekisho.evidence import verify
from sekisho.evidence.checkpoint import parse_checkpoint
from sekisho.evidence.note import parse_note
from sekisho.evidence.tiles import bundle_path, pack_entry, unpack_entries, width_of
from sekisho.evidence.verify import verify_folder
from sekisho.faults import Fault
from sekisho.gate import decide, duties, policies, state
from sekisho.gate.decide import Ticket
from sekisho.gate.duties import Act, Actor, Allowed, Case, Part
from sekisho.gate.facts import (
    BreakGlassOpened,
    PolicyApproved,
    PolicyProposed,
    TicketApproved,
    TicketClosed,
    TicketRequested,
)
from sekisho.gate.policy import InForce, Policy, Proposal
from sekisho.gate.policy import in_force as really_in_force
from sekisho.gate.refusal import Refusal
from sekisho.gate.tickets import approve_ticket, read_ticket
from sekisho.ledger import Level, Recorded, values_of
from sekisho.people.facts import AccountAdded, RoleRevoked
from sekisho.people.roles import Role
from sekisho.relay.admission import Admissions
from sekisho.relay.record import recordings
from sekisho.service.published import LogFolder
from ssh_under_test import PROMPT

# -- the guards ----------------------------------------------------------------------------------------------------


@guard("duties.may")
def _duties_off(patch: pytest.MonkeyPatch) -> None:
    """Anybody's approval counts as a manager's."""
    asked = duties.may

    def may(act: Act, part: Part, actor: Actor, case: Case) -> Allowed | Refusal:
        if part is Part.APPROVE:
            return Allowed(act, part, actor, Role.OPERATOR_MANAGER, frozenset(), duties._MINT)
        return asked(act, part, actor, case)

    patch.setattr(decide, "may", may)


@guard("tickets.read_ticket")
def _approvals_loose(patch: pytest.MonkeyPatch) -> None:
    """An approval counts for the ticket's name, whatever request it was given to."""

    async def read(ledger: Any, confirms: Any, name: str, **options: Any) -> Ticket | None:
        ticket = await read_ticket(ledger, confirms, name, **options)
        given = [
            one.typed() for one in await ledger.facts(0, 100, names=["gate.ticket_approved"], about=name)
        ]
        names = tuple(one.approver for one in given if isinstance(one, TicketApproved))
        return replace(ticket, approvers=names) if ticket else None

    patch.setattr(state, "read_ticket", read)


def _rule_guard(rule: str) -> None:
    def off(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(decide, "RULES", tuple(one for one in decide.RULES if one.name != rule))

    guard(f"decide.RULES: {rule}")(off)


_rule_guard("approval")
_rule_guard("window")
_rule_guard("break-glass")


@guard("LogFolder.confirms")
def _confirms_off(patch: pytest.MonkeyPatch) -> None:
    async def yes(self: LogFolder, recorded: Recorded) -> bool:
        return True

    patch.setattr(LogFolder, "confirms", yes)


@guard("state._nothing_is_missing")
def _missing_off(patch: pytest.MonkeyPatch) -> None:
    async def fine(*_: object) -> None:
        return None

    patch.setattr(state, "_nothing_is_missing", fine)


@guard("Admissions._at")
def _clock_off(patch: pytest.MonkeyPatch) -> None:
    async def wall(self: Admissions, now: datetime) -> int:
        return int(now.timestamp() * 1e6)

    patch.setattr(Admissions, "_at", wall)


@guard("policy.in_force")
def _two_off(patch: pytest.MonkeyPatch) -> None:
    """The last proposal is in force, whoever approved it."""

    def in_force(steps: Any, humans: Any) -> InForce:
        steps = list(steps)
        proposals = [one for one in steps if isinstance(one, Proposal)]
        # Also asked before there is one: by whoever reads the policy beside the move.
        return (
            InForce(proposals[-1].policy, proposals[-1].request)
            if proposals
            else really_in_force(steps, humans)
        )

    patch.setattr(policies, "in_force", in_force)


@guard("verify._judge")
def _judge_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verify, "_judge", lambda *_: iter(()))


@guard("Recording._append")
def _recorder_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recordings.Recording, "_append", lambda self, code, data: None)


# -- tickets -------------------------------------------------------------------------------------------------------


async def opens(stage: Stage, ticket: str) -> Evidence:
    """Whether a shell opens."""
    answer = await stage.door.run("ssh", ticket, "-tt", "door", data=b"exit\n", seconds=20)
    return await stage.evidence(ticket, int(PROMPT in answer.output))


async def forge(stage: Stage, ticket: str, approver: str, *, of: str = "") -> None:
    """An approval in the log, past the checks of who gives one."""
    [asked] = await stage.door.ledger.facts(0, 1, names=["gate.ticket_requested"], about=of or ticket)
    given = TicketApproved(ticket=ticket, approver=approver, request=asked.leaf_hash.hex())
    await stage.door.ledger.record(given, by=approver, about=ticket)


async def _approved_by(stage: Stage, approver: str) -> Evidence:
    """By the command, which must refuse; then by a forged fact, which must open nothing."""
    ticket = await stage.door.ssh_ticket(approved=False)
    with contextlib.suppress(Fault):
        await approve_ticket(stage.door.ledger, ticket, approver)
    await forge(stage, ticket, approver)
    return await opens(stage, ticket)


async def once(stage: Stage, person: str, role: Role | None = None) -> None:
    known = {one["person"] for one in await stage.told("people.person_added")}
    if person not in known:
        await add_person(stage.door.ledger, person, person, "Example Outsourcing")
        if role is not None:
            await appoint(stage.door.ledger, person, role)


@attack("S6-01", "approving one's own request", "自分の申請の承認", guards=("duties.may",))
async def own(stage: Stage) -> Evidence:
    return await _approved_by(stage, "sato")


@attack(
    "S6-02", "approving with a second account", "自分の二つ目のアカウントでの承認", guards=("duties.may",)
)
async def second_account(stage: Stage) -> Evidence:
    if not await stage.told("people.account_added"):
        added = AccountAdded(account="sato-2", person="sato", reason="a second one")
        await stage.door.ledger.record(added, by="kanri", about="sato-2")
    return await _approved_by(stage, "sato-2")


@attack("S6-03", "an administrator approves", "システム管理者による承認", guards=("duties.may",))
async def administrator(stage: Stage) -> Evidence:
    await once(stage, "kanri3", Role.ADMINISTRATOR)
    return await _approved_by(stage, "kanri3")


@attack(
    "S6-04",
    "an approval by somebody who has lost the role since",
    "その後に役割を失った人の承認",
    guards=("decide.RULES: approval",),
)
async def stale(stage: Stage) -> Evidence:
    person = f"kacho{time.monotonic_ns()}"
    await once(stage, person, Role.OPERATOR_MANAGER)
    ticket = await stage.door.ssh_ticket(approved=False)
    await approve_ticket(stage.door.ledger, ticket, person)
    revoked = RoleRevoked(person=person, role=Role.OPERATOR_MANAGER, organisation="", reason="moved")
    await stage.door.ledger.record(revoked, by="kanri", about=person)
    return await opens(stage, ticket)


@attack(
    "S6-05",
    "an approval of another request, used again",
    "別の申請への承認の使い回し",
    guards=("tickets.read_ticket",),
)
async def replayed(stage: Stage) -> Evidence:
    former = await stage.door.ssh_ticket()
    ticket = await stage.door.ssh_ticket(approved=False)
    await forge(stage, ticket, "mori", of=former)
    return await opens(stage, ticket)


def database(stage: Stage, change: str, *values: object) -> None:
    """What an administrator of the database does."""
    path = stage.door.service.state / "ledger.sqlite"
    with contextlib.closing(sqlite3.connect(path, timeout=20)) as connection, connection:
        connection.execute(change, values)


@attack(
    "S6-06",
    "a request that is widened in the database after its approval",
    "承認後に DB で申請を広げる",
    guards=("LogFolder.confirms",),
)
async def widened(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    [recorded] = await stage.door.ledger.facts(0, 1, names=["gate.ticket_approved"], about=ticket)
    await stage.door.ledger.reached(recorded.seq, Level.PUBLISHED, 20)
    change = (
        "UPDATE facts SET leaf = CAST(replace(leaf, '100000', '900000') AS BLOB) WHERE about = ? AND fact = ?"
    )
    database(stage, change, ticket, "gate.ticket_requested")
    # The approval names the leaf that was; whoever widens one forges the other.
    [asked] = await stage.door.ledger.facts(0, 1, names=["gate.ticket_requested"], about=ticket)
    former = (await stage.told("gate.ticket_approved"))[-1]["request"]
    change = "UPDATE facts SET leaf = CAST(replace(leaf, ?, ?) AS BLOB) WHERE about = ? AND fact = ?"
    database(stage, change, former, asked.leaf_hash.hex(), ticket, "gate.ticket_approved")
    return await opens(stage, ticket)


def _hours(first: float, last: float) -> dict[str, int]:
    now = datetime.now(UTC)
    opens_, closes = (int((now + timedelta(hours=one)).timestamp() * 1e6) for one in (first, last))
    return {"opens": opens_, "closes": closes}


@attack("S6-07", "a ticket whose window is over", "期間の過ぎたチケット", guards=("decide.RULES: window",))
async def over(stage: Stage) -> Evidence:
    # With its rule off, the session would be ended at once by its own clock: it must not be over in the past.
    return await opens(stage, await stage.door.ssh_ticket(**_hours(1, 2)))


@attack(
    "S6-08",
    "the machine's clock set back into a window that is over",
    "期間の過ぎたチケットへ、時計を戻す",
    guards=("Admissions._at",),
)
async def clock(stage: Stage) -> Evidence:
    ticket = await stage.door.ssh_ticket(**_hours(-2, -1))
    assert stage.door.service.ssh_door is not None
    admissions = stage.door.service.ssh_door._admissions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admissions, "_now", lambda: datetime.now(UTC) - timedelta(minutes=90))
        answer = await stage.door.run("ssh", ticket, "-tt", "door", data=b"exit\n", seconds=20)
    opened = [one for one in await stage.told("relay.session_opened") if one["ticket"] == ticket]
    return await stage.evidence(ticket, int(PROMPT in answer.output or bool(opened)))


@attack(
    "S6-09",
    "an emergency access for more than an emergency needs",
    "緊急アクセスの上限を超える申請",
    guards=("decide.RULES: break-glass",),
)
async def glass(stage: Stage) -> Evidence:
    template = await stage.door.ssh_ticket(approved=False)
    [recorded] = await stage.door.ledger.facts(0, 1, names=["gate.ticket_requested"], about=template)
    ticket = f"G{time.monotonic_ns()}"
    fact = recorded.typed()
    assert isinstance(fact, TicketRequested)
    asked = TicketRequested(**{**values_of(fact), "ticket": ticket})
    opened = BreakGlassOpened(asked=asked, review_by=asked.closes)
    await stage.door.ledger.record(opened, by="sato", about=ticket)
    return await opens(stage, ticket)


@attack(
    "S6-10",
    "deleting from the database the fact that closed a ticket",
    "チケットを終えた記録を DB から消す",
    guards=("state._nothing_is_missing",),
)
async def deleted_fact(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    closed = TicketClosed(ticket=ticket, reason="done")
    recorded = await stage.door.ledger.record(closed, by="sato", about=ticket)
    await stage.door.ledger.reached(recorded.seq, Level.PUBLISHED, 20)
    database(stage, "DELETE FROM facts WHERE seq = ?", recorded.seq)
    return await opens(stage, ticket)


@attack(
    "S6-11",
    "an administrator loosens the policy alone",
    "管理者が一人で方針を緩める",
    guards=("policy.in_force",),
)
async def rule(stage: Stage) -> Evidence:
    ticket = await stage.door.ssh_ticket(**_hours(-1, 2000))
    ledger = stage.door.ledger
    now = await policies.read_policy(ledger)
    proposal = PolicyProposed(
        proposal=f"P{time.monotonic_ns()}",
        proposer="kanri",
        policy=Policy(longest_hours=9000),
        replaces=now.request,
        reason="so that it works",
    )
    recorded = await ledger.record(proposal, by="kanri", about="policy")
    given = PolicyApproved(proposal=proposal.proposal, approver="kanri", request=recorded.leaf_hash.hex())
    await ledger.record(given, by="kanri", about="policy")
    return await opens(stage, ticket)


# -- the record ----------------------------------------------------------------------------------------------------


@attack(
    "S6-12",
    "the recorder's disk is full, and the session goes on",
    "録画のディスクが満杯のまま続ける",
    guards=("Recording._append",),
)
async def full_disk(stage: Stage) -> Evidence:
    ticket = await stage.ticket()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        async with stage.door.shell(ticket) as shell:
            await shell.until(PROMPT)
            patch.setattr(recordings, "_write", full)
            await shell.type(f"cat {stage.secret}; exit\n")
            await shell.ended()
            out = shell.shown.count(stage.word)
        return await stage.evidence(ticket, out)


def _log(stage: Stage) -> tuple[Path, list[bytes]]:
    """The file with the first entries of a copy of the published log, and these."""
    folder = stage.door.folder / f"log{time.monotonic_ns()}"
    # What is being published has its place only when it is renamed; until then it comes and goes.
    shutil.copytree(stage.door.service.state / "log", folder, ignore=shutil.ignore_patterns(".next"))
    size = parse_checkpoint(parse_note((folder / "checkpoint").read_bytes()).text).size
    path = folder / bundle_path(0, width_of(0, 0, size))
    return path, list(unpack_entries(path.read_bytes()))


def _tampered(name: str, en: str, ja: str, change: Any) -> None:
    @attack(name, en, ja, guards=("verify._judge",))
    async def one(stage: Stage) -> Evidence:
        path, entries = _log(stage)
        changed = change(entries)
        assert changed != entries, "the log is too short to be tampered with"
        path.write_bytes(b"".join(pack_entry(entry) for entry in changed))
        folder = next(one for one in path.parents if (one / "checkpoint").exists())
        report = verify_folder(folder)
        shutil.rmtree(folder)
        return Evidence(int(report.ok))


_tampered(
    "S6-13", "an entry of the log deleted", "記録の項目を消す", lambda entries: entries[:-2] + entries[-1:]
)
_tampered("S6-14", "the log cut at its end", "記録の末尾を切る", lambda entries: entries[:-2])
_tampered(
    "S6-15",
    "entries of the log put in another order",
    "記録の順番を替える",
    lambda entries: [entries[1], entries[0], *entries[2:]],
)

not_run(
    "S6-20",
    "an emergency access within its small budget",
    "上限内の緊急アクセス",
    "it opens at once, as it must: the alarm goes out, it is red at the client until two others have looked "
    "(`tests/gate/test_break_glass.py`)",
    "意図どおりすぐに開く。通知され、他の二人が確かめるまで委託元に赤く出る（`tests/gate/test_break_glass.py`）",
)
not_run(
    "S6-21",
    "the ledger's disk is full",
    "台帳のディスクが満杯",
    "run by `tests/relay_ssh/test_ssh_door.py`: every session ends, none opens",
    "`tests/relay_ssh/test_ssh_door.py` で試験する。すべての接続が終わり、新たに開かない",
)
not_run(
    "S6-22",
    "a rewritten log, signed anew with the log's own key",
    "記録を書き換え、記録の鍵で署名し直す",
    "a witness refuses it (`tests/witness/`); without a witness, and with nobody who kept a checkpoint, it is not "
    "noticed",
    "立会人が拒む（`tests/witness/`）。立会人がなく、過去のチェックポイントを誰も持たなければ、気付けない",
)
not_run(
    "S6-23",
    "two who conspire where two are needed",
    "二人が要る所での二人の共謀",
    "they can do what two can; both names are in the log",
    "二人でできることはできる。二人の名は記録に残る",
)
not_run(
    "S6-24",
    "whoever holds the machine stops it, or reads what passes",
    "機械を握る者が止める、通過中のデータを読む",
    "a stopped checkpoint opens nothing; what passes while root looks on is not hidden from root",
    "止まった関所は何も開かない。root の前を通るデータは root から隠せない",
)
