"""An alert becomes notices: what was found and why it matters, in both languages, to those whom the routing chose."""

from collections.abc import Awaitable, Callable

from sekisho.faults import Language
from sekisho.notify.notices import Notice, Notices
from sekisho.watch.alerts import explain
from sekisho.watch.facts import AlertRaised
from sekisho.watch.routing import Routed


def notice_of(raised: AlertRaised, level: int) -> Notice:
    said = explain(raised)
    again: dict[Language, str] = {
        "en": f"Nobody has acknowledged it yet (step {level}). " if level else "",
        "ja": f"まだ誰も確認していません (第{level}段階)。" if level else "",
    }
    return Notice(
        kind="alert",
        subject={
            "en": f"Alert {raised.detector}: {raised.human or '-'}",
            "ja": f"警報 {raised.detector}: {raised.human or '-'}",
        },
        body={"en": again["en"] + said["en"], "ja": again["ja"] + said["ja"]},
        link=f"/alerts/{raised.alert}",
        person=raised.human,
    )


def telling(notices: Notices) -> Callable[[AlertRaised, Routed, int], Awaitable[None]]:
    """What the watcher calls. The same alert and step asks once, however often it is called."""

    async def tell(raised: AlertRaised, routed: Routed, level: int) -> None:
        loud = routed.short or raised.certain or level > 0
        await notices.send(
            notice_of(raised, level),
            to=[f"person:{human}" for human in routed.to],
            loud=loud,
            name=f"w{level}-{raised.alert}"[:64],
        )

    return tell
