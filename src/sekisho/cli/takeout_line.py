"""`sekisho take-out` before a running checkpoint: ask, look, sign, decline, withdraw, release.

Three proofs, each for what it is good for: the password of `sekisho login` asks from one ticket's workspace; an API
token with the scope "takeouts" reads; a signature by the signer's own SSH key, made here by ssh-keygen, approves. What
ends or releases a take-out needs password and one-time code.

What is signed is shown from the very text that is signed, not from what the checkpoint says about it.
"""

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import httpx2

from sekisho.cli.faults import NO_ANSWER, NO_SSH_KEYGEN
from sekisho.cli.workspace import _Line, _on_the_line
from sekisho.faults import Fault, Language, preferred_language
from sekisho.gate.decide import JST
from sekisho.relay.workspace.faults import ANSWERED
from sekisho.takeout.sealing import open_shares, read_identity, reseal, reseal_by_passphrase
from sekisho.takeout.signatures import NAMESPACE

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "asked": {
        "en": "{takeout} is asked for: {persons:,} persons inside. It waits for signatures.",
        "ja": "{takeout} を申請しました(中身 {persons:,} 人分)。署名待ちです。",
    },
    "waits": {"en": "waits for your signature", "ja": "あなたの署名待ち"},
    "inside": {
        "en": "{persons:,} persons in {rows:,} rows; {stated:,} were spoken of. Items: {items}.",
        "ja": "{rows:,} 行に {persons:,} 人分(申告 {stated:,} 人)。項目: {items}。",
    },
    "to": {
        "en": "From {organisations} to {recipient}, by {channel} ({medium}); back or destroyed by {returns}.",
        "ja": "{organisations} から {recipient} へ、経路 {channel}({medium})。返却・廃棄の期限 {returns}。",
    },
    "why": {
        "en": "Purpose: {purpose}. Basis: {basis}. By {person}.",
        "ja": "目的: {purpose}。根拠: {basis}。申請者 {person}。",
    },
    "differs": {"en": "! {kind}: {count:,} {items}", "ja": "! {kind}: {count:,} {items}"},
    "signed": {"en": "signed by {name} ({method})", "ja": "署名済み: {name}({method})"},
    "against": {"en": "- {why}", "ja": "- {why}"},
    "confirm": {"en": "Sign this with {key}?", "ja": "{key} でこれに署名しますか?"},
    "approved": {"en": "{takeout} carries your signature.", "ja": "{takeout} に署名しました。"},
    "shared": {
        "en": "Your share was sealed to the recipient and handed in.",
        "ja": "断片を受取人あてに封じ直して提出しました。",
    },
    "no_share": {
        "en": "No share was handed in: none is sealed to this key. Another holder of the seat can give it.",
        "ja": "この鍵で開ける断片はないため、断片は提出していません。同じ役割の別の人が提出できます。",
    },
    "done": {"en": "{takeout}: {act} is recorded.", "ja": "{takeout}: {act} を記録しました。"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Console:
    """The way to a checkpoint's console, with an API token or without."""

    checkpoint: str
    ca: Path | None
    token: str = ""

    def get(self, path: str) -> dict[str, Any]:
        """Raises Fault NO_ANSWER, ANSWERED."""
        return self._ask("GET", f"/api/v1{path}", None)

    def post(self, path: str, order: dict[str, Any]) -> dict[str, Any]:
        """Raises Fault NO_ANSWER, ANSWERED."""
        return self._ask("POST", path, order)

    def _ask(self, method: str, path: str, order: dict[str, Any] | None) -> dict[str, Any]:
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        headers: dict[str, str] = {"accept-language": preferred_language()}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        try:
            with httpx2.Client(verify=context, timeout=httpx2.Timeout(15, read=60)) as http:
                answer = http.request(
                    method, f"{self.checkpoint.rstrip('/')}{path}", json=order, headers=headers
                )
            said = answer.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise Fault(NO_ANSWER, url=self.checkpoint, reason=str(error) or type(error).__name__) from error
        if not isinstance(said, dict) or answer.status_code != 200:
            reason = said.get("message", "") if isinstance(said, dict) else ""
            raise Fault(ANSWERED, reason=reason or f"HTTP {answer.status_code}")
        return said


_CHECKPOINT: Final = click.option(
    "--checkpoint", required=True, metavar="URL", help="The console's address, https://HOST:PORT."
)
_CA: Final = click.option(
    "--ca", type=click.Path(exists=True, path_type=Path), help="The checkpoint's ca.pem, if it is its own."
)
_TOKEN: Final = click.option(
    "--token",
    prompt=True,
    hide_input=True,
    envvar="SEKISHO_TOKEN",
    help='An API token with the scope "takeouts".',
)


def _with_token(command: Callable[..., None]) -> Callable[..., None]:
    for option in (_TOKEN, _CA, _CHECKPOINT):
        command = option(command)
    return command


def _proving(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--code", prompt=True, help="The six digits of your authenticator."),
        click.option("--password", prompt=True, hide_input=True, envvar="SEKISHO_PASSWORD"),
        click.option("--person", required=True, help="Your account."),
        _CA,
        _CHECKPOINT,
    ):
        command = option(command)
    return command


@click.command()
@click.argument("file")
@click.option("--organisation", "organisations", multiple=True, required=True, help="Whose data. Repeatable.")
@click.option("--purpose", required=True)
@click.option("--basis", required=True, help="The legal basis.")
@click.option("--recipient", required=True, help="The name, as it is registered.")
@click.option("--recipient-key", default="", help="Age or SSH public key, as it is registered.")
@click.option("--channel", type=click.Choice(["page", "sftp", "medium"]), required=True)
@click.option("--medium", required=True, help="Which page, server, or medium (its serial number).")
@click.option(
    "--persons", type=click.IntRange(0), required=True, help="How many you believe are in the file."
)
@click.option("--item", "items", multiple=True, help="A data item in the file. Repeatable.")
@click.option(
    "--returns", type=click.DateTime(["%Y-%m-%d"]), required=True, help="Back or destroyed by this day."
)
@click.option(
    "--hours", type=click.IntRange(1, 31 * 24), default=72, show_default=True, help="Until it lapses."
)
@_on_the_line
def ask(
    file: str, organisations: tuple[str, ...], items: tuple[str, ...], returns: datetime, **options: Any
) -> None:
    """Ask that FILE of a ticket's workspace leave. It is looked into; what is inside decides what can be asked."""
    line = {name: options.pop(name) for name in ("checkpoint", "ca", "user", "password", "target")}
    order = {
        **options,
        "file": file,
        "organisations": list(organisations),
        "items": list(items),
        "returns": returns.date().isoformat(),
    }
    said: dict[str, Any] = {}
    with _Line(**line).asking("ask", room="takeouts", **order) as lines:
        for said in lines:
            bar = f"{said['done']}/{said['of']}" if said["of"] else ""
            click.echo(f"\r{said['stage']:<14}{bar:<8}{said['persons']:>11,} persons", nl=False, err=True)
    click.echo(err=True)
    _say("asked", takeout=said["takeout"], persons=said["persons"])


@click.command("list")
@_with_token
def list_takeouts(checkpoint: str, ca: Path | None, token: str) -> None:
    """Take-outs that concern you, newest first."""
    view = _Console(checkpoint, ca, token).get("/takeouts")
    waiting = {one["takeout"] for one in view["waiting"]}
    for one in view["takeouts"]:
        mark = _SAYS["waits"][preferred_language()] if one["takeout"] in waiting else ""
        click.echo(
            f"{one['takeout']:<14} {one['state']:<10} {one['persons']:>11,}  {one['person']['id']} -> "
            f"{one['recipient']}  {mark}".rstrip()
        )


@click.command()
@click.argument("name", metavar="TAKE-OUT")
@_with_token
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def show(name: str, checkpoint: str, ca: Path | None, token: str, as_json: bool) -> None:
    """What is inside, masked; what differs; who signed, and who is missing."""
    view = _Console(checkpoint, ca, token).get(f"/takeouts/{name}")
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=1))
    else:
        _show(view)


