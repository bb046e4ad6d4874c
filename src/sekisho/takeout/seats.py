"""Whose shares a package needs: a seat for each approval that the duty matrix asks for, held by who could give it.

Read from the published log, not from tables: a key that somebody wrote into the database would be handed a share.
"""

from collections.abc import Sequence
from typing import Final

from sekisho.gate.duties import Act, Allowed, Case, Part, may, missing
from sekisho.takeout.history import History
from sekisho.takeout.sealing import SEALABLE, Holder, Seat

_END: Final = 1 << 62


def find_seats(
    history: History, requester: str, organisations: Sequence[str], *, above_limit: bool
) -> tuple[Seat, ...]:
    """The seats, some of which may be empty. A human sits for one role only; none for an own request."""
    asking = history.actor(requester, _END)
    keys = history.ssh_keys()
    role_of: dict[str, str] = {}
    seats: list[Seat] = []
    for organisation in organisations:
        case = Case(organisation, above_limit=above_limit)
        begun = may(Act.CARRY_OUT, Part.REQUEST, asking, case) if asking else None
        doings = (begun.doing(),) if isinstance(begun, Allowed) else ()
        case = Case(organisation, doings=doings, above_limit=above_limit)
        holders: dict[str, list[Holder]] = {role: [] for role in missing(Act.CARRY_OUT, case)}
        for name, account, key in keys:
            actor = history.actor(account, _END)
            answer = may(Act.CARRY_OUT, Part.APPROVE, actor, case) if actor and doings else None
            if not isinstance(answer, Allowed) or not key.startswith(SEALABLE):
                continue
            if role_of.setdefault(answer.actor.human, answer.role) == answer.role:
                holders[answer.role].append(Holder(account, name, key))
        seats += [Seat(role, organisation, tuple(found)) for role, found in holders.items()]
    return tuple(seats)
