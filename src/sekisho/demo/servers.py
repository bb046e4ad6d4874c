"""Servers of one's own, for databases and SSH: in a new folder, as an unprivileged user, on a free loopback port.

They are gone afterwards, with their folder, in whatever way the program ends: `keeper.py` holds each of them.
Started as root, a server runs as `postgres` or else `nobody`; otherwise as the user who asked.
"""

import grp
import json
import os
import pwd
import random
import re
import secrets
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from sekisho.demo import keeper
from sekisho.demo.faults import NO_FOLDER, PROGRAM_MISSING, SERVER_FAILED
from sekisho.faults import Fault

HOST: Final = "127.0.0.1"
_POSTGRES_BINARIES: Final = Path("/usr/lib/postgresql")
_START_SECONDS: Final = 60.0
# Below the ports that the kernel gives to outgoing connections (32768-60999), which nobody can reserve.
_PORTS: Final = (20000, 32000)
# Durability stays as PostgreSQL ships it (fsync, synchronous_commit), so that measurements are honest.
_POSTGRES_SETTINGS: Final[Mapping[str, object]] = {
    "wal_level": "minimal",  # no replica will ever follow; a table loaded where it is created needs no WAL
    "max_wal_senders": 0,
    "max_connections": 200,
    "timezone": "Asia/Tokyo",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
}
_PGBOUNCER_SETTINGS: Final[Mapping[str, object]] = {
    "pool_mode": "session",
    "auth_type": "scram-sha-256",
    "max_client_conn": 200,
    "default_pool_size": 100,
    "ignore_startup_parameters": "extra_float_digits",
}


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server that runs; `certificate` is its own self-signed one when it speaks TLS."""

    host: str
    port: int
    socket_folder: Path
    superuser: str
    superuser_password: str
    folder: Path
    certificate: Path | None

    def dsn(
        self,
        *,
        user: str | None = None,
        password: str | None = None,
        database: str = "postgres",
        **options: str,
    ) -> str:
        """A libpq URI over TCP, as the superuser unless told otherwise; `options` such as sslmode="require"."""
        user, password = user or self.superuser, self.superuser_password if password is None else password
        query = f"?{urlencode(options)}" if options else ""
        return (
            f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}"
            f"@{self.host}:{self.port}/{quote(database, safe='')}{query}"
        )

    def log(self) -> str:
        """What the server wrote so far."""
        return (self.folder / keeper.LOG).read_text(errors="replace")


@dataclass(frozen=True)
class PgBouncerServer:
    """A PgBouncer in front of a PostgreSQL server."""

    host: str
    port: int
    folder: Path
    certificate: Path | None


@contextmanager
def postgres_server(
    *, settings: Mapping[str, object] | None = None, tls: bool = False
) -> Iterator[PostgresServer]:
    """The newest installed PostgreSQL, SCRAM-SHA-256 for host and local connections, C.UTF-8.

    `settings` are server parameters, such as {"fsync": "off"}. Raises Fault when it cannot start.
    """
    binaries = _newest_postgres()
    folder, port, password = _new_folder("pg"), _free_port("PostgreSQL"), secrets.token_hex(16)
    parameters: dict[str, object] = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": folder / "socket",
        **_POSTGRES_SETTINGS,
    }
    files = {"password": password}
    if tls:
        files |= _self_signed()
        parameters |= {"ssl": "on", "ssl_cert_file": folder / "tls.crt", "ssl_key_file": folder / "tls.key"}
    parameters |= settings or {}
    data = folder / "data"
    plan = _Plan(
        folder=folder,
        folders=["socket"],
        files=files,
        prepare=[
            [
                *(f"{binaries}/initdb", "--pgdata", str(data), "--username", "postgres", "--no-sync"),
                *("--auth-host", "scram-sha-256", "--auth-local", "scram-sha-256"),
                *("--pwfile", str(folder / "password"), "--encoding", "UTF8", "--locale", "C.UTF-8"),
            ]
        ],
        serve=[
            *(f"{binaries}/postgres", "-D", str(data)),
            *(word for name, value in parameters.items() for word in ("-c", f"{name}={value}")),
        ],
        # PostgreSQL 19.5: SIGINT is the fast shutdown; SIGQUIT the immediate one, which still frees shared memory.
        stop=[("SIGINT", 10), ("SIGQUIT", 6)],
    )
    with _kept("PostgreSQL", plan, ready=lambda: _postgres_is_ready(data / "postmaster.pid")):
        (folder / "password").unlink()
        certificate = folder / "tls.crt" if tls else None
        yield PostgresServer(HOST, port, folder / "socket", "postgres", password, folder, certificate)


@contextmanager
def pgbouncer_server(
    upstream: PostgresServer,
    *,
    users: Mapping[str, str] | None = None,
    settings: Mapping[str, object] | None = None,
    tls: bool = False,
) -> Iterator[PgBouncerServer]:
    """PgBouncer before `upstream`, session pooling, SCRAM on both sides with the same passwords.

    `users` are names and passwords besides the superuser's. `tls` is the clients' side; towards an upstream that
    has a certificate, the connection is always TLS. Raises Fault when it cannot start.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise Fault(PROGRAM_MISSING, program="pgbouncer", package="pgbouncer")
    folder, port = _new_folder("bouncer"), _free_port("PgBouncer")
    parameters: dict[str, object] = {
        "listen_addr": HOST,
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_file": folder / "users",
        "server_tls_sslmode": "require" if upstream.certificate else "disable",
        **_PGBOUNCER_SETTINGS,
    }
    known = {upstream.superuser: upstream.superuser_password, **(users or {})}
    files = {"users": "".join(f'"{_doubled(name)}" "{_doubled(word)}"\n' for name, word in known.items())}
    if tls:
        files |= _self_signed()
        parameters |= {"client_tls_sslmode": "allow"}
        parameters |= {"client_tls_cert_file": folder / "tls.crt", "client_tls_key_file": folder / "tls.key"}
    parameters |= settings or {}
    files["pgbouncer.ini"] = (
        f"[databases]\n* = host={upstream.host} port={upstream.port}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in parameters.items())
    )
    plan = _Plan(
        folder=folder,
        folders=[],
        files=files,
        prepare=[],
        serve=[program, str(folder / "pgbouncer.ini")],
        stop=[("SIGTERM", 1)],  # newer versions wait for their clients then; there is nothing to lose here
    )
    with _kept("PgBouncer", plan, ready=lambda: _accepts(port)):
        yield PgBouncerServer(HOST, port, folder, folder / "tls.crt" if tls else None)


