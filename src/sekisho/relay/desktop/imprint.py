"""The faint mark as signs: what a session draws, and what a reader looks for.

The screen is divided into cells, 8 pixels wide and as high as a band. Every other cell's sign is the same in all
sessions of a checkpoint: by these a reader finds how a photograph lies over the screen. The signs of the others are
drawn from the session's name. Both come from a key of the checkpoint: without it nobody can tell a mark from noise,
or draw somebody else's.
"""

import hashlib
import hmac
from typing import Final

import numpy as np
from numpy.typing import NDArray

CELL: Final = 8
BAND: Final = 200
Signs = NDArray[np.int8]  # one of -1 and 1 for each cell: rows of bands


def mark_key(secret: bytes) -> bytes:
    """Of a checkpoint, from the secret of its doors."""
    return hmac.digest(secret, b"mark of a desktop v1", "sha256")


def shape(width: int, height: int) -> tuple[int, int]:
    """Bands, and cells in each, of a screen of this size."""
    return -(-(height + BAND // 2) // BAND), -(-width // CELL)


def shared(key: bytes, width: int, height: int) -> Signs:
    """The signs that are the same in all sessions, and 0 where a cell is the session's."""
    signs = _signs(key, b"all", *shape(width, height))
    signs[_own(*signs.shape)] = 0
    return signs


def own(key: bytes, session: str, width: int, height: int) -> Signs:
    """The signs of a session's own cells, and 0 at the others."""
    signs = _signs(key, b"session " + session.encode(), *shape(width, height))
    signs[~_own(*signs.shape)] = 0
    return signs


def drawn(key: bytes, session: str, width: int, height: int) -> Signs:
    """What a session draws."""
    return shared(key, width, height) + own(key, session, width, height)


def cells(signs: Signs, width: int, height: int) -> NDArray[np.uint8]:
    """For each pixel 1 where its cell's sign is positive. The first band is half as high: texts stand where bands
    meet, and none should be cut by the upper edge."""
    wide = np.repeat((signs > 0).astype(np.uint8), CELL, axis=1)[:, :width]
    return np.repeat(wide, BAND, axis=0)[BAND // 2 : BAND // 2 + height]


def _own(bands: int, across: int) -> NDArray[np.bool_]:
    places = np.arange(bands)[:, None] + np.arange(across)
    return np.asarray(places % 2 == 1)


def _signs(key: bytes, what: bytes, bands: int, across: int) -> Signs:
    bits = hashlib.shake_256(key + what).digest((bands * across + 7) // 8)
    ones = np.unpackbits(np.frombuffer(bits, np.uint8))[: bands * across]
    return (ones.astype(np.int8) * 2 - 1).reshape(bands, across)
