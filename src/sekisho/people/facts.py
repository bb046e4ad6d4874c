"""What can be recorded of people. Verifiers of passwords are confidential parts; a leaf only commits to them.

Secrets that the checkpoint drew itself (256 random bits) stand here as their SHA-256: nobody can guess them back.
Nothing of a person's private life has a field here; `tests/people/test_private_life.py` holds the list.
"""

from datetime import date
from enum import StrEnum

import msgspec

from sekisho.ledger import Commitment, Fact, fact
from sekisho.people.roles import Role


@fact("people.person_added", version=1)
class PersonAdded(Fact):
    """A human, who may log in under the id `person`. `manager` is the person id of the next one up the chain of
    command, or "". `employer` pays, `agency` dispatched the person ("" when the employer did not); `started` is
    the first day at this work."""

    person: str
    name: str
    employer: str
    manager: str
    language: str
    agency: str = ""
    unit: str = ""
    started: date | None = None


@fact("people.person_moved", version=1)
class PersonMoved(Fact):
    """Another employer, agency, unit or manager from now on."""

    person: str
    employer: str
    agency: str
    unit: str
    manager: str


@fact("people.account_added", version=1)
class AccountAdded(Fact):
    """A further login name of a human: it counts as the same human wherever persons are counted."""

    account: str
    person: str
    reason: str


@fact("people.credential_set", version=1)
class CredentialSet(Fact):
    """Replaces the person's password and one-time-code secret. `verifier` commits to a `Credential`."""

    person: str
    verifier: Commitment


@fact("people.passkey_added", version=1)
class PasskeyAdded(Fact):
    """`credential` and `public_key` (COSE) in base64url. A public key is no secret, and here it cannot be swapped
    unseen."""

    credential: str
    person: str
    public_key: str
    sign_count: int
    label: str


@fact("people.passkey_used", version=1)
class PasskeyUsed(Fact):
    credential: str
    sign_count: int


@fact("people.passkey_removed", version=1)
class PasskeyRemoved(Fact):
    credential: str
    reason: str


@fact("people.ssh_key_added", version=1)
class SshKeyAdded(Fact):
    """`key` is our name for it, made from its bytes; `public_key` its type and base64, as OpenSSH writes them. A public
    key is no secret, and here it cannot be swapped unseen. `person` is the account that it logs in."""

    key: str
    person: str
    public_key: str
    label: str


@fact("people.ssh_key_revoked", version=1)
class SshKeyRevoked(Fact):
    """For good: a key that was revoked cannot be added again."""

    key: str
    reason: str


@fact("people.identity_asked", version=1)
class IdentityAsked(Fact):
    """An administrator asks that an OpenID Connect identity log this person in: `subject` at `issuer`."""

    person: str
    issuer: str
    subject: str


@fact("people.identity_bound", version=1)
class IdentityBound(Fact):
    """A second person agreed; `request` is the leaf hash (hex) of the IdentityAsked."""

    person: str
    issuer: str
    subject: str
    request: str


@fact("people.identity_unbound", version=1)
class IdentityUnbound(Fact):
    issuer: str
    subject: str


@fact("people.token_issued", version=1)
class TokenIssued(Fact):
    """A door token; a later one for the same person, ticket and target replaces it. `expires` is in
    microseconds since 1970, UTC."""

    token: str
    person: str
    ticket: str
    target: str
    expires: int


@fact("people.code_used", version=1)
class CodeUsed(Fact):
    """A one-time code was accepted; `step` (30-second steps since 1970) and earlier ones are spent."""

    person: str
    step: int


@fact("people.login_failed", version=1)
class LoginFailed(Fact):
    """`claimed` is the person id if it is one of ours, else "" (what was typed may be a password)."""

    claimed: str
    peer: str
    reason: str


@fact("people.session_opened", version=1)
class SessionOpened(Fact):
    """A console session. `account` logged in, `person` is the human; `digest` is the SHA-256 (hex) of its cookie.
    `notice` names the notice that was shown; `expires` in microseconds since 1970, UTC."""

    session: str
    account: str
    person: str
    method: str
    peer: str
    digest: str
    notice: str
    expires: int


@fact("people.session_used", version=1)
class SessionUsed(Fact):
    """The session is in use; recorded at most once in some minutes."""

    session: str


@fact("people.session_closed", version=1)
class SessionClosed(Fact):
    """`reason`: "logout", or why somebody else ended it."""

    session: str
    reason: str


@fact("people.api_token_issued", version=1)
class ApiTokenIssued(Fact):
    """A token for the JSON API; `digest` is the SHA-256 (hex) of it."""

    token: str
    person: str
    label: str
    scopes: tuple[str, ...]
    digest: str
    expires: int


@fact("people.api_token_revoked", version=1)
class ApiTokenRevoked(Fact):
    token: str
    reason: str


class HeldRole(msgspec.Struct, frozen=True, order=True):
    """A role, and the client organisation that it is held for ("" for the whole house)."""

    role: Role
    organisation: str = ""


