"""What psql asks of the system catalogues for `\\d` and its kin: known by the whole text of the statement.

Computed columns have no origin, and a function under the catalogues' name can read anything (pg_read_file,
query_to_xml). So nothing is judged by what a statement seems to read: it must be, letter for letter, one that psql
sends, in which only a name pattern and an object's number may differ, neither of which can hold a quote or a
backslash. Only a simple query is looked at: its text is what runs.
"""

import re
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Final

from sekisho.relay.postgres.plan import Plan, hidden_plan, shown_plan
from sekisho.wire.postgres.backend import RowDescription

# '^(customers)$' of a name pattern, '16384' of an object; what stands within cannot end the literal.
_PLACE: Final = re.compile(rb"'\^\([^'\\\0]*\)\$'|'[0-9]+'")
_LONGEST: Final = 8192


class Described(Enum):
    """SHOWN: no column of the result can hold a row of any table. HIDDEN: it is let through with every value hidden,
    because psql does not go on without an answer."""

    SHOWN = "shown"
    HIDDEN = "hidden"


def _texts() -> dict[bytes, Described]:
    found: dict[bytes, Described] = {}
    sections = re.split(
        rb"^-- (shown|hidden)\n",
        Path(__file__).with_name("psql_describe.sql").read_bytes(),
        flags=re.MULTILINE,
    )
    for kind, text in zip(sections[1::2], sections[2::2], strict=True):
        found[text.rstrip(b"\n")] = Described(kind.decode())
    return found


_TEXTS: Final = _texts()


def describes(sql: bytes) -> Described | None:
    """Whether psql sends this statement to describe the database; None for any other."""
    if len(sql) > _LONGEST:
        return None
    return _TEXTS.get(_PLACE.sub(_kept, sql))


def _kept(place: re.Match[bytes]) -> bytes:
    return b"'^()$'" if place[0].startswith(b"'^") else b"'0'"


@lru_cache(maxsize=64)
def plan_of(described: Described, description: RowDescription) -> Plan:
    return shown_plan(description) if described is Described.SHOWN else hidden_plan(description)
