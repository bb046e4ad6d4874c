"""The PostgreSQL door with real clients: what passes, what is masked, counted, cut or refused."""

import asyncio
import os

import asyncpg
import pytest

from checkpoint_under_test import Checkpoint, limits, simple_queries
from sekisho.demo.clients import pg_dump, psql
from sekisho.demo.servers import PostgresServer
from sekisho.gate.budget import subject_id
from sekisho.relay.facts import SessionClosed, Statement

pytestmark = pytest.mark.e2e

# The second insertion violates a key, and the target's message would quote a name.
DUPLICATES = "INSERT INTO minato.members SELECT name, name FROM minato.customers LIMIT 2;" * 2
DISGUISED = (
    "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '42P01', "
    "MESSAGE = (SELECT name FROM minato.customers LIMIT 1); END $$"
)
ALL = "SELECT customer_id, name, phone, birth_date, plan FROM minato.customers ORDER BY customer_id"


async def last_statement(checkpoint: Checkpoint) -> Statement:
    for _ in range(100):
        if found := await checkpoint.facts("relay.statement"):
            fact = found[-1].typed()
            assert isinstance(fact, Statement)
            return fact
        await asyncio.sleep(0.02)
    raise AssertionError("no statement was recorded")


async def closed_session(checkpoint: Checkpoint) -> SessionClosed:
    for _ in range(200):
        if found := await checkpoint.facts("relay.session_closed"):
            fact = found[-1].typed()
            assert isinstance(fact, SessionClosed)
            return fact
        await asyncio.sleep(0.02)
    raise AssertionError("the session was not closed")


