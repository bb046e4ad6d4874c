"""People's tables, and how their facts become rows."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, select

from sekisho.faults import Language
from sekisho.ledger import Connection, Recorded, Writes, projects, values_of
from sekisho.ledger.tables import metadata
from sekisho.people.facts import CodeUsed, CredentialSet, PersonAdded, TokenIssued

persons = Table(
    "persons",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("employer", Text, nullable=False),
    Column("manager", String(64), nullable=False),
    Column("language", String(8), nullable=False),
)

credentials = Table(
    "credentials",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("verifier", String(64), nullable=False),
)

# The last one-time code that each person used: a code opens one door once.
codes_used = Table(
    "codes_used",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("step", Integer, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("ticket", String(64), primary_key=True),
    Column("target", String(64), primary_key=True),
    Column("token", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
)


@projects(PersonAdded)
def _person(write: Writes, fact: PersonAdded, recorded: Recorded) -> None:
    row = values_of(fact)
    write.upsert(persons, {"person": row.pop("person")}, row)


@projects(CredentialSet)
def _credential(write: Writes, fact: CredentialSet, recorded: Recorded) -> None:
    write.upsert(credentials, {"person": fact.person}, {"verifier": fact.verifier})


@projects(CodeUsed)
def _code(write: Writes, fact: CodeUsed, recorded: Recorded) -> None:
    write.upsert(codes_used, {"person": fact.person}, {"step": fact.step})


@projects(TokenIssued)
def _token(write: Writes, fact: TokenIssued, recorded: Recorded) -> None:
    write.upsert(
        tokens,
        {"person": fact.person, "ticket": fact.ticket, "target": fact.target},
        {"token": fact.token, "expires": fact.expires},
    )


async def find_language(connection: Connection, person: str) -> Language:
    """The language in which a person is told things; English when the person is not ours."""
    found = await connection.scalar(select(persons.c.language).where(persons.c.person == person))
    return "ja" if found == "ja" else "en"


async def find_managers(connection: Connection) -> dict[str, str]:
    """Person -> the next one up the chain of command, "" at its top."""
    rows = await connection.execute(select(persons.c.person, persons.c.manager))
    return {row.person: row.manager for row in rows}
