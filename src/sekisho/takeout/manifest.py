"""What travels with a list: a ZIP archive, not compressed, of MANIFEST.json and the list. It is what is sealed.

The manifest says from which take-out the list comes, for what purpose, until when, and what the file must be: SHA-256,
size, rows. It also holds a code of 128 bits that stands nowhere else: the checkpoint keeps its hash only, so whoever
names the code has opened this copy. Any unzip reads it; nothing of the list is in the manifest.
"""

import csv
import hashlib
import json
import secrets
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

import msgspec

from sekisho.faults import Fault
from sekisho.takeout.custody_faults import BAD_COPY

FORM: Final = "sekisho-copy-v1"
NAME: Final = "MANIFEST.json"
RECEIPT_NAMESPACE: Final = "sekisho-receipt"  # of an SSH signature over a receipt
_LONGEST: Final = 1 << 20
_CHUNK: Final = 1 << 20
_NOTICE: Final = (
    "このファイルは、下記の目的のためだけに渡されています。期日までに返却または廃棄し、その証明を提出してください。"
    " / This file was given for the purpose below and for nothing else. Return or destroy it by the date, and prove it."
)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the request. Times are microseconds since 1970, UTC."""

    takeout: str
    organisations: tuple[str, ...]
    purpose: str
    basis: str
    recipient: str
    expires: int
    returns: int
    persons: int
    items: tuple[str, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rows` stand in the file. `separator` is "" where its form is none whose rows the recipient's side counts again;
    else `heads` records come before the rows."""

    form: str
    about: About
    file: str
    sha256: str
    size: int
    rows: int
    encoding: str
    separator: str
    heads: int
    code: str
    notice: str

    @property
    def code_hash(self) -> str:
        return hashlib.sha256(self.code.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Shape:
    """How the rows of a file are told apart; without a separator they are not."""

    rows: int
    encoding: str = ""
    separator: str = ""
    heads: int = 0


def pack(name: str, content: bytes, shape: Shape, about: About, into: BinaryIO) -> tuple[Manifest, str]:
    """Write the archive; the manifest, and its SHA-256."""
    made = Manifest(
        form=FORM,
        about=about,
        file=PurePosixPath(name).name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        rows=shape.rows,
        encoding=shape.encoding,
        separator=shape.separator,
        heads=shape.heads,
        code=secrets.token_hex(16),
        notice=_NOTICE,
    )
    text = msgspec.json.format(msgspec.json.encode(made), indent=1)
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(NAME, text)
        with archive.open(zipfile.ZipInfo(made.file), "w", force_zip64=len(content) >= 1 << 31) as member:
            for start in range(0, len(content), _CHUNK):
                member.write(content[start : start + _CHUNK])
    return made, hashlib.sha256(text).hexdigest()


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A copy at its recipient's, as it really is: `rows` were counted in the file where its form allows that."""

    manifest: Manifest
    manifest_sha256: str
    path: Path
    rows: int


def unpack(archive: Path, into: Path) -> Opened:
    """Write the list into the folder `into`, where no file of its name may be. Raises Fault BAD_COPY: when the file is
    not the one that its manifest names, nothing of it stays."""
    try:
        with zipfile.ZipFile(archive) as opened:
            if opened.getinfo(NAME).file_size > _LONGEST:
                raise Fault(BAD_COPY, reason="a manifest that long is none")
            text = opened.read(NAME)
            manifest = msgspec.json.decode(text, type=Manifest)
            # A name with a way in it would be written elsewhere.
            if (
                manifest.form != FORM
                or manifest.file != PurePosixPath(manifest.file).name
                or not manifest.file
            ):
                raise Fault(BAD_COPY, reason="its manifest has another form")
            path = into / manifest.file
            digest, size = hashlib.sha256(), 0
            with path.open("xb") as file, opened.open(manifest.file) as member:
                path.chmod(0o600)
                while chunk := member.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    file.write(chunk)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, msgspec.DecodeError, struct.error) as error:
        raise Fault(BAD_COPY, reason=str(error) or type(error).__name__) from error
    if (digest.hexdigest(), size) != (manifest.sha256, manifest.size):
        path.unlink()
        raise Fault(BAD_COPY, reason="the file is not the one that its manifest names")
    rows = manifest.rows
    if manifest.separator:
        try:
            with path.open(encoding=manifest.encoding, newline="") as lines:
                rows = count_rows(lines, manifest.separator, manifest.heads)
        except (UnicodeError, LookupError, csv.Error) as error:
            path.unlink()
            raise Fault(BAD_COPY, reason=str(error)) from error
    return Opened(manifest=manifest, manifest_sha256=hashlib.sha256(text).hexdigest(), path=path, rows=rows)


def count_rows(text: Iterable[str], separator: str, heads: int) -> int:
    """Records of a separated list behind its heading: a quoted cell may run over lines, and a line that holds nothing
    is no record."""
    return max(sum(1 for record in csv.reader(text, delimiter=separator) if record) - heads, 0)


def receipt(opened: Opened, package_sha256: str, at: int) -> str:
    """The text that a recipient signs: that this copy was opened, what it was, and the code that only it holds."""
    said = {
        "at": at,
        "code": opened.manifest.code,
        "form": "sekisho-receipt-v1",
        "manifest": opened.manifest_sha256,
        "package": package_sha256,
        "rows": opened.rows,
        "takeout": opened.manifest.about.takeout,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
