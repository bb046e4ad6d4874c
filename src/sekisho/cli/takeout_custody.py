"""`sekisho take-out`: what is on its way, handed over, received and returned; what copies may carry, and whose copy a
found list is.

Everything needs the state folder, and every act a login; `write` and `returned` run on the machine of the checkpoint,
into which the medium is plugged.
"""

import csv
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec

from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.evidence.note import NoteSigner
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.decide import jst
from sekisho.ledger import Ledger
from sekisho.ledger.leaf import micros
from sekisho.people.throttle import Throttle
from sekisho.relay.ssh.authority import public_line
from sekisho.service.service import DELIVERIES, LOG, LOG_KEY, TAKEOUTS, relying_of
from sekisho.service.settings import read_settings, split_address
from sekisho.takeout import custody, destinations, sftp
from sekisho.takeout.canaries import Contact
from sekisho.takeout.channels import Deliveries
from sekisho.takeout.copies import FORMS
from sekisho.takeout.custody_facts import DestinationProposed
from sekisho.takeout.custody_faults import BAD_ALLOWANCE
from sekisho.takeout.desk import TakeoutDesk
from sekisho.takeout.links import Links
from sekisho.takeout.marking import master_key
from sekisho.takeout.naming import compared
from sekisho.takeout.packages import Packages
from sekisho.trace.intake import read_list

_Value = TypeVar("_Value")
_SAYS: Final[dict[str, dict[Language, str]]] = {
    "due": {"en": "  next proof due {due}", "ja": "  次の証明の期限 {due}"},
    "alarm": {"en": "  ALARM {why}", "ja": "  警報 {why}"},
    "link": {
        "en": "Link, for the mail: {url}\nCode, for the telephone: {code}\nBoth work once, until {until}.",
        "ja": "リンク(メール用): {url}\nコード(電話用): {code}\nどちらも一度だけ、{until} まで使えます。",
    },
    "over": {
        "en": "{takeout} is handed over: {size:,} bytes to {to} ({confirmed}).",
        "ja": "{takeout} を引き渡しました: {size:,} バイト、{to}({confirmed})。",
    },
    "received": {
        "en": "{takeout} was opened by its recipient: {rows:,} rows.",
        "ja": "{takeout} は受取人が開封しました: {rows:,} 行。",
    },
    "recorded": {"en": "{takeout}: recorded.", "ja": "{takeout}: 記録しました。"},
    "proposed": {
        "en": "{destination} is proposed. Others must agree: approve {destination} --seen {seen}",
        "ja": "{destination} を登録申請しました。承認には {destination} --seen {seen} を指定します。",
    },
    "destination": {
        "en": "{destination} {state:12} {address}  {label}  lacks: {missing}",
        "ja": "{destination} {state:12} {address}  {label}  未承認: {missing}",
    },
    "named": {
        "en": "{takeout}: the list comes from this copy. A wrong copy would look so once in {odds} lists, at most. "
        "{agreed:,} of {values:,} values, {ordered:,} rows in order, {canaries} of {planted} canaries.",
        "ja": "{takeout}: この名簿はこのコピーに由来します。誤りの確率は高々 {odds} 分の 1 です。"
        "値 {values:,} 個中 {agreed:,} 個、順序 {ordered:,} 行、監視用人物 {planted} 人中 {canaries} 人が一致。",
    },
    "canary": {
        "en": "{takeout}: {canaries} of the {planted} canaries of this copy stand in the list.",
        "ja": "{takeout}: このコピーの監視用人物 {planted} 人のうち {canaries} 人が名簿に載っています。",
    },
    "unnamed": {
        "en": "No copy is named by the list. That acquits nobody: marks may be gone, or the sample is too small.",
        "ja": "特定できるコピーはありません。潔白の証明ではありません"
        "(印が除かれたか、標本が小さすぎる可能性があります)。",
    },
    "allowed": {
        "en": "Copies of {organisation}'s lists may carry this from now on.",
        "ja": "{organisation} の名簿のコピーに、今後この印を付けられます。",
    },
}  # fmt: skip
_NAME = click.argument("name", metavar="TAKE-OUT")
_MOUNT = click.Path(path_type=Path, exists=True, file_okay=False)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _acting(
    state: Path, person: str, password: str, code: str, act: Callable[[Ledger], Awaitable[_Value]]
) -> _Value:
    async def proved(ledger: Ledger) -> _Value:
        await log_in(ledger, person, password, code)
        return await act(ledger)

    return with_ledger(state, proved)


