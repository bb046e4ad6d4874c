"""What can be recorded of people. Verifiers of secrets are confidential parts; a leaf only commits to them."""

from sekisho.ledger import Commitment, Fact, fact


@fact("people.person_added", version=1)
class PersonAdded(Fact):
    """A human. `manager` is the person id of the next one up the chain of command, or ""."""

    person: str
    name: str
    employer: str
    manager: str
    language: str


@fact("people.credential_set", version=1)
class CredentialSet(Fact):
    """Replaces the person's password and one-time-code secret. `verifier` commits to a `Credential`."""

    person: str
    verifier: Commitment


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