@fact("people.role_asked", version=1)
class RoleAsked(Fact):
    """An administrator asks that a person be given a role; nothing is granted yet. `since` counts for tenure: the
    same privilege may be older than Sekisho."""

    person: str
    role: Role
    organisation: str
    since: date
    reason: str


@fact("people.role_granted", version=1)
class RoleGranted(Fact):
    """`request` is the leaf hash (hex) of the RoleAsked that another administrator confirmed, or of the FirstLink
    that brought an administrator in."""

    person: str
    role: Role
    organisation: str
    since: date
    request: str


@fact("people.role_revoked", version=1)
class RoleRevoked(Fact):
    person: str
    role: Role
    organisation: str
    reason: str


@fact("people.training_completed", version=1)
class TrainingCompleted(Fact):
    """`until` is the last day on which it counts."""

    person: str
    course: str
    on: date
    until: date


@fact("people.rule_attested", version=1)
class RuleAttested(Fact):
    """The person declared to have read a rule and to keep it. `text` is the SHA-256 (hex) of what was shown."""

    person: str
    rule: str
    text: str
    on: date
    until: date


@fact("people.person_frozen", version=1)
class PersonFrozen(Fact):
    """The kill switch: what the person has open ends, and nothing new opens until two others end the freeze."""

    person: str
    reason: str


@fact("people.unfreeze_asked", version=1)
class UnfreezeAsked(Fact):
    """`freeze` is the leaf hash (hex) of the PersonFrozen that shall end."""

    person: str
    freeze: str
    reason: str


@fact("people.person_unfrozen", version=1)
class PersonUnfrozen(Fact):
    """A second person agreed; `request` is the leaf hash (hex) of the UnfreezeAsked."""

    person: str
    request: str


@fact("people.person_left", version=1)
class PersonLeft(Fact):
    """From here on nothing of this person opens anything. The lists say what was there to revoke."""

    person: str
    last_day: date
    reason: str
    roles: tuple[HeldRole, ...]
    passkeys: tuple[str, ...]
    sessions: tuple[str, ...]
    api_tokens: tuple[str, ...]
    door_tokens: tuple[str, ...]


@fact("people.looked_back", version=1)
class LookedBack(Fact):
    """What a person pulled, ever, as the facts from index 0 up to `until` tell it. `pulls` commits to the list."""

    person: str
    until: int
    sessions: int
    statements: int
    rows: int
    persons: int
    organisations: tuple[str, ...]
    pulls: Commitment


@fact("people.agency_notified", version=1)
class AgencyNotified(Fact):
    """The notice to the agency (or employer) was written; whoever sends mail sends it, and records that."""

    person: str
    agency: str
    text: str


@fact("people.person_returned", version=1)
class PersonReturned(Fact):
    """Back after leaving, without roles, authenticators or sessions: each must be given anew."""

    person: str
    employer: str
    agency: str
    unit: str
    manager: str
    started: date


@fact("people.first_link_made", version=1)
class FirstLinkMade(Fact):
    """A one-time link for a person to become administrator, made on the machine itself while there are fewer than
    two. `digest` is the SHA-256 (hex) of its secret."""

    person: str
    digest: str
    expires: int


@fact("people.first_link_used", version=1)
class FirstLinkUsed(Fact):
    """`request` is the leaf hash (hex) of the FirstLinkMade."""

    person: str
    request: str


@fact("people.enrolment_asked", version=1)
class EnrolmentAsked(Fact):
    """Somebody vouches that a person may enrol a new authenticator. `digest` is that of the first half of the
    link's secret, which only the asker was given. `held` tells whether the person had an authenticator before."""

    person: str
    reason: str
    held: bool
    digest: str


@fact("people.enrolment_allowed", version=1)
class EnrolmentAllowed(Fact):
    """A second one agreed; `request` is the leaf hash (hex) of the EnrolmentAsked, `digest` that of the second half."""

    person: str
    request: str
    digest: str
    expires: int


@fact("people.enrolment_used", version=1)
class EnrolmentUsed(Fact):
    """Both halves were presented. Earlier authenticators, sessions and tokens of the person are void."""

    person: str
    request: str


class HeadcountKind(StrEnum):
    ONLY_AGENCY = "only_agency"  # the agency pays somebody whom we do not know
    ONLY_HERE = "only_here"  # somebody works here whom the agency does not list: has the person left?
    STARTED = "started"  # the first day differs
    LEFT_HERE = "left_here"  # the agency still lists somebody who left here


class HeadcountDifference(msgspec.Struct, frozen=True, kw_only=True):
    """`listed` and `ours` are what each side says, as text."""

    kind: HeadcountKind
    person: str
    listed: str = ""
    ours: str = ""


@fact("people.headcount_reconciled", version=1)
class HeadcountReconciled(Fact):
    """An agency's list of its people was compared with ours; `content` commits to the list as it came."""

    agency: str
    as_of: date
    listed: int
    ours: int
    differences: tuple[HeadcountDifference, ...]
    content: Commitment


@fact("people.rotation_due", version=1)
class RotationDue(Fact):
    """The same person has held the same role for longer than the rule allows; recorded once per grant."""

    person: str
    role: Role
    organisation: str
    since: date
    years: int
