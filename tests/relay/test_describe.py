"""psql describes the database as it is used to, and nothing that only looks like it is let through."""

import re
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoint_under_test import Checkpoint, limits
from sekisho.relay.postgres import describe
from sekisho.relay.postgres.describe import Described, describes

TEXTS = re.split(
    r"^-- (?:shown|hidden)\n",
    Path(describe.__file__).with_name("psql_describe.sql").read_text(),
    flags=re.MULTILINE,
)[1:]
SCHEMAS = """SELECT n.nspname AS "Name",
  pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner"
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY 1;"""
# The same result columns, to the last bit of their description, with a person's name in the computed one.
LOOKS_LIKE_IT = """SELECT n.nspname AS "Name", (SELECT min(c.name) FROM minato.customers c)::name AS "Owner"
FROM pg_catalog.pg_namespace n ORDER BY 1"""
NAME = "佐藤"


@pytest.mark.e2e
async def test_psql_describes_tables_without_a_mask_and_counts_nobody(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=1, ticket_persons=1))
    for command, wanted in (
        (r"\dn", "minato"),
        (r"\d", ""),
        (r"\dt minato.*", "table"),
        (r"\d minato.customers", "date"),
        (r"\d minato.call_counts", "bigint"),
        (r"\d minato.customers_pkey", "bigint"),
        (r"\di minato.*", "customers_pkey"),
    ):
        run = await checkpoint.psql(ticket, command)
        assert "ERROR" not in run.stderr, (command, run.stderr)
        assert wanted in run.stdout, (command, run.stdout)
        assert "＊" not in run.stdout, (command, run.stdout)
    # Comments, and what is not psql's own, stay hidden.
    assert "＊" in (await checkpoint.psql(ticket, "SELECT pg_catalog.pg_get_userbyid(10)")).stdout


@pytest.mark.e2e
async def test_a_result_that_looks_the_same_is_judged_anew(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket()
    first, attack, again, second = await checkpoint.rows(
        ticket, SCHEMAS, LOOKS_LIKE_IT, SCHEMAS, LOOKS_LIKE_IT
    )
    assert first.rows == again.rows
    assert ("minato", "postgres") in first.rows or all(row[1] and "＊" not in row[1] for row in first.rows)
    for answer in (attack, second):
        assert answer.rows == [] or all(row[1] is not None and "＊" in row[1] for row in answer.rows)
    async with checkpoint.connect(ticket) as connection:
        prepared = await connection.prepare(LOOKS_LIKE_IT)
        # A simple query of psql's between the description and the execution of another statement.
        await connection.execute(SCHEMAS)
        try:
            found = [row[1] for row in await prepared.fetch()]
        except asyncpg.PostgresError:
            found = []
        assert not [one for one in found if NAME in one]
        # The extended protocol is never psql's \d: its text may not be what runs.
        assert all("＊" in row[1] for row in await connection.fetch(SCHEMAS))


def test_each_text_is_known_and_only_to_the_letter() -> None:
    assert len(TEXTS) == 36
    for text in (one.rstrip("\n") for one in TEXTS):
        sql = text.encode()
        assert describes(sql) is not None
        filled = sql.replace(b"'^()$'", "'^(顧客.*|a_1)$'".encode()).replace(b"'0'", b"'16384'")
        assert describes(filled) is describes(sql)
        for near in (
            sql + b" ",
            b" " + sql,
            sql + b";",
            sql + b"--",
            sql.lower(),
            sql.replace(b"pg_catalog.", b"", 1),
        ):
            assert near == sql or describes(near) is None
        for inside in (
            b"'^(x')$'",
            b"'^(x\\)$'",
            b"'^(x'||pg_read_file('f'))$'",
            b"E'^()$'",
            b"'^()$' || 'x'",
        ):
            assert b"'^()$'" not in sql or describes(sql.replace(b"'^()$'", inside, 1)) is None
        for inside in (b"(SELECT 1)", b"'1 '", b"'-1'", "'１'".encode(), b"0", b"$$1$$"):
            assert b"'0'" not in sql or describes(sql.replace(b"'0'", inside, 1)) is None


def test_what_is_shown_names_every_function_and_table_by_its_schema() -> None:
    """Else a search_path could put another function in its place."""
    for text in (one.rstrip("\n") for one in TEXTS):
        if describes(text.encode()) is not Described.SHOWN:
            continue
        bare = re.findall(r"(?<![\w.])([a-z_]+)\(", re.sub(r"'[^']*'", "''", text))
        assert set(bare) <= {"any", "array", "a", "in", "exists"}, text
        assert "||" not in text, text
        for table in re.findall(r"(?:FROM|JOIN)\s+([\w.]+)", text):
            assert table.startswith("pg_catalog."), text
        assert "description" not in text, text  # what people write about a table may be anything


@given(st.text(max_size=40))
def test_no_name_pattern_ends_its_literal(inside: str) -> None:
    sql = TEXTS[0].rstrip("\n")
    pattern = next(text for text in TEXTS if "'^()$'" in text).rstrip("\n")
    found = describes(pattern.replace("'^()$'", f"'^({inside})$'", 1).encode("utf-8", "surrogatepass"))
    assert found is None or not set("'\\\0") & set(inside)
    assert describes(sql.encode() + inside.encode("utf-8", "surrogatepass")) is None or not inside
