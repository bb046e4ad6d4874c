"""Telephone numbers in national form: digits with their leading zero, or +country and digits."""

import re
from typing import Final

from sekisho.text.normal.fold import HYPHENS, fold

_EXTENSION: Final = re.compile(
    r"\s*[(,]?\s*(?:内線|内|代表|代|ext\.?|extension|[x#*])\s*:?\s*[0-9]*\s*\)?$", re.IGNORECASE
)
_LABEL: Final = re.compile(r"^(?:tel|phone|fax|電話|携帯)\s*[.:]?\s*", re.IGNORECASE)
_BETWEEN: Final = str.maketrans("", "", HYPHENS + "ー~〜() .・/")
_TRUNK_ZERO: Final = re.compile(r"\(0\)")


def normal_phone(text: str) -> str | None:
    """The number in national form, or None where it is none that a Japanese telephone could have.

    A zero that a spreadsheet ate is put back where only one number can be meant; +81, 0081 and a bare 81 become
    0; an extension is dropped; a number of another country stays international. Nothing is filled in or cut off
    otherwise, so that two different numbers never become one.

    >>> [normal_phone(p) for p in ("０９０（１２３４）５６７８", "9012345678", "+81 (0)90-1234-5678", "09012345678.0")]
    ['09012345678', '09012345678', '09012345678', '09012345678']
    >>> [normal_phone(p) for p in ("312345678", "03-1234-5678 内線12", "03ー1234ー5678（代）", "81312345678")]
    ['0312345678', '0312345678', '0312345678', '0312345678']
    >>> [normal_phone(p) for p in ("+1 202-555-0100", "110", "1234-5678", "9.01E+09", "03-1234-5678/03-1234-5679")]
    ['+12025550100', None, None, None, None]
    """
    if text.isascii() and text[:1] == "0":  # the usual writing, of which lists have millions
        usual = text.replace("-", "")
        if usual.isdigit() and _is_national(usual):
            return usual
    folded = _LABEL.sub("", fold(text).removesuffix(".0"))
    bare = _TRUNK_ZERO.sub("", _EXTENSION.sub("", folded)).translate(_BETWEEN)
    international = bare.startswith("+")
    digits = bare.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if not international and digits.startswith("0081"):
        digits, international = digits[2:], True
    if international and not digits.startswith("81"):
        return f"+{digits}" if 8 <= len(digits) <= 15 and digits[0] != "0" else None  # ITU-T E.164: 15 digits
    if international or (digits.startswith("81") and len(digits) in (11, 12)):
        digits = "0" + digits[2:].removeprefix("0")
    elif digits[0] != "0":
        digits = "0" + digits
    return digits if _is_national(digits) else None


def _is_national(digits: str) -> bool:
    """Numbering plan of the Ministry of Internal Affairs: eleven digits for 0A0 numbers (A of 2, 5 to 9), ten else."""
    if digits[1:2] in ("", "0"):
        return False
    if len(digits) == 11:
        return (digits[2] == "0" and digits[1] in "256789") or digits.startswith("0800")
    return len(digits) == 10 and not (digits[2] == "0" and digits[1] in "789")
