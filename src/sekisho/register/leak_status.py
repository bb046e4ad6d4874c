"""What an organisation says about an external leak: its words, and one of six normal forms.

"No misuse known" is not "not leaked", and neither is "no leak known": no normal form says that nothing left.
"""

import re
from enum import StrEnum
from typing import Final

import msgspec

from sekisho.faults import Fault, Language
from sekisho.register.faults import LEAK_STATUS_UNKNOWN


class LeakStatus(StrEnum):
    CONFIRMED = "confirmed"
    POSSIBLE = "possible"
    NONE_KNOWN_LEAK = "none_known_leak"
    NONE_KNOWN_MISUSE = "none_known_misuse"
    UNKNOWN = "unknown"
    NOT_STATED = "not_stated"

    def label(self, language: Language) -> str:
        return _LABELS[self][0 if language == "en" else 1]


_LABELS: Final = {
    LeakStatus.CONFIRMED: ("Leak confirmed", "流出を確認"),
    LeakStatus.POSSIBLE: ("Leak possible", "流出の可能性あり"),
    LeakStatus.NONE_KNOWN_LEAK: (
        "Leak not confirmed so far; not ruled out",
        "現時点で流出は確認されていない(否定ではない)",
    ),
    LeakStatus.NONE_KNOWN_MISUSE: (
        "Misuse not confirmed so far; says nothing about a leak",
        "現時点で悪用は確認されていない(流出の有無は示さない)",
    ),
    LeakStatus.UNKNOWN: ("Not known", "不明"),
    LeakStatus.NOT_STATED: ("Not stated", "記載なし"),
}


class LeakStatement(msgspec.Struct, frozen=True):
    raw: str
    status: LeakStatus
    remarks: tuple[str, ...] = ()


_STATEMENTS: Final = {
    "流出あり": LeakStatus.CONFIRMED,
    "流出可能性あり": LeakStatus.POSSIBLE,
    "外部流出情報なし": LeakStatus.NONE_KNOWN_LEAK,
    "第三者への流出なし": LeakStatus.NONE_KNOWN_LEAK,
    "流出情報なし": LeakStatus.NONE_KNOWN_LEAK,
    "悪用情報なし": LeakStatus.NONE_KNOWN_MISUSE,
    "悪用情報なしと報道": LeakStatus.NONE_KNOWN_MISUSE,
    "悪用情報報告なし": LeakStatus.NONE_KNOWN_MISUSE,
    "報告以上の情報把握せず": LeakStatus.UNKNOWN,
    "記載なし": LeakStatus.NOT_STATED,
    "記載無し": LeakStatus.NOT_STATED,
}
_REMARKS: Final = frozenset({"対象顧客の特定作業中", "対象者特定されず"})


def parse_leak_status(raw: str) -> LeakStatement:
    """A statement, then remarks, parted by blanks or slashes. Raises Fault on words that are not in the table."""
    first, *rest = [word for word in re.split(r"[\s/／]+", raw) if word] or [""]
    status = _STATEMENTS.get(first)
    if status is None or not _REMARKS.issuperset(rest):
        raise Fault(LEAK_STATUS_UNKNOWN, text=raw)
    return LeakStatement(raw, status, tuple(rest))
