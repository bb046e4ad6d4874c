"""18. Approvals that nobody thought about: all of them, in seconds, without opening the evidence."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import Observation

SECONDS: Final = 20
LEAST: Final = 12  # approvals in ninety days
DAYS: Final = 90


class Stamps(Memory):
    """Of the present ninety days: approvals, declined ones, those within seconds, those for many persons."""

    since: int = 0
    approvals: int = 0
    declined: int = 0
    fast: int = 0
    bulk_fast: int = 0
    said: int = 0


def look(stamps: Stamps, o: Observation, known: Known) -> Finding | None:
    if known.day - stamps.since >= DAYS:
        stamps.since, stamps.said = known.day, 0
        stamps.approvals = stamps.declined = stamps.fast = stamps.bulk_fast = 0
    if o.what == "declined":
        stamps.declined += 1
        return None
    stamps.approvals += 1
    ticket = known.ticket
    if ticket is None or o.at - ticket.asked > SECONDS * 1_000_000:
        return None
    stamps.fast += 1
    stamps.bulk_fast += ticket.expected > BULK
    share = stamps.fast / stamps.approvals
    if stamps.approvals < LEAST or share < 0.8 or stamps.declined > 0.02 * stamps.approvals or stamps.said:
        return None
    stamps.said = 1
    values: dict[str, Value] = {"fast": stamps.fast, "approvals": stamps.approvals, "seconds": SECONDS}
    return Finding(3.2 + (1.0 if stamps.bulk_fast else 0.0), share, 0.1, values)


DETECTOR: Final = Detector(
    number=18,
    name="approval_rubber_stamp",
    head=Head.CONSENT,
    kinds=("approval",),
    window="90 d",
    memory=Stamps,
    key=by_human,
    reason=Words(
        "Consent that is given unread is no second pair of eyes.",
        "読まずに与えた承認は、二人目の目ではありません。",
    ),
    finding=Words(
        "{human} gave {fast} of {approvals} approvals within {seconds} seconds, and declined almost none.",
        "{human} は承認 {approvals} 件のうち {fast} 件を {seconds} 秒以内に行い、却下はほぼありません。",
    ),
    look=look,
)
