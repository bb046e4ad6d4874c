"""Real servers: they start as an unprivileged user, and are gone in whatever way the program ends."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from sekisho.demo import keeper, servers
from sekisho.demo.servers import PostgresServer, pgbouncer_server, postgres_server
from sekisho.faults import Fault

pytestmark = pytest.mark.e2e

PROGRAM = """
import signal, sys, time
# A shell that starts a program in the background has it ignore SIGINT.
signal.signal(signal.SIGINT, signal.default_int_handler)
from sekisho.demo.servers import postgres_server
with postgres_server() as server:
    print(server.port, server.folder, flush=True)
    time.sleep(600)
"""


def processes_of(folder: Path) -> list[int]:
    """Every process whose command line names the folder, and their children (PostgreSQL renames those)."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return sorted(found | {pid for pid, parent in parents.items() if parent in found})


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_gone(port: int, folder: Path, pids: list[int]) -> bool:
    return not (folder.exists() or listens(port) or any(Path(f"/proc/{pid}").exists() for pid in pids))


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_a_server_runs_unprivileged_and_is_gone_afterwards() -> None:
    began = time.monotonic()
    with postgres_server() as server:
        took = time.monotonic() - began
        pids = processes_of(server.folder)
        assert len(pids) >= 5
        expected = {"postgres", "nobody"} if os.getuid() == 0 else {pwd.getpwuid(os.getuid()).pw_name}
        assert {pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name for pid in pids} <= expected
        assert server.folder.stat().st_mode & 0o077 == 0
        assert not (server.folder / "password").exists()
        assert "ready to accept connections" in server.log()
    assert is_gone(server.port, server.folder, pids)
    assert took < 10  # about 1 s on an idle machine


async def test_both_kinds_of_connection_need_the_password() -> None:
    with postgres_server() as server:
        for host in (server.host, str(server.socket_folder)):
            connection = await asyncpg.connect(
                host=host,
                port=server.port,
                user="postgres",
                password=server.superuser_password,
                database="postgres",
            )
            stored = await connection.fetchval("select rolpassword from pg_authid where rolname = 'postgres'")
            await connection.close()
            assert stored.startswith("SCRAM-SHA-256$")
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(
                    host=host, port=server.port, user="postgres", password="wrong", database="postgres"
                )


def test_an_exception_in_the_program_stops_the_server() -> None:
    seen: list[PostgresServer] = []
    with pytest.raises(ZeroDivisionError), postgres_server() as server:  # noqa: PT012
        seen.append(server)
        raise ZeroDivisionError
    assert is_gone(seen[0].port, seen[0].folder, [])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_is_gone_when_the_program_is_killed(number: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert program.stdout is not None
    try:
        port, folder = program.stdout.readline().decode().split()
        pids = processes_of(Path(folder))
        assert len(pids) >= 5
        # As a terminal does it: to the whole process group of the program.
        os.killpg(program.pid, number)
        program.wait(timeout=20)
        assert wait_for(lambda: is_gone(int(port), Path(folder), pids))
    finally:
        program.kill()
        program.wait()
        program.stdout.close()


def test_the_folder_is_gone_when_the_program_is_killed_during_initdb() -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert wait_for(lambda: bool(children_of(program.pid)))
        keeper_pid = children_of(program.pid)[0]
        assert wait_for(lambda: bool(children_of(keeper_pid)))
        (folder,) = {Path(f"/proc/{pid}/cwd").readlink() for pid in children_of(keeper_pid)}
        assert folder.exists()
    finally:
        program.kill()
        program.wait()
    assert wait_for(lambda: not folder.exists() and not Path(f"/proc/{keeper_pid}").exists())


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def test_a_killed_keeper_takes_its_server_along() -> None:
    with postgres_server() as server:
        pids = processes_of(server.folder)
        postmaster = int((server.folder / "data/postmaster.pid").read_text().split()[0])
        keeper_pid = int(Path(f"/proc/{postmaster}/stat").read_text().rpartition(")")[2].split()[1])
        assert Path(keeper.__file__).name in Path(f"/proc/{keeper_pid}/cmdline").read_text()
        os.kill(keeper_pid, signal.SIGKILL)
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert not server.folder.exists()


def test_a_killed_postmaster_leaves_no_backend() -> None:
    with postgres_server() as server:
        pids = processes_of(server.folder)
        os.kill(int((server.folder / "data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    assert is_gone(server.port, server.folder, pids)


def test_a_refused_setting_is_told_with_the_servers_own_line() -> None:
    with (
        pytest.raises(Fault, match="shared_buffers") as caught,
        postgres_server(settings={"shared_buffers": "x"}),
    ):
        pass
    assert caught.value.code == "SEK-DEMO-002"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Fault, match="Address already in use"), postgres_server(settings={"port": port}):
            pass


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(servers, "_POSTGRES_BINARIES", tmp_path)
    with pytest.raises(Fault, match="Debian package postgresql"), postgres_server():
        pass


def test_a_temporary_folder_that_the_server_cannot_enter_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(servers, "_temporary_folders", lambda: [str(closed), "/var/tmp"])  # noqa: S108
    folder = servers._new_folder("pg")
    assert (folder.parent == closed) is (os.getuid() != 0)


async def test_tls_and_pgbouncer_on_both_sides() -> None:
    with postgres_server(tls=True) as server, pgbouncer_server(server, tls=True) as bouncer:
        direct = await asyncpg.connect(server.dsn(sslmode="verify-full", sslrootcert=str(server.certificate)))
        assert await direct.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        await direct.close()
        pooled = await asyncpg.connect(
            host=bouncer.host,
            port=bouncer.port,
            user=server.superuser,
            password=server.superuser_password,
            database="postgres",
            ssl="require",
        )
        assert await pooled.fetchval("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        await pooled.close()
        pids = processes_of(bouncer.folder)
        assert pids
    assert is_gone(bouncer.port, bouncer.folder, pids)
    assert is_gone(server.port, server.folder, [])
