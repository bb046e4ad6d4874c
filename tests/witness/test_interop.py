"""Over loopback: our client with a witness that is not ours, a client that is not ours with our witness, and the
witness as its command starts it, killed and started again."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sekisho.evidence.log import TileLog
from sekisho.evidence.note import NoteSigner, parse_key, parse_note
from sekisho.evidence.policy import Policy
from sekisho.faults import Fault
from sekisho.witness.client import WitnessClient
from sekisho.witness.faults import CONTRADICTED, WITNESS_AHEAD
from witness.witness_oracle import aics_tlog, aics_witness, config, feeder, service

pytestmark = pytest.mark.e2e

ORIGIN = "log.example/interop"
LOG = NoteSigner.generate(ORIGIN)


def grow(folder: Path, size: int, history: bytes = b"") -> TileLog:
    log = TileLog.open(folder, LOG, origin=ORIGIN)
    log.integrate([b'{"seq":%d,"fact":"%s"}' % (index, history) for index in range(log.size, size)])
    return log


@contextmanager
def their_witness(folder: Path) -> Iterator[tuple[str, str]]:
    """The address and the key of a running aics-witness."""
    log = config.LogConfig(ORIGIN, (aics_tlog.parse_vkey(str(LOG.key)),))
    with aics_witness.WitnessStore(folder / "witness.db", create=True) as store:
        witness = aics_witness.Witness("witness.example/theirs", Ed25519PrivateKey.generate(), store, [log])
        server = service.make_server(witness)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.url, aics_tlog.format_vkey(witness.vkey)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def our_witness(folder: Path, *, kill: bool = False) -> Iterator[tuple[str, str]]:
    """The address and the key of `sekisho witness serve`."""
    command = ["witness", "serve", "--folder", str(folder), "--name", "witness.example/ours"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from sekisho.cli import main; main()",
            *command,
            "--listen",
            "127.0.0.1:0",
            "--log",
            str(LOG.key),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        line = re.fullmatch(r"Witness (\S+) answers at (\S+)\n", process.stdout.readline())
        assert line is not None
        yield line[2], line[1]
    finally:
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        process.wait(15)
        process.stdout.close()


async def test_our_client_with_their_witness(tmp_path: Path) -> None:
    with their_witness(tmp_path) as (url, vkey):
        key = parse_key(vkey)
        async with httpx2.AsyncClient() as http:
            client = WitnessClient(http, url, key)
            for size in (1, 5, 300, 700):
                log = grow(tmp_path / "log", size)
                note = parse_note(log.sign())
                cosigned = note.with_signatures(await client.cosign(note.encode(), log.consistency)).encode()
                assert Policy.of_keys([LOG.key], [key], 1).accept(cosigned).checkpoint.size == size
            for folder, size, kind in (
                ("older", 600, WITNESS_AHEAD),
                ("fork", 700, CONTRADICTED),
                ("fork", 701, CONTRADICTED),
            ):
                other = grow(tmp_path / folder, size, folder.encode())
                with pytest.raises(Fault) as raised:
                    await WitnessClient(http, url, key).cosign(other.sign(), other.consistency)
                assert raised.value.kind is kind


def test_their_client_with_our_witness(tmp_path: Path) -> None:
    with our_witness(tmp_path / "witness") as (url, vkey):
        log_key, witness_key = aics_tlog.parse_vkey(str(LOG.key)), aics_tlog.parse_vkey(vkey)
        for size in (1, 5, 300, 700):
            log = grow(tmp_path / "log", size)
            lines = feeder.submit_checkpoint(url, log.sign(), log.consistency, witness_vkey=vkey)
            note = aics_witness.merge_cosignatures(log.sign(), lines)
            result = aics_tlog.verify_checkpoint(aics_tlog.parse_note(note), log_key, [witness_key], 1)
            assert (result.ok, result.size) == (True, size)
        older = grow(tmp_path / "older", 600)
        with pytest.raises(feeder.WitnessAhead):
            feeder.submit_checkpoint(url, older.sign(), older.consistency, witness_vkey=vkey)
        fork = grow(tmp_path / "fork", 701, b"fork")
        with pytest.raises(feeder.WitnessRejected):
            feeder.submit_checkpoint(url, fork.sign(), fork.consistency, witness_vkey=vkey)


async def test_a_witness_that_was_killed_remembers_what_it_cosigned(tmp_path: Path) -> None:
    async with httpx2.AsyncClient() as http:
        for size in (3, 300, 301):
            with our_witness(tmp_path / "witness", kill=True) as (url, vkey):
                log = grow(tmp_path / "log", size)
                await WitnessClient(http, url, parse_key(vkey)).cosign(log.sign(), log.consistency)
        with our_witness(tmp_path / "witness") as (url, vkey):
            older = grow(tmp_path / "older", 300)
            with pytest.raises(Fault) as raised:
                await WitnessClient(http, url, parse_key(vkey)).cosign(older.sign(), older.consistency)
            assert raised.value.kind is WITNESS_AHEAD
