"""`sekisho ssh-key`: a person's own SSH keys. `sekisho ssh-ca`: what a target and a client need of the checkpoint."""

from pathlib import Path

import click
from sqlalchemy import select

from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven, with_ledger
from sekisho.ledger import Ledger, Recorded
from sekisho.people.ssh_keys import add_ssh_key, revoke_ssh_key
from sekisho.people.tables import ssh_keys
from sekisho.relay.ssh.authority import load_key, public_line
from sekisho.service.service import SSH, SSH_AUTHORITY, SSH_HOST_KEY
from sekisho.service.settings import read_settings


@click.group()
def ssh_key() -> None:
    """Your own keys for the SSH door. Adding and revoking need your password and code."""


@ssh_key.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--label", default="", help="A name for the device; the key's comment otherwise.")
@proven
def add(file: Path, label: str, state: Path, person: str, password: str, code: str) -> None:
    """Register the public key in FILE (id_ed25519.pub)."""
    try:
        line = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file} is no text") from error
    if "PRIVATE KEY" in line:
        raise click.UsageError(f"{file} is a private key: give the .pub file beside it")

    async def run(ledger: Ledger) -> Recorded:
        who = await log_in(ledger, person, password, code)
        return await add_ssh_key(ledger, who, line, label=label)

    recorded = with_ledger(state, run)
    click.echo(f"registered {recorded.about} for {person}")


@ssh_key.command(name="list")
@click.option("--person", required=True, help="A person id.")
@STATE
def list_keys(person: str, state: Path) -> None:
    """The keys of a person, revoked ones too."""

    async def run(ledger: Ledger) -> list[tuple[str, str, str, str]]:
        async with ledger.read() as connection:
            rows = await connection.execute(
                select(ssh_keys).where(ssh_keys.c.person == person).order_by(ssh_keys.c.added)
            )
            return [
                (
                    row.key,
                    row.public_key.partition(" ")[0],
                    f"revoked {row.revoked:%F}" if row.revoked else f"since {row.added:%F}",
                    row.label,
                )
                for row in rows
            ]

    for line in with_ledger(state, run):
        click.echo("  ".join(line))


@ssh_key.command()
@click.argument("key")
@click.option("--reason", required=True)
@proven
def revoke(key: str, reason: str, state: Path, person: str, password: str, code: str) -> None:
    """Revoke KEY (k-…) of yours, for good; it opens nothing from now on."""

    async def run(ledger: Ledger) -> Recorded:
        who = await log_in(ledger, person, password, code)
        return await revoke_ssh_key(ledger, key, person=who.account, by=who.person, reason=reason)

    with_ledger(state, run)
    click.echo(f"revoked {key}")


@click.command()
@STATE
@click.option("--known-hosts", is_flag=True, help="The door's own key instead, as a line of known_hosts.")
def ssh_ca(state: Path, known_hosts: bool) -> None:
    """What a target's sshd_config needs so that the checkpoint, and nobody else, can log in."""
    settings = read_settings(state)
    (state / SSH).mkdir(exist_ok=True, mode=0o700)
    if known_hosts:
        port = settings.ssh_listen.rpartition(":")[2] or "22"
        host = load_key(state / SSH_HOST_KEY)
        for name in settings.names:
            click.echo(f"[{name}]:{port} {public_line(host, '').strip()}")
        return
    click.echo("# /etc/ssh/sekisho_ca.pub")
    click.echo(public_line(load_key(state / SSH_AUTHORITY), settings.origin))
    click.echo(_SSHD)


_SSHD = """
# /etc/ssh/sshd_config.d/sekisho.conf
TrustedUserCAKeys /etc/ssh/sekisho_ca.pub
# No other way in: no keys of persons, no passwords.
AuthorizedKeysFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
# The door asks for none of these either.
AllowTcpForwarding no
AllowStreamLocalForwarding no
AllowAgentForwarding no
X11Forwarding no
PermitTunnel no
PermitUserRC no"""
