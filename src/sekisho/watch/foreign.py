"""Foreign logs: rows of JSON lines, CSV or Parquet become observations, in order of time.

What a row is follows from its columns: our own names, OCSF's, those of the CERT insider-threat data sets (logon.csv,
device.csv, file.csv, email.csv, http.csv), or a mapping file of the user's:

    [columns]            # our name = the column
    at = "EventTime"
    actor = "UserName"
    place = "Workstation"
    kind = "Action"
    [kinds]              # the column's value = our kind
    LOGIN_OK = "logon"
    [constants]          # where a column says nothing
    client = "minato"
    [[patterns]]         # where a line of text says it: named groups are our names
    match = 'Accepted \\S+ for (?P<actor>\\S+) from (?P<place>\\S+)'
    kind = "logon"

A time without a zone is local. Rows need not be sorted within the last `WINDOW` of a file; whatever comes later than
that counts as of then.
"""

import csv
import gzip
import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final, get_args
from zlib import crc32

import msgspec
from sigma.policy import default_policy

from sekisho.faults import Fault
from sekisho.watch.faults import BAD_ROWS
from sekisho.watch.observation import Kind, Observation

WINDOW: Final = 50_000  # rows of one file that are put in order
_SHAPES: Final = 1_000
Row = dict[str, Any]
_KINDS: Final = frozenset(get_args(Kind))
_FIELDS: Final = frozenset(field.name for field in msgspec.structs.fields(Observation))
_NUMBERS: Final = frozenset({"persons", "rows", "size", "expected", "low", "high"})


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A regular expression (RE2's: linear, whatever the line holds) that is looked for in a column. Where it is found,
    the row is of this kind, and the expression's named groups say the rest."""

    match: str
    kind: str
    column: str = "message"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`columns`: our name -> column; `kinds`: the column's value -> our kind; `constants`: our name -> value;
    `patterns`: for lines of text, the first that is found counts."""

    columns: dict[str, str] = {}
    kinds: dict[str, str] = {}
    constants: dict[str, str | int] = {}
    patterns: tuple[Pattern, ...] = ()


def read_mapping(path: Path) -> Mapping:
    """Raises Fault BAD_ROWS."""
    try:
        return mapping_of(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fault(BAD_ROWS, path=path, reason=str(error)) from error


def mapping_of(text: str) -> Mapping:
    """The mapping that a TOML text stands for; none for an empty one. Raises ValueError."""
    mapping = msgspec.toml.decode(text, type=Mapping)
    patterns = [(one, _expression(one)) for one in mapping.patterns]
    names = [*mapping.columns, *mapping.constants]
    unknown = [name for name in names if name not in _FIELDS]
    unknown += [name for _, found in patterns for name in found.groupindex if name not in _FIELDS]
    kinds = [*mapping.kinds.values(), *(one.kind for one in mapping.patterns)]
    unknown += [kind for kind in kinds if kind not in _KINDS]
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
    return mapping


def _expression(pattern: Pattern) -> Any:
    engine = default_policy.regex_engine
    try:
        return engine.compile(pattern.match, 0)
    except engine.error as error:
        raise ValueError(f"the expression {pattern.match!r} is not one of RE2: {error}") from error


# Our name -> the columns that mean it in logs that we know, the first that is there counts.
_ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "at": ("at", "time", "timestamp", "@timestamp", "date", "datetime", "event_time", "EventTime", "TimeCreated"),
    "actor": ("actor", "user", "actor.user.name", "user.name", "username", "user_name", "account", "UserName"),
    "place": (
        "place", "pc", "host", "device.hostname", "src_endpoint.hostname", "src_endpoint.ip", "hostname", "computer",
        "Computer", "src_ip", "terminal",
    ),
    "target": ("target", "filename", "file.path", "http_request.url.url_string", "url", "device_serial", "path"),
    "size": ("size", "bytes", "email.size", "file.size", "traffic.bytes_out"),
    "persons": ("persons", "subjects_count"),
    "rows": ("rows", "row_count"),
    "what": ("what", "activity", "process.cmd_line", "command", "activity_name"),
    "kind": ("kind", "event", "event_type"),
    "lineage": ("lineage", "sha256", "file.hash", "md5"),
    **{name: (name,) for name in ("client", "ticket", "session", "tool", "other", "expected", "low", "high", "until")},
}  # fmt: skip
# OCSF class_uid, and activity_id where it matters -> kind (schema.ocsf.io, 1.x).
_OCSF: Final[dict[tuple[int, int], Kind]] = {
    (3002, 1): "logon",
    (3002, 2): "logoff",
    (1001, 1): "file",
    (1001, 3): "file",
    (1001, 4): "delete",
    (1001, 5): "archive",
    (1007, 1): "command",
    (4002, 0): "web",
    (4009, 0): "mail",
    (6005, 0): "read",
    (3001, 0): "admin",
    (3005, 0): "admin",
}
# The names of the CERT data sets' files say what their rows are.
_STEMS: Final[dict[str, Kind]] = {
    "logon": "logon",
    "device": "device",
    "file": "file",
    "email": "mail",
    "http": "web",
    "printer": "print",
}
_ACTIVITIES: Final[dict[str, Kind | None]] = {
    "logon": "logon",
    "logoff": "logoff",
    "connect": "device",
    "disconnect": None,
    "file delete": "delete",
    "view": None,
}


def read_logs(
    paths: list[Path], *, mapping: Mapping | None = None, zone: int = 9 * 3600
) -> Iterator[Observation]:
    """All rows of the files as observations, in order of time, numbered from 1. Raises Fault BAD_ROWS."""
    streams = [_sorted(_read(path, mapping or Mapping(), zone)) for path in paths]
    for number, (_, observation) in enumerate(heapq.merge(*streams, key=lambda one: one[0]), 1):
        yield msgspec.structs.replace(observation, ref=number)


def _sorted(observations: Iterator[Observation]) -> Iterator[tuple[int, Observation]]:
    heap: list[tuple[int, int, Observation]] = []
    for number, one in enumerate(observations):
        heapq.heappush(heap, (one.at, number, one))
        if len(heap) > WINDOW:
            at, _, first = heapq.heappop(heap)
            yield at, first
    while heap:
        at, _, first = heapq.heappop(heap)
        yield at, first


class RowReader:
    """Reads rows of any columns; how rows with the same columns are read is worked out once. `name` is a file's name
    up to its first dot, which may say what its rows are. `strict` refuses rows of which nothing says what they are: a
    file without its mapping is a mistake, a line of a live log need not concern us."""

    def __init__(self, mapping: Mapping, *, zone: int, name: str = "", strict: bool = True) -> None:
        self._mapping = mapping
        self._strict = strict
        self._stem = _STEMS.get(name.lower())
        self._time = _times(zone)
        self._patterns = [(one, _expression(one)) for one in mapping.patterns]
        self._known: dict[tuple[str, ...], _Columns] = {}

    def read(self, row: Row) -> Observation | None:
        """None for a row that says nothing to the watch. Raises ValueError, TypeError or KeyError."""
        return self._columns(row).read(row)

    def about(self, row: Row) -> dict[str, str]:
        """Who acted, where and for whom, also in a row that is no observation; for rules."""
        return self._columns(row).about(row)

    def _columns(self, row: Row) -> "_Columns":
        present = tuple(row)
        found = self._known.get(present)
        if found is None:
            if len(self._known) >= _SHAPES:  # JSON rows can differ without end
                self._known.clear()
            found = _Columns(row, self._mapping, self._stem, self._time, self._patterns, self._strict)
            self._known[present] = found
        return found


def _read(path: Path, mapping: Mapping, zone: int) -> Iterator[Observation]:
    reader = RowReader(mapping, zone=zone, name=path.name.partition(".")[0])
    number = 0
    try:
        for row in _rows(path):
            number += 1
            observation = reader.read(row)
            if observation is not None:
                yield observation
    except (OSError, ValueError, TypeError, KeyError, csv.Error, msgspec.MsgspecError) as error:
        raise Fault(BAD_ROWS, path=path, reason=f"row {number}: {error}") from error


def _rows(path: Path) -> Iterator[Row]:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    match suffixes[-1].lower() if suffixes else "":
        case ".csv" | ".tsv" as suffix:
            with _text(path) as file:
                yield from csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ",")
        case ".parquet":
            from pyarrow import parquet

            with parquet.ParquetFile(path) as table:
                for batch in table.iter_batches(10_000):
                    yield from batch.to_pylist()
        case ".jsonl" | ".ndjson" | ".json":
            decoder = msgspec.json.Decoder(Row)
            with _text(path) as file:
                for line in file:
                    if line.strip():
                        yield flat(decoder.decode(line))
        case other:
            raise ValueError(
                f"{other or 'no'} suffix: use .csv, .tsv, .jsonl, .ndjson, .json or .parquet (.gz)"
            )


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file


def flat(row: Row, prefix: str = "") -> Row:
    """Nested objects as dotted names, as OCSF's are written in tables."""
    found: Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


class _Columns:
    """How rows with these columns are read."""

    def __init__(
        self,
        row: Row,
        mapping: Mapping,
        stem: Kind | None,
        time: Callable[[Any], int],
        patterns: list[tuple[Pattern, Any]],
        strict: bool,
    ) -> None:
        self._strict = strict and not patterns
        self._columns: list[tuple[str, str]] = []
        for name, aliases in _ALIASES.items():
            column = mapping.columns.get(name) or next((alias for alias in aliases if alias in row), None)
            if column is not None and name not in ("at", "kind"):
                self._columns.append((name, column))
        at = mapping.columns.get("at") or next((alias for alias in _ALIASES["at"] if alias in row), None)
        if at is None or at not in row:
            raise ValueError("no column says when: give a mapping for `at`")
        self._at = at
        self._kind_column = mapping.columns.get("kind") or next((a for a in _ALIASES["kind"] if a in row), "")
        self._mapping = mapping
        self._stem = stem
        self._patterns = [(one, expression) for one, expression in patterns if one.column in row]
        # CERT r4.2's file.csv lists nothing but copies to media; r6.2 says which are.
        self._copies = (
            self._stem == "file" and {"pc", "filename", "content"} <= row.keys() and "activity" not in row
        )
        self._constants = dict(mapping.constants)
        self._time = time

    def about(self, row: Row) -> dict[str, str]:
        wanted = {name: column for name, column in self._columns if name in ("actor", "place", "client")}
        said = {name: str(row[column]) for name, column in wanted.items() if row.get(column)}
        constants = {
            name: str(value) for name, value in self._constants.items() if name in ("actor", "client")
        }
        return constants | said

    def _matched(self, row: Row) -> tuple[Kind, dict[str, Any]] | None:
        for pattern, expression in self._patterns:
            found = expression.search(str(row[pattern.column]))
            if found is not None:
                said = {name: text for name, text in found.groupdict().items() if text}
                return pattern.kind, said  # type: ignore[return-value]
        return None

    def read(self, row: Row) -> Observation | None:
        matched = self._matched(row)
        kind = matched[0] if matched is not None else self._kind(row)
        if kind is None:
            return None
        values: dict[str, Any] = dict(self._constants)
        for name, column in self._columns:
            value = row.get(column)
            if value is None or value == "":
                continue
            if name in _NUMBERS:
                values[name] = int(float(value))
            elif name == "until":
                values[name] = self._time(value)
            else:
                values[name] = str(value)[:200]
        if matched is not None:
            for name, text in matched[1].items():
                values[name] = int(float(text)) if name in _NUMBERS else text[:200]
        if subjects := row.get("subjects"):
            listed = subjects.split() if isinstance(subjects, str) else subjects
            values["subjects"] = tuple(
                crc32(str(one).encode()) << 32 | crc32(b"2" + str(one).encode()) for one in listed
            )
        if tables := row.get("tables"):
            values["tables"] = tuple(tables.split()) if isinstance(tables, str) else tuple(tables)
        if kind == "web":
            values["what"] = "upload" if "upload" in str(values.get("what", "")).lower() else ""
        elif kind == "mail":
            values["what"] = _mail(row)
        values.pop("kind", None)
        return Observation(at=self._time(row[self._at]), kind=kind, **values)

    def _kind(self, row: Row) -> Kind | None:
        said = (
            str(row.get(self._kind_column, ""))
            if self._kind_column
            else str(self._mapping.constants.get("kind", ""))
        )
        if said in self._mapping.kinds:
            said = self._mapping.kinds[said]
        if said in _KINDS:
            return said  # type: ignore[return-value]
        if "class_uid" in row:
            uid, activity = int(row["class_uid"]), int(row.get("activity_id") or 0)
            return _OCSF.get((uid, activity)) or _OCSF.get((uid, 0))
        if self._stem is None:
            if said or not self._strict:
                return None  # something that the mapping doesn't name: not for us
            raise ValueError("no column says what happened: give a mapping for `kind`")
        done = str(row.get("activity", "")).strip().lower()
        if done in _ACTIVITIES:
            return _ACTIVITIES[done]
        if self._copies or str(row.get("to_removable_media", "")).lower() == "true":
            return "media"
        return self._stem


def _mail(row: Row) -> str:
    """ "outside" when somebody of another domain than the sender's gets it."""
    own = str(row.get("from", "")).rpartition("@")[2].lower()
    to = ";".join(str(row.get(name) or "") for name in ("to", "cc", "bcc"))
    domains = {one.rpartition("@")[2].strip().lower() for one in to.split(";") if "@" in one}
    return "outside" if domains - {own} else "inside"


def _times(zone: int) -> Callable[[Any], int]:
    """A parser of times. Days are remembered, because a log has few of them."""
    days: dict[str, int] = {}

    def parse(value: Any) -> int:
        if isinstance(value, datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return int(aware.timestamp() * 1e6) - (0 if value.tzinfo else zone * 1_000_000)
        if isinstance(value, int | float) or str(value).isdigit():
            number = float(value)  # seconds, milli-, micro- or nanoseconds since 1970, told by their size
            scale = 1e6 if number < 1e11 else 1e3 if number < 1e14 else 1 if number < 1e17 else 1e-3
            return int(number * scale)
        text = str(value).strip()
        if len(text) == 19 and text[13] == text[16] == ":":
            day = days.get(text[:10])
            if day is None:
                form = "%m/%d/%Y" if text[2] == "/" else f"%Y{text[4]}%m{text[4]}%d"
                midnight = datetime.strptime(text[:10], form).replace(tzinfo=UTC)
                day = days[text[:10]] = int(midnight.timestamp())
            seconds = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
            return (day + seconds - zone) * 1_000_000
        parsed = datetime.fromisoformat(text)
        return parse(parsed)

    return parse
