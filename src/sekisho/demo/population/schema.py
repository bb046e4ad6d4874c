"""The call centre's tables: one schema per client organisation, and one role that may read it and nothing else."""

import re

from sekisho.demo.population.columns import PERSONAL_TABLES
from sekisho.demo.population.organisations import Organisation


def tables_sql(organisation: Organisation) -> str:
    """Create the schema and its tables, without keys: they come after the rows, which is faster."""
    schema = _identifier(organisation.id)
    made = [f"CREATE SCHEMA {schema}"]
    for table in PERSONAL_TABLES:
        listed = ", ".join(f"{_identifier(name)} {kind}" for name, kind, _ in organisation.columns(table))
        made.append(f"CREATE TABLE {schema}.{table} ({listed})")
    made.append(
        f"CREATE TABLE {schema}.campaigns "
        "(campaign_id int PRIMARY KEY, name text NOT NULL, starts_on date NOT NULL, ends_on date NOT NULL)"
    )
    return ";\n".join(made)


def keys_sql(organisation: Organisation) -> str:
    """Keys, the view, and the rights of the client's role; the role must exist."""
    schema, role = _identifier(organisation.id), _identifier(organisation.role)
    return f"""
        ALTER TABLE {schema}.customers ADD PRIMARY KEY (customer_id);
        ALTER TABLE {schema}.customers ALTER COLUMN name SET NOT NULL;
        ALTER TABLE {schema}.calls ADD PRIMARY KEY (call_id);
        ALTER TABLE {schema}.calls ALTER COLUMN customer_id SET NOT NULL;
        CREATE INDEX ON {schema}.calls (customer_id);
        CREATE VIEW {schema}.call_counts AS
            SELECT (called_at AT TIME ZONE 'Asia/Tokyo')::date AS day, result_code, count(*) AS calls
            FROM {schema}.calls GROUP BY 1, 2;
        GRANT USAGE ON SCHEMA {schema} TO {role};
        GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role};
    """  # noqa: S608 (every name went through _identifier)


def closing_sql(database: str) -> str:
    """Take from everyone what PostgreSQL gives by default: connecting, temporary tables, the public schema."""
    return f"""
        REVOKE ALL ON DATABASE {_identifier(database)} FROM PUBLIC;
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
    """


def role_sql(organisation: Organisation, database: str, password: str) -> str:
    """The client's login role. `password` is hexadecimal, so nothing in it needs quoting."""
    if not re.fullmatch(r"[0-9a-f]{32,}", password):
        raise ValueError("the password of a role is at least 32 hexadecimal digits")
    role = _identifier(organisation.role)
    return f"""
        CREATE ROLE {role} LOGIN NOINHERIT PASSWORD '{password}';
        GRANT CONNECT ON DATABASE {_identifier(database)} TO {role};
    """


def _identifier(name: str) -> str:
    """The names here are ours; one that would need quotes is a mistake, not something to quote."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"not an identifier of the call centre: {name!r}")
    return name
