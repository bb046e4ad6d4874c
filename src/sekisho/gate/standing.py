"""How a person stands for the gate: the human of `sekisho.people`, and everybody above in the chain of command."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sekisho.gate.duties import Actor
from sekisho.ledger import Ledger, Recorded
from sekisho.people import standing as people
from sekisho.people.standing import PersonStanding

Confirms = Callable[[Recorded], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Standing:
    """An account, the human behind it, and the humans who command that one, all the way up."""

    account: str
    human: PersonStanding
    above: frozenset[str]

    @property
    def actor(self) -> Actor:
        """As the duty matrix sees it: who left or is frozen holds no role."""
        held = frozenset(self.human.roles) if self.human.active else frozenset()
        return Actor(self.account, self.human.person, self.human.employer, held, self.above)


async def read_standing(ledger: Ledger, account: str, confirms: Confirms | None = None) -> Standing | None:
    """None when there is no such account. Raises Fault `people.NOT_IN_THE_LOG` when a fact is not the published one."""
    human = await people.read_standing(ledger, account, confirms=confirms)
    if human is None:
        return None
    above: set[str] = set()
    manager = human.manager
    # A loop ends the walk; nobody commands himself.
    while manager and manager not in above and manager != human.person:
        above.add(manager)
        found = await people.read_standing(ledger, manager, confirms=confirms)
        manager = found.manager if found else ""
    return Standing(account, human, frozenset(above))
