"""What the engine knows around an observation: who the humans are, what tickets stand for, which sessions are open.

Learnt from the observations themselves, before the detectors look. Part of the engine's state: it is written out
and read back with it.
"""

from typing import Final

import msgspec

from sekisho.watch.observation import DAY, HOUR, Observation

OPEN_SESSIONS: Final = 4_096
TICKET_DAYS: Final = 120
RAISED_DAYS: Final = 180
BULK: Final = 500  # persons: a ticket for more is a bulk job, counted apart from lookups
_MONDAY: Final = 3  # 1970-01-01 was a Thursday


class Human(msgspec.Struct, array_like=True):
    unit: str = ""
    manager: str = ""
    employer: str = ""
    first: int = 0  # microseconds since 1970
    last: int = 0  # when this human last did anything
    until: int = 0  # when the work ends, if that is known
    left: bool = False
    day: int = 0  # the last active day, and how many there were
    days: int = 0


class Ticket(msgspec.Struct, array_like=True):
    human: str
    client: str
    expected: int
    opens: int
    closes: int
    asked: int
    place: str = ""
    approved: bool = False
    ended: bool = False
    used: int = 0  # persons, each once as far as the meter tells
    leased: int = (
        0  # what the meter holds for this ticket, never less than it used; 0 where there is no meter
    )
    last: int = 0


class Session(msgspec.Struct, array_like=True):
    account: str
    human: str
    place: str
    client: str
    ticket: str
    opened: int
    tool: str = ""
    target: str = ""
    persons: int = 0


class Client(msgspec.Struct, array_like=True):
    population: int = 0
    raised: int = 0  # sensitivity is raised until then


class Known(msgspec.Struct):
    """`human` to `idle` belong to the observation at hand."""

    zone: int  # seconds east of UTC
    humans: dict[str, Human] = {}
    accounts: dict[str, str] = {}
    clients: dict[str, Client] = {}
    tickets: dict[str, Ticket] = {}
    sessions: dict[str, Session] = {}
    metered: dict[str, int] = {}  # human|client -> different persons ever, as the meter holds them
    rotas: dict[str, list[int]] = {}  # unit -> active hours in 48 slots
    things: dict[int, int] = {}  # hashes of terminals and media -> how many humans used them
    numbers: dict[str, int] = {}  # clients, in the order in which they came: shorter than their names
    tickets_used: bool = False  # whether this house works with tickets at all
    human: str = ""
    pair: str = ""  # human and client
    day: int = 0  # days since 1970, local
    slot: int = 0  # 0-47: the hour, and 24 more at the weekend
    ticket: Ticket | None = None
    fresh: int = 0  # persons of this observation whom its ticket had not counted yet
    idle: int = 0  # days since this human last did anything

    def learn(self, o: Observation) -> None:
        """Take in what the observation says about people, tickets and sessions."""
        local = o.at // 1_000_000 + self.zone
        self.day = day = local // 86_400
        hour = local // 3_600 % 24
        self.slot = hour + 24 if (day + _MONDAY) % 7 > 4 else hour
        actor = o.actor
        self.human = human = self.accounts.get(actor, actor)
        self.pair = f"{human}|{o.client}"
        self.ticket = None
        self.fresh = o.persons
        self.idle = 0
        if human and o.kind not in ("person", "account", "beat", "lease"):
            who = self.humans.get(human)
            if who is None:
                who = self.humans[human] = Human(first=o.at)
            if who.last:
                self.idle = (o.at - who.last) // DAY
            who.last = o.at
            if who.day != day:
                who.day = day
                who.days += 1
        if o.ticket:
            ticket = self.tickets.get(o.ticket)
            self.ticket = ticket
            if ticket is not None and o.persons and o.kind in ("read", "pull"):
                # Another session of the ticket counts the same persons anew; the meter, over all of them, does not.
                before, used = ticket.used, ticket.used + o.persons
                session = self.sessions.get(o.session)
                here = o.persons
                if session is not None:
                    session.persons += o.persons
                    here = session.persons
                # A session counts each person once: more than the meter holds in one session went past the meter.
                ticket.used = min(used, max(before, ticket.leased, here)) if ticket.leased else used
                self.fresh = ticket.used - before
                ticket.last = o.at
        learner = _LEARNERS.get(o.kind)
        if learner is not None:
            learner(self, o)

    def rota(self) -> list[int]:
        """Active hours of the present human's unit, by slot."""
        who = self.humans.get(self.human)
        return self.rotas.setdefault(who.unit if who is not None else "", [0] * 48)

    def forget(self, now: int) -> None:
        """Let go of what is over, once a day, and tickets once a week."""
        while len(self.sessions) > OPEN_SESSIONS:
            # The one that was opened first; the name decides between equals.
            del self.sessions[min(self.sessions, key=lambda name: (self.sessions[name].opened, name))]
        if self.day % 7:
            return
        oldest = now - TICKET_DAYS * DAY
        for name in [
            name for name, ticket in self.tickets.items() if max(ticket.closes, ticket.last) < oldest
        ]:
            del self.tickets[name]

    def sensitive(self, client: str, now: int) -> bool:
        known = self.clients.get(client)
        return known is not None and known.raised > now

    def departing(self, human: str, now: int) -> bool:
        """Within ninety days around the end of this human's work."""
        who = self.humans.get(human)
        return who is not None and who.until > 0 and abs(now - who.until) < 90 * DAY

    def population(self, client: str) -> int:
        known = self.clients.get(client)
        return 0 if known is None else known.population

    def number(self, client: str) -> int:
        return self.numbers.setdefault(client, len(self.numbers))

    def covered(self) -> bool:
        """Whether the present ticket is an approved one that stands for all of its persons so far."""
        ticket = self.ticket
        return ticket is not None and ticket.approved and ticket.used <= ticket.expected

    def peers(self, human: str) -> list[str]:
        """The other humans of the same unit, in order of name."""
        unit = self.humans[human].unit if human in self.humans else ""
        return sorted(name for name, who in self.humans.items() if who.unit == unit and name != human)


