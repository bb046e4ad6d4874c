"""The settings of a checkpoint: `sekisho.toml` in its state folder. Unknown settings stop the start."""

from pathlib import Path
from typing import Any, Final

import msgspec

from sekisho.faults import Fault
from sekisho.notify.addresses import parse_address
from sekisho.notify.channels import Smtp
from sekisho.service.faults import BAD_SETTINGS, NO_STATE

SETTINGS_FILE: Final = "sekisho.toml"


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Witness(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A witness to ask for cosignatures: its submission prefix, and its public key as it told us in person."""

    url: str
    key: str


class Notify(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Notices that leave the checkpoint. `alarms` are addresses that hear every alarm, whoever it is about:
    "mailto:NAME@HOST", "https://HOST/PATH#whsec_SECRET", or an apprise URL."""

    smtp: Smtp | None = None
    alarms: tuple[str, ...] = ()


class Settings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set. Addresses are "HOST:PORT"; port 0 takes a free one.

    `origin` names the log, for ever. `ledger` is "sqlite" for a file in the state folder, or a PostgreSQL URL.
    `quorum` is how many of the witnesses must cosign. `workspace_quota_mib` is how much a ticket's workspace may hold; an
    open one holds it in memory. `notify` is the section `[notify]`: `alarms`, and the mail server
    in `[notify.smtp]`. `postgres_tls` false is refused on any address but loopback.
    """

    origin: str
    ledger: str = "sqlite"
    postgres_listen: str = "127.0.0.1:6432"
    postgres_tls: bool = True
    console_listen: str = "127.0.0.1:8443"
    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    workspace_quota_mib: int = 512
    notify: Notify = Notify()


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
        for alarm in settings.notify.alarms:
            parse_address(alarm)
    except (msgspec.DecodeError, ValueError, Fault) as error:
        raise Fault(BAD_SETTINGS, path=path, reason=str(error)) from error
    if not settings.postgres_tls and split_address(settings.postgres_listen)[0] not in ("127.0.0.1", "::1"):
        raise Fault(BAD_SETTINGS, path=path, reason="postgres_tls = false is for loopback only")
    if settings.quorum > len(settings.witnesses):
        raise Fault(BAD_SETTINGS, path=path, reason="quorum is larger than the number of witnesses")
    return settings


def write_settings(state: Path, settings: Settings) -> None:
    """Write `sekisho.toml`, with what differs from the defaults."""
    values = {name: value for name, value in msgspec.to_builtins(settings).items() if value != _default(name)}
    (state / SETTINGS_FILE).write_text("\n".join(_toml(values)) + "\n", encoding="utf-8")


def _toml(values: dict[str, Any], within: str = "") -> list[str]:
    """Lines of TOML: plain values first, then sections, then lists of sections. A JSON string is a TOML string."""
    plain, sections = [], []
    for name, value in values.items():
        if isinstance(value, dict):
            sections += ["", f"[{within}{name}]", *_toml(value, f"{within}{name}.")]
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for one in value:
                sections += ["", f"[[{within}{name}]]", *_toml(one, f"{within}{name}.")]
        elif value is not None:
            plain.append(f"{name} = {msgspec.json.encode(value).decode()}")
    return plain + sections


def _default(name: str) -> Any:
    found = next(field for field in msgspec.structs.fields(Settings) if field.name == name).default
    return None if found is msgspec.NODEFAULT else msgspec.to_builtins(found)


def split_address(address: str) -> tuple[str, int]:
    """("127.0.0.1", 6432) of "127.0.0.1:6432"; ValueError when it is none."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is no HOST:PORT")
    return host.strip("[]"), int(port)
