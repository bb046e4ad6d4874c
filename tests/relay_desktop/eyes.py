"""Somebody who looks at a desktop of a workspace, types and points, without the marks of a browser's picture.

And a remote desktop to look at: a real Xtigervnc with a password, and a real xrdp with TLS before it.
"""

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from Crypto.Cipher import DES
from PIL import Image

from relay_workspace.workspace_scene import House
from sekisho.demo.founding import Holding, add_dataset, register_target
from sekisho.gate.decide import DESKTOP
from sekisho.people.tokens import Token
from sekisho.register.facts import TargetAdded
from sekisho.relay.desktop.screen import HEIGHT, WIDTH, Screen

SECRET = "tgt-secr"
BLUE = (0x20, 0x40, 0xA0)
Picture = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
Sight = Callable[[Picture], bool]
FORMAT = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


class Eyes:
    """One viewer of a `Screen`."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._data = b""
        self.picture: Picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)

    async def open(self) -> None:
        await self._take(12)
        self._screen.write(b"RFB 003.008\n")
        await self._take((await self._take(1))[0])
        self._screen.write(b"\x01")
        await self._take(4)
        self._screen.write(b"\x01")
        (length,) = struct.unpack_from("!I", await self._take(24), 20)
        await self._take(length)
        self._screen.write(b"\0\0\0\0" + FORMAT + struct.pack("!BxHi", 2, 1, 0))
        self._ask(changes=False)

    async def until(self, seen: "Sight", seconds: float = 30) -> None:
        """Look until the picture is so."""
        async with asyncio.timeout(seconds):
            while not seen(self.picture):
                await self._update()

    async def still(self, seconds: float = 0.4) -> None:
        """Look until nothing changes for so long."""
        with contextlib.suppress(TimeoutError):
            while True:
                while not self._data:
                    async with asyncio.timeout(seconds):
                        self._data += await self._screen.read()
                await self._update()

    def key(self, *keysyms: int) -> None:
        """All down, then all up."""
        for down, order in ((1, keysyms), (0, keysyms[::-1])):
            for keysym in order:
                self._screen.write(struct.pack("!BB2xI", 4, down, keysym))

    def line(self, text: str) -> None:
        for letter in text:
            point = ord(letter)
            self.key(point if point < 0x100 else 0x0100_0000 + point)
        self.key(0xFF0D)

    def click(self, x: int, y: int, buttons: int = 1) -> None:
        for now in (0, buttons, 0):
            self._screen.write(struct.pack("!BBHH", 5, now, x, y))

    def save(self, path: Path) -> None:
        Image.fromarray(self.picture).save(path)

    def _ask(self, *, changes: bool) -> None:
        self._screen.write(struct.pack("!BBHHHH", 3, changes, 0, 0, WIDTH, HEIGHT))

    async def _update(self) -> None:
        while (kind := (await self._take(1))[0]) != 0:
            assert kind == 2, kind  # a bell
        (count,) = struct.unpack("!xH", await self._take(3))
        for _ in range(count):
            x, y, width, height, encoding = struct.unpack("!HHHHi", await self._take(12))
            assert encoding == 0
            pixels = np.frombuffer(await self._take(width * height * 4), np.uint8).reshape(height, width, 4)
            self.picture[y : y + height, x : x + width] = pixels[:, :, 2::-1]
        self._ask(changes=True)

    async def _take(self, count: int) -> bytes:
        while len(self._data) < count:
            data = await self._screen.read()
            assert data, "the desktop ended"
            self._data += data
        taken, self._data = self._data[:count], self._data[count:]
        return taken


class Seen:
    """At least so many pixels of a colour."""

    def __init__(self, colour: tuple[int, int, int], pixels: int) -> None:
        self._colour, self._pixels = colour, pixels

    def __call__(self, picture: Picture) -> bool:
        near = np.abs(picture.astype(int) - self._colour).max(axis=2) < 12
        return int(near.sum()) >= self._pixels


@asynccontextmanager
async def desktop(house: House, ticket: str, target: str = "callcentre") -> AsyncIterator[Eyes]:
    """The desktop of a ticket's workspace, opened as the browser's door opens it."""
    seat = Token(token="t-test", person="sato", ticket=ticket, target=target, expires=0)
    async with house.rooms.admitted(seat, "test", DESKTOP) as admission:
        screen = await house.rooms.desktop(admission, WIDTH, HEIGHT)
        eyes = Eyes(screen)
        try:
            await eyes.open()
            yield eyes
        finally:
            screen.close()


@dataclass
class Remote:
    """A screen elsewhere, all blue, by VNC and by RDP."""

    vnc: int
    rdp: int
    certificate: str
    display: str


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key."""
    folder.mkdir(exist_ok=True)
    certificate, key = folder / "cert.pem", folder / "key.pem"
    words = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=win.example",
    ]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


