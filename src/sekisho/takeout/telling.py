"""Who is told of a take-out: approvers when it waits for them, the requester how it ended, the client always.

Nothing that somebody typed (purpose, recipient, reason) goes into a notice. A notice has one name, so a fact that comes
again after a crash tells nobody twice.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from sekisho.faults import Fault, Language
from sekisho.gate.decide import jst
from sekisho.ledger import Ledger, Recorded
from sekisho.notify.faults import BAD_TEXT
from sekisho.notify.notices import Notice, Notices
from sekisho.people.accounts import human_of
from sekisho.people.roles import Role
from sekisho.takeout.facts import (
    TakeoutClosed,
    TakeoutRefused,
    TakeoutReleased,
    TakeoutRequested,
)

NOT_TOLD: Final = "takeout.not_told"  # a log event
SUBSCRIPTION: Final = "takeout-notices"
_OLDEST: Final = timedelta(days=7)
_OVERSEERS: Final = frozenset({Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.PRIVACY_OFFICER})
_HOW: Final[dict[str, dict[Language, str]]] = {
    "withdrawn": {"en": "was withdrawn", "ja": "取り下げられました"},
    "declined": {"en": "was declined", "ja": "却下されました"},
    "lapsed": {"en": "lapsed: it was not released in time", "ja": "期限までに払い出されず、失効しました"},
    "released": {"en": "was released", "ja": "払い出されました"},
}  # fmt: skip
_STEPS: Final = {"approve": "署名", "share": "断片の提出", "release": "払出し"}
_CHANNELS: Final = {"page": "ダウンロードページ", "sftp": "サーバーへの送信", "medium": "媒体"}
_NAMES: Final = (
    "takeout.requested",
    "takeout.refused",
    "takeout.closed",
    "takeout.released",
)
_log: Final = structlog.get_logger()


async def tell(ledger: Ledger, notices: Notices) -> None:
    """Until the ledger closes. Raises its Fault when it fails."""
    subscription = ledger.subscribe(SUBSCRIPTION, names=_NAMES)
    async for recorded in subscription:
        if recorded.at >= datetime.now(UTC) - _OLDEST:
            try:
                await _tell(ledger, notices, recorded)
            except Fault as fault:
                if fault is ledger.fault:
                    raise
                # A text that cannot be sent, or a full outbox: the list of take-outs still shows it.
                _log.error(NOT_TOLD, source=recorded.seq, code=fault.code, final=fault.kind is BAD_TEXT)
        await subscription.ack(recorded)


async def _tell(ledger: Ledger, notices: Notices, recorded: Recorded) -> None:
    fact = recorded.typed()
    asked = await _asked(ledger, recorded.about)
    match fact:
        case TakeoutRequested():
            roles = {one.role for one in fact.holdings} or {Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER}
            for organisation in fact.organisations:
                await notices.send(
                    _waiting(fact, fact.expires),
                    roles=[Role(one) for one in roles] + [Role.CLIENT],
                    organisation=organisation,
                    name=f"t-{recorded.seq}-{organisation}"[:64],
                    source=recorded.seq,
                )
        case TakeoutRefused(step="request") if fact.persons:
            await notices.send(
                Notice(
                    "takeout_refused",
                    {"en": "A take-out was refused", "ja": "持ち出しの申請が拒否されました"},
                    {
                        "en": f"{fact.claimed} asked to take out {fact.persons:,} persons or rows of "
                        f"{', '.join(fact.organisations)} ({fact.channel}) from ticket {fact.ticket}. It was refused "
                        f"({fact.code}). Nothing left.",
                        "ja": f"{fact.claimed} が、チケット {fact.ticket} から {', '.join(fact.organisations)} の "
                        f"{fact.persons:,} 人(行)分の持ち出し({_CHANNELS.get(fact.channel, fact.channel)})を"
                        f"申請し、拒否されました({fact.code})。"
                        "何も持ち出されていません。",
                    },
                    "/takeouts",
                    person=fact.claimed,
                ),
                roles=_OVERSEERS,
                name=f"t-{recorded.seq}",
                source=recorded.seq,
            )
        case TakeoutRefused(step="approve" | "release" | "share"):
            await notices.send(
                Notice(
                    "takeout_refused",
                    {
                        "en": "An approval or release was refused",
                        "ja": "持ち出しの承認または払出しが拒否されました",
                    },
                    {
                        "en": f"{fact.claimed}: {fact.step} of take-out {recorded.about} was refused ({fact.code}). "
                        "Nothing left. Somebody tried what the rules forbid, or made a mistake: look at it.",
                        "ja": f"持ち出し {recorded.about} に対する {fact.claimed} の操作({_STEPS[fact.step]})が"
                        f"拒否されました({fact.code})。何も持ち出されていません。規則に反する試みか、誤りです。確認してください。",
                    },
                    "/takeouts",
                    person=fact.claimed,
                ),
                roles=_OVERSEERS,
                name=f"t-{recorded.seq}",
                source=recorded.seq,
            )
        case TakeoutClosed() if asked is not None:
            await _ended(ledger, notices, recorded, asked, fact.how)
        case TakeoutReleased() if asked is not None:
            await _ended(ledger, notices, recorded, asked, "released")


async def _ended(
    ledger: Ledger, notices: Notices, recorded: Recorded, asked: TakeoutRequested, how: str
) -> None:
    async with ledger.read() as connection:
        requester = await human_of(connection, asked.person) or asked.person
    said = _HOW.get(how, _HOW["withdrawn"])
    notice = _of(asked, said["en"], f"は{said['ja']}")
    for organisation in asked.organisations:
        await notices.send(
            notice,
            to=[f"person:{requester}"],
            roles=[Role.CLIENT, Role.PRIVACY_OFFICER] if how == "released" else [Role.CLIENT],
            organisation=organisation,
            name=f"t-{recorded.seq}-{organisation}"[:64],
            source=recorded.seq,
        )


def _waiting(asked: TakeoutRequested, expires: int) -> Notice:
    return Notice(
        "takeout_asked",
        {
            "en": f"Take-out {asked.takeout} waits for approval",
            "ja": f"持ち出し {asked.takeout} が承認を待っています",
        },
        {
            "en": f"{asked.person} asks to take out {asked.persons:,} persons of {', '.join(asked.organisations)} "
            f"({asked.rows:,} rows, channel {asked.channel}). It lapses at {jst(expires)}. Read what is inside before "
            "you sign.",
            "ja": f"{asked.person} が {', '.join(asked.organisations)} の {asked.persons:,} 人分({asked.rows:,} 行、"
            f"経路 {_CHANNELS.get(asked.channel, asked.channel)})の持ち出しを"
            f"申請しています。{jst(expires)} に失効します。中身を確認してから署名してください。",
        },
        f"/takeouts/{asked.takeout}",
    )


def _of(asked: TakeoutRequested, en: str, ja: str) -> Notice:
    return Notice(
        "takeout_ended",
        {"en": f"Take-out {asked.takeout} {en}", "ja": f"持ち出し {asked.takeout} {ja}"},
        {
            "en": f"Take-out {asked.takeout} ({asked.persons:,} persons of {', '.join(asked.organisations)}) {en}.",
            "ja": f"持ち出し {asked.takeout}({', '.join(asked.organisations)} の {asked.persons:,} 人分){ja}。",
        },
        f"/takeouts/{asked.takeout}",
    )


async def _asked(ledger: Ledger, takeout: str) -> TakeoutRequested | None:
    for recorded in await ledger.facts(0, 1, names=["takeout.requested"], about=takeout):
        fact = recorded.typed()
        if isinstance(fact, TakeoutRequested):
            return fact
    return None
