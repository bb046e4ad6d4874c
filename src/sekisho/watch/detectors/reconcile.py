"""21. Figures that must agree and do not: what was pulled against what was handed over, one sensor against another."""

from collections.abc import Iterator
from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import DAY, Observation
from sekisho.watch.tails import ratio_surprise

GRACE_DAYS: Final = 6
TOLERANCE: Final = 0.02


class Account(Memory):
    """A bulk job: persons that came in under its ticket, and persons that were handed over or erased."""

    human: str = ""
    client: str = ""
    came: int = 0
    went: int = 0
    last: int = 0
    said: bool = False


def ticket(o: Observation, known: Known) -> str:
    """Ordinary tickets need no account of their own."""
    if o.kind == "count":
        return o.ticket or o.target
    return o.ticket if known.ticket is not None and known.ticket.expected > BULK else ""


def look(account: Account, o: Observation, known: Known) -> Finding | None:
    if o.kind == "count":
        return _counts(o)
    if o.kind in ("takeout", "delete"):
        # A workspace that was wiped with its key holds nothing any more.
        account.went = account.came if o.what == "all" else account.went + o.persons
        return None
    account.human, account.client, account.last = known.human, o.client, o.at
    account.came += o.persons
    return None


def _counts(o: Observation) -> Finding | None:
    """`persons` is what the other sensor (`target`) counted, `expected` what we did."""
    away = abs(o.persons - o.expected)
    if o.expected < 0 or away <= max(5, TOLERANCE * o.expected):
        return None
    more = o.persons > o.expected
    score = 3.0 + ratio_surprise(max(o.persons, 1), max(o.expected, 1), per_doubling=0.7) if more else 3.0
    values: dict[str, Value] = {
        "came": o.persons,
        "went": o.expected,
        "ticket": o.ticket or "-",
        "source": o.target,
    }
    return Finding(min(score, 6.0), o.persons, o.expected, values)


def sweep(memories: dict[str, Account], now: int, known: Known) -> Iterator[tuple[str, Finding]]:
    over: list[str] = []
    for name, account in sorted(memories.items()):
        asked = known.tickets.get(name)
        closes = asked.closes + DAY if asked is not None else 0
        if not account.last or now < max(account.last + GRACE_DAYS * DAY, closes):
            continue  # while the ticket runs, its files may lie in the workspace
        over.append(name)
        missing = account.came - account.went
        if missing > max(BULK, TOLERANCE * account.came):
            score = 3.6 + ratio_surprise(missing, BULK, per_doubling=0.2)
            values: dict[str, Value] = {
                "came": account.came,
                "went": account.went,
                "ticket": name,
                "source": "-",
            }
            yield (
                name,
                Finding(
                    score, account.came, account.went, values, human=account.human, client=account.client
                ),
            )
    for name in over:
        del memories[name]


DETECTOR: Final = Detector(
    number=21,
    name="reconcile",
    head=Head.EVIDENCE,
    kinds=("read", "pull", "takeout", "delete", "count"),
    window="daily; six days after a bulk job's last row, and not before its ticket ends",
    memory=Account,
    key=ticket,
    reason=Words(
        "A list that was pulled for a client ends at the client. Where did this one end?",
        "委託元のために取り出した名簿は委託元に届くはずです。これはどこへ行ったのでしょう。",
    ),
    finding=Words(
        "Ticket {ticket} of {human}: {came} persons came, {went} went to where they should (source {source}).",
        "{human} のチケット {ticket}: 取り出し {came} 人に対し、引き渡し・消去は {went} 人です (情報源 {source})。",
    ),
    look=look,
    sweep=sweep,
)
