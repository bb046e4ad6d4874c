"""Acts on the command line that name a human: who acts proves it with password and one-time code, as at a door.

Whoever holds the state folder could name anybody with `--by`. What needs the consent of a second human is therefore
never taken from `--by`: that human's own password and code are asked for.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import click
from sqlalchemy import select

from sekisho.cli.options import STATE
from sekisho.faults import Fault
from sekisho.ledger import Ledger
from sekisho.people.identity import Authenticated
from sekisho.people.login import LoginDesk
from sekisho.people.tables import persons
from sekisho.register.faults import UNKNOWN_PERSON
from sekisho.service.service import open_ledger
from sekisho.service.settings import read_settings

_Value = TypeVar("_Value")
_Command = TypeVar("_Command", bound=Callable[..., object])
PEER: Final = "command line"
_PERSON = click.option("--person", required=True, help="Your person id.")
_PASSWORD = click.option(
    "--password", prompt=True, hide_input=True, envvar="SEKISHO_PASSWORD", help="Asked for when not given."
)
_CODE = click.option("--code", prompt=True, help="The six digits of your authenticator.")


def proven(command: _Command) -> _Command:
    """--state, --person, --password and --code, in this order."""
    for option in (_CODE, _PASSWORD, _PERSON, STATE):
        command = option(command)
    return command


def with_ledger(state: Path, act: Callable[[Ledger], Awaitable[_Value]]) -> _Value:
    """Do something with the ledger of a state folder."""

    async def run() -> _Value:
        async with open_ledger(state, read_settings(state)) as ledger:
            return await act(ledger)

    return asyncio.run(run())


async def log_in(ledger: Ledger, person: str, password: str, code: str) -> Authenticated:
    """Raises Fault LOGIN_REFUSED or TOO_MANY_FAILURES. The desk issues no token here, so its key is of no use."""
    desk = LoginDesk(ledger, secrets.token_bytes(32))
    return await desk.verify(person=person, password=password, code=code, peer=PEER)


async def must_be_known(ledger: Ledger, person: str) -> None:
    """Once there are persons at all, only one of them can answer for something."""
    async with ledger.read() as connection:
        known = list(await connection.scalars(select(persons.c.person)))
    if known and person not in known:
        raise Fault(UNKNOWN_PERSON, person=person)
