"""TLS without sockets, and what a connection refuses around it."""

import asyncio
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho.relay.tls import TlsChannel
from sekisho.relay.wire import Wire
from sekisho.service.certificates import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("tls"))


def client_of(certificates: Certificates, name: str = "localhost") -> TlsChannel:
    context = ssl.create_default_context(cafile=str(certificates.ca))
    return TlsChannel(context, server_side=False, name=name)


def server_of(certificates: Certificates) -> TlsChannel:
    return TlsChannel(certificates.server_context(), server_side=True, name=None)


def shake(client: TlsChannel, server: TlsChannel, step: int = 1 << 20) -> None:
    client.receive(b"")
    while not (client.established and server.established):
        for sender, receiver in ((client, server), (server, client)):
            data = sender.take()
            for start in range(0, len(data), step):
                assert receiver.receive(data[start : start + step]) == b""
    client.receive(server.take())  # session tickets


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
def test_what_goes_in_comes_out_in_whatever_pieces_it_arrives(certificates: Certificates, step: int) -> None:
    client, server = client_of(certificates), server_of(certificates)
    shake(client, server, step)
    said = b"x" * 40_000  # more than two records
    carried = client.send(said)
    heard = b"".join(server.receive(carried[i : i + step]) for i in range(0, len(carried), step))
    assert heard == said
    assert said[:100] not in carried
    assert client.cipher.startswith("TLSv1.3")
    assert client.peer_certificate() == certificates.server_der()


def test_the_peer_s_end_is_told_from_silence(certificates: Certificates) -> None:
    client, server = client_of(certificates), server_of(certificates)
    shake(client, server)
    assert server.receive(client.send(b"last words") + client.end()) == b"last words"
    assert server.ended
    assert not client.ended


def test_a_certificate_of_another_name_is_refused(certificates: Certificates) -> None:
    client, server = client_of(certificates, "elsewhere.example"), server_of(certificates)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(client, server)


def test_an_altered_record_is_refused(certificates: Certificates) -> None:
    client, server = client_of(certificates), server_of(certificates)
    shake(client, server)
    carried = bytearray(client.send(b"pay 10"))
    carried[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        server.receive(bytes(carried))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.booleans()), max_size=40))
@settings(max_examples=25, deadline=None)
def test_channels_do_not_meet_in_what_openssl_reads_and_writes(
    certificates: Certificates, turns: list[tuple[int, int, bool]]
) -> None:
    """All channels share two buffers: an incomplete record, or a spoilt one, of one must not reach another."""
    pairs = [(client_of(certificates), server_of(certificates)) for _ in range(3)]
    for client, server in pairs:
        shake(client, server)
    said, heard, way = [b""] * 3, [b""] * 3, [b""] * 3
    for number, (which, size, spoil) in enumerate(turns):
        client, server = pairs[which]
        if server.ended:
            continue
        word = b"%d." % number
        said[which] += word
        way[which] += client.send(word)
        piece, way[which] = way[which][:size], way[which][size:]
        heard[which] += server.receive(piece)
        if spoil and which == 2:  # its own end, and nobody else's
            with pytest.raises(ssl.SSLError):
                server.receive(way[which] + b"\x17\x03\x03\x00\x20" + bytes(32))
            server.ended = True
    for which, (_, server) in enumerate(pairs):
        if not server.ended:
            assert heard[which] + server.receive(way[which]) == said[which]


async def test_bytes_in_clear_before_the_handshake_are_refused(certificates: Certificates) -> None:
    wire = Wire()
    wire.data_received(b"injected")
    with pytest.raises(ConnectionError):
        await wire.start_tls(certificates.server_context(), server_side=True)


async def test_a_peer_that_leaves_within_the_handshake_does_not_hold_it_up(
    certificates: Certificates,
) -> None:
    async def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, wire = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", port)
        context = ssl.create_default_context(cafile=str(certificates.ca))
        with pytest.raises(ConnectionError):
            await wire.start_tls(context, server_side=False, name="localhost")
        await wire.closed
