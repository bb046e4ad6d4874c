"""Asking, approving, ending and releasing. What is refused is recorded, then raised.

Before a release nothing is believed but the published log: its entries are hashed up to the signed root, and judged
as `sekisho take-out verify` would. A row that somebody wrote into the database is not there; a published leaf that
somebody changed breaks the root.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import select

from sekisho.evidence.note import VerifierKey
from sekisho.evidence.policy import Policy
from sekisho.evidence.tiles import read_entries
from sekisho.evidence.verify import verify_folder
from sekisho.faults import Fault
from sekisho.gate.duties import DUTIES, Act, Case, Part, may
from sekisho.gate.faults import NOT_YOUR_DUTY
from sekisho.gate.policy import TAKEOUT_CHANNELS
from sekisho.gate.refusal import Refusal
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Ledger, Level, Recorded, Sealed
from sekisho.ledger.leaf import micros
from sekisho.takeout import faults
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.facts import (
    TakeoutApproved,
    TakeoutClosed,
    TakeoutRefused,
    TakeoutReleased,
    TakeoutRequested,
    TakeoutShared,
)
from sekisho.takeout.history import HOUSE_NAMES, NAMES, TAKEOUT_NAMES, History
from sekisho.takeout.judge import Verdict, policy_refusals, signature_refusal, verify_release
from sekisho.takeout.sealing import recipient as check_key
from sekisho.takeout.signatures import LONGEST, Relying, ssh_signed
from sekisho.takeout.tables import takeouts

_PUBLICATION_SECONDS: Final = 10.0
_PAGE: Final = 500
_LONGEST_SHARE: Final = 8_192  # characters of age's text
_ARMOUR: Final = ("-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----")
_END: Final = 1 << 62
_MINT: Final = object()
_OVER: Final = (faults.NO_TAKEOUT, faults.NOT_THE_REQUESTER, faults.ENDED, faults.LAPSED)


@dataclass(frozen=True, slots=True)
class Released:
    """The proof that a take-out was released, now and once; only `TakeoutDesk.release` makes it. `shares` are the
    approvers', sealed to the recipient."""

    asked: TakeoutRequested
    shares: tuple[str, ...]
    recorded: Recorded
    mint: object

    def __post_init__(self) -> None:
        if self.mint is not _MINT:
            raise TypeError("only a release of sekisho.takeout can make a Released")


def read_log(folder: Path, policy: Policy, takeout: str) -> History:
    """The published log, verified from its first entry to the signed root. Raises Fault NOT_PUBLISHED."""
    try:
        report = verify_folder(folder, policy=policy)
        if not report.ok:
            raise Fault(faults.NOT_PUBLISHED, takeout=takeout, reason=report.findings[0].sentence("en"))
        size = report.checkpoints[0].size
        return History(read_entries(folder, 0, size))
    except OSError as error:
        raise Fault(faults.NOT_PUBLISHED, takeout=takeout, reason=error.strerror or "") from error