@click.command()
@click.argument("name", metavar="TAKE-OUT")
@_with_token
@click.option(
    "--key",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    help="Your SSH key; of a hardware token the file that names it.",
)
@click.option("--yes", is_flag=True, help="Don't ask again.")
def approve(name: str, checkpoint: str, ca: Path | None, token: str, key: Path, yes: bool) -> None:
    """Read TAKE-OUT, sign it here with your SSH key, and hand in signature and share.

    The text that is signed comes from the checkpoint: compare its digest on a second device."""
    console = _Console(checkpoint, ca, token)
    view = console.get(f"/takeouts/{name}")
    _show(view)
    if not yes:
        click.confirm(_SAYS["confirm"][preferred_language()].format(key=key), abort=True, err=True)
    text = view["document"].encode()
    signature = _signed(text, key)
    share = _resealed(view["shares"], key, json.loads(text)["request"]["recipient_key"])
    seen = hashlib.sha256(text).hexdigest()
    order = {"takeout": name, "seen": seen, "signature": signature, "share": share}
    console.post("/api/v1/takeouts/approve", order)
    _say("approved", takeout=name)
    _say("shared" if share else "no_share")


@click.command()
@click.argument("name", metavar="TAKE-OUT")
@_proving
@click.option("--reason", required=True)
def decline(name: str, reason: str, **proof: Any) -> None:
    """End a request that you were to approve."""
    _act("decline", name, reason, **proof)


