"""What can be set of the watch: the section `[watch]`."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from sekisho.gate.restraints import LONGEST_HOURS
from sekisho.watch.detectors import BY_NAME
from sekisho.watch.engine import Sensitivity


class Response(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows by itself upon an alert of `detector` ("" for any) with a score of at least `at`.

    "end_session" ends the session; "close_ticket" revokes the ticket, so that a new one needs approvals anew;
    "approval" asks a second approval for each ticket of the person, "budget" leaves `percent` of each limit, both for
    `hours`; "freeze" freezes the person. What concerns a person two others can end before its time."""

    what: Literal["end_session", "close_ticket", "approval", "budget", "freeze"]
    detector: str = ""
    at: float = 6.0
    hours: int = 24
    percent: int = 10


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver of OCSF events: `url` is "https://HOST/PATH" for JSON lines, or "syslog+tls://HOST:PORT".

    `name` names how far it came: a new name begins with the log's first fact. `authorization_file` holds the header
    Authorization; `ca_file` the receiver's authority if it is none of the system's; `certificate_file` and `key_file`
    what we show of ourselves. `batch`: so many events at once."""

    name: str
    url: str
    authorization_file: str = ""
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    batch: int = 200

    def sensible(self) -> bool:
        parts = urlsplit(self.url)
        files = (self.authorization_file, self.ca_file, self.certificate_file, self.key_file)
        right = parts.scheme in ("https", "syslog+tls") and bool(parts.hostname) and not parts.username
        there = all(Path(one).is_file() for one in files if one)
        return (
            right and there and 1 <= self.batch <= 5_000 and bool(re.fullmatch("[a-z0-9-]{1,32}", self.name))
        )


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`alert_at`: how rare (−log10 of the chance) is worth an alert. `daily`: so many a day at most, the highest first.
    `escalate_hours`: when an alert that nobody acknowledged climbs. `beat_minutes`: how often the watch says that it is
    alive. `sigma`: a folder of Sigma rules beside ours, read again when it changes; `sigma_daily`: so many of their
    alerts a day at most. `syslog_listen`: "HOST:PORT" for registered log sources that speak syslog over TLS (RFC 5425),
    "" for none. `responses`: what follows by itself. `exports`: whose monitoring hears of facts and alerts."""

    alert_at: float = 2.5
    daily: int = 5
    escalate_hours: tuple[int, ...] = (4, 24)
    beat_minutes: int = 15
    syslog_listen: str = ""
    sigma: str = ""
    sigma_daily: int = 20
    responses: tuple[Response, ...] = ()
    exports: tuple[Export, ...] = ()

    def mistakes(self) -> tuple[str, ...]:
        """The names of settings whose values make no sense."""
        wrong = {
            "alert_at": not 0.5 <= self.alert_at <= 6.0,
            "daily": self.daily < 1,
            "escalate_hours": not self.escalate_hours
            or list(self.escalate_hours) != sorted(self.escalate_hours),
            "beat_minutes": not 1 <= self.beat_minutes <= 60,
            "syslog_listen": bool(self.syslog_listen) and not self.syslog_listen.rpartition(":")[2].isdigit(),
            "sigma": bool(self.sigma) and not Path(self.sigma).is_dir(),
            "sigma_daily": self.sigma_daily < 1,
            "responses": any(
                (one.detector not in ("", *BY_NAME) and not one.detector.startswith("sigma:"))
                or not 1 <= one.hours <= LONGEST_HOURS
                or not 0 <= one.percent < 100
                for one in self.responses
            ),
        }
        names = [one.name for one in self.exports]
        wrong["exports"] = len(set(names)) < len(names) or not all(one.sensible() for one in self.exports)
        return tuple(name for name, is_wrong in wrong.items() if is_wrong)

    def sensitivity(self) -> Sensitivity:
        return Sensitivity(alert_at=self.alert_at, daily=self.daily)
