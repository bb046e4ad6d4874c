"""What is brought to a recipient: the sealed package, the approvers' shares, and a page that says how to open it.

The shares are sealed to the recipient, so they may travel beside the package.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from sekisho.takeout.desk import Released

_CHUNK: Final = 1 << 18
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_HOW: Final = """\
{name}

このフォルダには、封緘されたパッケージ({name}.age)と、承認者の鍵の断片(share-*.txt)があります。
中を開けるのは受取人だけです。開き方:

  sekisho take-out open {name}.age share-*.txt --key あなたの秘密鍵 --out {name}.zip
  sekisho take-out unpack {name}.zip --package {name}.age --into フォルダ --receipt receipt.json

受領証(receipt.json)を送り主に返してください。SSH 鍵の場合は署名も必要です:
  ssh-keygen -Y sign -n sekisho-receipt -f あなたの秘密鍵 receipt.json

Here are a sealed package ({name}.age) and the approvers' shares of its key (share-*.txt). Only the recipient
can open it, with the commands above. Send the receipt back; with an SSH key, signed.

SHA-256 {sha256}  {name}.age
"""


@dataclass(frozen=True, slots=True)
class Package:
    size: int
    sha256: str


class Parcel:
    """`file` is the package, already held against what was approved. Closed with the parcel."""

    def __init__(self, released: Released, file: BinaryIO) -> None:
        name = _UNSAFE.sub("-", released.asked.takeout).strip("-.") or "take-out"
        self._file = file
        size = file.seek(0, io.SEEK_END)
        self.package = Package(size, released.asked.package)
        self.package_name = f"{name}.age"
        how = _HOW.format(name=name, sha256=self.package.sha256)
        self.papers: dict[str, bytes] = {
            f"{name}-README.txt": how.encode(),
            **{f"{name}-share-{number}.txt": text.encode() for number, text in enumerate(released.shares, 1)},
        }

    def open(self, start: int = 0) -> BinaryIO:
        self._file.seek(start)
        return self._file

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        file = self.open(start)
        while chunk := file.read(_CHUNK):
            yield chunk

    def archive(self) -> Iterator[bytes]:
        """Everything as one ZIP archive, not compressed, as it is made."""
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
            for name, paper in self.papers.items():
                archive.writestr(name, paper)
            entry = zipfile.ZipInfo(self.package_name)
            with archive.open(entry, "w", force_zip64=self.package.size >= 1 << 31) as member:
                for chunk in self.chunks():
                    member.write(chunk)
                    yield sink.taken()
        yield sink.taken()

    def close(self) -> None:
        self._file.close()


class _Sink(io.RawIOBase):
    """Where an archive is written that nobody seeks in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes
        self._pieces.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        pieces = b"".join(self._pieces)
        self._pieces.clear()
        return pieces
