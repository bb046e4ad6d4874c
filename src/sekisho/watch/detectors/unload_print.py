"""16. Everything at once: a dump, a SELECT without WHERE, a list printed."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Words, by_human
from sekisho.watch.known import Known
from sekisho.watch.observation import Observation
from sekisho.watch.tails import ratio_surprise

PERSONS: Final = 1_000  # in one statement
SHARE: Final = 0.05  # of the client's persons
PAGES: Final = 40
WORDS: Final = ("pg_dump", "mysqldump", "mysqlpump", "expdp", "unload", "copy ", "into outfile", "select *")


class Unloads(Memory):
    day: int = 0
    said: int = 0


def look(unloads: Unloads, o: Observation, known: Known) -> Finding | None:
    if o.kind == "command":
        line = o.what.lower()
        if not any(word in line for word in WORDS) or " where " in line:
            return None
        score, amount, level = 3.0, 1, 0
    elif o.kind == "print":
        if o.rows < PAGES:
            return None
        score, amount, level = 2.0 + ratio_surprise(o.rows, PAGES, per_doubling=0.7), o.rows, PAGES
    else:
        if o.persons < 100 or known.covered():
            return None
        level = min(PERSONS, int(SHARE * known.population(o.client)) or PERSONS)
        if o.persons < max(100, level):
            return None
        amount = o.persons
        score = 3.2 + ratio_surprise(amount, level, per_doubling=0.4)
    if unloads.day != known.day:
        unloads.day, unloads.said = known.day, 0
    if int(score * 2) <= unloads.said:
        return None
    unloads.said = int(score * 2)
    return Finding(min(score, 7.0), amount, level, {"amount": amount, "kind": o.kind, "level": level})


DETECTOR: Final = Detector(
    number=16,
    name="unload_print",
    head=Head.CHAIN,
    kinds=("read", "pull", "command", "print"),
    window="the event",
    memory=Unloads,
    key=by_human,
    reason=Words(
        "A whole table in one go is a copy, not a lookup.",
        "表全体を一度に取るのは照会ではなく複製です。",
    ),
    finding=Words(
        "{human} took {amount} at once ({kind}) from {client} without a ticket for it; {level} is the level.",
        "{human} は {client} から一度に {amount} 件を取得 ({kind})。対応チケットはありません (水準 {level})。",
    ),
    look=look,
)
