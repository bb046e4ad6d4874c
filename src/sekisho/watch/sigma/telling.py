"""Which rules are in force, as a fact: whoever wrote one sees on a page, not only in a log of the machine, that it is
refused, and why; and an auditor sees when the rules changed."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import select

from sekisho.ledger import Connection, Ledger
from sekisho.watch.facts import RuleMistake, RulesRead
from sekisho.watch.sigma.loading import Library
from sekisho.watch.sigma.ruleset import Ruleset
from sekisho.watch.tables import sigma_rules

_MOST: Final = 50
_LONGEST: Final = 300  # characters of a reason


class InForce(msgspec.Struct, frozen=True):
    """What the watch said last; `refused` counts more mistakes than the first ones that are told."""

    read: datetime
    digest: str
    rules: int
    refused: int
    mistakes: tuple[RuleMistake, ...]


async def tell_rules(ledger: Ledger, rules: Ruleset, library: Library) -> None:
    """Record what is in force when it is not what was said last."""
    mistakes = library.mistakes
    told = tuple(
        RuleMistake(path=_within(one.path, library.folders), line=one.line, reason=one.reason[:_LONGEST])
        for one in mistakes[:_MOST]
    )
    digest = hashlib.sha256("".join(sorted(rule.digest for rule in rules.rules)).encode()).hexdigest()
    said = RulesRead(rules=len(rules.rules), digest=digest, refused=len(mistakes), mistakes=told)
    async with ledger.read() as connection:
        before = await read_rules(connection)
    if before is None or (before.digest, before.refused, before.mistakes) != (digest, said.refused, told):
        await ledger.record(said, by="sekisho", about="watch")


def _within(path: str, folders: Sequence[Path]) -> str:
    """The log is public: where the folder lies on this machine is nobody's business."""
    for folder in folders:
        if Path(path).is_relative_to(folder):
            return str(Path(path).relative_to(folder))
    return Path(path).name


async def read_rules(connection: Connection) -> InForce | None:
    row = (await connection.execute(select(sigma_rules))).one_or_none()
    if row is None:
        return None
    mistakes = msgspec.json.decode(row.mistakes, type=tuple[RuleMistake, ...])
    return InForce(row.read, row.digest, row.rules, row.refused, mistakes)
