"""What real clients and a real server said, read by our codec: recorded, cut up, damaged, and live."""

import asyncio
import json
import ssl
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.demo.servers import PostgresServer, postgres_server
from sekisho.wire.faults import ProtocolViolation
from sekisho.wire.postgres import backend as b
from sekisho.wire.postgres import frontend as f
from sekisho.wire.postgres.decode import BackendDecoder, ClientPhase, FrontendDecoder
from sekisho.wire.postgres.exchange import Exchange
from sekisho.wire.postgres.frame import PROTOCOL_3_0
from sekisho.wire.postgres.rows import Rows
from sekisho.wire.postgres.scram import PLAIN, PLUS, ScramClient, ScramServer, Verifier, certificate_hash
from wire.golden_capture import PASSWORD, USER, Turns, capture

GOLDENS = {
    path.stem: [(who, bytes.fromhex(raw)) for who, raw in json.loads(path.read_text())]
    for path in sorted((Path(__file__).parent / "golden").glob("*.json"))
}


class Listener:
    """Both decoders and the book over one recorded session, as a relay would hold them."""

    def __init__(self) -> None:
        self.client = FrontendDecoder()
        self.server = BackendDecoder()
        self.exchange = Exchange()
        self.ran: list[bytes | None] = []  # the SQL text behind each completed command
        self.rows = 0
        self.undescribed = 0  # runs of rows without a description that is certainly theirs

    def hear(self, who: str, chunk: bytes) -> None:
        if who == "client":
            for asked in self.client.feed(chunk):
                self._asked(asked)
            self.client.take()
        else:
            for said in self.server.feed(chunk):
                self._said(said)
            self.server.take()

    def _asked(self, message: f.Startup | f.FrontendMessage) -> None:
        if isinstance(message, f.SSLRequest | f.GSSENCRequest):
            self.server = BackendDecoder(asked_encryption=True)
        elif isinstance(message, f.FrontendMessage) and self.client.phase is not ClientPhase.AUTHENTICATING:
            self.exchange.send(message)

    def _said(self, message: object) -> None:
        if isinstance(message, b.EncryptionAnswer):
            self.client.encryption_answered()
            return
        assert isinstance(message, b.BackendMessage | f.FrontendMessage | Rows)
        if self.client.phase in (ClientPhase.READY, ClientPhase.CLOSED):
            request = self.exchange.answer(message)
        else:
            if isinstance(message, b.ReadyForQuery):
                self.client.authenticated()
            return
        if isinstance(message, Rows) and request is not None:
            self.rows += message.count
            self.undescribed += request.description is None
        if isinstance(message, b.CommandComplete) and request is not None:
            self.ran.append(request.sql)


def listen(turns: Turns) -> Listener:
    listener = Listener()
    for who, chunk in turns:
        listener.hear(who, chunk)
    return listener


@pytest.mark.parametrize("name", GOLDENS)
def test_a_recorded_session_is_read_to_its_end(name: str) -> None:
    listener = listen(GOLDENS[name])
    assert listener.exchange.idle
    assert listener.client.held == listener.server.held == 0
    assert listener.ran
    assert None not in listener.ran


def test_the_recordings_hold_what_they_are_for() -> None:
    prepared = listen(GOLDENS["pgbench_prepared"])
    assert prepared.ran.count(b"SELECT abalance FROM pgbench_accounts WHERE aid = $1;") == 3
    assert (prepared.rows, prepared.undescribed) == (3, 0)
    assert listen(GOLDENS["psql_simple"]).undescribed == 0
    # asyncpg describes a statement once and then binds it again and again: a relay has to describe by itself.
    assert listen(GOLDENS["asyncpg"]).undescribed > 0


@pytest.mark.parametrize("name", GOLDENS)
def test_a_recorded_session_byte_by_byte(name: str) -> None:
    whole, bytewise = listen(GOLDENS[name]), Listener()
    for who, chunk in GOLDENS[name]:
        for byte in chunk:
            bytewise.hear(who, bytes((byte,)))
    assert bytewise.ran == whole.ran
    assert bytewise.rows == whole.rows


