"""`sekisho take-out`: what was asked to leave, and whether it left as its approvals allow.

`verify` and `document` need the log's folder only: no database, no state folder, no network. `share` and `open` run at
an approver's and at the recipient's, and need no checkpoint. What speaks to a running one is in `takeout_line`,
custody in `takeout_custody`.
"""

import importlib
import sys
from pathlib import Path
from typing import Final

import click

from sekisho.cli.takeout_line import COMMANDS
from sekisho.evidence.note import parse_key
from sekisho.evidence.policy import Policy
from sekisho.faults import Fault, Language, preferred_language
from sekisho.takeout.canonical import digest, document
from sekisho.takeout.desk import read_log
from sekisho.takeout.faults import NO_TAKEOUT
from sekisho.takeout.judge import verify_release
from sekisho.takeout.sealing import (
    open_package,
    open_shares,
    open_shares_by_passphrase,
    read_identity,
    reseal,
    reseal_by_passphrase,
)
from sekisho.takeout.signatures import NAMESPACE, Relying

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "approval": {
        "en": "entry {seq}: {approver} approved, by {method} with {key}",
        "ja": "{seq} 件目: {approver} が承認({method}、鍵 {key})",
    },
    "note": {"en": "does not count: {sentence}", "ja": "数えません: {sentence}"},
    "right": {
        "en": "Entry {seq}: {takeout} was released with the approvals that it needed.",
        "ja": "{seq} 件目: {takeout} は必要な承認を得て払い出されています。",
    },
    "may": {
        "en": "{takeout} was not released. It has the approvals that it needs.",
        "ja": "{takeout} は払い出されていません。必要な承認はそろっています。",
    },
    "sign": {
        "en": "Read it, then sign: ssh-keygen -Y sign -n {namespace} -f KEY FILE    digest {digest}",
        "ja": "内容を読んでから署名: ssh-keygen -Y sign -n {namespace} -f 鍵 ファイル    ダイジェスト {digest}",
    },
}
_LOG = click.argument("log", type=click.Path(path_type=Path, exists=True, file_okay=False))
_KEY = click.option("--log-key", required=True, metavar="VKEY", help="The log's key, pinned.")


# Commands that need a whole checkpoint, or nothing at all: each is imported when it is called.
_ELSEWHERE: Final = {
    "custody": "takeout_custody:show_custody",
    "link": "takeout_custody:link",
    "push": "takeout_custody:push",
    "write": "takeout_custody:write",
    "receive": "takeout_custody:receive",
    "returned": "takeout_custody:returned",
    "destroyed": "takeout_custody:destroyed",
    "allow-marking": "takeout_custody:allow",
    "whose": "takeout_custody:whose_copy",
    "destination": "takeout_custody:destination",
    "unpack": "takeout_unpack:unpack_copy",
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = _ELSEWHERE[cmd_name].partition(":")
        command = getattr(importlib.import_module(f"sekisho.cli.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{_ELSEWHERE[cmd_name]} is not a command")
        return command


@click.group("take-out", cls=_Group)
def take_out() -> None:
    """Files that leave: what was asked, who signed."""


for _command in COMMANDS:
    take_out.add_command(_command)


@take_out.command()
@_LOG
@click.argument("name", metavar="TAKE-OUT")
@_KEY
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY", help="A witness's key. Repeatable.")
@click.option("--quorum", type=click.IntRange(min=0), help="How many witnesses (default: all given).")
@click.option("--rp-id", default="", help="The console's host name, for approvals by passkey.")
@click.option("--origin", "origins", multiple=True, help="An address of the console. Repeatable.")
def verify(
    log: Path, name: str, log_key: str, witnesses: tuple[str, ...], quorum: int | None, rp_id: str,
    origins: tuple[str, ...],
) -> None:  # fmt: skip
    """Check offline that a take-out has, or had at its release, the signatures that it needs.

    Exit status: 0 it has, 1 it has not, 2 LOG could not be checked.
    """
    language = preferred_language()
    relying = Relying(rp_id, origins or (f"https://{rp_id}",))
    try:
        keys = [parse_key(text) for text in witnesses]
        policy = Policy.of_keys([parse_key(log_key)], keys, len(keys) if quorum is None else quorum)
        verdict = verify_release(read_log(log, policy, name), name, relying)
    except Fault as fault:
        click.echo(f"sekisho: {fault.code}: {fault.sentence(language)}", err=True)
        sys.exit(2)
    for one in verdict.approvals:
        _say("approval", seq=one.seq, approver=one.given.approver, method=one.given.method, key=one.given.key)
    for note in verdict.notes:
        _say("note", sentence=note.fault().sentence(language))
    for refusal in verdict.against:
        click.echo(f"{refusal.kind.code}: {refusal.fault().sentence(language)}")
    if verdict.ok:
        _say("right" if verdict.released else "may", seq=max(verdict.released, default=0), takeout=name)
    sys.exit(0 if verdict.ok else 1)


@take_out.command("document")
@_LOG
@click.argument("name", metavar="TAKE-OUT")
@_KEY
def show_document(log: Path, name: str, log_key: str) -> None:
    """Write the text that approvers sign to standard output, exactly."""
    policy = Policy.of_keys([parse_key(log_key)], [], 0)
    verdict = verify_release(read_log(log, policy, name), name, Relying(""))
    if verdict.asked is None:
        raise Fault(NO_TAKEOUT, takeout=name)
    click.echo(document(verdict.asked), nl=False)
    _say("sign", err=True, namespace=NAMESPACE, digest=digest(verdict.asked).hex())


@take_out.command()
@click.argument("sealed", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--key", required=True, type=click.Path(path_type=Path, exists=True), help="Your private key.")
@click.option(
    "--to", "public_key", metavar="KEY", help="The recipient's age or SSH key, as the document says."
)
@click.option("--passphrase", is_flag=True, help="For a recipient without a key: asks for a passphrase.")
def share(sealed: Path, key: Path, public_key: str | None, passphrase: bool) -> None:
    """At an approver's: open the share SEALED, and write it to standard output, sealed to the recipient."""
    if (public_key is None) is not passphrase:
        raise click.UsageError("one of --to and --passphrase")
    shares = open_shares(sealed.read_text(), read_identity(key.read_bytes()))
    if public_key is not None:
        click.echo(reseal(shares, public_key), nl=False)
    else:
        words = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
        click.echo(reseal_by_passphrase(shares, words), nl=False)


@take_out.command("open")
@click.argument("package", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("shares", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The file to write.")
@click.option(
    "--key", type=click.Path(path_type=Path, exists=True), help="Your private key; else passphrases."
)
def open_(package: Path, shares: tuple[Path, ...], out: Path, key: Path | None) -> None:
    """At the recipient's: open PACKAGE with the approvers' SHARES."""
    found = []
    for path in shares:
        text = path.read_text()
        if key is not None:
            found += open_shares(text, read_identity(key.read_bytes()))
        else:
            words = click.prompt(f"Passphrase of {path.name}", hide_input=True, err=True)
            found += open_shares_by_passphrase(text, words)
    open_package(package, out, found)


def _say(said: str, *, err: bool = False, **values: object) -> None:
    click.echo(_SAYS[said][preferred_language()].format(**values), err=err)
