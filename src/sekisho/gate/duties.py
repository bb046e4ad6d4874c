"""Separation of duties: who may take which part in which act. Pure, and data first.

`DUTIES` is the matrix of acts and roles. A cell holds parts, each with notes in brackets; an empty cell ("-")
forbids. Beside the matrix stand rules that no cell can loosen:

- One human takes one part in an act. Two accounts of one human are one human, with the roles of both.
- An approver is not commanded by who requests or executes; two approvers do not command each other; who checks
  is in no chain of command with anybody who took part. So one chain can never request, approve and check.
- Nobody decides what is about himself. Auditors and investigators belong to none of the employers concerned.
- The log's custodian and the administrator hold no role that gives them business with the data.
- Above the limit, one approver has another employer than the requester.

`may` is asked before each act, `missing` says whose approval an act still needs. What is unknown is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sekisho.gate import faults
from sekisho.gate.refusal import Refusal
from sekisho.people.facts import HeldRole
from sekisho.people.roles import Role, compatible


class Part(StrEnum):
    REQUEST = "R"
    APPROVE = "A"
    EXECUTE = "X"
    CHECK = "I"
    COUNTERSIGN = "C"
    HELP = "H"
    VIEW = "V"
    NOTIFIED = "N"


class Act(StrEnum):
    TICKET = "ticket"
    SESSION = "session"
    BREAK_GLASS = "break_glass"
    BULK_PULL = "bulk_pull"
    CARRY_OUT = "carry_out"
    MEDIA_LIST = "media_list"
    ALARM_ACKNOWLEDGE = "alarm_acknowledge"
    ALARM_SUPPRESS = "alarm_suppress"
    LOG_KEEP = "log_keep"
    LOG_EDIT = "log_edit"
    PERIODIC_REVIEW = "periodic_review"
    SURPRISE_CHECK = "surprise_check"
    SUSPICION = "suspicion"
    INVESTIGATION = "investigation"
    CLIENT_NOTICE = "client_notice"
    PERSON_NOTICE = "person_notice"
    ATTRIBUTION = "attribution"
    POLICY = "policy"
    OFF_BOARDING = "off_boarding"
    RECORDING = "recording"  # watching one that shows personal data


class Note(StrEnum):
    """A condition on a part, or a bound on what it covers."""

    ABOVE = "above"  # only above the limit
    UNTIED = "untied"  # no chain of command between actor and subject
    OWN = "own"  # of the actor's own employer
    APPROVED = "approved"  # only after every approval
    HOLD = "hold"  # only under a legal hold
    DIGEST = "digest"  # a bound for whoever shows it: the digest, not the record
    VERIFY = "verify"  # … the proofs, not the contents
    AFTER = "after"  # … when it is over


# Roles: worker, operator's manager, lead processor's manager, client, log custodian, auditor, investigator,
# privacy officer, administrator. Break-glass and recording are ours; every other row is section D of the requirements.
DUTIES_TABLE: Final = """
ticket            | R | A              | V        | V         | -         | I         | -          | V | -
session           | X | V              | -        | V(digest) | -         | I         | V(hold)    | - | -
break_glass       | X | I              | I        | N         | -         | I         | -          | I | -
bulk_pull         | R | A              | A        | N         | -         | I         | -          | N | -
carry_out         | R | A              | A        | A(above)  | -         | I         | -          | N | -
media_list        | - | R              | A        | N         | -         | I         | -          | A | X(approved)
alarm_acknowledge | - | X(untied)      | X        | N         | -         | I         | V          | V | -
alarm_suppress    | - | R              | A        | N         | -         | I         | -          | A | -
log_keep          | - | -              | -        | V(verify) | X         | V(verify) | V(verify)  | - | -
log_edit          | - | -              | -        | -         | -         | -         | -          | - | -
periodic_review   | - | X(own, untied) | X        | V         | -         | I         | -          | N | -
surprise_check    | - | -              | N(after) | N         | -         | X         | -          | N | -
suspicion         | R | R              | R        | R         | R         | R         | R          | R | R
investigation     | - | H              | H        | V C       | H         | -         | X          | - | -
client_notice     | - | H              | X        | N         | -         | -         | H          | A | -
person_notice     | - | -              | H        | A         | -         | -         | -          | A | -
attribution       | - | R              | R        | C         | -         | -         | A          | - | -
policy            | - | R              | R        | N         | -         | I         | -          | A | X(approved)
off_boarding      | - | X              | N        | N         | -         | I         | -          | N | X
recording         | - | R              | R        | V         | -         | R         | R(hold)    | A | -
"""

Cell = dict[Part, frozenset[Note]]


def _read_table(table: str) -> dict[Act, dict[Role, Cell]]:
    matrix: dict[Act, dict[Role, Cell]] = {}
    for line in table.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        matrix[Act(name)] = dict(zip(Role, map(_read_cell, cells), strict=True))
    return matrix


def _read_cell(cell: str) -> Cell:
    parts: Cell = {}
    for word in () if cell == "-" else cell.replace(", ", ",").split():
        letter, _, notes = word.rstrip(")").partition("(")
        parts[Part(letter)] = frozenset(Note(note) for note in notes.split(",") if note)
    return parts


DUTIES: Final = _read_table(DUTIES_TABLE)

# Parts that shape an act; viewing, helping and being told do not.
DECIDING: Final = frozenset({Part.REQUEST, Part.APPROVE, Part.EXECUTE, Part.CHECK, Part.COUNTERSIGN})
OUTSIDE: Final = frozenset({Role.AUDITOR, Role.INVESTIGATOR})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an account, the human behind it, the roles of all accounts of that human, and the humans
    above in the chain of command."""

    person: str
    human: str
    employer: str
    held: frozenset[HeldRole]
    above: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Doing:
    """A part that somebody took."""

    part: Part
    actor: Actor
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One act, as far as it has come.

    `organisation` is the client organisation ("" when the act concerns none in particular), `employer` the
    employer whose work it is about, `subjects` the persons it is about."""

    organisation: str = ""
    employer: str = ""
    doings: tuple[Doing, ...] = ()
    subjects: tuple[Actor, ...] = ()
    above_limit: bool = False
    on_hold: bool = False


_MINT: Final = object()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The proof that somebody may take a part now; only `may` makes it. `notes` bound what is shown."""

    act: Act
    part: Part
    actor: Actor
    role: Role
    notes: frozenset[Note]
    mint: object

    def __post_init__(self) -> None:
        if self.mint is not _MINT:
            raise TypeError("only sekisho.gate.duties.may can allow")

    def doing(self) -> Doing:
        return Doing(self.part, self.actor, self.role)


