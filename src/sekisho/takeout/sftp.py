"""A package pushed to a registered server, whose host key is pinned.

The file has another name until it is whole; what a broken connection left is continued, if it is a beginning of this
very package. Afterwards it is read back where the server allows that; where it does not, its size has to be right.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import asyncssh

from sekisho.faults import Fault
from sekisho.relay.ssh.authority import load_key
from sekisho.takeout.custody_faults import DELIVERY_FAILED
from sekisho.takeout.destinations import Server
from sekisho.takeout.parcel import Parcel

OWN_KEY: Final = "sftp.key"
OPEN_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 120.0
_CHUNK: Final = 1 << 18


class _Pinned(asyncssh.SSHClient):
    """Knows the server by its registered key alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return key.public_data == self._key


def own_key(path: Path) -> asyncssh.SSHKey:
    """The checkpoint's key, as which it logs in; made at the first use."""
    return load_key(path)


async def push(parcel: Parcel, server: Server, key: asyncssh.SSHKey) -> str:
    """How it was confirmed: "read_back" or "size". Raises Fault DELIVERY_FAILED."""
    name = parcel.package_name
    try:
        async with connected(server, key) as client:
            return await _pushed(client, parcel, server.folder.rstrip("/"))
    except asyncssh.HostKeyNotVerifiable as error:
        raise Fault(DELIVERY_FAILED, takeout=name, reason="the server has another host key") from error
    except TimeoutError as error:
        raise Fault(DELIVERY_FAILED, takeout=name, reason="no answer in time") from error
    except (OSError, asyncssh.Error) as error:
        # Of the reason only its kind: a server can put words into it.
        raise Fault(DELIVERY_FAILED, takeout=name, reason=type(error).__name__) from error


@contextlib.asynccontextmanager
async def connected(server: Server, key: asyncssh.SSHKey) -> AsyncIterator[asyncssh.SFTPClient]:
    """Nothing of the machine's own SSH settings is read. Raises OSError, asyncssh.Error, TimeoutError."""
    pinned = asyncssh.import_public_key(server.host_key)
    async with asyncio.timeout(OPEN_SECONDS):
        connection, _ = await asyncssh.create_connection(
            lambda: _Pinned(pinned.public_data),
            host=server.host,
            port=server.port,
            config=None,
            username=server.user,
            client_keys=[key],
            agent_path=None,
            known_hosts=([], [], []),
            x509_trusted_certs=None,
            preferred_auth=["publickey"],
            compression_algs=["none"],
            keepalive_interval=15,
            keepalive_count_max=4,
        )
    try:
        async with connection.start_sftp_client() as client:
            yield client
    finally:
        connection.close()
        await connection.wait_closed()


async def _pushed(client: asyncssh.SFTPClient, parcel: Parcel, folder: str) -> str:
    path = f"{folder}/{parcel.package_name}"
    part = f"{path}.part"
    for name, paper in parcel.papers.items():
        async with client.open(f"{folder}/{name}", "wb") as file:
            await file.write(paper)
    start = await beginning(client, parcel, part)
    async with client.open(part, "r+b" if start else "wb") as file:
        place = start
        for chunk in parcel.chunks(start):
            async with asyncio.timeout(IDLE_SECONDS):
                await file.write(chunk, place)
            place += len(chunk)
        await file.truncate(place)
        with contextlib.suppress(asyncssh.SFTPError):  # an extension of OpenSSH's
            await file.fsync()
    if (await client.stat(part)).size != parcel.package.size:
        raise Fault(DELIVERY_FAILED, takeout=parcel.package_name, reason="the server tells another size")
    told = await _read_back(client, part, parcel.package.size)
    if told not in (None, parcel.package.sha256):
        await client.remove(part)
        raise Fault(
            DELIVERY_FAILED, takeout=parcel.package_name, reason="what was read back is not what was sent"
        )
    try:
        await client.posix_rename(part, path)
    except asyncssh.SFTPOpUnsupported:
        await client.rename(part, path)  # fails where a file of that name lies: nothing is overwritten unseen
    return "size" if told is None else "read_back"


async def beginning(client: asyncssh.SFTPClient, parcel: Parcel, part: str) -> int:
    """How many bytes of this very package lie there already."""
    try:
        size = (await client.stat(part)).size or 0
    except asyncssh.SFTPError:
        return 0
    if not 0 < size <= parcel.package.size:
        return 0
    there = await _read_back(client, part, size)
    ours, left = hashlib.sha256(), size
    for chunk in parcel.chunks():
        ours.update(chunk[:left])
        left -= min(left, len(chunk))
        if not left:
            break
    return size if there == ours.hexdigest() else 0


async def _read_back(client: asyncssh.SFTPClient, path: str, size: int) -> str | None:
    """SHA-256 of what lies there; None where the server gives nothing back."""
    digest = hashlib.sha256()
    try:
        async with client.open(path, "rb") as file:
            for start in range(0, size, _CHUNK):
                async with asyncio.timeout(IDLE_SECONDS):
                    piece: bytes | str = await file.read(min(_CHUNK, size - start), start)
                    digest.update(piece if isinstance(piece, bytes) else piece.encode())
    except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPOpUnsupported):
        return None
    return digest.hexdigest()
