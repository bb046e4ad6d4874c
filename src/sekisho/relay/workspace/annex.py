"""A remote desktop (RDP, VNC) as a window in the desktop of a workspace, without its password in the workspace.

    workspace's X server  <- display -  checkpoint  <- display -  viewer in the annex
    target                <-  bytes  -  checkpoint  <-  socket -  (FreeRDP, TigerVNC)

The viewer runs in an annex: a second sandbox beside the workspace's, with users, processes and files of its own and no
network either. Whoever works in the workspace shares an X server with it, and nothing else: its password comes over a
descriptor, stands in no argument and in no file, and its memory belongs to a user whom the workspace does not know.
From the annex two sockets lead out, both made in it: one to that X server, one to the ticket's target.

Clipboard, drives, printers, sound, smart cards: the viewer is started without each of them, and what could turn them on
(its own menu, its command line) is out of reach.
"""

import asyncio
import contextlib
import hashlib
import ipaddress
import json
import shutil
import signal
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from sekisho.faults import Fault
from sekisho.gate.decide import INNER
from sekisho.ledger import Ledger
from sekisho.relay.admission import Admission, Admissions, Totals
from sekisho.relay.faults import LEDGER_DOWN, SESSION_ENDED, TARGET_DOWN
from sekisho.relay.workspace import annex_inside, faults
from sekisho.relay.workspace.inner import PEER, Knocking
from sekisho.relay.workspace.sandbox import listener, walls
from sekisho.relay.workspace.share import Share, shares

Display = Callable[[], Awaitable[socket.socket | None]]
"""A connection to the X server of the workspace; None where there is none. Raises Fault."""
PROGRAMS: Final = {
    "rdp": ("xfreerdp", "freerdp2-x11"),
    "vnc": ("xtigervncviewer", "tigervnc-viewer"),
}
_MEMORY: Final = 512 << 20  # of the viewer: a picture of a screen, and what it knows of it
_TASKS: Final = 48
_START_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 10.0
_PIECE: Final = 65_536
_INSIDE: Final = Path(annex_inside.__file__).read_text(encoding="utf-8")


class Annexes:
    """Shows targets. One per process; a door like the others (`end_all`). Owned by the event loop's thread."""

    def __init__(self, ledger: Ledger, admissions: Admissions) -> None:
        self._ledger = ledger
        self._admissions = admissions
        self._open: dict[str, tuple[Admission, asyncio.Future[tuple[Fault, str]]]] = {}

    async def show(self, seat: Knocking, display: Display, told: Callable[[], Awaitable[object]]) -> None:
        """Admit, and show the ticket's target until its window is closed, or an end. `told` is called when the viewer
        runs; cancelling is an end. What is opened is closed, and recorded, on return. Raises Fault."""
        if self._ledger.fault is not None:
            raise Fault(LEDGER_DOWN)
        admission = await self._admissions.admit(seat, door=INNER, peer=PEER, tls="", client="viewer")
        ended: asyncio.Future[tuple[Fault, str]] = asyncio.get_running_loop().create_future()
        self._open[admission.session] = admission, ended
        passed = _Passed()
        reason = "failed"
        try:
            await self._admissions.decide_again(admission)
            command = order(admission)
            annex = await Annex.start()
            try:
                reason = await self._shown(admission, annex, command, display, told, ended, passed)
            finally:
                await annex.close()
        except Fault as fault:
            reason = fault.code
            raise
        except asyncio.CancelledError:
            reason = "client"
            raise
        finally:
            del self._open[admission.session]
            with contextlib.suppress(Fault):  # a ledger that has failed keeps the lease spent, by design
                await asyncio.shield(self._admissions.leave(admission, Totals(reason, 0, passed.bytes)))

    async def _shown(
        self,
        admission: Admission,
        annex: "Annex",
        command: dict[str, object],
        display: Display,
        told: Callable[[], Awaitable[object]],
        ended: "asyncio.Future[tuple[Fault, str]]",
        passed: "_Passed",
    ) -> str:
        target = admission.catalogue.target.target

        async def to_display(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, Fault):
                if (connected := await display()) is not None:
                    await _splice(reader, writer, *await asyncio.open_unix_connection(sock=connected))
            writer.close()

        async def to_target(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    there = await connect(admission)
                passed.connected = True
                await _splice(reader, writer, *there, passed=passed)
            writer.close()

        displays = await asyncio.start_unix_server(to_display, sock=annex.display)
        targets = await asyncio.start_unix_server(to_target, sock=annex.target)
        try:
            annex.run(command)
            await told()
            left = admission.grant.closes / 1e6 - time.time()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, left)):
                    await _first(ended, annex.ended)
            if ended.done():
                fault, _ = ended.result()
                raise fault
            if not annex.ended.done():
                raise Fault(SESSION_ENDED, reason="the ticket's window is over")
            # FreeRDP's codes from 128 on, and TigerVNC's 1, say that there was no session.
            status = annex.ended.result()
            if status >= 128 or (status == 1 and admission.catalogue.target.protocol == "vnc"):
                said = (
                    "it cannot be reached" if not passed.connected else "it was not let in, or is not proven"
                )
                raise Fault(TARGET_DOWN, target=target, reason=said)
            return "client"
        finally:
            displays.close()
            targets.close()

    def end_all(
        self, fault: Fault, reason: str, *, person: str | None = None, ticket: str | None = None
    ) -> int:
        """End the sessions of a person, of a ticket, or all; the number ended."""
        ended = 0
        for admission, end in self._open.values():
            grant = admission.grant
            if person in (None, grant.person) and ticket in (None, grant.ticket) and not end.done():
                end.set_result((fault, reason))
                ended += 1
        return ended

    def end_session(self, session: str, fault: Fault, reason: str) -> bool:
        found = self._open.get(session)
        if found is not None and not found[1].done():
            found[1].set_result((fault, reason))
        return found is not None


