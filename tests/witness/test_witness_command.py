"""`sekisho witness` and `sekisho evidence` without a network."""

import stat
from pathlib import Path

from click.testing import CliRunner

from sekisho.cli.evidence import evidence
from sekisho.cli.witness import witness
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_key
from sekisho.evidence.verify import verify_bundle


def test_a_key_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    run = CliRunner().invoke
    assert run(witness, ["key", "--folder", str(folder)]).exit_code == 2
    first = run(witness, ["key", "--folder", str(folder), "--name", "witness.example/cli"])
    assert run(witness, ["key", "--folder", str(folder)]).stdout == first.stdout
    key = parse_key(first.stdout)
    assert (key.name, key.kind) == ("witness.example/cli", COSIGNATURE)
    assert stat.S_IMODE((folder / "witness.key").stat().st_mode) == 0o600


def test_an_address_that_is_none(tmp_path: Path) -> None:
    for listen in ("7380", "localhost:", "localhost:99999", ":7380"):
        arguments = ["serve", "--folder", str(tmp_path), "--name", "w.example", "--listen", listen]
        result = CliRunner().invoke(witness, [*arguments, "--log", str(NoteSigner.generate("l.example").key)])
        assert (result.exit_code, "HOST:PORT" in result.stderr) == (2, True)


def test_a_bundle_is_written(tmp_path: Path) -> None:
    log = TileLog.open(tmp_path / "log", NoteSigner.generate("log.example/cli"), origin="log.example/cli")
    log.integrate([b'{"seq":%d,"fact":"test"}' % index for index in range(9)])
    log.publish(log.sign())
    out = tmp_path / "out.zip"
    result = CliRunner().invoke(evidence, ["bundle", str(log.path), "3", "8", "--out", str(out)])
    assert (result.exit_code, result.stdout.strip()) == (0, str(out))
    assert verify_bundle(out).entries == 2
