"""Real clients, run as an operator would run them, but with nothing of the user's own settings around them."""

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import Final, NamedTuple

from sekisho.demo.faults import CLIENT_TIMED_OUT, PROGRAM_MISSING
from sekisho.faults import Fault

_PACKAGES: Final = {
    "psql": "postgresql-client",
    "pg_dump": "postgresql-client",
    "pgbench": "postgresql-contrib",
    "ssh": "openssh-client",
    "scp": "openssh-client",
}


class ClientRun(NamedTuple):
    """What a client left behind: its exit status (negative: the signal that ended it) and what it wrote."""

    status: int
    stdout: str
    stderr: str


async def psql(
    host: str,
    port: int,
    user: str,
    password: str,
    dbname: str,
    *args: str,
    sslmode: str = "prefer",
    stdin: str = "",
    timeout: float = 60,
) -> ClientRun:
    """psql without its start-up file. `stdin` may hold statements and commands such as \\copy."""
    where = _where(host, port, user, dbname)
    return await _run(
        "psql", *where, "--no-psqlrc", *args, password=password, sslmode=sslmode, stdin=stdin, timeout=timeout
    )


async def pg_dump(
    host: str,
    port: int,
    user: str,
    password: str,
    dbname: str,
    *args: str,
    sslmode: str = "prefer",
    timeout: float = 60,
) -> ClientRun:
    """pg_dump, to standard output unless `args` say otherwise."""
    where = _where(host, port, user, dbname)
    return await _run("pg_dump", *where, *args, password=password, sslmode=sslmode, timeout=timeout)


async def openssh(
    program: str,
    host: str,
    port: int,
    user: str,
    folder: Path,
    *args: str,
    stdin: str = "",
    timeout: float = 60,
) -> ClientRun:
    """ssh, scp or sftp, with the key and the known hosts in `folder`. The host's name in `args` is "door"."""
    settings = {
        "HostName": host,
        "Port": str(port),
        "User": user,
        "IdentityFile": str(folder / "id"),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(folder / "known_hosts"),
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "LogLevel": "ERROR",
    }
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    return await _run(
        program, "-F", "none", *options, *args, password="", sslmode="", stdin=stdin, timeout=timeout
    )


async def pgbench(
    host: str,
    port: int,
    user: str,
    password: str,
    dbname: str,
    *args: str,
    sslmode: str = "prefer",
    timeout: float = 300,
) -> ClientRun:
    """pgbench, for example with "-S", "-M", "prepared", "-c", "8", "-T", "10"."""
    where = ("--host", host, "--port", str(port), "--username", user)
    return await _run("pgbench", *where, *args, dbname, password=password, sslmode=sslmode, timeout=timeout)


def _where(host: str, port: int, user: str, dbname: str) -> tuple[str, ...]:
    return ("--host", host, "--port", str(port), "--username", user, "--dbname", dbname, "--no-password")


async def _run(
    program: str, *args: str, password: str, sslmode: str, stdin: str = "", timeout: float
) -> ClientRun:
    """Run to the end. Raises Fault when the program is missing, or when it takes longer than `timeout` seconds."""
    path = shutil.which(program)
    if path is None:
        raise Fault(PROGRAM_MISSING, program=program, package=_PACKAGES[program])
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        # No home: neither ~/.pgpass and ~/.psqlrc nor certificates of the user are found.
        "HOME": "/nonexistent",
        "PGPASSFILE": "/dev/null",
        "PGPASSWORD": password,
        "PGSSLMODE": sslmode,
        "PGCONNECT_TIMEOUT": "10",
    }
    # A session of its own: no terminal to ask for a password on, and pg_dump's workers end with it.
    process = await asyncio.create_subprocess_exec(
        path,
        *args,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate(stdin.encode())
    except TimeoutError:
        raise Fault(CLIENT_TIMED_OUT, program=program, seconds=f"{timeout:g}") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    status = process.returncode if process.returncode is not None else -1
    return ClientRun(status, out.decode(errors="replace"), err.decode(errors="replace"))