def _deliveries(ledger: Ledger, state: Path) -> Deliveries:
    """Beside the running service, which may be writing the same folders."""
    settings = read_settings(state)
    key = NoteSigner.load(state / LOG_KEY, settings.origin).key
    _, port = split_address(settings.console_listen)
    desk = TakeoutDesk(ledger, state / LOG, key, relying_of(settings, port))
    return Deliveries(ledger, desk, Packages(state / TAKEOUTS, tidy=False), state / DELIVERIES)


@click.command("custody")
@STATE
def show_custody(state: Path) -> None:
    """List released take-outs: where each is, and when its next proof is due."""
    for one in with_ledger(state, custody.whereabouts):
        organisations = ", ".join(one.organisations)
        click.echo(f"{one.takeout:16} {one.state:12} {one.rows:>10,}  {organisations} → {one.recipient}")
        if one.due is not None:
            _say("due", due=jst(micros(one.due)))
        for why in one.alarms:
            _say("alarm", why=why)


@click.command()
@proven
@_NAME
def link(state: Path, person: str, password: str, code: str, name: str) -> None:
    """Make a link to the package for its recipient, and a code to be told another way."""
    settings = read_settings(state)
    _, port = split_address(settings.console_listen)
    url = relying_of(settings, port).origins[0]

    async def act(ledger: Ledger) -> None:
        links = Links(_deliveries(ledger, state), Throttle(lambda: datetime.now(UTC).timestamp()))
        made = await links.make(name, by=person)
        until = jst(micros(made.expires))
        _say("link", url=f"{url}/parcel/{made.token}", code=f"{made.code[:4]} {made.code[4:]}", until=until)

    _acting(state, person, password, code, act)


@click.command()
@proven
@_NAME
def push(state: Path, person: str, password: str, code: str, name: str) -> None:
    """Push the package to the registered server that its approvers signed."""
    over = _acting(
        state, person, password, code, lambda ledger: _deliveries(ledger, state).push(name, by=person)
    )
    _say("over", takeout=name, size=over.size, to=over.to, confirmed=over.confirmed)


@click.command()
@proven
@_NAME
@click.option("--onto", required=True, type=_MOUNT, help="Where the medium is mounted.")
def write(state: Path, person: str, password: str, code: str, name: str, onto: Path) -> None:
    """Write the package onto the registered medium that its approvers signed, and read it back."""
    over = _acting(
        state, person, password, code, lambda ledger: _deliveries(ledger, state).write(name, onto, by=person)
    )
    _say("over", takeout=name, size=over.size, to=over.to, confirmed=over.confirmed)


@click.command()
@STATE
@click.argument("receipt_file", metavar="RECEIPT", type=_FILE)
@click.option("--signature", type=_FILE, help="What ssh-keygen wrote beside it.")
def receive(state: Path, receipt_file: Path, signature: Path | None) -> None:
    """Put a recipient's receipt on record; it proves itself."""
    text, signed = receipt_file.read_text().strip(), signature.read_text() if signature else ""
    got = with_ledger(state, lambda ledger: custody.receive(ledger, text, signed))
    _say("received", takeout=got.takeout, rows=got.rows)


@click.command()
@proven
@_NAME
@click.option("--from", "mount", required=True, type=_MOUNT, help="Where the medium is mounted.")
def returned(state: Path, person: str, password: str, code: str, name: str, mount: Path) -> None:
    """The medium is back, and plugged in here."""
    _acting(state, person, password, code, lambda ledger: custody.give_back(ledger, name, mount, by=person))
    _say("recorded", takeout=name)


@click.command()
@proven
@_NAME
@click.option("--certificate", required=True, type=_FILE, help="The recipient's; it is kept sealed.")
def destroyed(state: Path, person: str, password: str, code: str, name: str, certificate: Path) -> None:
    """The recipient's copy is destroyed, as a certificate says."""
    content = certificate.read_bytes()
    _acting(
        state, person, password, code,
        lambda ledger: custody.certify_destruction(ledger, name, content, by=person),
    )  # fmt: skip
    _say("recorded", takeout=name)


@click.command("allow-marking")
@proven
@click.argument("organisation")
@click.option("--form", "forms", multiple=True, type=click.Choice(FORMS), help="ITEM:KIND. Repeatable.")
@click.option("--reorder", is_flag=True, help="Rows may stand in another order.")
@click.option("--canaries", default=0, show_default=True, help="Invented persons for a thousand rows.")
@click.option("--contacts", type=_FILE, help="CSV with phone, email, address: yours, one for each canary.")
def allow(
    state: Path, person: str, password: str, code: str, organisation: str, forms: tuple[str, ...],
    reorder: bool, canaries: int, contacts: Path | None,
) -> None:  # fmt: skip
    """The client: say what copies of your lists may carry. Everything that was said before is replaced."""
    found: list[Contact] = []
    if contacts is not None:
        with contacts.open(encoding="utf-8-sig", newline="") as file:
            try:
                found = [msgspec.convert(row, Contact) for row in csv.DictReader(file)]
            except msgspec.ValidationError as error:
                raise Fault(BAD_ALLOWANCE, reason=str(error)) from error
    _acting(
        state, person, password, code,
        lambda ledger: custody.allow_marking(
            ledger, organisation, forms=forms, reorder=reorder, canaries=canaries, contacts=found, by=person
        ),
    )  # fmt: skip
    _say("allowed", organisation=organisation)


