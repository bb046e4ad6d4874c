"""What may be answered once, and soon: kept in this process, never in the browser."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Kept = TypeVar("Kept")

CHALLENGE_SECONDS: Final = 300.0
_MOST: Final = 10_000  # beyond this the oldest are forgotten: whoever asks for many pays with failed logins


class Challenges(Generic[Kept]):
    """Names (256 random bits, base64url) -> what was kept under them. The event loop's thread owns it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()

    def put(self, kept: Kept) -> str:
        name = secrets.token_urlsafe(32)
        self.keep(name, kept)
        return name

    def keep(self, name: str, kept: Kept) -> None:
        """Keep something again under a name that was taken."""
        self._kept[name] = (self._now() + CHALLENGE_SECONDS, kept)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def take(self, name: str) -> Kept | None:
        """What was kept, the first time and in time; None ever after."""
        until, kept = self._kept.pop(name, (0.0, None))
        return kept if self._now() < until else None
