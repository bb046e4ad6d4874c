"""docs/reader.py, the second reader: it agrees with us, finds what we find, and is what it says it is."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sekisho.evidence.log import TileLog
from sekisho.evidence.note import COSIGNATURE, NoteSigner, parse_note, sign_note
from sekisho.evidence.tiles import bundle_path, tile_path

READER = Path(__file__).parents[2] / "docs" / "reader.py"
ORIGIN = "log.example/reader"
LOG = NoteSigner.generate(ORIGIN)
WITNESS = NoteSigner.generate("witness.example/reader", COSIGNATURE)


def read(folder: Path, *keys: object) -> tuple[int, str]:
    command = [sys.executable, "-I", str(READER), str(folder), *map(str, keys)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()[-1]


def write_log(folder: Path, size: int) -> Path:
    log = TileLog.open(folder, LOG, origin=ORIGIN)
    log.integrate([b'{"seq":%d,"fact":"test"}' % index for index in range(size)])
    note = parse_note(log.sign())
    log.publish(note.with_signatures([WITNESS.sign(note.text)]).encode())
    return folder


@pytest.mark.parametrize("size", [0, 1, 255, 256, 700, 66_000])
def test_it_agrees(tmp_path: Path, size: int) -> None:
    folder = write_log(tmp_path, size)
    assert read(folder, LOG.key, WITNESS.key) == (0, f"OK: {size} entries of {ORIGIN}, 2 signatures checked")


def test_it_finds_what_is_wrong(tmp_path: Path) -> None:
    pristine = write_log(tmp_path / "pristine", 700)
    other = write_log(tmp_path / "other", 699)

    def after(name: str, data: bytes) -> str:
        folder = Path(shutil.copytree(pristine, tmp_path / "changed"))
        (folder / name).write_bytes(data)
        status, line = read(folder, LOG.key, WITNESS.key)
        shutil.rmtree(folder)
        assert status == 1
        return line

    bundle = (pristine / bundle_path(1)).read_bytes()
    edited = bundle.replace(b'300,"fact":"test"', b'300,"fact":"best"')
    assert after(bundle_path(1), edited) == "BAD: entry 300 is not the one that was recorded"
    assert after(bundle_path(2, 188), b"") == "BAD: entry 512 is missing"
    assert after(tile_path(1, 0, 2), bytes(64)) == "BAD: tile 1/0 does not fit the entries below it"
    note = (pristine / "checkpoint").read_bytes()
    assert after("checkpoint", note.replace(b"\n700\n", b"\n699\n")) == (
        f"BAD: the signature of {ORIGIN} does not fit"
    )
    assert after("checkpoint", (other / "checkpoint").read_bytes()).startswith("BAD: ")
    resigned = sign_note(parse_note(note).text, [NoteSigner.generate(ORIGIN), WITNESS]).encode()
    assert after("checkpoint", resigned) == f"BAD: {ORIGIN} did not sign"
    assert read(pristine, NoteSigner.generate(ORIGIN).key)[0] == 1
    assert read(tmp_path / "missing")[0] == 1


def test_it_is_short_and_imports_only_the_standard_library_and_ed25519() -> None:
    source = READER.read_text()
    assert len(source.splitlines()) <= 200
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "cryptography"
