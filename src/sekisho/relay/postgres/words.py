"""What reaches the operator in words: our own errors, and what may be kept of the target's.

The target's texts can quote data (a failed cast quotes the value, RAISE says anything), so of its errors and
notices only the severity, the SQLSTATE with its standard name, and the position in the statement are kept.
"""

from typing import Final

from sekisho.faults import Fault, Language
from sekisho.relay.faults import TARGET_REFUSED
from sekisho.wire.postgres import errors
from sekisho.wire.postgres.backend import ErrorResponse, NoticeResponse, ParameterStatus

# PostgreSQL 55.2.7 reports these whenever they change. Each value must be one that cannot be chosen freely:
# set_config('application_name', <a customer's name>) would otherwise come back as a parameter.
_REPORTED: Final = {
    b"server_version", b"server_encoding", b"client_encoding", b"DateStyle", b"IntervalStyle", b"TimeZone",
    b"integer_datetimes", b"standard_conforming_strings", b"default_transaction_read_only", b"in_hot_standby",
    b"is_superuser",
}  # fmt: skip


def error(fault: Fault, sqlstate: str, language: Language, *, fatal: bool = False) -> bytes:
    """An ErrorResponse in our own words."""
    text = f"{fault.code}: {fault.sentence(language)}"
    return errors.error(sqlstate, text, fatal=fatal).encode()


def without_data(report: ErrorResponse | NoticeResponse, language: Language) -> bytes:
    """The same report without the target's own texts."""
    sqlstate = report.sqlstate if len(report.sqlstate) == 5 and report.sqlstate.isalnum() else "XX000"
    fault = Fault(TARGET_REFUSED, condition=errors.condition(sqlstate), sqlstate=sqlstate)
    severity = report.severity if report.severity in _SEVERITIES else "ERROR"
    text = f"{fault.code}: {fault.sentence(language)}".encode()
    fields = [(b"S", severity.encode()), (b"V", severity.encode()), (b"C", sqlstate.encode()), (b"M", text)]
    position = report.field(b"P")
    if position is not None and position.isdigit() and len(position) <= 9:
        fields.append((b"P", position))  # where in the operator's own text
    return type(report)(tuple(fields)).encode()


_SEVERITIES: Final = {"ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "DEBUG", "INFO", "LOG"}


def may_report(status: ParameterStatus) -> bool:
    """Whether a ParameterStatus can be passed on: a known parameter whose value nobody can choose freely."""
    return status.name in _REPORTED and len(status.value) <= 64 and status.value.isascii()
