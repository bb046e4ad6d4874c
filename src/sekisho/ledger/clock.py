"""The ledger's time: UTC that never decreases and does not follow a wall clock that jumps.

The wall clock is compared with the steady one at each commit. A difference beyond JUMP is not followed: the
ledger's line goes on as if the jump had not happened, and the caller records `ledger.clock_jumped`. A jump back
cancels the first. A restart takes the wall clock anew, but never a time before the last fact.
"""

import time
from typing import Final, Protocol

JUMP: Final = 5_000_000  # microseconds


class Clock(Protocol):
    def wall(self) -> int:
        """Microseconds since 1970, as the machine says."""
        ...

    def steady(self) -> int:
        """Microseconds of a clock that nobody can set."""
        ...


class SystemClock:
    def wall(self) -> int:
        return time.time_ns() // 1000

    def steady(self) -> int:
        # CLOCK_BOOTTIME goes on while the machine sleeps, so that waking up is not taken for a jump.
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class LedgerTime:
    """Owned by the writer thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall = clock.wall()
        self._steady = clock.steady()
        self._offset = 0  # sum of the jumps that were not followed
        self._fresh = True

    def read(self, last: int) -> tuple[int, int]:
        """(now, jump): now is never before `last`; jump is 0, or the microseconds that the wall clock jumped by."""
        wall, steady = self._clock.wall(), self._clock.steady()
        jump = (wall - self._wall) - (steady - self._steady)
        if abs(jump) <= JUMP:
            jump = 0
        if self._fresh and wall < last - JUMP:  # the wall clock was set back while the ledger was not running
            jump = wall - last
        self._fresh = False
        self._wall, self._steady = wall, steady
        self._offset += jump
        return max(wall - self._offset, last), jump
