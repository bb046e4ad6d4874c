"""What the watch ends by itself: sessions, at every door of every process that has one."""

from collections.abc import Sequence
from typing import Final

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.ledger.subscriptions import follow
from sekisho.relay.endings import Door
from sekisho.relay.faults import SESSION_ENDED
from sekisho.watch.facts import ResponseTaken

TAKEN: Final = "watch.response_taken"


async def end_of_responses(ledger: Ledger, doors: Sequence[Door]) -> None:
    """End each session that a response names. Runs until the ledger closes; raises its Fault.

    The fact is the order: it is durable before anything ends, and the watch need not share a process with the doors."""
    async for recorded in follow(ledger, [TAKEN]):
        fact = recorded.typed()
        if isinstance(fact, ResponseTaken) and fact.what == "end_session":
            reason = f"alert {fact.alert}"
            for door in doors:
                door.end_session(fact.subject, Fault(SESSION_ENDED, reason=reason), reason)
