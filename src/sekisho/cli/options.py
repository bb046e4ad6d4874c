"""Options that many commands have."""

from pathlib import Path
from typing import Final

import click

from sekisho.faults import Fault
from sekisho.service.faults import NO_STATE
from sekisho.service.settings import SETTINGS_FILE


def _is_there(context: click.Context, option: click.Parameter, state: Path) -> Path:
    """Said before anything is asked for: nobody types a password for a folder that does not exist."""
    if not context.resilient_parsing and not (state / SETTINGS_FILE).is_file():
        raise Fault(NO_STATE, path=state)
    return state


STATE: Final = click.option(
    "--state",
    required=True,
    type=click.Path(path_type=Path),
    envvar="SEKISHO_STATE",
    is_eager=True,
    callback=_is_there,
    help="The state folder.",
)
