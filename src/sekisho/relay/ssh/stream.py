"""The connection to a target, made for long output.

asyncssh takes a packet at a time, and copies what it has not read yet for each. A terminal's output comes as tens of
thousands of packets of one kind. Here whole packets of channel data under AES-GCM are opened one behind the other where
they lie, and handed to their channel together; whatever is anything else stays where it is, for asyncssh to take as it
always does. Nothing is decided here that asyncssh does not decide the same way: a tag that does not verify, a packet
that is not formed so, a channel that is not open or a window that is overrun are left to it.
"""

# ruff: noqa: SLF001 (asyncssh's own state, as its own classes use it; the tests tell when that changes)

import asyncio
import socket
from contextlib import suppress
from typing import Any, Final

import asyncssh
from asyncssh.channel import SSHChannel
from asyncssh.constants import MSG_CHANNEL_DATA, MSG_IGNORE
from asyncssh.encryption import GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_LENGTH: Final = 4
_TAG: Final = 16
_HEAD: Final = 10  # RFC 4253 6, RFC 4254 5.2: padding's length, type, channel, the data's length
_FEWEST: Final = 2048  # bytes that are worth looking at: keys and prompts are asyncssh's


class TargetConnection(asyncssh.SSHClientConnection):
    """Made by `connect`."""

    _opener: AESGCM | None = None
    _opener_key = b""
    taken = 0  # packets

    def data_received(self, data: bytes, datatype: asyncssh.DataType = None) -> None:
        if len(data) >= _FEWEST and self._recv_handler == self._recv_packet:  # asyncssh has begun one
            lacking = _LENGTH + self._pktlen + self._recv_macsize - self._recv_blocksize - len(self._inpbuf)
            super().data_received(data[:lacking])
            data = data[lacking:]
        encryption = self._recv_encryption
        if (
            len(data) >= _FEWEST
            and self._recv_handler == self._recv_pkthdr
            and isinstance(encryption, GCMEncryption)
            and self._auth_complete
            and not self._decompressor
        ):
            self._inpbuf += data
            if self._take(encryption):
                self._reset_keepalive_timer()
            else:
                self._recv_data()
        else:
            super().data_received(data, datatype)

    def _take(self, encryption: GCMEncryption) -> bool:
        """Take the packets of channel data that are next; whether no more than the beginning of one is left."""
        cipher = encryption._cipher
        if self._opener is None or cipher._key != self._opener_key:  # new keys, RFC 4253 9
            self._opener, self._opener_key = AESGCM(cipher._key), cipher._key
        opener, waiting = self._opener, self._inpbuf
        place, size = 0, len(waiting)
        taken: list[bytes] = []
        channel: SSHChannel[Any] | None = None
        number = -1
        left = 0  # of the channel's window
        begun = False
        while not (begun := size - place <= _LENGTH):
            start = place + _LENGTH
            length = int.from_bytes(waiting[place:start], "big")
            end = start + length + _TAG
            if length > self._max_recv_pktlen:
                break
            if begun := end > size:
                break
            try:
                packet = opener.decrypt(cipher._iv, waiting[start:end], waiting[place:start])
            except InvalidTag:
                break
            if packet[1] == MSG_CHANNEL_DATA:
                if channel is None:
                    number = int.from_bytes(packet[2:6], "big")
                    channel = self._channels.get(number)
                    if channel is None or channel._recv_state != "open":
                        break
                    left = channel._recv_window
                length = int.from_bytes(packet[6:_HEAD], "big")
                if (
                    int.from_bytes(packet[2:6], "big") != number
                    or _HEAD + length + packet[0] != len(packet)
                    or length > left
                ):
                    break
                left -= length
                taken.append(packet[_HEAD : _HEAD + length])
            elif packet[1] != MSG_IGNORE:  # RFC 4253 11.2: no data, whatever stands in it
                break
            cipher._update_iv()
            self._recv_seq = (self._recv_seq + 1) & 0xFFFFFFFF
            place = end
        self._inpbuf = waiting[place:]
        if taken and channel is not None:
            self.taken += len(taken)
            channel._accept_data(b"".join(taken))
        return begun

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        # See `client.Connection`: without an empty message before each. The ciphers are authenticated, or in CTR mode.
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)


async def connect(connected: socket.socket, options: asyncssh.SSHClientConnectionOptions) -> TargetConnection:
    """What `asyncssh.connect` does over a connected socket; logged in on return. Raises OSError, asyncssh.Error."""
    loop = asyncio.get_running_loop()
    options.waiter = loop.create_future()
    _, made = await loop.create_connection(
        lambda: TargetConnection(loop, options, wait="auth"), sock=connected
    )
    made.set_extra_info(host=options.host, port=options.port)
    try:
        await options.waiter
    except BaseException:
        made.abort()
        with suppress(OSError, asyncssh.Error):
            await made.wait_closed()
        raise
    return made
