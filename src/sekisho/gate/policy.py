"""The house's policy: bounds that no ticket and no approval can pass.

Nobody sets it alone. A proposal names the policy that it replaces, by leaf hash; an approval names the proposal,
by leaf hash. What is in force is a function of the facts: the built-in policy, and then each approved proposal
that replaces the one in force at that moment. So an old proposal, approved late, cannot undo a newer one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from sekisho.gate.limits import Limits
from sekisho.register.inventory import Sensitivity

TAKEOUT_CHANNELS: Final = frozenset({"page", "sftp", "medium"})
BUILT_IN: Final = ""  # stands where a leaf hash would name the replaced policy


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hours` are the hours of the day (JST) in which doors open: (8, 20) is from 8:00 to 19:59.

    `largest` bounds what any ticket lets pass, `longest_hours` its window. A ticket for more than
    `bulk_persons` persons needs the approvals of a bulk pull, and so does one with a bulk allowance for its
    workspace; `largest_bulk` bounds those, and None allows none. No ticket, with or without a bulk
    allowance, is for more than `sensitive_persons` persons where the dataset is sensitive or special, nor for more
    than `special_persons` where it is special (health, official numbers). `uploads` lets a worker put files of the own
    terminal, of at most `upload_bytes` bytes, into the workspace. `desktops` opens workspaces as desktops: what they
    show was counted when it came into the workspace. `unknown_lineage` "refuse" overrules targets that would mask
    columns of unknown lineage. A worker needs the trainings `courses` and the attestations `rules`.
    """

    doors: tuple[str, ...] = ("postgres", "ssh", "workspace")
    hours: tuple[int, int] = (0, 24)
    largest: Limits | None = None
    longest_hours: int = 31 * 24
    bulk_persons: int | None = None
    sensitive_persons: int | None = None
    special_persons: int | None = None
    largest_bulk: Limits | None = None
    uploads: bool = False
    upload_bytes: int = 1 << 20
    desktops: bool = True
    unknown_lineage: Literal["target", "refuse"] = "target"
    courses: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    # Enforcement rules 7(iv) of the Act on the Protection of Personal Information count from 1,000 persons.
    takeout_client_above: int = 1_000
    takeout_employers_above: int = 100
    takeout_strangers: int = 0
    takeout_largest: int | None = None
    takeout_channels: tuple[str, ...] = ("page", "sftp", "medium")
    takeout_hours: int = 7 * 24
    break_glass: Limits = Limits(
        session_persons=10,
        session_rows=100,
        day_persons=20,
        day_rows=200,
        ticket_persons=10,
        ticket_rows=100,
        client_persons=1_000_000_000,
        client_rows=1_000_000_000,
    )
    break_glass_minutes: int = 60
    review_hours: int = 24

    def cap(self, sensitivity: Sensitivity) -> int | None:
        """The most persons a ticket may be for; None for no cap. More sensitive is never more."""
        caps = {
            Sensitivity.ORDINARY: (),
            Sensitivity.SENSITIVE: (self.sensitive_persons,),
            Sensitivity.SPECIAL: (self.sensitive_persons, self.special_persons),
        }
        return min((cap for cap in caps[sensitivity] if cap is not None), default=None)

    def mistakes(self) -> tuple[str, ...]:
        """The names of settings whose values make no sense."""
        first, last = self.hours
        wrong = {
            "hours": not 0 <= first < last <= 24,
            "longest_hours": self.longest_hours < 1,
            "bulk_persons": self.bulk_persons is not None and self.bulk_persons < 0,
            "sensitive_persons": self.sensitive_persons is not None and self.sensitive_persons < 1,
            "special_persons": self.special_persons is not None and self.special_persons < 1,
            "break_glass_minutes": not 1 <= self.break_glass_minutes <= 24 * 60,
            "review_hours": not 1 <= self.review_hours <= 72,
            "largest": self.largest is not None and not self.largest.sensible(),
            "largest_bulk": self.largest_bulk is not None and not self.largest_bulk.sensible(),
            "takeout_client_above": self.takeout_client_above < 0,
            "takeout_employers_above": self.takeout_employers_above < 0,
            "takeout_strangers": self.takeout_strangers < 0,
            "takeout_largest": self.takeout_largest is not None and self.takeout_largest < 1,
            "takeout_channels": not set(self.takeout_channels) <= TAKEOUT_CHANNELS,
            "takeout_hours": not 1 <= self.takeout_hours <= 31 * 24,
            "upload_bytes": not 0 < self.upload_bytes <= 1 << 20,
            "break_glass": not self.break_glass.sensible(),
        }
        return tuple(name for name, is_wrong in wrong.items() if is_wrong)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed policy, as its fact tells it; `request` is the leaf hash (hex) of that fact."""

    request: str
    replaces: str
    proposer: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Approval:
    request: str
    approver: str


@dataclass(frozen=True, slots=True)
class InForce:
    """`request` is the leaf hash of the proposal, BUILT_IN for the built-in policy."""

    policy: Policy
    request: str


def in_force(steps: Iterable[Proposal | Approval], humans: Mapping[str, str]) -> InForce:
    """The policy after these facts, in the order of the log. `humans` maps an account to the human behind it;
    whoever is not in it approves nothing."""
    now = InForce(Policy(), BUILT_IN)
    proposals: dict[str, Proposal] = {}
    for step in steps:
        if isinstance(step, Proposal):
            proposals[step.request] = step
            continue
        proposal = proposals.get(step.request)
        if proposal is None or proposal.replaces != now.request or proposal.policy.mistakes():
            continue
        one, other = humans.get(proposal.proposer), humans.get(step.approver)
        if one is not None and other is not None and one != other:
            now = InForce(proposal.policy, proposal.request)
    return now