class Annex:
    """One running annex. Made by `start`; owned by the event loop's thread."""

    def __init__(self, share: Share, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._share = share
        self._process = process
        self._control = control
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        """The viewer's exit status; -1 when it was ended with the annex."""
        self.display: socket.socket
        self.target: socket.socket

    @classmethod
    async def start(cls) -> "Annex":
        """Raises Fault SANDBOX_FAILED, NO_PROGRAM."""
        limits = {"RLIMIT_NPROC": (_TASKS, _TASKS), "RLIMIT_NOFILE": (256, 256), "RLIMIT_CORE": (0, 0)}
        command = [
            *walls("annex", "--chdir", "/tmp"),  # noqa: S108 (in the annex)
            *("/usr/bin/python3", "-I", "-S", "-c", _INSIDE),
            json.dumps({"limits": limits}),
        ]
        try:
            share = shares().take(memory=_MEMORY, processes=_TASKS)
        except OSError as error:
            raise Fault(faults.SANDBOX_FAILED, reason=f"its limits: {error.strerror or error}") from error
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                ours.setblocking(False)
                process = await asyncio.create_subprocess_exec(
                    *share.words(),
                    *command,
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                    cwd="/",
                    env={"PATH": "/usr/bin:/bin"},
                )
        except BaseException:
            ours.close()
            share.remove()
            raise
        annex = cls(share, process, ours)
        try:
            async with asyncio.timeout(_START_SECONDS):
                descriptors = await annex._descriptors()
            annex.display, annex.target = (listener(one) for one in descriptors)
        except (TimeoutError, OSError, ValueError) as error:
            await annex.close()
            raise Fault(faults.SANDBOX_FAILED, reason="the annex does not start") from error
        except BaseException:
            await annex.close()
            raise
        annex._loop.add_reader(ours.fileno(), annex._heard)
        return annex

    def run(self, command: dict[str, object]) -> None:
        """Start the viewer: `argv`, `environment`, and its `stdin`, where the password is."""
        self._control.send(json.dumps(command).encode())

    async def close(self) -> None:
        """End everything in it. Idempotent."""
        if not self.ended.done():
            self.ended.set_result(-1)
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
            self._control.close()
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._share.close()

    async def _descriptors(self) -> list[int]:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._control.fileno(), _wake, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(self._control.fileno())
        _, descriptors, _, _ = socket.recv_fds(self._control, 64, 4)
        if len(descriptors) != 2:
            raise ValueError("not two sockets")
        return list(descriptors)

    def _heard(self) -> None:
        status = -1
        with contextlib.suppress(OSError, ValueError, KeyError):
            status = int(json.loads(self._control.recv(64))["status"])
        self._loop.remove_reader(self._control.fileno())
        if not self.ended.done():
            self.ended.set_result(status)


def _wake(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)


async def _first(*ends: "asyncio.Future[Any]") -> None:
    """Until one of these is over, whatever it is."""
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


class _Passed:
    """How much of the target came, and whether it could be reached at all."""

    def __init__(self) -> None:
        self.bytes = 0
        self.connected = False


def order(admission: Admission) -> dict[str, object]:
    """How the viewer is started. Raises Fault NO_PROGRAM, TARGET_DOWN when the target could not be proven."""
    target = admission.catalogue.target
    program, package = PROGRAMS[target.protocol]
    if shutil.which(program) is None:
        raise Fault(faults.NO_PROGRAM, program=program, package=package)
    environment = {"DISPLAY": ":1", "HOME": "/tmp", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}  # noqa: S108
    password = admission.secret.decode()
    if target.protocol == "vnc":
        argv = [
            program, "-SecurityTypes", "VncAuth", "-AcceptClipboard=0", "-SendClipboard=0", "-SetPrimary=0",
            "-SendPrimary=0", "-MenuKey=", "-AlertOnFatalError=0", "-ReconnectOnError=0", "-RemoteResize=0",
            "-Shared=1", annex_inside.TARGET,
        ]  # fmt: skip
        return {"argv": argv, "environment": {**environment, "VNC_PASSWORD": password}, "stdin": ""}
    if not target.tls_ca:
        raise Fault(TARGET_DOWN, target=target.target, reason="its certificate is not registered")
    argv = [
        program, f"/v:{annex_inside.TARGET}", f"/u:{admission.dataset.role}", "/d:", "/from-stdin:force",
        f"/t:{target.target}", f"/cert:fingerprint:sha256:{fingerprint(target.tls_ca)}", "-sec-rdp",
        "-clipboard", "-drives", "-home-drive", "/audio-mode:2", "-auto-reconnect", "/size:1240x720",
        "/log-level:OFF",
    ]  # fmt: skip
    return {"argv": argv, "environment": environment, "stdin": f"{password}\n"}


def fingerprint(certificate: str) -> str:
    """As FreeRDP wants it: SHA-256 of the certificate itself, which must be the server's own."""
    der = load_pem_x509_certificate(certificate.encode()).public_bytes(Encoding.DER)
    return ":".join(f"{byte:02x}" for byte in hashlib.sha256(der).digest())


async def connect(admission: Admission) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The target itself. RDP brings its own TLS, which the viewer checks; VNC has none, and gets it here unless it is
    on this machine. Raises OSError."""
    target = admission.catalogue.target
    context = None
    if target.protocol == "vnc" and target.tls_ca:
        context = ssl.create_default_context(cadata=target.tls_ca)
    elif target.protocol == "vnc" and not _is_loopback(target.host):
        raise ConnectionError("VNC in clear leaves this machine")
    return await asyncio.open_connection(target.host, target.port, ssl=context)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _splice(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    there: asyncio.StreamReader,
    to: asyncio.StreamWriter,
    *,
    passed: _Passed | None = None,
) -> None:
    """Pass bytes both ways until one side ends."""

    async def one_way(
        source: asyncio.StreamReader, sink: asyncio.StreamWriter, counted: _Passed | None
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_PIECE):
                if counted is not None:
                    counted.bytes += len(data)
                sink.write(data)
                await sink.drain()
        # Half of a viewer's connection is of no use.
        writer.close()
        to.close()

    async with asyncio.TaskGroup() as group:
        group.create_task(one_way(reader, to, None))
        group.create_task(one_way(there, writer, passed))