@given(st.sampled_from(list(GOLDENS)), st.data())
def test_a_damaged_recording_is_refused_or_read_and_nothing_else(name: str, data: st.DataObject) -> None:
    turns = [(who, bytearray(chunk)) for who, chunk in GOLDENS[name]]
    for _ in range(data.draw(st.integers(1, 3))):
        _, chunk = turns[data.draw(st.integers(0, len(turns) - 1))]
        at = data.draw(st.integers(0, len(chunk) - 1))
        match data.draw(st.sampled_from(("change", "drop", "repeat", "insert"))):
            case "change":
                chunk[at] ^= data.draw(st.integers(1, 255))
            case "drop":
                del chunk[at : at + data.draw(st.integers(1, 8))]
                chunk += b"" if chunk else b"\0"
            case "repeat":
                chunk[at:at] = chunk[at : at + 12]
            case "insert":
                chunk[at:at] = data.draw(st.binary(min_size=1, max_size=8))
    try:
        listen([(who, bytes(chunk)) for who, chunk in turns])
    except ProtocolViolation:
        return


@given(st.sampled_from(list(GOLDENS)), st.data())
def test_a_session_out_of_order_is_refused_or_read_and_nothing_else(name: str, data: st.DataObject) -> None:
    turns = list(GOLDENS[name])
    first, second = (data.draw(st.integers(0, len(turns) - 1)) for _ in range(2))
    turns[first], turns[second] = turns[second], turns[first]
    try:
        listen(turns)
    except ProtocolViolation:
        return


# Live


@pytest.mark.e2e
async def test_live_clients_are_read_as_the_recorded_ones() -> None:
    with postgres_server() as server:
        live = await capture(server)
        verifier = await stored_verifier(server)
    assert live.keys() == GOLDENS.keys()
    for name, sessions in live.items():
        heard = [listen(turns) for turns in sessions]
        assert all(listener.exchange.idle for listener in heard)
        assert heard[-1].ran == listen(GOLDENS[name]).ran
    # The verifier that the real server made of the password holds for our server side too.
    ours, client = ScramServer(Verifier.parse(verifier)), ScramClient(PASSWORD)
    client.verify(ours.final(client.final(ours.first(PLAIN, client.first()))))


async def stored_verifier(server: PostgresServer) -> str:
    connection = await asyncpg.connect(server.dsn())
    try:
        return str(await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = $1", USER))
    finally:
        await connection.close()


@pytest.mark.e2e
async def test_our_client_proves_itself_to_the_real_server_through_its_certificate() -> None:
    with postgres_server(tls=True) as server:
        messages = await log_in(server, server.superuser_password, minor=9)
        assert isinstance(messages[-1], b.ReadyForQuery)
        # A newer minor version and an option that it does not know: the server says what it can do instead.
        assert b.NegotiateProtocolVersion(PROTOCOL_3_0, (b"_pq_.unheard_of",)) in messages
        with pytest.raises(AssertionError, match="28P01"):
            await log_in(server, "another password")
        with pytest.raises(AssertionError, match="channel binding"):
            await log_in(
                server, server.superuser_password, channel=b"the hash of somebody else's certificate"
            )


async def log_in(
    server: PostgresServer, password: str, *, minor: int = 0, channel: bytes | None = None
) -> list[object]:
    """Everything the server says from TLS to ReadyForQuery."""
    assert server.certificate is not None
    pem = server.certificate.read_text()
    trust = ssl.create_default_context(cadata=pem)
    trust.check_hostname = False
    if channel is None:
        channel = certificate_hash(ssl.PEM_cert_to_DER_cert(pem), "sha256")
    scram = ScramClient(password, channel=channel, tls=True)
    decoder, heard = BackendDecoder(asked_encryption=True), list[object]()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(f.SSLRequest().encode())
        assert list(decoder.feed(await reader.read(1))) == [b.EncryptionAnswer(b"S")]
        await writer.start_tls(trust)
        options = {"_pq_.unheard_of": "on"} if minor else {}
        writer.write(f.StartupMessage({"user": server.superuser, **options}, minor).encode())
        while not (heard and isinstance(heard[-1], b.ReadyForQuery)):
            for message in decoder.feed(await reader.read(65536)):
                heard.append(message)
                if isinstance(message, b.ErrorResponse):
                    raise AssertionError(message.sqlstate, message.message)
                if not isinstance(message, b.Authentication):
                    continue
                if message.code == b.SASL:
                    assert message.mechanisms() == (PLUS, PLAIN)
                    answer = f.AuthenticationResponse.of_sasl_initial(scram.mechanism, scram.first())
                    writer.write(answer.encode())
                elif message.code == b.SASL_CONTINUE:
                    writer.write(f.AuthenticationResponse(scram.final(message.data)).encode())
                elif message.code == b.SASL_FINAL:
                    scram.verify(message.data)
        return heard
    finally:
        writer.write(f.Terminate().encode())
        writer.close()
