"""The graph of legal persons as a Mermaid flowchart: who gives whose data to whom, and what binds them."""

import re
from collections.abc import Iterator
from datetime import date

from sekisho.register.parties import Parties, TieKind, obstacles, roles

_TIES = {
    TieKind.FEDERATION_OF: "連合 / federation of",
    TieKind.STAFFS: "派遣 / staffs",
    TieKind.PARENT_OF: "親会社 / parent of",
    TieKind.GUIDES: "指導 / guides",
}


def mermaid(parties: Parties, on: date) -> str:
    """One node for each legal person with its roles, one arrow for each tie and hop.

    A hop that something stands in the way of on that day is dotted and red.
    """
    return "\n".join(_lines(parties, on)) + "\n"


def _lines(parties: Parties, on: date) -> Iterator[str]:
    yield "flowchart LR"
    named = {end for tie in parties.ties for end in (tie.party, tie.other)}
    named |= {end for hop in parties.hops for end in (hop.client, hop.giver, hop.receiver)}
    for one in sorted(named):
        held = ", ".join(sorted(roles(parties, one)))
        yield f'  {_node(one)}["{_text(parties.name(one))}<br/>{held}"]'
    for tie in parties.ties:
        yield f'  {_node(tie.party)} -. "{_TIES[tie.kind]}" .- {_node(tie.other)}'
    arrows = len(parties.ties)
    for hop in parties.hops:
        clear = not any(obstacles(parties, hop, on))
        label = f'"{_text(hop.id)}: {_text(parties.name(hop.client))}"'
        arrow = f"-- {label} -->" if clear else f"-. {label} .->"
        yield f"  {_node(hop.giver)} {arrow} {_node(hop.receiver)}"
        if not clear:
            yield f"  linkStyle {arrows} stroke:#c00"
        arrows += 1


def _node(party: str) -> str:
    """An id that Mermaid takes: some of its keywords ("end") are none."""
    return "p_" + re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found[0]):x}_", party)


def _text(words: str) -> str:
    """Mermaid reads HTML and its own codes in labels: every character with a meaning is written as its number."""
    return re.sub(r"[\"<>&#;`|\[\]{}()\n]", lambda found: f"#{ord(found[0])};", words)
