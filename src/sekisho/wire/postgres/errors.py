"""SQLSTATE condition names, and reports in our own words as PostgreSQL messages."""

from typing import Final

from sekisho.wire.postgres.backend import ErrorResponse, NoticeResponse

# PostgreSQL 15, appendix A: the classes, and the conditions that this checkpoint sends or treats by name.
CLASSES: Final = {
    "00": "successful completion", "01": "warning", "02": "no data", "03": "SQL statement not yet complete",
    "08": "connection exception", "09": "triggered action exception", "0A": "feature not supported",
    "0B": "invalid transaction initiation", "0F": "locator exception", "0L": "invalid grantor",
    "0P": "invalid role specification", "0Z": "diagnostics exception", "20": "case not found",
    "21": "cardinality violation", "22": "data exception", "23": "integrity constraint violation",
    "24": "invalid cursor state", "25": "invalid transaction state", "26": "invalid SQL statement name",
    "27": "triggered data change violation", "28": "invalid authorization specification",
    "2B": "dependent privilege descriptors still exist", "2D": "invalid transaction termination",
    "2F": "SQL routine exception", "34": "invalid cursor name", "38": "external routine exception",
    "39": "external routine invocation exception", "3B": "savepoint exception", "3D": "invalid catalog name",
    "3F": "invalid schema name", "40": "transaction rollback", "42": "syntax error or access rule violation",
    "44": "with check option violation", "53": "insufficient resources", "54": "program limit exceeded",
    "55": "object not in prerequisite state", "57": "operator intervention", "58": "system error",
    "72": "snapshot failure", "F0": "configuration file error", "HV": "foreign data wrapper error",
    "P0": "PL/pgSQL error", "XX": "internal error",
}  # fmt: skip

CONDITIONS: Final = {
    "00000": "successful_completion", "01000": "warning", "08000": "connection_exception",
    "08001": "sqlclient_unable_to_establish_sqlconnection", "08003": "connection_does_not_exist",
    "08004": "sqlserver_rejected_establishment_of_sqlconnection", "08006": "connection_failure",
    "08P01": "protocol_violation", "0A000": "feature_not_supported", "22001": "string_data_right_truncation",
    "22021": "character_not_in_repertoire", "22P02": "invalid_text_representation",
    "25001": "active_sql_transaction", "25P02": "in_failed_sql_transaction",
    "25P03": "idle_in_transaction_session_timeout", "26000": "invalid_sql_statement_name",
    "28000": "invalid_authorization_specification", "28P01": "invalid_password", "34000": "invalid_cursor_name",
    "3D000": "invalid_catalog_name", "3F000": "invalid_schema_name", "40001": "serialization_failure",
    "40P01": "deadlock_detected", "42501": "insufficient_privilege", "42601": "syntax_error",
    "42703": "undefined_column", "42883": "undefined_function", "42P01": "undefined_table",
    "42P03": "duplicate_cursor", "42P05": "duplicate_prepared_statement", "53000": "insufficient_resources",
    "53100": "disk_full", "53200": "out_of_memory", "53300": "too_many_connections",
    "53400": "configuration_limit_exceeded", "54000": "program_limit_exceeded",
    "55000": "object_not_in_prerequisite_state", "57000": "operator_intervention", "57014": "query_canceled",
    "57P01": "admin_shutdown", "57P02": "crash_shutdown", "57P03": "cannot_connect_now",
    "57P05": "idle_session_timeout", "58000": "system_error", "58030": "io_error", "XX000": "internal_error",
    "XX001": "data_corrupted",
}  # fmt: skip

PROTOCOL_VIOLATION: Final = "08P01"
FEATURE_NOT_SUPPORTED: Final = "0A000"
INVALID_AUTHORIZATION: Final = "28000"
INVALID_PASSWORD: Final = "28P01"  # noqa: S105 (a code)
INSUFFICIENT_PRIVILEGE: Final = "42501"
LIMIT_EXCEEDED: Final = "53400"
QUERY_CANCELED: Final = "57014"
ADMIN_SHUTDOWN: Final = "57P01"
CANNOT_CONNECT_NOW: Final = "57P03"
CONNECTION_FAILURE: Final = "08006"


def condition(sqlstate: str) -> str:
    """The condition's name, or its class's where only that is known, or the code itself."""
    return CONDITIONS.get(sqlstate) or CLASSES.get(sqlstate[:2]) or sqlstate


def error(
    sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None, fatal: bool = False
) -> ErrorResponse:
    """An ErrorResponse in UTF-8. After a fatal one the sender closes the connection."""
    return ErrorResponse(_fields("FATAL" if fatal else "ERROR", sqlstate, message, detail, hint))


def notice(
    sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None
) -> NoticeResponse:
    return NoticeResponse(_fields("NOTICE", sqlstate, message, detail, hint))


def _fields(
    severity: str, sqlstate: str, message: str, detail: str | None, hint: str | None
) -> tuple[tuple[bytes, bytes], ...]:
    # PostgreSQL 55.8: S, V, C and M are always there.
    values = (
        (b"S", severity),
        (b"V", severity),
        (b"C", sqlstate),
        (b"M", message),
        (b"D", detail),
        (b"H", hint),
    )
    return tuple((code, text.replace("\0", " ").encode()) for code, text in values if text is not None)