def may(act: Act, part: Part, actor: Actor, case: Case) -> Allowed | Refusal:
    """May `actor` take this part of the act now? Total; the first rule that forbids is named."""
    if clash := clashing(actor.held):
        values = {"person": actor.person, "roles": ", ".join(sorted(clash))}
        return Refusal(faults.ROLES_CLASH, values)
    refused: Refusal | None = None
    for role, notes in _duties(act, part, actor, case):
        refused = _forbidden(act, part, role, notes, actor, case)
        if refused is None:
            return Allowed(act, part, actor, role, notes, _MINT)
    if refused is not None:
        return refused
    return Refusal(faults.NOT_YOUR_DUTY, {"person": actor.person, "act": act, "part": part})


def missing(act: Act, case: Case) -> tuple[Role, ...]:
    """The roles whose approval the act still needs."""
    given = {doing.role for doing in case.doings if doing.part is Part.APPROVE}
    return tuple(
        role
        for role, cell in DUTIES[act].items()
        if (notes := cell.get(Part.APPROVE)) is not None
        and (Note.ABOVE not in notes or case.above_limit)
        and role not in given
    )


def clashing(held: frozenset[HeldRole]) -> frozenset[Role]:
    """The roles that one human may not hold together."""
    roles = {one.role for one in held}
    return frozenset(
        one for one in roles for other in roles if one is not other and not compatible(one, other)
    )


def commands(above: Actor, below: Actor) -> bool:
    return above.human in below.above


def tied(one: Actor, other: Actor) -> bool:
    """One human, or one chain of command."""
    return one.human == other.human or commands(one, other) or commands(other, one)


def may_stand_together(one: Doing, other: Doing) -> bool:
    """Whether these two may stand in the same act."""
    if one.actor.human == other.actor.human:
        return False
    if Part.CHECK in (one.part, other.part) or one.part is other.part is Part.APPROVE:
        return not tied(one.actor, other.actor)
    if one.part is Part.APPROVE:
        return not commands(other.actor, one.actor)
    if other.part is Part.APPROVE:
        return not commands(one.actor, other.actor)
    return True


def _duties(act: Act, part: Part, actor: Actor, case: Case) -> Iterator[tuple[Role, frozenset[Note]]]:
    held = {
        one.role
        for one in actor.held
        if one.organisation == case.organisation or (not one.organisation and one.role is not Role.CLIENT)
    }
    for role, cell in DUTIES[act].items():
        if role in held and part in cell:
            yield role, cell[part]


def _forbidden(
    act: Act, part: Part, role: Role, notes: frozenset[Note], actor: Actor, case: Case
) -> Refusal | None:
    person = {"person": actor.person}
    if (Note.ABOVE in notes and not case.above_limit) or (Note.HOLD in notes and not case.on_hold):
        return Refusal(faults.NOT_YOUR_DUTY, {**person, "act": act, "part": part})
    if Note.OWN in notes and actor.employer != case.employer:
        return Refusal(faults.NOT_YOUR_DUTY, {**person, "act": act, "part": part})
    if part not in DECIDING or act is Act.SUSPICION:
        return None
    if any(actor.human == subject.human for subject in case.subjects):
        return Refusal(faults.ABOUT_YOURSELF, person)
    if (Note.UNTIED in notes or part is Part.CHECK) and any(tied(actor, one) for one in case.subjects):
        return Refusal(faults.ABOUT_YOURSELF, person)
    mine = Doing(part, actor, role)
    others = [doing for doing in case.doings if doing.part in DECIDING]
    for doing in others:
        if not may_stand_together(mine, doing):
            return Refusal(faults.ONE_CHAIN, {**person, "other": doing.actor.person})
    if role in OUTSIDE and actor.employer in _employers(case, others):
        return Refusal(faults.NOT_OUTSIDE, {**person, "employer": actor.employer})
    if part is Part.APPROVE and role not in missing(act, case):
        return Refusal(faults.APPROVED_ALREADY, {**person, "role": role})
    if part is Part.APPROVE and case.above_limit and missing(act, case) == (role,):
        asking = {doing.actor.employer for doing in others if doing.part is Part.REQUEST}
        approving = {doing.actor.employer for doing in others if doing.part is Part.APPROVE}
        if not (approving | {actor.employer}) - asking:
            return Refusal(faults.OTHER_EMPLOYER, {**person, "employer": actor.employer})
    if Note.APPROVED in notes and missing(act, case):
        return Refusal(faults.NOT_YET_APPROVED, {**person, "roles": ", ".join(missing(act, case))})
    return None


def _employers(case: Case, others: list[Doing]) -> set[str]:
    """Those whose work is looked at; an outside person may stand beside another one of the same firm."""
    concerned = {doing.actor.employer for doing in others if doing.role not in OUTSIDE}
    return (concerned | {subject.employer for subject in case.subjects} | {case.employer}) - {""}
