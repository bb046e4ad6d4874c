"""The one text of a request, and its digest: what approvers sign.

Canonical JSON after RFC 8785: keys in order, no white space, the shortest escapes. Keys are ASCII and numbers are
integers that a double holds exactly, so the rules for other keys and for fractions have no case here: they are refused.
"""

import hashlib
import json
from typing import Any, Final

import msgspec

from sekisho.takeout.facts import TakeoutRequested

_FORM: Final = "sekisho-take-out-v1"
_LARGEST: Final = 2**53 - 1  # RFC 8785 3.2.2.3: numbers are IEEE 754 doubles


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of JSON made of objects, lists, strings, integers, booleans and null. ValueError otherwise."""
    _check(value)
    # json writes exactly the escapes of RFC 8785 3.2.2.2 when it may keep what is not ASCII.
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()  # a lone surrogate is refused here, as in RFC 8785 3.2.2.2


def document(asked: TakeoutRequested) -> bytes:
    """The request as the text that is signed with an SSH key; everything in it binds."""
    return canonical({"form": _FORM, "request": msgspec.to_builtins(asked)})


def digest(asked: TakeoutRequested) -> bytes:
    """SHA-256 of the document: the challenge that a passkey signs."""
    return hashlib.sha256(document(asked)).digest()


def _check(value: Any) -> None:
    match value:
        case None | bool() | str():
            pass
        case int() if abs(value) <= _LARGEST:
            pass
        case list() | tuple():
            for one in value:
                _check(one)
        case dict():
            for key, one in value.items():
                if not isinstance(key, str) or not key.isascii():
                    raise ValueError(f"not a key of canonical JSON here: {key!r}")
                _check(one)
        case _:
            raise ValueError(f"not a value of canonical JSON here: {type(value).__name__}")
