"""4. How much of a client's whole population one human has seen, in however small slices."""

from typing import Final

from sekisho.watch.detector import Detector, Finding, Head, Memory, Value, Words, by_human_and_client
from sekisho.watch.known import BULK, Known
from sekisho.watch.observation import Observation

FIRST: Final = 0.02  # of the population, beyond what tickets stand for
FIRST_IN_LOOKUPS: Final = 0.25  # … in lookups that tickets cover
LEAST: Final = 200  # persons


class Share(Memory):
    """`listed`: persons of ordered lists. `said` counts the doublings of the share that were told."""

    beyond: int = 0
    lookups: int = 0
    said: int = 0


def look(share: Share, o: Observation, known: Known) -> Finding | None:
    if not o.persons or not o.client:
        return None
    ticket = known.ticket
    beyond = o.persons if ticket is None else max(0, min(known.fresh, ticket.used - ticket.expected))
    share.beyond += beyond
    if ticket is not None and ticket.expected <= BULK:
        share.lookups += known.fresh - beyond
    population = known.population(o.client)
    if not population:
        return None
    worst, first = share.beyond, FIRST
    if share.lookups * FIRST > share.beyond * FIRST_IN_LOOKUPS:
        worst, first = share.lookups + share.beyond, FIRST_IN_LOOKUPS
    if worst < LEAST:
        return None
    part = worst / population
    steps = int(part / first).bit_length()
    if steps <= share.said:
        return None
    share.said = steps
    values: dict[str, Value] = {"persons": worst, "percent": round(100 * part, 1), "population": population}
    return Finding(2.6 + 0.5 * steps, worst, first * population, values)


DETECTOR: Final = Detector(
    number=4,
    name="client_share",
    head=Head.VOLUME,
    kinds=("read", "pull"),
    window="lifetime",
    memory=Share,
    key=by_human_and_client,
    reason=Words(
        "A full list in slices is a full list.",
        "小分けにしても、全件は全件です。",
    ),
    finding=Words(
        "{human} has seen {persons} of the {population} persons of {client} ({percent} %).",
        "{human} は {client} の {population} 人のうち {persons} 人 ({percent} %) を見ています。",
    ),
    look=look,
)