@click.command("whose")
@proven
@click.argument("found", type=_FILE, metavar="LIST")
def whose_copy(state: Path, person: str, password: str, code: str, found: Path) -> None:
    """Of which copies a found list is: by its writings, its order and its canaries. Recorded.

    Exit status 1 when none is named.
    """
    listing = read_list(found)

    async def act(ledger: Ledger) -> bool:
        named = False
        for one in await compared(ledger, master_key(state / TAKEOUTS), listing, by=person):
            if not one.named:
                continue
            named = True
            values = {
                name: getattr(one, name) for name in ("agreed", "values", "ordered", "canaries", "planted")
            }
            if one.by_mark:
                odds = f"10^{int(one.strength)}" if one.strength < 300 else "10^300"
                _say("named", takeout=one.takeout, odds=odds, **values)
            else:
                _say("canary", takeout=one.takeout, **values)
        if not named:
            _say("unnamed")
        return named

    sys.exit(0 if _acting(state, person, password, code, act) else 1)


@click.group("destination")
def destination() -> None:
    """Registered servers and media, to which packages may be brought."""


@destination.command("list")
@STATE
def list_destinations(state: Path) -> None:
    """What is registered, what waits for whom, and the key as which the checkpoint logs in at servers."""

    async def act(ledger: Ledger) -> None:
        for one in await destinations.every(ledger):
            _say(
                "destination",
                destination=one.destination,
                state=one.removed or ("registered" if one.registered else "proposed"),
                address=one.signed_as,
                label=one.proposed.label,
                missing=", ".join(one.missing) or "-",
            )

    with_ledger(state, act)
    (state / DELIVERIES).mkdir(exist_ok=True, mode=0o700)
    click.echo(public_line(sftp.own_key(state / DELIVERIES / sftp.OWN_KEY), "sekisho"))


@destination.command("propose")
@proven
@click.option("--server", metavar="USER@HOST:PORT/FOLDER", help="For SFTP.")
@click.option("--host-key", type=_FILE, help="The server's public key, as it was told another way.")
@click.option("--medium", metavar="SERIAL", help="The serial number that the hardware tells.")
@click.option("--label", required=True, help="Whose it is, or what stands on it.")
@click.option("--holder", default="", help="Who answers for the medium.")
@click.option("--encryption", default="", help="How the medium protects itself besides.")
def propose(
    state: Path, person: str, password: str, code: str, server: str | None, host_key: Path | None,
    medium: str | None, label: str, holder: str, encryption: str,
) -> None:  # fmt: skip
    """Propose a server or a medium; two others must agree."""
    if (server is None) is (medium is None) or (server is not None and host_key is None):
        raise click.UsageError("--medium, or --server with --host-key")
    proposed = DestinationProposed(
        destination=destinations.new_name(),
        channel="sftp" if server else "medium",
        address=server or medium or "",
        host_key=" ".join(host_key.read_text().split()[:2]) if host_key else "",
        label=label,
        holder=holder,
        encryption=encryption,
    )
    recorded = _acting(
        state, person, password, code, lambda ledger: destinations.propose(ledger, proposed, by=person)
    )
    _say("proposed", destination=proposed.destination, seen=recorded.leaf_hash.hex())


@destination.command("approve")
@proven
@click.argument("name")
@click.option("--seen", required=True, metavar="HASH", help="Of the proposal that you looked at.")
def approve(state: Path, person: str, password: str, code: str, name: str, seen: str) -> None:
    """Agree to a proposed server or medium."""
    _acting(
        state, person, password, code,
        lambda ledger: destinations.approve(ledger, name, seen=seen, by=person),
    )  # fmt: skip
    _say("recorded", takeout=name)


@destination.command("remove")
@proven
@click.argument("name")
@click.option(
    "--how", type=click.Choice(["removed", "destroyed", "lost"]), default="removed", show_default=True
)
def remove(state: Path, person: str, password: str, code: str, name: str, how: str) -> None:
    """Take a server or medium away; nothing is brought there any more."""
    _acting(
        state, person, password, code, lambda ledger: destinations.remove(ledger, name, how=how, by=person)
    )
    _say("recorded", takeout=name)


def _say(said: str, **values: object) -> None:
    click.echo(_SAYS[said][preferred_language()].format(**values))
