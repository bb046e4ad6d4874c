"""What can go wrong: a stable code, and one sentence in Japanese and English for the person in front of it.

A room declares its faults as constants (`NOT_A_LOG = fault_kind("SEK-EVID-001", en=..., ja=...)`) and raises
them with their values: `raise Fault(NOT_A_LOG, path=path)`. A sentence says what happened, what was kept, and
what to do next. `docs/faults.md` lists every code; a test holds the two together.
"""

import os
import re
import string
from dataclasses import dataclass
from typing import Final, Literal

Language = Literal["en", "ja"]

_CODE: Final = re.compile(r"SEK-[A-Z]{2,8}-[0-9]{3}")


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault. `en` and `ja` are `str.format` templates over the same field names."""

    code: str
    en: str
    ja: str

    def sentence(self, language: Language, values: dict[str, object]) -> str:
        return (self.ja if language == "ja" else self.en).format(**values)


FAULT_KINDS: Final[dict[str, FaultKind]] = {}


def fault_kind(code: str, *, en: str, ja: str) -> FaultKind:
    """Declare a fault once. Raises ValueError on a malformed or repeated code, or when the fields differ."""
    if not _CODE.fullmatch(code):
        raise ValueError(f"malformed fault code {code!r}")
    if code in FAULT_KINDS:
        raise ValueError(f"fault code {code} is declared twice")
    if _fields(en) != _fields(ja):
        raise ValueError(f"{code}: the English and the Japanese sentence name different fields")
    FAULT_KINDS[code] = kind = FaultKind(code, en, ja)
    return kind


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


class Fault(Exception):  # noqa: N818 (a fault is the domain's word; not each one is an error of the program)
    """A refusal or failure that a person is told about, with its code and the values of its sentence."""

    def __init__(self, kind: FaultKind, **values: object) -> None:
        self.kind = kind
        self.values = values
        super().__init__(f"{kind.code}: {kind.sentence('en', values)}")

    @property
    def code(self) -> str:
        return self.kind.code

    def sentence(self, language: Language) -> str:
        return self.kind.sentence(language, self.values)


def preferred_language() -> Language:
    """The language of the person at the terminal, from LC_ALL, LC_MESSAGES or LANG."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ja" if value.startswith("ja") else "en"
    return "en"
