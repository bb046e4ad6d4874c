"""The settings of a checkpoint: `sekisho.toml` in its state folder. Unknown settings stop the start."""

from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.faults import Fault
from sekisho.service.faults import BAD_SETTINGS, NO_STATE

SETTINGS_FILE: Final = "sekisho.toml"


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Witness(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A witness to ask for cosignatures: its submission prefix, and its public key as it told us in person."""

    url: str
    key: str


class Settings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set. Addresses are "HOST:PORT"; port 0 takes a free one.

    `origin` names the log, for ever. `ledger` is "sqlite" for a file in the state folder, or a PostgreSQL URL.
    `quorum` is how many of the witnesses must cosign. `postgres_tls` false is refused on any address but loopback.
    """

    origin: str
    ledger: str = "sqlite"
    postgres_listen: str = "127.0.0.1:6432"
    postgres_tls: bool = True
    console_listen: str = "127.0.0.1:8443"
    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0


def read_settings(state: Path) -> Settings:
    """Raises Fault NO_STATE or BAD_SETTINGS."""
    path = state / SETTINGS_FILE
    try:
        text = path.read_bytes()
    except OSError as error:
        raise Fault(NO_STATE, path=state) from error
    try:
        settings = msgspec.toml.decode(text, type=Settings)
        for address in (settings.postgres_listen, settings.console_listen):
            split_address(address)
    except (msgspec.DecodeError, ValueError) as error:
        raise Fault(BAD_SETTINGS, path=path, reason=str(error)) from error
    if not settings.postgres_tls and split_address(settings.postgres_listen)[0] not in ("127.0.0.1", "::1"):
        raise Fault(BAD_SETTINGS, path=path, reason="postgres_tls = false is for loopback only")
    if settings.quorum > len(settings.witnesses):
        raise Fault(BAD_SETTINGS, path=path, reason="quorum is larger than the number of witnesses")
    return settings


def write_settings(state: Path, settings: Settings) -> None:
    """Write `sekisho.toml`, with what differs from the defaults."""
    lines = []
    for name, value in msgspec.to_builtins(settings).items():
        if name != "witnesses" and value != _default(name):
            lines.append(f"{name} = {msgspec.json.encode(value).decode()}")
    for witness in settings.witnesses:
        lines += ["", "[[witnesses]]", f'url = "{witness.url}"', f'key = "{witness.key}"']
    (state / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _default(name: str) -> Any:
    found = next(field for field in msgspec.structs.fields(Settings) if field.name == name).default
    return list(found) if isinstance(found, tuple) else found


def split_address(address: str) -> tuple[str, int]:
    """("127.0.0.1", 6432) of "127.0.0.1:6432"; ValueError when it is none."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is no HOST:PORT")
    return host.strip("[]"), int(port)
