"""Which of a target's processes serve the checkpoint itself. Owned by the event loop's thread."""

from functools import lru_cache
from typing import Final

_MOST_LEAVING: Final = 10_000


class Backends:
    """The processes of one server. One that we left goes on until the server has noticed, so it is ours until it is
    no longer seen."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._leaving: dict[int, None] = {}

    def opened(self, process: int) -> None:
        self._open.add(process)
        self._leaving.pop(process, None)

    def closed(self, process: int) -> None:
        self._open.discard(process)
        self._leaving[process] = None
        while len(self._leaving) > _MOST_LEAVING:
            del self._leaving[next(iter(self._leaving))]

    def leaving(self) -> set[int]:
        """Those that we left and that were not `gone` yet."""
        return set(self._leaving)

    def gone(self, processes: set[int]) -> None:
        """These were leaving, and the server has them no more: their numbers may be given to others."""
        for process in processes:
            self._leaving.pop(process, None)

    def strangers(self, seen: set[int]) -> set[int]:
        """Those of the processes seen that are not ours."""
        return seen - self._open - self._leaving.keys()


@lru_cache(maxsize=1024)
def backends_at(host: str, port: int) -> Backends:
    """Those of one server, the same for all who ask in this process."""
    return Backends()
