"""Records what real clients and a real server say to each other: `python tests/wire/golden_capture.py`.

Writes tests/wire/golden/*.json: a list of `["client" | "server", hex]` in the order in which the chunks came.
Everything in them is made up for the occasion and lived on loopback; the passwords died with the server.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from sekisho.demo.clients import pgbench, psql
from sekisho.demo.servers import PostgresServer, postgres_server

FOLDER = Path(__file__).parent / "golden"
USER, PASSWORD, DATABASE = "golden", "a password of a moment", "golden"

Turns = list[tuple[str, bytes]]

SCHEMA = f"""
CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}';
CREATE DATABASE {DATABASE} OWNER {USER};
"""
TABLE = """
CREATE TABLE person (id int PRIMARY KEY, name text, note text);
INSERT INTO person VALUES (1, '佐藤 花子', NULL), (2, '鈴木 一郎', ''), (3, '高橋 次郎', 'x');
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int);
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
INSERT INTO pgbench_branches VALUES (1, 0);
INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM generate_series(1, 100000) n;
"""
SIMPLE = """SELECT * FROM person ORDER BY id;
SELECT 1 \\; SELECT 2 AS two;
SELECT nothing;
DO $$ BEGIN RAISE NOTICE 'お知らせ'; END $$;
;
LISTEN bell;
NOTIFY bell, 'ding';
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM person;
FETCH 2 FROM c;
ROLLBACK;
"""
COPY = """\\copy person TO STDOUT
\\copy person FROM STDIN
4\t伊藤 三郎\t\\N
5\t渡辺 四郎\ty
\\.
\\copy person FROM STDIN
4\tagain\t\\N
\\.
SELECT count(*) FROM person;
"""


@asynccontextmanager
async def recorder(server: PostgresServer) -> AsyncIterator[tuple[int, list[Turns]]]:
    """A door that only listens: its port, and one list of turns per connection."""
    sessions: list[Turns] = []

    async def hear(
        who: str, turns: Turns, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while chunk := await reader.read(65536):
                turns.append((who, chunk))
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        turns: Turns = []
        sessions.append(turns)
        there, back = await asyncio.open_connection(server.host, server.port)
        async with asyncio.TaskGroup() as group:
            group.create_task(hear("client", turns, reader, back))
            group.create_task(hear("server", turns, there, writer))

    door = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with door:
        yield door.sockets[0].getsockname()[1], sessions
        door.close()
        await asyncio.sleep(0.1)


async def use_asyncpg(port: int) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user=USER, password=PASSWORD, database=DATABASE, ssl=False
    )
    try:
        await connection.fetch("SELECT * FROM person WHERE id = $1", 1)
        statement = await connection.prepare("SELECT name FROM person WHERE id > $1 ORDER BY id")
        await statement.fetch(0)
        await statement.fetch(1)
        async with connection.transaction():
            async for _ in connection.cursor("SELECT id FROM person", prefetch=2):
                pass
        await connection.executemany(
            "INSERT INTO person (id, name) VALUES ($1, $2)", [(10, "a"), (11, "b"), (12, "c")]
        )
        await connection.copy_records_to_table("person", records=[(20, "x", "y")])
        with suppress(asyncpg.DivisionByZeroError):
            await connection.fetch("SELECT $1::int / 0", 1)
        await connection.execute("DELETE FROM person WHERE id > 3")
    finally:
        await connection.close()


def scenarios(port: int) -> dict[str, Callable[[], Awaitable[object]]]:
    where = ("127.0.0.1", port, USER, PASSWORD, DATABASE)
    bench = ("--select-only", "--no-vacuum", "--transactions", "3", "--random-seed", "7", "--scale", "1")
    return {
        "psql_simple": lambda: psql(*where, sslmode="disable", stdin=SIMPLE),
        "psql_copy": lambda: psql(*where, sslmode="disable", stdin=COPY),
        "psql_tls_refused": lambda: psql(*where, "--command", "SELECT 1", sslmode="prefer"),
        "pgbench_simple": lambda: pgbench(*where, *bench, "--protocol", "simple", sslmode="disable"),
        "pgbench_extended": lambda: pgbench(*where, *bench, "--protocol", "extended", sslmode="disable"),
        "pgbench_prepared": lambda: pgbench(*where, *bench, "--protocol", "prepared", sslmode="disable"),
        "asyncpg": lambda: use_asyncpg(port),
    }


async def capture(server: PostgresServer) -> dict[str, list[Turns]]:
    """Play every scenario; the sessions of each."""
    connection = await asyncpg.connect(server.dsn())
    for statement in SCHEMA.strip().splitlines():
        await connection.execute(statement)
    await connection.close()
    connection = await asyncpg.connect(server.dsn(user=USER, password=PASSWORD, database=DATABASE))
    await connection.execute(TABLE)
    await connection.close()
    found: dict[str, list[Turns]] = {}
    async with recorder(server) as (port, sessions):
        for name, play in scenarios(port).items():
            sessions.clear()
            await play()
            await asyncio.sleep(0.1)
            found[name] = [turns for turns in sessions if turns]
    return found


def main() -> None:
    with postgres_server() as server:
        found = asyncio.run(capture(server))
    FOLDER.mkdir(exist_ok=True)
    for name, sessions in found.items():
        # pgbench looks around in a session of its own first; the last one does the work.
        lines = ",\n".join(json.dumps([who, data.hex()]) for who, data in sessions[-1])
        (FOLDER / f"{name}.json").write_text(f"[\n{lines}\n]\n")
        print(name, len(sessions[-1]), "turns")


if __name__ == "__main__":
    main()