async def test_a_lookup_passes_masked_and_is_recorded(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket()
    sql = "SELECT customer_id, name, phone, plan FROM minato.customers WHERE customer_id = 7"
    run = await checkpoint.psql(ticket, sql)
    assert (run.status, run.stderr) == (0, "")
    assert run.stdout == "＊＊＊|佐＊＊|＊＊＊＊＊07|gold\n"
    session = await closed_session(checkpoint)
    assert (session.rows, session.persons, session.statements) == (1, 1, 1)
    [recorded] = await checkpoint.facts("relay.statement")
    fact = await last_statement(checkpoint)
    assert recorded.by == "sato"
    assert fact.outcome == "passed"
    assert fact.masked == ("customers.customer_id", "customers.name", "customers.phone")
    assert fact.read == ("customers.customer_id", "customers.name", "customers.phone", "customers.plan")
    assert sql.encode() not in recorded.leaf  # the text is a confidential part
    assert await checkpoint.ledger.content(fact.text) == sql.encode()


async def test_an_unmasked_item_is_shown_and_recorded_before_it_passes(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(unmask=("name", "customer_number"))
    run = await checkpoint.psql(
        ticket, "SELECT customer_id, name, phone FROM minato.customers WHERE customer_id = 7"
    )
    assert run.stdout == "7|佐藤 花子7|＊＊＊＊＊07\n"
    await closed_session(checkpoint)
    [revealed] = await checkpoint.facts("relay.statement_revealed")
    [statement] = await checkpoint.facts("relay.statement")
    assert revealed.seq < statement.seq


async def test_no_stored_value_reaches_the_terminal_unmasked(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket()
    run = await checkpoint.psql(ticket, ALL)
    assert run.status == 0
    assert len(run.stdout.splitlines()) == 1000
    for seeded in ("佐藤", "花子", "090-0000", "1980-01", "1981-"):
        assert seeded not in run.stdout


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM aoba.customers",
        "SELECT c.plan, a.name FROM minato.customers c, aoba.customers a",
        "WITH x AS (SELECT name FROM aoba.customers) SELECT name FROM x",
        "SELECT name FROM minato.customers UNION ALL SELECT name FROM aoba.customers",
        "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM aoba.customers; FETCH 5 FROM c",
        'SELECT "name" AS "plan" FROM "aoba"."customers"',
    ],
)
async def test_another_clients_rows_do_not_pass(checkpoint: Checkpoint, sql: str) -> None:
    run = await checkpoint.psql(await checkpoint.ticket(unmask=("name",)), sql)
    assert "高橋" not in run.stdout + run.stderr
    # A UNION's column has no origin and is masked; all others are refused outright.
    assert "SEK-RLAY-001" in run.stderr or "UNION" in sql
    assert run.stdout.replace("＊＊＊\n", "") in ("", "DECLARE CURSOR\n")


async def test_a_table_that_nobody_catalogued_is_refused(checkpoint: Checkpoint) -> None:
    run = await checkpoint.psql(await checkpoint.ticket(), "SELECT secret FROM minato.unlisted")
    assert "SEK-RLAY-002" in run.stderr
    assert run.stdout == ""
    assert (await last_statement(checkpoint)).outcome == "refused"


@pytest.mark.parametrize(
    "table", ["pg_stats", "pg_statistic", "pg_authid", "pg_largeobject", "pg_stat_activity"]
)
async def test_system_tables_that_hold_data_are_refused(checkpoint: Checkpoint, table: str) -> None:
    run = await checkpoint.psql(await checkpoint.ticket(), f"SELECT * FROM {table}")  # noqa: S608
    assert run.stdout == ""
    assert "SEK-RLAY" in run.stderr


async def test_exploring_the_schema_works(checkpoint: Checkpoint) -> None:
    sql = "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    where = " WHERE relname = 'customers' ORDER BY 1"
    run = await checkpoint.psql(await checkpoint.ticket(), sql + where)
    assert run.stdout == "aoba|customers\nminato|customers\n"


@pytest.mark.parametrize(
    "expression",
    [
        "name || ''",
        "upper(name)",
        "(SELECT string_agg(name, ',') FROM minato.customers)",
        "encode(name::bytea, 'hex')",
        "row_to_json(c)",
        "c",
        "reverse(name)",
        "substr(name, 1, 1)",
        "CASE WHEN true THEN name END",
        'name COLLATE "C"',
        "array_agg(name) OVER ()",
        "query_to_xml('SELECT name FROM minato.customers', true, true, '')",
        "ctid",
    ],
)
async def test_computed_columns_are_masked(checkpoint: Checkpoint, expression: str) -> None:
    ticket = await checkpoint.ticket(unmask=("name",))  # even where the plain column may be seen
    run = await checkpoint.psql(ticket, f"SELECT {expression} FROM minato.customers c WHERE customer_id = 1")  # noqa: S608
    assert run.stdout in ("＊＊＊\n", "")
    assert "佐藤" not in run.stdout + run.stderr


async def test_a_target_can_refuse_computed_columns_instead(checkpoint: Checkpoint) -> None:
    await checkpoint.move_target(unknown_lineage="refuse")
    run = await checkpoint.psql(await checkpoint.ticket(), "SELECT upper(name) FROM minato.customers")
    assert "SEK-RLAY-003" in run.stderr
    assert run.stdout == ""


# -- budgets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", ["session", "day", "ticket", "client"])
async def test_the_person_that_exceeds_a_budget_is_not_sent(checkpoint: Checkpoint, scope: str) -> None:
    ticket = await checkpoint.ticket(limits=limits(**{f"{scope}_persons": 25}))
    one = "SELECT customer_id, plan FROM minato.customers WHERE customer_id = 999"
    cut, refused = await checkpoint.rows(ticket, ALL, one)
    assert len(cut.rows) == 25
    assert refused.rows == []
    assert "SEK-GATE-008" in refused.error
    assert "The limit of 25 persons per" in cut.error
    assert "25 rows of this statement passed" in cut.error
    await closed_session(checkpoint)
    statements = [recorded.typed() for recorded in await checkpoint.facts("relay.statement")]
    assert [(s.outcome, s.rows, s.persons) for s in statements if isinstance(s, Statement)] == [
        ("cut", 25, 25),
        ("refused", 0, 0),
    ]


async def test_the_upstream_statement_is_cancelled(checkpoint: Checkpoint, database: PostgresServer) -> None:
    """The target must not go on reading what nobody will see."""
    endless = "SELECT a.customer_id, b.name FROM minato.customers a, minato.customers b, minato.customers c"
    async with asyncio.timeout(20):
        [answer] = await checkpoint.rows(await checkpoint.ticket(limits=limits(session_persons=25)), endless)
    assert "SEK-GATE-008" in answer.error
    connection = await asyncpg.connect(database.dsn(sslmode="require"))
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name LIKE 'sekisho%'"
    )
    assert await connection.fetchval(running) == 0
    await connection.close()


async def test_the_row_that_exceeds_a_budget_is_not_sent(checkpoint: Checkpoint) -> None:
    [answer] = await checkpoint.rows(await checkpoint.ticket(limits=limits(session_rows=25)), ALL)
    assert len(answer.rows) == 25
    assert "SEK-GATE-009" in answer.error


