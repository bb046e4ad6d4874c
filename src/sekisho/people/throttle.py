"""Failed logins: each is a fact, and an account or an address that has many waits.

The counts are in this process's memory: a restart forgets them, but not the facts.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people import faults
from sekisho.people.facts import LoginFailed

WAIT_SECONDS: Final = 60.0
# Five failures, and an account waits: far below what guessing a code of six digits would need.
ACCOUNT_FAILURES: Final = 5
# An office shares an address: it may fail more often, but not guess its way through the accounts.
ADDRESS_FAILURES: Final = 30
_LONGEST: Final = 250  # characters of a reason, parts of which the other side may have chosen
_KEYS: Final = 10_000  # beyond this, the key that failed longest ago is forgotten


class Throttle:
    """One per process; the event loop's thread owns it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def hold_back(self, account: str, peer: str) -> None:
        """Raises Fault TOO_MANY_FAILURES while the account or the address must wait. `account` is what was typed,
        ours or not (the answer does not tell which), or "" where a way to log in names none."""
        now = self._now()
        for key, most in _limits(account, peer):
            recent = self._failures.get(key, deque())
            while recent and now - recent[0] >= WAIT_SECONDS:
                recent.popleft()
            if len(recent) >= most:
                seconds = int(recent[0] + WAIT_SECONDS - now) + 1
                raise Fault(faults.TOO_MANY_FAILURES, seconds=seconds)

    def failed(self, account: str, peer: str) -> None:
        for key, most in _limits(account, peer):
            self._failures.setdefault(key, deque(maxlen=most)).append(self._now())
            self._failures.move_to_end(key)
        while len(self._failures) > _KEYS:
            self._failures.popitem(last=False)

    def passed(self, account: str) -> None:
        """An address is not forgiven by a login: whoever has one account could go on guessing at the others."""
        self._failures.pop(("account", account), None)


def _limits(account: str, peer: str) -> list[tuple[tuple[str, str], int]]:
    # What was typed for a name may be as long as a request.
    named = [(("account", account[:64]), ACCOUNT_FAILURES)] if account else []
    return [*named, (("address", peer), ADDRESS_FAILURES)]


async def record_failure(ledger: Ledger, *, account: str, peer: str, reason: str) -> None:
    """`account` is one of ours, or "". Half a character in a reason must not keep the failure out of the log."""
    told = reason[:_LONGEST].encode(errors="replace").decode()
    failed = LoginFailed(claimed=account, peer=peer, reason=told)
    await ledger.record(failed, by="sekisho", about=account or "login")