@contextlib.contextmanager
def remote(folder: Path) -> Iterator[Remote]:
    """Start one, and end it."""
    certificate, key = self_signed(folder)
    # As vncpasswd writes it: the password under a key that everybody knows, each byte's bits turned round.
    fixed = bytes(int(f"{byte:08b}"[::-1], 2) for byte in bytes((23, 82, 107, 6, 35, 78, 88, 7)))
    (folder / "passwd").write_bytes(DES.new(fixed, DES.MODE_ECB).encrypt(SECRET.encode()))  # noqa: S304
    (folder / "passwd").chmod(0o600)
    vnc, rdp, display = _free(), _free(), os.getpid() % 20000 + 100
    (folder / "xrdp.ini").write_text(
        f"[Globals]\nini_version=1\nfork=true\nport=tcp://127.0.0.1:{rdp}\nsecurity_layer=tls\ncrypt_level=high\n"
        f"certificate={certificate}\nkey_file={key}\nssl_protocols=TLSv1.2, TLSv1.3\nautorun=Screen\n"
        "allow_channels=true\nmax_bpp=32\nuse_fastpath=both\n"
        f"[Logging]\nLogFile={folder}/xrdp.log\nLogLevel=DEBUG\nEnableSyslog=false\n[LoggingPerLogger]\n"
        "[Channels]\nrdpdr=true\nrdpsnd=true\ndrdynvc=true\ncliprdr=true\nrail=true\n"
        f"[Screen]\nname=Screen\nlib=libvnc.so\nusername=ask\npassword=ask\nip=127.0.0.1\nport={vnc}\n"
    )
    server = [
        *("Xtigervnc", f":{display}", "-rfbport", str(vnc), "-localhost", "-SecurityTypes", "VncAuth"),
        *(
            "-PasswordFile",
            str(folder / "passwd"),
            "-geometry",
            "1000x640",
            "-depth",
            "24",
            "-nolisten",
            "tcp",
        ),
    ]
    processes = [subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)]
    try:
        _listens(vnc)
        painted = "#{:02x}{:02x}{:02x}".format(*BLUE)
        terminal = ["xterm", "-geometry", "200x60+0+0", "-bg", painted, "-fg", "white", "-e", "cat"]
        processes.append(
            subprocess.Popen(
                terminal, env={**os.environ, "DISPLAY": f":{display}"}, stderr=subprocess.DEVNULL
            )
        )
        processes.append(
            subprocess.Popen(
                ["/usr/sbin/xrdp", "--nodaemon", "--config", str(folder / "xrdp.ini")],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        _listens(rdp)
        yield Remote(vnc, rdp, certificate.read_text(), f":{display}")
    finally:
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                if process is processes[-1]:
                    os.killpg(process.pid, signal.SIGKILL)  # its own session: it forks for each connection
                process.kill()
            process.wait()


async def add_remote(house: House, name: str, protocol: str, port: int, *, tls_ca: str = "") -> None:
    """A target that draws, and minato's dataset on it."""
    target = TargetAdded(
        target=name,
        protocol=protocol,
        host="127.0.0.1",
        port=port,
        database="",
        tls_ca=tls_ca,
        unknown_lineage="mask",
        operator="outsourcing",
    )
    await register_target(house.ledger, target)
    held = Holding(
        dataset=f"{name}-data",
        organisation="minato",
        name=name,
        target=name,
        operator="outsourcing",
        role="maintenance",
        password=SECRET,
        tables=(),
        schema="",
    )
    await add_dataset(house.ledger, held)


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


def _listens(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        subprocess.run(["sleep", "0.02"], check=True)
    raise RuntimeError(f"nothing listens on {port}")
