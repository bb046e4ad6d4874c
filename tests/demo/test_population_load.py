"""The population in a real PostgreSQL: everything is there, and each client's role reads that client only."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from sekisho.demo.clients import pg_dump, pgbench, psql
from sekisho.demo.population import Secret, customers, load, organisations
from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.faults import Fault

pytestmark = pytest.mark.e2e
SEED = 11


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server(settings={"fsync": "off"}) as running:
        yield running


@pytest.fixture(scope="module")
def loaded(server: PostgresServer) -> "Loaded":
    reports: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        reports.append((done, total))

    return asyncio.run(load(server.dsn(), organisations(5000), SEED, report)), reports


Loaded = tuple[list[Secret], list[tuple[int, int]]]


async def test_every_person_is_there(server: PostgresServer, loaded: Loaded) -> None:
    secrets, reports = loaded
    clients = organisations(5000)
    assert [secret.organisation for secret in secrets] == [client.id for client in clients]
    assert reports[-1] == (5000, 5000)
    assert reports == sorted(reports)
    connection = await asyncpg.connect(server.dsn())
    try:
        for client in clients[:3]:
            stored = await connection.fetch(f"SELECT * FROM {client.id}.customers ORDER BY customer_id")  # noqa: S608
            wanted = list(customers(client, SEED))
            assert [tuple(None if v is None else str(v) for v in row.values()) for row in stored] == wanted
            calls = await connection.fetchval(f"SELECT sum(calls) FROM {client.id}.call_counts")  # noqa: S608
            assert calls == client.persons // 4
            strangers = await connection.fetchval(
                f"SELECT count(*) FROM {client.id}.calls WHERE customer_id NOT IN "  # noqa: S608
                f"(SELECT customer_id FROM {client.id}.customers)"
            )
            assert strangers == 0
            assert await connection.fetchval(f"SELECT count(*) FROM {client.id}.campaigns") == 4  # noqa: S608
        total = await connection.fetchval(
            "SELECT sum(reltuples)::int FROM pg_class WHERE relname = 'customers' AND relkind = 'r'"
        )
        assert total == 5000
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "refused",
    [
        "SELECT * FROM aoba_tsushin.customers",
        "SELECT * FROM aoba_tsushin.call_counts",
        "CREATE TEMP TABLE t (x int)",
        "CREATE TABLE minato_yohoen.t (x int)",
        "CREATE TABLE public.t (x int)",
        "CREATE SCHEMA s",
        "UPDATE minato_yohoen.customers SET memo = ''",
        "DELETE FROM minato_yohoen.calls",
        "COPY minato_yohoen.customers TO PROGRAM 'cat'",
        "SELECT rolpassword FROM pg_authid",
        "SET ROLE postgres",
    ],
)
async def test_a_clients_role_may_read_its_own_schema_and_nothing_else(
    server: PostgresServer, loaded: Loaded, refused: str
) -> None:
    secret = loaded[0][0]
    connection = await asyncpg.connect(server.dsn(user=secret.role, password=secret.password))
    try:
        assert await connection.fetchval("SELECT count(*) FROM minato_yohoen.customers") > 2000
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(refused)
    finally:
        await connection.close()


async def test_real_clients_run_without_the_users_settings(
    server: PostgresServer, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSERVICE", "nowhere")
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    secret = loaded[0][0]
    login = (server.host, server.port, secret.role, secret.password, "postgres")
    run = await psql(*login, "-At", "-c", "SELECT count(*) FROM minato_yohoen.campaigns", sslmode="disable")
    assert run == (0, "4\n", "")
    run = await psql(*login, "-At", stdin="SELECT 1;\n\\copy minato_yohoen.campaigns to stdout\n")
    assert run.status == 0
    assert len(run.stdout.splitlines()) == 5
    run = await psql(*login[:3], "wrong", "postgres", "-c", "SELECT 1")
    assert run.status == 2
    assert "authentication failed" in run.stderr
    dump = await pg_dump(*login, "--schema", "minato_yohoen")
    assert dump.status == 0
    assert dump.stdout.count("\n1000") > 2000
    dump = await pg_dump(*login, "--schema", "aoba_tsushin")
    assert dump.status == 1
    assert "permission denied" in dump.stderr


async def test_pgbench_runs_and_a_client_that_hangs_is_stopped(server: PostgresServer) -> None:
    login = (server.host, server.port, server.superuser, server.superuser_password, "postgres")
    assert (await pgbench(*login, "-i", "-q")).status == 0
    run = await pgbench(*login, "-S", "-M", "prepared", "-t", "20")
    assert run.status == 0
    assert "number of transactions actually processed: 20/20" in run.stdout
    with pytest.raises(Fault, match=r"psql did not finish within 0\.3 seconds"):
        await psql(*login, "-c", "SELECT pg_sleep(60)", timeout=0.3)


async def test_a_population_is_not_loaded_twice(server: PostgresServer, loaded: Loaded) -> None:
    with pytest.raises(asyncpg.DuplicateObjectError):
        await load(server.dsn(), organisations(5000)[:1])