@dataclass(frozen=True)
class SshServer:
    """An OpenSSH server that runs, in which only `user` can log in; `host_key` is its public key in one line."""

    host: str
    port: int
    user: str
    host_key: str
    folder: Path


@contextmanager
def ssh_server(
    *, authority: str = "", authorized_keys: str = "", settings: Mapping[str, object] | None = None
) -> Iterator[SshServer]:
    """OpenSSH's server with its own host key; it lets in certificates of `authority` and the keys `authorized_keys`
    (public keys, a line each). `settings` are lines of sshd_config. Raises Fault when it cannot start."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise Fault(PROGRAM_MISSING, program="sshd", package="openssh-server")
    account = _server_account()
    folder, port = _new_folder("ssh"), _free_port("sshd")
    private, public = _host_key()
    parameters: dict[str, object] = {
        "ListenAddress": f"{HOST}:{port}",
        "HostKey": folder / "host_key",
        "TrustedUserCAKeys": folder / "authority.pub",
        "AuthorizedKeysFile": folder / "authorized_keys",
        "PidFile": "none",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "StrictModes": "no",  # the folder's parents are not the user's
        "PrintMotd": "no",
        "PrintLastLog": "no",
        "MaxStartups": "500",
        "MaxSessions": "100",
        "LogLevel": "VERBOSE",
        "Subsystem": "sftp internal-sftp",
        **(settings or {}),
    }
    plan = _Plan(
        folder=folder,
        folders=[],
        files={
            "host_key": private,
            "authority.pub": authority + "\n",
            "authorized_keys": authorized_keys + "\n",
            "sshd_config": "".join(f"{name} {value}\n" for name, value in parameters.items()),
        },
        prepare=[],
        serve=[program, "-D", "-e", "-f", str(folder / "sshd_config")],
        stop=[("SIGTERM", 3)],
        # sshd gives each terminal to this group, which only root or a member may; most kernels' settings do it for it.
        groups=(grp.getgrnam("tty").gr_gid,),
    )
    with _kept("sshd", plan, ready=lambda: _accepts(port)):
        yield SshServer(HOST, port, account.pw_name, public, folder)


class _Plan(NamedTuple):
    """What the keeper is asked to do; see its docstring."""

    folder: Path
    folders: list[str]
    files: dict[str, str]
    prepare: list[list[str]]
    serve: list[str]
    stop: list[tuple[str, float]]
    groups: tuple[int, ...] = ()


@contextmanager
def _kept(server: str, plan: _Plan, *, ready: Callable[[], bool]) -> Iterator[None]:
    """Hand the plan to a keeper, wait until `ready`, and have everything removed at the end."""
    account = _server_account()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )
    try:
        _hand_over(process, plan, account)
        _wait_until_ready(process, server, plan, ready)
        yield
    finally:
        _let_go(process, plan)


def _hand_over(process: "subprocess.Popen[bytes]", plan: _Plan, account: pwd.struct_passwd) -> None:
    words = {
        "folder": str(plan.folder),
        "folders": plan.folders,
        "files": plan.files,
        "uid": account.pw_uid,
        "gid": account.pw_gid,
        "prepare": [_as_server_user(command, account, plan.groups) for command in plan.prepare],
        "serve": _as_server_user(plan.serve, account, plan.groups),
        "stop": plan.stop,
    }
    if process.stdin is None:
        raise AssertionError("the keeper was started with a pipe")
    process.stdin.write(json.dumps(words).encode() + b"\n")
    process.stdin.flush()


def _as_server_user(command: list[str], account: pwd.struct_passwd, groups: tuple[int, ...]) -> list[str]:
    # setpriv sets the parent-death signal after the change of user, which would clear it (prctl(2)).
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if os.getuid() == 0:
        prefix += ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid)]
        prefix += ["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"]
    return [*prefix, "--", *command]


def _wait_until_ready(
    process: "subprocess.Popen[bytes]", server: str, plan: _Plan, ready: Callable[[], bool]
) -> None:
    if process.stdout is None:
        raise AssertionError("the keeper was started with a pipe")
    deadline = time.monotonic() + _START_SECONDS
    said = b""
    serving = False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not (serving and ready()):
            if time.monotonic() > deadline:
                raise Fault(
                    SERVER_FAILED, server=server, reason=f"not ready after {_START_SECONDS:.0f} seconds"
                )
            if not selector.select(0.005 if serving else 1.0):
                continue
            if chunk := os.read(process.stdout.fileno(), 4096):
                said += chunk
            lines = said.decode(errors="replace").splitlines()
            serving = "serving" in lines
            if not chunk or any(line.startswith("ended ") for line in lines):
                raise Fault(SERVER_FAILED, server=server, reason=_last_words(plan.folder / keeper.LOG, lines))


def _last_words(log: Path, lines: list[str]) -> str:
    """The server's own line that says why, or else the keeper's last one."""
    try:
        written = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        written = []
    # The reason is often a line or two before the last: "could not bind …: Address already in use".
    telling = [line for line in written if re.search(r"FATAL|PANIC|error:|could not", line)]
    return (" / ".join(telling[-3:]) or (written or lines or ["it ended without a word"])[-1]).rstrip(".")


def _let_go(process: "subprocess.Popen[bytes]", plan: _Plan) -> None:
    """Close the lifeline. The keeper finishes its work even when we are interrupted while we wait for it."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=sum(seconds for _, seconds in plan.stop) + 10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdout is not None:
            process.stdout.close()
    shutil.rmtree(plan.folder, ignore_errors=True)  # gone already, unless the keeper itself was killed


