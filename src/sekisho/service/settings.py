"""The settings of a checkpoint: `sekisho.toml` in its state folder. Unknown settings stop the start."""

import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from sekisho.faults import Fault
from sekisho.notify.addresses import parse_address
from sekisho.notify.channels import Smtp
from sekisho.people.openid import require_safe
from sekisho.service.faults import BAD_SETTINGS, NO_STATE
from sekisho.watch.settings import Watch

SETTINGS_FILE: Final = "sekisho.toml"
_NAME: Final = re.compile("[a-z0-9][a-z0-9-]{0,31}")


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


class OpenId(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID Connect provider whose people may log in. `name` stands in the callback's address
    (https://CONSOLE/login/openid/NAME/callback, to be registered with the provider), `label` on the button;
    `secret_file` holds the client's secret, `ca_file` the provider's authority if it is none of the system's.

    `second_factor`: "local" asks for our one-time code after each such login; "provider" refuses a login for which the
    provider does not name one of the methods `amr` (RFC 8176) or classes `acr`; "either" takes that, or else our code.
    """

    name: str
    issuer: str
    client_id: str
    secret_file: str
    label: str
    second_factor: Literal["local", "provider", "either"] = "either"
    amr: tuple[str, ...] = ("mfa",)
    acr: tuple[str, ...] = ()
    ca_file: str = ""


class Settings(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set. Addresses are "HOST:PORT"; port 0 takes a free one.

    `origin` names the log, for ever. `ledger` is "sqlite" for a file in the state folder, or a PostgreSQL URL.
    `quorum` is how many of the witnesses must cosign. `workspace_quota_mib` is how much a ticket's workspace may
    hold; an open one holds it in memory. `takeout_trace_keys` is the folder of the trace key, if take-outs shall be
    compared with the registry; a checkpoint that has it at hand can look anybody up.
    `workspace_memory_mib` is what the programs in an open one may take together.
    `notify` is the section `[notify]`: `alarms`, and the mail server in `[notify.smtp]`.
    `[watch]` says what is worth an alert, when it climbs, and what follows by itself.
    Each `[[openid]]` is a provider of OpenID Connect. `postgres_tls` false is refused on any address but loopback.
    `ssh_listen` "" means no SSH door; `ssh_bind_source` false leaves our address out of the certificates for
    targets, which address translation between them needs.
    Every `bypass_seconds` (0: never) the checkpoint looks who is connected to a PostgreSQL target without it;
    `bypass_expected` are the database users that do so by right, such as the application's own.
    """

    origin: str
    ledger: str = "sqlite"
    postgres_listen: str = "127.0.0.1:6432"
    postgres_tls: bool = True
    ssh_listen: str = ""
    ssh_bind_source: bool = True
    console_listen: str = "127.0.0.1:8443"
    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    witnesses: tuple[Witness, ...] = ()
    quorum: int = 0
    workspace_quota_mib: int = 512
    takeout_trace_keys: str = ""
    workspace_memory_mib: int = 2048
    bypass_seconds: float = 30.0
    bypass_expected: tuple[str, ...] = ()
    notify: Notify = Notify()
    watch: Watch = Watch()
    openid: tuple[OpenId, ...] = ()


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
        if settings.ssh_listen:
            split_address(settings.ssh_listen)
        for alarm in settings.notify.alarms:
            parse_address(alarm)
        _check_openid(settings.openid)
    except (msgspec.DecodeError, ValueError, Fault) as error:
        raise Fault(BAD_SETTINGS, path=path, reason=str(error)) from error
    if not settings.postgres_tls and split_address(settings.postgres_listen)[0] not in ("127.0.0.1", "::1"):
        raise Fault(BAD_SETTINGS, path=path, reason="postgres_tls = false is for loopback only")
    if wrong := settings.watch.mistakes():
        raise Fault(BAD_SETTINGS, path=path, reason=f"[watch] {', '.join(wrong)}")
    if settings.quorum > len(settings.witnesses):
        raise Fault(BAD_SETTINGS, path=path, reason="quorum is larger than the number of witnesses")
    return settings


def _check_openid(providers: tuple[OpenId, ...]) -> None:
    """Raises ValueError."""
    names = [one.name for one in providers]
    for one in providers:
        if not _NAME.fullmatch(one.name) or names.count(one.name) > 1:
            raise ValueError(f"openid name {one.name!r}: small letters, digits and hyphens, each name once")
        if not one.label.strip() or not one.client_id:
            raise ValueError(f"openid {one.name}: label and client_id must not be empty")
        if one.second_factor == "provider" and not (one.amr or one.acr):
            raise ValueError(f'openid {one.name}: second_factor = "provider" needs amr or acr')
        require_safe(one.issuer)


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
