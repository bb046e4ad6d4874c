"""`sekisho verify` as a person or a script meets it: exit status, language, JSON, and what it imports."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sekisho.cli.verify import verify
from sekisho.evidence.log import TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_note
from sekisho.evidence.proof import make_bundle
from sekisho.evidence.tiles import bundle_path

ORIGIN = "log.example/command"
SIGNER = NoteSigner.generate(ORIGIN)
WITNESS = NoteSigner.generate("witness.example/command", COSIGNATURE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = TileLog.open(tmp_path / "log", SIGNER, origin=ORIGIN)
    log.integrate([b'{"seq":%d,"fact":"test.entry"}' % index for index in range(300)])
    note = parse_note(log.sign())
    log.publish(note.with_signatures([WITNESS.sign(note.text, 1_700_000_000)]).encode())
    return tmp_path / "log"


def edit(folder: Path) -> None:
    file = folder / bundle_path(0)
    file.write_bytes(file.read_bytes().replace(b'{"seq":7,"fact":"test', b'{"seq":7,"fact":"best'))


def run(*arguments: object, language: str = "C.UTF-8") -> Result:
    return CliRunner().invoke(verify, [str(one) for one in arguments], env={"LC_ALL": language})


def test_a_good_log(folder: Path) -> None:
    result = run(folder, "--log-key", SIGNER.key, "--witness", WITNESS.key)
    assert result.exit_code == 0
    assert "Verified: 300 entries" in result.stdout
    assert "Cosigned by witness.example/command at 2023-11-14T22:13:20+00:00." in result.stdout
    assert "NOT CHECKED" not in result.stdout


def test_without_a_key_it_says_that_nobody_was_identified(folder: Path) -> None:
    result = run(folder)
    assert result.exit_code == 0
    assert "WHO SIGNED WAS NOT CHECKED" in result.stdout
    assert "署名者は確認していません" in run(folder, language="ja_JP.UTF-8").stdout


def test_an_edited_entry(folder: Path) -> None:
    edit(folder)
    result = run(folder, "--log-key", SIGNER.key)
    assert result.exit_code == 1
    assert "SEK-EVID-101: Entry 7 was edited" in result.stdout
    japanese = run(folder, "--log-key", SIGNER.key, language="ja_JP.UTF-8")
    assert "SEK-EVID-101: 7 番の記録は書き換えられています" in japanese.stdout


def test_json(folder: Path) -> None:
    document = json.loads(run(folder, "--json", "--log-key", SIGNER.key, "--witness", WITNESS.key).stdout)
    assert document["ok"] is document["pinned"] is True
    assert document["accepted"][0]["cosigned"] == {str(WITNESS.key): 1_700_000_000}
    edit(folder)
    document = json.loads(run(folder, "--json").stdout)
    assert document["ok"] is document["pinned"] is False
    assert document["findings"][0] == {
        "code": "SEK-EVID-101",
        "first": 7,
        "last": 7,
        "sentence": "Entry 7 was edited: its content is not what was recorded.",
    }


def test_a_quorum_that_is_not_met(folder: Path) -> None:
    second = NoteSigner.generate("witness.example/second", COSIGNATURE).key
    keys = ("--log-key", SIGNER.key, "--witness", WITNESS.key, "--witness", second)
    assert run(folder, *keys).exit_code == 1
    assert run(folder, *keys, "--quorum", 1).exit_code == 0


def test_a_policy_file(folder: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {SIGNER.key}\nwitness one {WITNESS.key}\nquorum one\n")
    assert run(folder, "--policy", policy).exit_code == 0
    policy.write_text(f"log {SIGNER.key}\nquorum two\n")
    result = run(folder, "--policy", policy)
    assert result.exit_code == 2
    assert "SEK-EVID-020: Line 2 of the policy is refused" in result.stderr


def test_a_bundle_and_a_checkpoint_seen_elsewhere(folder: Path, tmp_path: Path) -> None:
    note = (folder / "checkpoint").read_bytes()
    (tmp_path / "evidence.zip").write_bytes(make_bundle(folder, [3, 299], note))
    (tmp_path / "seen").write_bytes(note)
    keys = ("--log-key", SIGNER.key, "--witness", WITNESS.key, "--seen", tmp_path / "seen")
    result = run(tmp_path / "evidence.zip", *keys)
    assert result.exit_code == 0
    assert "Verified: 2 entries" in result.stdout


@pytest.mark.parametrize("arguments", [("--witness", str(WITNESS.key)), ("--quorum", "1")])
def test_witnesses_without_a_log_key_are_refused(folder: Path, arguments: tuple[str, str]) -> None:
    assert run(folder, *arguments).exit_code == 2


def test_bad_input_is_one_clear_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no zip")
    for arguments, code in (
        ((tmp_path / "missing",), "SEK-EVID-030"),
        ((tmp_path / "empty",), "SEK-EVID-030"),
        ((tmp_path / "text",), "SEK-EVID-031"),
        ((folder, "--log-key", "nonsense"), "SEK-EVID-002"),
        ((folder, "--seen", tmp_path / "missing"), "SEK-EVID-011"),
        ((folder, "--seen", tmp_path / "text"), "SEK-EVID-001"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert code in result.stderr
        assert result.stderr.count("\n") == 1
    (folder / "checkpoint").write_bytes(b"\xff\xfe")
    assert "SEK-EVID-001" in run(folder).stderr


def test_it_imports_nothing_but_the_standard_library_ed25519_and_click(folder: Path) -> None:
    program = (
        "import sys\nfrom sekisho.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    print(end.code)\n"
        "print(*sorted(sys.modules))"
    )
    arguments = ["verify", str(folder), "--log-key", str(SIGNER.key)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    *_, status, modules = done.stdout.splitlines()
    assert status == "0"
    foreign = {name.partition(".")[0] for name in modules.split()} - sys.stdlib_module_names
    # sitecustomize is a hook of the distribution's Python.
    allowed = {"__main__", "sitecustomize", "sekisho", "click", "cryptography", "_cffi_backend", "_openssl"}
    assert foreign <= allowed, foreign
    assert not {"asyncio", "sqlite3", "http", "ssl", "socket"} & set(modules.split())
    rooms = {name for name in modules.split() if name.startswith("sekisho.")}
    assert {name.split(".")[1] for name in rooms} == {"cli", "evidence", "faults"}