def _newest_postgres() -> Path:
    found = [path.parent for path in _POSTGRES_BINARIES.glob("*/bin/initdb")]
    if not found:
        raise Fault(PROGRAM_MISSING, program="initdb", package="postgresql")
    return max(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.parent.name)])


def _server_account() -> pwd.struct_passwd:
    """Root never runs a server as root (PostgreSQL refuses it, and rightly)."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _new_folder(kind: str) -> Path:
    """A new name in a temporary folder whose every parent the server's user may enter."""
    tried = _temporary_folders()
    for candidate in map(Path, tried):
        path = candidate.resolve()
        if os.getuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (path, *path.parents)):
            # Short: a socket's path has at most 107 bytes (unix(7)).
            return path / f"sekisho-{kind}-{secrets.token_hex(6)}"
    raise Fault(NO_FOLDER, user=_server_account().pw_name, tried=", ".join(tried))


def _temporary_folders() -> list[str]:
    return list(dict.fromkeys([tempfile.gettempdir(), "/tmp", "/var/tmp"]))  # noqa: S108 (names are random, 0700)


def _free_port(server: str) -> int:
    for port in random.sample(range(*_PORTS), 1000):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            return port
    raise Fault(SERVER_FAILED, server=server, reason="no loopback port is free")


def _postgres_is_ready(pid_file: Path) -> bool:
    # The eighth line of postmaster.pid is what pg_ctl waits for (LOCK_FILE_LINE_PM_STATUS in miscadmin.h).
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _doubled(word: str) -> str:
    return word.replace('"', '""')


def _host_key() -> tuple[str, str]:
    """(private key in OpenSSH's form, public key in one line), Ed25519."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def _self_signed() -> dict[str, str]:
    """A certificate for localhost and 127.0.0.1, good for a month, as tls.crt and tls.key."""
    # Imported here: half of the start of a server without TLS would go into this library.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address(HOST))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return {
        "tls.crt": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "tls.key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    }