async def test_a_person_shown_again_costs_nothing_again(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=10, day_persons=10))
    first_ten = "SELECT customer_id, name FROM minato.customers WHERE customer_id <= 10"
    answers = await checkpoint.rows(ticket, first_ten, first_ten, first_ten)
    assert [(len(answer.rows), answer.error) for answer in answers] == [(10, "")] * 3
    assert (await closed_session(checkpoint)).persons == 10


async def test_a_budget_of_the_day_survives_sessions(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(day_persons=30))
    twenty = "SELECT customer_id FROM minato.customers WHERE customer_id <= 20"
    for _ in range(2):  # the same twenty count once
        [answer] = await checkpoint.rows(ticket, twenty)
        assert (len(answer.rows), answer.error) == (20, "")
    [answer] = await checkpoint.rows(
        ticket, "SELECT customer_id FROM minato.customers WHERE customer_id > 500"
    )
    assert len(answer.rows) == 10
    assert "SEK-GATE-008" in answer.error


async def test_rows_without_a_subject_key_are_persons_of_their_own(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=10))
    [answer] = await checkpoint.rows(ticket, "SELECT plan FROM minato.customers")
    assert len(answer.rows) == 10


async def test_a_key_beside_other_peoples_names_does_not_count_as_one_person(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=10))
    sql = "SELECT a.customer_id, b.name, b.phone FROM minato.customers a, minato.customers b WHERE a.customer_id = 1"
    [answer] = await checkpoint.rows(ticket, sql)
    assert len(answer.rows) == 10
    assert "SEK-GATE-008" in answer.error


async def test_a_self_join_counts_both_persons_of_a_row(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=10))
    sql = (
        "SELECT a.customer_id, a.name, b.name FROM minato.customers a "
        "JOIN minato.customers b ON b.customer_id = a.customer_id + 500 WHERE a.customer_id <= 20"
    )
    [answer] = await checkpoint.rows(ticket, sql)
    assert len(answer.rows) == 5


async def test_many_rows_of_one_subject_are_one_person_until_there_are_too_many(
    checkpoint: Checkpoint,
) -> None:
    ticket = await checkpoint.ticket()
    calls = "SELECT customer_id, note FROM minato.calls WHERE customer_id = 1"
    joined = "SELECT k.customer_id, n.note FROM minato.calls k, minato.calls n WHERE k.call_id = 1"
    answers = await checkpoint.rows(ticket, calls, joined)
    assert [len(answer.rows) for answer in answers] == [10, 1000]
    await closed_session(checkpoint)
    first, second = [recorded.typed() for recorded in await checkpoint.facts("relay.statement")]
    assert isinstance(first, Statement)
    assert isinstance(second, Statement)
    assert first.persons == 1
    assert second.persons == 1000 - 20 + 1  # twenty rows may be one customer's; no more


async def test_text_keys_are_counted_too(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=7))
    answers = await checkpoint.rows(
        ticket, "SELECT code, name FROM minato.members", "SELECT code FROM minato.members"
    )
    assert [len(answer.rows) for answer in answers] == [7, 7]  # the same seven again
    assert (await closed_session(checkpoint)).persons == 7


async def test_tables_without_persons_cost_nothing(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=0, session_rows=0))
    plain = ("SELECT title FROM minato.campaigns", "SELECT bucket, calls FROM minato.call_counts")
    answers = await checkpoint.rows(ticket, *plain)
    assert [(len(answer.rows), answer.error) for answer in answers] == [(2, ""), (10, "")]


async def test_two_sessions_at_once_share_a_budget(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(ticket_persons=300))
    half = "SELECT customer_id FROM minato.customers WHERE customer_id"
    user, password = await checkpoint.login(ticket)
    address = checkpoint.service.postgres
    answers = await asyncio.gather(
        simple_queries(address, user, password, (f"{half} <= 500",)),
        simple_queries(address, user, password, (f"{half} > 500",)),
    )
    assert sum(len(answer.rows) for [answer] in answers) == 300


async def test_the_same_key_in_two_clients_is_two_persons() -> None:
    assert subject_id(b"M-1", b"key of minato") != subject_id(b"M-1", b"key of aoba")


# -- the extended protocol ----------------------------------------------------------------------------------------


