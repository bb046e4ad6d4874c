"""Failures are counted per account and per address, in this process's memory; each waits when there were many.

A restart forgets the counts, but not the failures: each is a fact.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from sekisho.faults import Fault
from sekisho.people import faults

WAIT_SECONDS: Final = 60.0
# Five failures, and an account waits: far below what guessing a code of six digits would need.
ACCOUNT_FAILURES: Final = 5
# An office shares an address: it may fail more often, but not guess its way through the accounts.
ADDRESS_FAILURES: Final = 30
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
    named = [(("account", account), ACCOUNT_FAILURES)] if account else []
    return [*named, (("address", peer), ADDRESS_FAILURES)]