@click.command()
@click.argument("name", metavar="TAKE-OUT")
@_proving
@click.option("--reason", default="")
def withdraw(name: str, reason: str, **proof: Any) -> None:
    """End your own request."""
    _act("withdraw", name, reason, **proof)


@click.command()
@click.argument("name", metavar="TAKE-OUT")
@_proving
def release(name: str, **proof: Any) -> None:
    """Let it leave, once, if the published log says that it has the signatures and shares it needs."""
    _act("release", name, "", **proof)


def _act(
    act: str,
    name: str,
    reason: str,
    *,
    checkpoint: str,
    ca: Path | None,
    person: str,
    password: str,
    code: str,
) -> None:
    who = {"person": person, "password": password, "code": code}
    order = {"who": who, "takeout": name, "act": act, "reason": reason}
    _Console(checkpoint, ca).post("/api/takeouts/act", order)
    _say("done", takeout=name, act=act)


def _signed(document: bytes, key: Path) -> str:
    """Raises Fault NO_SSH_KEYGEN. A passphrase, or a touch, is ssh-keygen's own business."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise Fault(NO_SSH_KEYGEN, reason="not found")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take-out.json"
        path.write_bytes(document)
        command = [program, "-Y", "sign", "-n", NAMESPACE, "-f", str(key), str(path)]
        made = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        signature = path.with_name(path.name + ".sig")
        if made.returncode or not signature.exists():
            raise Fault(NO_SSH_KEYGEN, reason=os.fsdecode(made.stderr).strip()[:200])
        return signature.read_text()


def _resealed(shares: list[str], key: Path, recipient_key: str) -> str:
    """The shares that this key opens, sealed to the recipient; "" when it opens none."""
    opened = []
    for text in shares:
        try:
            opened += open_shares(text, read_identity(key.read_bytes()))
        except Fault:  # sealed to another key, or a key with a passphrase: `sekisho take-out share` does it
            continue
    if not opened:
        return ""
    if recipient_key:
        return reseal(opened, recipient_key)
    words = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return reseal_by_passphrase(opened, words)


def _show(view: dict[str, Any]) -> None:
    text = view["document"].encode()
    asked = json.loads(text)["request"]
    click.echo(f"{asked['takeout']}  {view['line']['state']}")
    returns = datetime.fromtimestamp(asked["returns"] / 1e6, UTC).astimezone(JST)
    _say(
        "to",
        organisations=", ".join(asked["organisations"]),
        recipient=f"{asked['recipient']} {asked['recipient_key']}".strip(),
        channel=asked["channel"],
        medium=asked["medium"],
        returns=f"{returns:%Y-%m-%d}",
    )
    _say("why", **{name: asked[name] for name in ("purpose", "basis", "person")})
    items = ", ".join(asked["items"])
    _say("inside", **{name: asked[name] for name in ("persons", "rows", "stated")}, items=items)
    for one in view["differences"]:
        _say("differs", kind=one["kind"], count=one["count"], items=", ".join(one["items"]))
    for one in view["lists"]:
        click.echo(f"  {one['name']}: {' | '.join(one['columns'])}")
        for row in one["sample"]:
            click.echo(f"    {' | '.join(row)}")
    for one in view["signed"]:
        _say("signed", name=one["person"]["id"], method=one["method"])
    for why in view["against"]:
        _say("against", why=why)
    click.echo(f"digest {hashlib.sha256(text).hexdigest()}")


def _say(said: str, **values: object) -> None:
    click.echo(_SAYS[said][preferred_language()].format(**values))


COMMANDS: Final = (ask, list_takeouts, show, approve, decline, withdraw, release)