async def test_prepared_and_binary_results_are_masked_and_counted(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket()
    async with checkpoint.connect(ticket) as connection:
        rows = await connection.fetch(
            "SELECT customer_id, name, birth_date FROM minato.customers WHERE customer_id < $1", 4
        )
    assert [tuple(row) for row in rows] == [("＊＊＊", "佐＊＊", "＊＊＊")] * 3
    fact = await last_statement(checkpoint)
    assert (fact.rows, fact.persons) == (3, 3)
    await closed_session(checkpoint)
    [parameters] = await checkpoint.facts("relay.parameters_recorded")
    content = await checkpoint.ledger.content(parameters.typed().content)  # type: ignore[union-attr]
    assert isinstance(content, bytes)
    assert (4).to_bytes(8, "big") in content


async def test_unmasked_binary_keys_are_the_same_persons_as_text_keys(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(unmask=("customer_number",))
    async with checkpoint.connect(ticket) as connection:
        rows = await connection.fetch("SELECT customer_id FROM minato.customers WHERE customer_id <= $1", 5)
        assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
        await connection.execute("SELECT customer_id FROM minato.customers WHERE customer_id <= 5")
    assert (await closed_session(checkpoint)).persons == 5


async def test_portions_of_a_portal_are_counted(checkpoint: Checkpoint) -> None:
    ticket = await checkpoint.ticket(limits=limits(session_persons=45))
    async with checkpoint.connect(ticket) as connection, connection.transaction():
        cursor = await connection.cursor("SELECT customer_id, name FROM minato.customers")
        seen = await cursor.fetch(40)
        with pytest.raises(asyncpg.ConfigurationLimitExceededError):
            seen += await cursor.fetch(40)
    assert len(seen) == 40
    assert (await closed_session(checkpoint)).persons == 45


async def test_the_session_goes_on_after_a_refusal(checkpoint: Checkpoint) -> None:
    async with checkpoint.connect(await checkpoint.ticket()) as connection:
        for _ in range(3):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="SEK-RLAY-001"):
                await connection.fetch("SELECT name FROM aoba.customers WHERE customer_id = $1", 1)
            assert (
                await connection.fetchval("SELECT plan FROM minato.customers WHERE customer_id = $1", 1)
                == "gold"
            )


# -- channels that go past rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "COPY minato.customers TO STDOUT",
        "COPY (SELECT name FROM minato.customers) TO STDOUT WITH (FORMAT binary)",
        "\\copy minato.customers to stdout",
        "COPY minato.members FROM STDIN",
    ],
)
async def test_copy_is_refused_and_the_session_goes_on(checkpoint: Checkpoint, sql: str) -> None:
    run = await checkpoint.psql(
        await checkpoint.ticket(), sql, "SELECT title FROM minato.campaigns WHERE campaign_id = 1", stdin=""
    )
    assert "SEK-RLAY-004" in run.stderr
    assert run.stdout == "春\n"
    refused = [recorded.typed().channel for recorded in await checkpoint.facts("relay.channel_refused")]  # type: ignore[union-attr]
    assert refused in (["copy-out"], ["copy-in"])


async def test_pg_dump_gets_nothing(checkpoint: Checkpoint) -> None:
    user, password = await checkpoint.login(await checkpoint.ticket(unmask=("name", "customer_number")))
    host, port = checkpoint.service.postgres
    run = await pg_dump(host, port, user, password, "callcentre", "-t", "minato.customers", sslmode="require")
    assert run.status != 0
    assert "佐藤" not in run.stdout


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT name::int FROM minato.customers",
        "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT name FROM minato.customers LIMIT 1); END $$",
        "DO $$ BEGIN RAISE NOTICE '%', (SELECT name FROM minato.customers LIMIT 1); END $$",
        DISGUISED,
        "DO $$ BEGIN PERFORM pg_notify('a', (SELECT name FROM minato.customers LIMIT 1)); END $$",
        "LISTEN a; DO $$ BEGIN PERFORM pg_notify('a', (SELECT name FROM minato.customers LIMIT 1)); END $$",
        "SELECT set_config('application_name', name, false) FROM minato.customers LIMIT 1",
        "EXPLAIN (ANALYZE, VERBOSE) SELECT name FROM minato.customers WHERE name > 'x'",
        DUPLICATES,
    ],
)
async def test_no_side_channel_carries_a_name(checkpoint: Checkpoint, sql: str) -> None:
    run = await checkpoint.psql(
        await checkpoint.ticket(), sql, "SELECT title FROM minato.campaigns WHERE campaign_id = 1"
    )
    assert "佐藤" not in run.stdout + run.stderr
    assert run.stdout.endswith("春\n")


async def test_no_parameter_carries_a_name(checkpoint: Checkpoint) -> None:
    """set_config reports application_name to the client, whatever was put into it."""
    async with checkpoint.connect(await checkpoint.ticket()) as connection:
        await connection.execute(
            "SELECT set_config('application_name', name, false) FROM minato.customers LIMIT 1"
        )
        assert "佐藤" not in str(getattr(connection.get_settings(), "application_name", ""))
    refused = [recorded.typed().channel for recorded in await checkpoint.facts("relay.channel_refused")]  # type: ignore[union-attr]
    assert "parameter" in refused


