"""`sekisho take-out unpack`: at the recipient's, who needs no checkpoint and nothing of its rooms."""

import hashlib
import time
from pathlib import Path
from typing import Final

import click

from sekisho.faults import Language, preferred_language
from sekisho.takeout.manifest import RECEIPT_NAMESPACE, receipt, unpack

_UNPACKED: Final[dict[Language, str]] = {
    "en": "{path}: {rows:,} rows, as the manifest says. Sign the receipt if you have an SSH key; send it back:\n"
    "ssh-keygen -Y sign -n {namespace} -f KEY {receipt}",
    "ja": "{path}: {rows:,} 行、明細のとおりです。SSH 鍵があれば受領証に署名し、送り主に返してください:\n"
    "ssh-keygen -Y sign -n {namespace} -f 鍵 {receipt}",
}
_MOUNT = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("unpack")
@click.argument("copy", type=_FILE)
@click.option(
    "--package", required=True, type=_FILE, help="The sealed package that the copy was opened from."
)
@click.option("--into", required=True, type=_MOUNT, help="The folder for the list.")
@click.option("--receipt", "receipt_file", required=True, type=click.Path(path_type=Path))
def unpack_copy(copy: Path, package: Path, into: Path, receipt_file: Path) -> None:
    """At the recipient's: take the list out of COPY, check it against its manifest, and write the receipt."""
    opened = unpack(copy, into)
    with package.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    receipt_file.write_text(receipt(opened, sha256, time.time_ns() // 1_000))
    said = _UNPACKED[preferred_language()]
    values = {"path": opened.path, "rows": opened.rows, "receipt": receipt_file}
    click.echo(said.format(namespace=RECEIPT_NAMESPACE, **values))
