"""The event loop of a program that serves for months."""

import gc
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import uvloop

_T = TypeVar("_T")

_YOUNG: Final = 10_000  # objects made before their cycles are looked for


def run(main: Coroutine[Any, Any, _T]) -> _T:
    """As `asyncio.run`, on uvloop.

    asyncio's own loop takes about a sixth more processor time to relay (docs/decisions/0005-lookups.md). What was
    imported until now stays for good: no collection of garbage walks over it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 10, 10)
    try:
        return uvloop.run(main)
    finally:
        gc.unfreeze()  # or libraries that count their objects at the end complain of those that stay
