"""The roles of the duty matrix. What each may do is the gate's; here stands only who they are."""

from enum import StrEnum


class Role(StrEnum):
    """A role is held for one client organisation, or for the whole house where the organisation is ""."""

    WORKER = "worker"
    OPERATOR_MANAGER = "operator_manager"  # manages the operating company's staff
    PROCESSOR_MANAGER = "processor_manager"  # manages at the lead processor, over the operating company
    CLIENT = "client"  # of the entrusting organisation
    LOG_CUSTODIAN = "log_custodian"
    AUDITOR = "auditor"
    INVESTIGATOR = "investigator"
    PRIVACY_OFFICER = "privacy_officer"
    ADMINISTRATOR = "administrator"  # of Sekisho: sees no personal data and no content of the log


# Their consent, two together, lets a person enrol a new authenticator, or ends a freeze.
CONSENTING = frozenset(
    {Role.ADMINISTRATOR, Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.PRIVACY_OFFICER}
)

# The custodian of the log has no business role, and an administrator sees no personal data: whoever holds the
# one never holds one of the others.
EXCLUDES: dict[Role, frozenset[Role]] = {
    Role.LOG_CUSTODIAN: frozenset(Role) - {Role.LOG_CUSTODIAN},
    Role.ADMINISTRATOR: frozenset(
        {Role.WORKER, Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.CLIENT, Role.LOG_CUSTODIAN}
        | {Role.AUDITOR, Role.INVESTIGATOR}
    ),
}


def compatible(held: Role, wanted: Role) -> bool:
    """Whether one human may hold both roles, whatever the organisations."""
    return wanted not in EXCLUDES.get(held, frozenset()) and held not in EXCLUDES.get(wanted, frozenset())
