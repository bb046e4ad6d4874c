"""`sekisho evidence`: take evidence out of a log folder, for someone who has nothing but `sekisho verify`."""

from pathlib import Path

import click

from sekisho.evidence.faults import NOT_A_LOG
from sekisho.evidence.folder import read_file
from sekisho.evidence.proof import make_bundle, write_bundle
from sekisho.faults import Fault


@click.group()
def evidence() -> None:
    """Take evidence out of a log."""


@evidence.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("entries", type=click.IntRange(min=0), nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The bundle to write (ZIP).")
def bundle(folder: Path, entries: tuple[int, ...], out: Path) -> None:
    """Write a bundle that proves ENTRIES of the log in FOLDER under its published checkpoint."""
    note = read_file(folder / "checkpoint")
    if note is None:
        raise Fault(NOT_A_LOG, path=folder)
    write_bundle(out, make_bundle(folder, entries, note))
    click.echo(out)