def _person(known: Known, o: Observation) -> None:
    """`target` is the human, `what` the unit, `other` the manager, `tool` the employer; `until` the end of the work."""
    who = known.humans.get(o.target)
    if who is None:
        who = known.humans[o.target] = Human(first=o.at)
    who.left = o.what == "left"
    if not who.left:
        who.unit = o.what or who.unit
    who.manager = o.other or who.manager
    who.employer = o.tool or who.employer
    who.until = o.until or who.until
    known.accounts.setdefault(o.target, o.target)


def _account(known: Known, o: Observation) -> None:
    known.accounts[o.target] = o.other


def _client(known: Known, o: Observation) -> None:
    known.clients.setdefault(o.client, Client()).population = o.persons


def _ticket(known: Known, o: Observation) -> None:
    known.tickets_used = True
    known.tickets[o.ticket] = Ticket(
        human=known.human,
        client=o.client,
        expected=o.expected,
        opens=o.at if not o.low else o.low,
        closes=o.until or o.at + DAY,
        asked=o.at,
        place=o.place,
        approved=o.what == "emergency",
    )


def _approval(known: Known, o: Observation) -> None:
    if known.ticket is not None and o.what != "declined":
        known.ticket.approved = True


def _ticket_end(known: Known, o: Observation) -> None:
    if known.ticket is not None:
        known.ticket.ended = True


def _logon(known: Known, o: Observation) -> None:
    if o.session:
        known.sessions[o.session] = Session(
            o.actor, known.human, o.place, o.client, o.ticket, o.at, o.tool, o.target
        )


def _logoff(known: Known, o: Observation) -> None:
    known.sessions.pop(o.session, None)


def _lease(known: Known, o: Observation) -> None:
    """`persons` of the ticket's account, `rows` of that of human (`actor`) and client; negative when given back."""
    if known.ticket is not None:
        known.ticket.leased += o.persons
        if o.persons < 0:
            known.ticket.used = min(known.ticket.used, known.ticket.leased)
    if o.rows:
        known.metered[known.pair] = known.metered.get(known.pair, 0) + o.rows


def _outside(known: Known, o: Observation) -> None:
    known.clients.setdefault(o.client, Client()).raised = o.at + RAISED_DAYS * DAY


_LEARNERS: Final = {
    "person": _person,
    "account": _account,
    "client": _client,
    "ticket": _ticket,
    "approval": _approval,
    "ticket_end": _ticket_end,
    "logon": _logon,
    "logoff": _logoff,
    "lease": _lease,
    "outside": _outside,
    "canary": _outside,
}

__all__ = ["BULK", "HOUR", "Client", "Human", "Known", "Session", "Ticket"]