async def test_an_error_keeps_its_condition_and_its_place(checkpoint: Checkpoint) -> None:
    run = await checkpoint.psql(await checkpoint.ticket(), "SELECT plan FORM minato.customers")
    assert "syntax_error (42601)" in run.stderr
    assert "^" in run.stderr


async def test_large_objects_and_function_calls_end_the_session(checkpoint: Checkpoint) -> None:
    run = await checkpoint.psql(await checkpoint.ticket(), "\\lo_export 1 /dev/null")
    assert "SEK-RLAY-005" in run.stderr


@pytest.mark.parametrize("options", ["-c session_authorization=postgres", "-c role=postgres"])
async def test_startup_options_are_refused(checkpoint: Checkpoint, options: str) -> None:
    with pytest.raises(asyncpg.PostgresError, match="SEK-RLAY-010"):
        async with checkpoint.connect(await checkpoint.ticket(), server_settings={"options": options}):
            pass


# -- logging in -----------------------------------------------------------------------------------------------------


async def test_a_wrong_password_opens_nothing_and_is_recorded(checkpoint: Checkpoint) -> None:
    user, _ = await checkpoint.login(await checkpoint.ticket())
    host, port = checkpoint.service.postgres
    for name in (user, "sato.T-9999", "nobody", ""):
        run = await psql(host, port, name or "x", "wrong", "callcentre", "-c", "SELECT 1", sslmode="require")
        assert "SEK-RLAY-007" in run.stderr
    assert len(await checkpoint.facts("gate.access_refused")) == 4
    assert await checkpoint.facts("relay.session_opened") == []


async def test_a_door_speaks_tls_only(checkpoint: Checkpoint) -> None:
    user, password = await checkpoint.login(await checkpoint.ticket())
    host, port = checkpoint.service.postgres
    run = await psql(host, port, user, password, "callcentre", "-c", "SELECT 1", sslmode="disable")
    assert "SEK-RLAY-008" in run.stderr


async def test_the_certificate_can_be_verified_and_scram_bound_to_it(checkpoint: Checkpoint) -> None:
    user, password = await checkpoint.login(await checkpoint.ticket())
    host, port = checkpoint.service.postgres
    strict = f"sslmode=verify-full sslrootcert={checkpoint.ca} channel_binding=require"
    root = f"host={host} port={port} user={user} password={password} dbname=callcentre {strict}"
    process = await asyncio.create_subprocess_exec(
        "psql", "-X", "-A", "-t", root, "-c", "SELECT title FROM minato.campaigns WHERE campaign_id = 2",
        stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    out, _ = await process.communicate()
    assert out.decode() == "秋\n"


async def test_an_unapproved_ticket_opens_nothing(checkpoint: Checkpoint) -> None:
    run = await checkpoint.psql(await checkpoint.ticket(approved=False), "SELECT 1")
    assert "SEK-GATE-002" in run.stderr


async def test_the_ticket_of_one_target_does_not_open_another(checkpoint: Checkpoint) -> None:
    user, password = await checkpoint.login(await checkpoint.ticket(), target="elsewhere")
    host, port = checkpoint.service.postgres
    run = await psql(host, port, user, password, "callcentre", "-c", "SELECT 1", sslmode="require")
    assert "SEK-RLAY-007" in run.stderr
    run = await psql(host, port, user, password, "elsewhere", "-c", "SELECT 1", sslmode="require")
    assert "SEK-GATE-004" in run.stderr


async def test_the_target_password_never_reaches_the_operator(checkpoint: Checkpoint) -> None:
    run = await checkpoint.psql(
        await checkpoint.ticket(), "SHOW password_encryption", "SELECT current_user", "\\conninfo"
    )
    assert "target-secret" not in run.stdout + run.stderr
    assert "maintenance" not in run.stdout + run.stderr


async def test_cancel_reaches_the_statement(checkpoint: Checkpoint) -> None:
    async with checkpoint.connect(await checkpoint.ticket()) as connection:
        with pytest.raises(TimeoutError):  # asyncpg's own, after its CancelRequest
            await connection.fetch("SELECT pg_sleep(60)", timeout=0.5)
        assert await connection.fetchval("SELECT title FROM minato.campaigns WHERE campaign_id = 1") == "春"
