"""The command line. Each command is a module of its own, imported only when it is called.

`sekisho verify` must start in under 100 ms and import nothing but hashlib, an Ed25519 library and click, so
this module may import neither a room of the house nor a library beyond click.
"""

import importlib
import sys
from typing import Final

import click

from sekisho.faults import Fault, preferred_language

# command -> "module:attribute" and its one line of help (kept here so that --help imports no room)
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("sekisho.cli.demo:demo", "Play the incident's first act at a checkpoint on loopback."),
    "init": ("sekisho.cli.serve:init", "Make a checkpoint's state folder and keys."),
    "serve": ("sekisho.cli.serve:serve", "Run a checkpoint."),
    "login": ("sekisho.cli.login:login", "Get user and password for a door, good for ten minutes."),
    "pull": ("sekisho.cli.workspace:pull", "Pull a query's result into the ticket's workspace."),
    "workspace": ("sekisho.cli.workspace:workspace", "Look at what lies in a ticket's workspace."),
    "ticket": ("sekisho.cli.ticket:ticket", "Ask for access, approve it, end it."),
    "break-glass": ("sekisho.cli.break_glass:break_glass", "Emergency access, and its review."),
    "policy": ("sekisho.cli.policy:policy", "What is in force; propose a change, approve one."),
    "notice": ("sekisho.cli.notice:notice", "Who is told, where they are reached, what did not arrive."),
    "explain": ("sekisho.cli.explain:explain_command", "Could she, and why: the answer of every rule."),
    "watch": ("sekisho.cli.watch:watch", "Replay logs through the watch, list and explain its alerts."),
    "state": ("sekisho.cli.state:state", "Compare the tables with the facts, or rebuild them."),
    "verify": ("sekisho.cli.verify:verify", "Check an evidence folder or a bundle, offline."),
    "record": ("sekisho.cli.record:record", "Recordings of interactive sessions: list, verify, play."),
    "desktop": ("sekisho.cli.desktop:desktop", "Whose screen a photograph or a screenshot shows."),
    "evidence": ("sekisho.cli.evidence:evidence", "Take evidence out of a log."),
    "register": ("sekisho.cli.register:register", "Who entrusted what to whom, where, and until when."),
    "person": ("sekisho.cli.people:person", "Who works here, for whom, since when, and what is due."),
    "trace": (
        "sekisho.cli.trace:trace",
        "Which sessions a found list is consistent with, or that it is not ours.",
    ),
    "take-out": ("sekisho.cli.takeout:take_out", "Files that leave: what was asked, who signed."),
    "ssh-key": ("sekisho.cli.ssh:ssh_key", "Your own keys for the SSH door."),
    "ssh-ca": ("sekisho.cli.ssh:ssh_ca", "What a target needs to let the checkpoint in."),
    "witness": ("sekisho.cli.witness:witness", "Cosign the checkpoints of somebody's log."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sekisho")
def cli() -> None:
    """Sekisho: nothing passes unseen, nothing leaves without several people's consent."""


def main() -> None:
    """Run the command line; a fault becomes one line on standard error and exit status 1."""
    try:
        cli()
    except Fault as alone:
        _tell(alone)
    except BaseExceptionGroup as group:  # from tasks that ran side by side
        first = _first_fault(group)
        if first is None:
            raise
        _tell(first)


def _first_fault(group: BaseExceptionGroup[BaseException]) -> Fault | None:
    """The first fault in a group that holds nothing but faults; None when there is a mistake of ours among them."""
    faults, others = group.split(Fault)
    if faults is None or others is not None:
        return None
    found: BaseException = faults
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, Fault) else None


def _tell(fault: Fault) -> None:
    click.echo(f"sekisho: {fault.code}: {fault.sentence(preferred_language())}", err=True)
    sys.exit(1)