class TakeoutDesk:
    """One per process; the event loop's thread owns it. `log` is the folder of the published log."""

    def __init__(
        self,
        ledger: Ledger,
        log: Path,
        log_key: VerifierKey,
        relying: Relying,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._policy = Policy.of_keys([log_key], [], 0)
        self._relying = relying
        self._now = now

    async def request(self, asked: TakeoutRequested, parts: Sequence[Sealed] = ()) -> Recorded:
        """Ask for a take-out. Raises Fault BAD_REQUEST, ABOVE_POLICY, STRANGER, or why this person may not; each is
        recorded. The ledger refuses a name twice."""
        self.check(asked)
        if not asked.package:
            raise Fault(faults.BAD_REQUEST, takeout=asked.takeout[:64], fields="package")
        refusal = await self.request_refusal(asked)
        if refusal is not None:
            raise await self.refused(refusal, "request", asked.person, asked)
        return await self._ledger.record(asked, by=asked.person, about=asked.takeout, parts=parts)

    async def request_refusal(self, asked: TakeoutRequested) -> Refusal | None:
        """Why nobody's signature could let this leave: role, policy, recipient."""
        requester = (await require_standing(self._ledger, asked.person)).actor
        for organisation in asked.organisations:
            answer = may(Act.CARRY_OUT, Part.REQUEST, requester, Case(organisation))
            if isinstance(answer, Refusal):
                return answer
        history = History(one.leaf for one in await self._facts(None))
        return next(iter(policy_refusals(history, asked, (_END,), micros(self._now()))), None)

    async def published(self, takeout: str) -> History:
        """The published log with everything that is durable now, verified. Raises Fault NOT_PUBLISHED."""
        try:
            await self._ledger.reached(await self._ledger.size() - 1, Level.PUBLISHED, _PUBLICATION_SECONDS)
        except Fault as fault:
            raise Fault(faults.NOT_PUBLISHED, takeout=takeout, reason=fault.code) from fault
        return await asyncio.to_thread(read_log, self._log, self._policy, takeout)

    async def approve(self, given: TakeoutApproved) -> Recorded:
        """Record an approval whose signature was checked. Whether it suffices is decided at the release.

        Raises Fault OTHER_DIGEST, BAD_SIGNATURE, LAPSED, ENDED, or why this person may not; each is recorded."""
        if len(given.signature) > LONGEST or (given.share and not _is_share(given.share)):
            raise await self._refused(given.takeout, "approve", given.approver, _bad(given))
        history, verdict = await self._judged(given.takeout)
        asked = verdict.asked
        if asked is None:
            raise await self._refused(given.takeout, "approve", given.approver, verdict.against[0])
        refusal = next((one for one in verdict.against if one.kind in (faults.ENDED, faults.LAPSED)), None)
        if refusal is None and verdict.released:
            refusal = Refusal(faults.ENDED, {"takeout": given.takeout, "how": "released"})
        refusal = refusal or signature_refusal(history, asked, given, _END, self._relying)
        refusal = refusal or self._duty_refusal(history, verdict, asked, given)
        if refusal is not None:
            raise await self._refused(given.takeout, "approve", given.approver, refusal)
        return await self._ledger.record(given, by=given.approver, about=given.takeout)

    async def share(self, takeout: str, share: str, *, by: str) -> Recorded:
        """Record a share that comes without a signature. Raises Fault BAD_SHARE, ENDED; each is recorded."""
        _, verdict = await self._judged(takeout)
        asked = verdict.asked
        refusal: Refusal | None = None
        if asked is None:
            refusal = verdict.against[0]
        elif verdict.released:
            refusal = Refusal(faults.ENDED, {"takeout": takeout, "how": "released"})
        else:
            refusal = next(
                (one for one in verdict.against if one.kind in (faults.ENDED, faults.LAPSED)), None
            )
        holders = {one.account for one in asked.holdings} if asked else set()
        if refusal is None and (by not in holders or not _is_share(share)):
            refusal = Refusal(faults.BAD_SHARE, {"takeout": takeout, "holder": by})
        if refusal is not None:
            raise await self._refused(takeout, "share", by, refusal)
        fact = TakeoutShared(takeout=takeout, holder=by, share=share.strip() + "\n")
        return await self._ledger.record(fact, by=by, about=takeout)

    async def close(self, takeout: str, *, by: str, how: str, reason: str) -> Recorded:
        """End a request: "withdrawn" by who asked, "declined" by who was to approve. Raises Fault, recorded."""
        _, verdict = await self._judged(takeout)
        who = (await require_standing(self._ledger, by)).actor
        asked = verdict.asked
        if asked is None:
            raise await self._refused(takeout, "close", by, verdict.against[0])
        approving = {role for role, cell in DUTIES[Act.CARRY_OUT].items() if Part.APPROVE in cell}
        own = (await require_standing(self._ledger, asked.person)).actor.human == who.human
        mine = any(
            one.role in approving and one.organisation in ("", *asked.organisations) for one in who.held
        )
        if not ((how == "withdrawn" and own) or (how == "declined" and mine and not own)):
            answer = may(
                Act.CARRY_OUT, Part.EXECUTE, who, Case()
            )  # nobody's duty: the matrix names the refusal
            if isinstance(answer, Refusal):
                raise await self._refused(takeout, "close", by, answer)
        return await self._ledger.record(
            TakeoutClosed(takeout=takeout, how=how, reason=reason), by=by, about=takeout
        )

    async def lapse(self) -> list[str]:
        """Close what nobody answered in time; the names. Run every minute."""
        query = select(takeouts.c.takeout).where(
            takeouts.c.state == "asked", takeouts.c.expires <= micros(self._now())
        )
        async with self._ledger.read() as connection:
            names = list(await connection.scalars(query))
        for name in names:
            closed = TakeoutClosed(takeout=name, how="lapsed", reason="")
            await self._ledger.record(closed, by="sekisho", about=name)
        return names

    async def release(self, takeout: str, *, by: str) -> Released:
        """Let a take-out leave, once. Raises Fault NOT_PUBLISHED or the first reason against it, recorded.

        `takeout.released` is durable before anything is handed out: after a crash the release stands, and there is no
        second one."""
        # All that is durable now, not only what is about this take-out: a role, key, policy or recipient that was taken
        # away a moment ago counts.
        try:
            history = await self.published(takeout)
        except Fault as fault:
            reason = str(fault.values.get("reason") or fault.sentence("en"))
            refusal = Refusal(faults.NOT_PUBLISHED, {"takeout": takeout, "reason": reason})
            raise await self._refused(takeout, "release", by, refusal) from fault
        verdict = verify_release(history, takeout, self._relying, now=self._now())
        if verdict.released:
            refusal = Refusal(faults.ENDED, {"takeout": takeout, "how": "released"})
            raise await self._refused(takeout, "release", by, refusal)
        if not verdict.ok or verdict.asked is None:
            raise await self._refused(takeout, "release", by, verdict.against[0])
        if not _has_a_part(history, verdict.asked, by):
            values = {"person": by, "act": Act.CARRY_OUT, "part": Part.EXECUTE}
            raise await self._refused(takeout, "release", by, Refusal(NOT_YOUR_DUTY, values))
        asked = verdict.asked
        released = TakeoutReleased(
            takeout=takeout,
            digest=digest(asked).hex(),
            size=history.size,
            person=asked.person,
            ticket=asked.ticket,
            organisations=asked.organisations,
            persons=asked.persons,
            channel=asked.channel,
        )
        # The ledger refuses a second end, so of two releases at one moment one fails here.
        made = await self._ledger.record(released, by=by, about=takeout)
        return Released(verdict.asked, tuple(one.share for one in verdict.shares), made, _MINT)

    async def released(self, takeout: str) -> Released:
        """The proof again, for what is done after a release: judged anew from the published log. Raises Fault
        NOT_PUBLISHED, NOT_RELEASED, or what is wrong with the release."""
        history = await self.published(takeout)
        verdict = verify_release(history, takeout, self._relying)
        if verdict.asked is None or verdict.against:
            raise verdict.against[0].fault()
        if not verdict.released:
            raise Fault(faults.NOT_RELEASED, takeout=takeout)
        found = history.of_takeout(takeout)
        made = next(one for one in found if one.seq == verdict.released[0])
        return Released(verdict.asked, tuple(one.share for one in verdict.shares), made, _MINT)

    async def judged(self, takeout: str) -> Verdict:
        """For a screen: how it stands by the database, which decides nothing."""
        return (await self._judged(takeout))[1]

    async def signable(self, takeouts: Sequence[str], account: str) -> set[str]:
        """For a list: which of these wait for this account's signature."""
        people = await self._facts(None)
        found = set()
        for takeout in takeouts:
            history, verdict = await self._judged(takeout, people)
            if self._refusal_for(history, verdict, takeout, account) is None:
                found.add(takeout)
        return found

    async def approvable(self, takeout: str, account: str) -> tuple[Verdict, Refusal | None]:
        """For a screen: how it stands, and why this account's signature would not count; None when it would."""
        history, verdict = await self._judged(takeout)
        return verdict, self._refusal_for(history, verdict, takeout, account)

    def _refusal_for(self, history: History, verdict: Verdict, takeout: str, account: str) -> Refusal | None:
        refusal = next((one for one in verdict.against if one.kind in _OVER), None)
        if verdict.asked is None or verdict.released or refusal:
            return refusal or Refusal(faults.ENDED, {"takeout": takeout, "how": "released"})
        given = TakeoutApproved(
            takeout=takeout, approver=account, digest="", method="", key="", signature="", share=""
        )
        return self._duty_refusal(history, verdict, verdict.asked, given)

    async def key_of(self, takeout: str, signature: str, keys: Sequence[str]) -> str | None:
        """Which of these SSH keys made this signature over the request; None when none did."""
        history, verdict = await self._judged(takeout)
        if verdict.asked is None:
            return None
        text = document(verdict.asked)
        for name, _, public_key in history.ssh_keys():
            if name in keys and ssh_signed(text, signature, public_key):
                return name
        return None

    @property
    def relying(self) -> Relying:
        return self._relying

    def check(self, asked: TakeoutRequested) -> None:
        """Whether everything is said, before anything is sealed. Raises Fault BAD_REQUEST."""
        texts = ("takeout", "purpose", "basis", "recipient", "medium")
        wrong = [name for name in texts if not getattr(asked, name).strip()]
        if not asked.organisations or len(set(asked.organisations)) != len(asked.organisations):
            wrong.append("organisations")
        if asked.channel not in TAKEOUT_CHANNELS:
            wrong.append("channel")
        if not micros(self._now()) < asked.expires < asked.returns:
            wrong.append("expires")
        if asked.recipient_key and not _is_key(asked.recipient_key):
            wrong.append("recipient_key")
        if min(asked.rows, asked.persons, asked.cards, asked.numbers, asked.stated) < 0:
            wrong.append("persons")
        try:
            digest(asked)
        except ValueError:
            wrong.append("text")
        if wrong:
            raise Fault(faults.BAD_REQUEST, takeout=asked.takeout[:64], fields=", ".join(wrong))

    def _duty_refusal(
        self, history: History, verdict: Verdict, asked: TakeoutRequested, given: TakeoutApproved
    ) -> Refusal | None:
        """Why the matrix lets this account approve for none of the organisations, with those who already did."""
        actor = history.actor(given.approver, _END)
        requester = history.actor(asked.person, verdict.requested)
        if actor is None or requester is None:
            return _bad(given)
        refused: Refusal | None = None
        for case in verdict.cases:
            answer = may(Act.CARRY_OUT, Part.APPROVE, actor, case)
            if not isinstance(answer, Refusal):
                return None
            refused = refused or answer
        return refused or verdict.against[0]

    async def _judged(
        self, takeout: str, people: Sequence[Recorded] | None = None
    ) -> tuple[History, Verdict]:
        people = await self._facts(None) if people is None else people
        leaves = sorted([*people, *await self._facts(takeout)], key=lambda one: one.seq)
        history = History(one.leaf for one in leaves)
        return history, verify_release(history, takeout, self._relying, now=self._now())

    async def _facts(self, about: str | None) -> list[Recorded]:
        names = (*NAMES, *HOUSE_NAMES) if about is None else TAKEOUT_NAMES
        found: list[Recorded] = []
        page = await self._ledger.facts(0, _PAGE, names=names, about=about)
        found += page
        while len(page) == _PAGE:
            page = await self._ledger.facts(page[-1].seq + 1, _PAGE, names=names, about=about)
            found += page
        return found

    async def refused(
        self, refusal: Refusal, step: str, claimed: str, asked: TakeoutRequested | None, takeout: str = ""
    ) -> Fault:
        """Record a refusal; the fault to raise. `asked` is what was to leave, as far as it is known."""
        name = (asked.takeout if asked else takeout)[:64]
        fact = TakeoutRefused(takeout=name, step=step, claimed=claimed[:64], code=refusal.kind.code)
        if asked is not None:
            fact = msgspec.structs.replace(
                fact,
                ticket=asked.ticket,
                organisations=asked.organisations,
                persons=max(asked.persons, asked.rows),
                channel=asked.channel,
            )
        await self._ledger.record(fact, by="sekisho", about=name)
        return refusal.fault()

    async def _refused(self, takeout: str, step: str, claimed: str, refusal: Refusal) -> Fault:
        return await self.refused(refusal, step, claimed, None, takeout)


def _bad(given: TakeoutApproved) -> Refusal:
    return Refusal(faults.BAD_SIGNATURE, {"takeout": given.takeout, "approver": given.approver})


def _has_a_part(history: History, asked: TakeoutRequested, by: str) -> bool:
    """Who asked, or could have signed: the release decides nothing, but it is somebody's act."""
    actor, requester = history.actor(by, _END), history.actor(asked.person, _END)
    if actor is None:
        return False
    approving = {role for role, cell in DUTIES[Act.CARRY_OUT].items() if Part.APPROVE in cell}
    return (requester is not None and actor.human == requester.human) or any(
        one.role in approving and one.organisation in ("", *asked.organisations) for one in actor.held
    )


def _is_share(text: str) -> bool:
    armour = text.strip()
    return len(text) <= _LONGEST_SHARE and armour.startswith(_ARMOUR[0]) and armour.endswith(_ARMOUR[1])


def _is_key(text: str) -> bool:
    try:
        check_key(text)
    except Fault:
        return False
    return True
