"""What can be set of the watch: the section `[watch]`."""

from pathlib import Path
from typing import Literal

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


class Watch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`alert_at`: how rare (−log10 of the chance) is worth an alert. `daily`: so many a day at most, the highest first.
    `escalate_hours`: when an alert that nobody acknowledged climbs. `beat_minutes`: how often the watch says that it is
    alive. `sigma`: a folder of Sigma rules beside ours, read again when it changes; `sigma_daily`: so many of their
    alerts a day at most. `syslog_listen`: "HOST:PORT" for registered log sources that speak syslog over TLS (RFC 5425),
    "" for none. `responses`: what follows by itself."""

    alert_at: float = 2.5
    daily: int = 5
    escalate_hours: tuple[int, ...] = (4, 24)
    beat_minutes: int = 15
    syslog_listen: str = ""
    sigma: str = ""
    sigma_daily: int = 20
    responses: tuple[Response, ...] = ()

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
        return tuple(name for name, is_wrong in wrong.items() if is_wrong)

    def sensitivity(self) -> Sensitivity:
        return Sensitivity(alert_at=self.alert_at, daily=self.daily)
