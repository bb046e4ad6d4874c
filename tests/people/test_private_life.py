"""No field for anybody's private life exists. A new field must be added here, where somebody asks what it is for."""

import msgspec

from sekisho.ledger.leaf import FACTS_BY_NAME
from sekisho.ledger.tables import metadata
from sekisho.people import tables

# Who somebody is at work, and what that person may do and did at the checkpoint: nothing of debts, family, health,
# belief, home, or life outside.
FIELDS = {
    "person_added": "person name employer manager language agency unit started",
    "person_moved": "person employer agency unit manager",
    "person_returned": "person employer agency unit manager started",
    "person_frozen": "person reason",
    "person_unfrozen": "person request",
    "person_left": "person last_day reason roles passkeys sessions api_tokens door_tokens",
    "account_added": "account person reason",
    "credential_set": "person verifier",
    "passkey_added": "credential person public_key sign_count label",
    "passkey_used": "credential sign_count",
    "passkey_removed": "credential reason",
    "ssh_key_added": "key person public_key label",
    "ssh_key_revoked": "key reason",
    "identity_asked": "person issuer subject",
    "identity_bound": "person issuer subject request",
    "identity_unbound": "issuer subject",
    "token_issued": "token person ticket target expires",
    "code_used": "person step",
    "login_failed": "claimed peer reason",
    "session_opened": "session account person method peer digest notice expires",
    "session_used": "session",
    "session_closed": "session reason",
    "api_token_issued": "token person label scopes digest expires",
    "api_token_revoked": "token reason",
    "role_asked": "person role organisation since reason",
    "role_granted": "person role organisation since request",
    "role_revoked": "person role organisation reason",
    "rotation_due": "person role organisation since years",
    "training_completed": "person course on until",
    "rule_attested": "person rule text on until",
    "unfreeze_asked": "person freeze reason",
    "looked_back": "person until sessions statements rows persons organisations pulls",
    "agency_notified": "person agency text",
    "first_link_made": "person digest expires",
    "first_link_used": "person request",
    "enrolment_asked": "person reason held digest",
    "enrolment_allowed": "person request digest expires",
    "enrolment_used": "person request",
    "headcount_reconciled": "agency as_of listed ours differences content",
}
COLUMNS = {
    "persons": "person name employer agency unit manager language started left frozen logins_void authenticators_void",
    "accounts": "account person",
    "credentials": "person verifier set",
    "codes_used": "person step",
    "passkeys": "credential person public_key sign_count label added used",
    "ssh_keys": "key person public_key label added revoked",
    "identities": "issuer subject person bound",
    "tokens": "person ticket target token expires issued",
    "console_sessions": "session account person method peer digest notice expires opened used closed reason",
    "api_tokens": "token person label scopes digest expires issued revoked",
    "roles_held": "person role organisation since granted granted_by rotation_due",
    "people_asks": "request seq act person asked_by asked role organisation reason agreed_by agreed digest expires"
    " used",
    "first_links": "person request digest expires used",
    "links_used": "request",
    "qualifications": "person kind name since until",
    "leavings": "person left last_day reason pulls notified",
    "headcounts": "agency as_of reconciled listed ours differences",
}


def test_facts_of_people_have_only_the_fields_that_are_listed() -> None:
    found = {
        name.removeprefix("people."): {field.name for field in msgspec.structs.fields(kind.type)}
        for name, kind in FACTS_BY_NAME.items()
        if name.startswith("people.")
    }
    assert found == {name: set(fields.split()) for name, fields in FIELDS.items()}


def test_tables_of_people_have_only_the_columns_that_are_listed() -> None:
    mine = {
        value.name: set(value.columns.keys())
        for value in vars(tables).values()
        if value in metadata.tables.values()
    }
    assert mine == {name: set(columns.split()) for name, columns in COLUMNS.items()}
