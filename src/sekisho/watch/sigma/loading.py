"""Folders of rule files. What is wrong is said by file and line, and the other rules run.

A file that was right and is now wrong keeps its former rules: a slip of the keyboard must not blind the watch. A file
that is removed is gone. Placeholders of `expand` stand in `placeholders.yml`: a name, and its values.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule, SigmaRuleReference
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaRule
from sigma.rule.base import check_alias_expansion

from sekisho.watch.sigma.compile import Placeholders, compile_rule
from sekisho.watch.sigma.correlation import Correlation
from sekisho.watch.sigma.event import Source
from sekisho.watch.sigma.ruleset import Rule, Ruleset, in_order

OURS: Final = Path(__file__).with_name("rules")
PLACEHOLDERS: Final = "placeholders.yml"
_LARGEST: Final = 1 << 20  # bytes of a file
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Parsed = SigmaRule | SigmaCorrelationRule | SigmaFilter
_ITEM: Final = "detection item"
# What pySigma's errors are about, by a part of their names.
_PLACES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Logsource", ("logsource",)),
    ("CorrelationCondition", ("correlation", "condition")),
    ("CorrelationType", ("correlation", "type")),
    ("Timespan", ("correlation", "timespan")),
    ("RuleNotFound", ("correlation", "rules")),
    ("Correlation", ("correlation",)),
    ("Condition", ("detection", "condition")),
    ("Filter", ("filter",)),
    ("Identifier", ("id",)),
    ("Title", ("title",)),
    ("Level", ("level",)),
    ("Status", ("status",)),
    ("Date", ("date",)),
    ("Modified", ("modified",)),
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a rule, or a whole file, is not in force."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


class _WrongError(Exception):
    """A file cannot be taken as it is: `mistakes` say why."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = list(mistakes)


@dataclass(frozen=True, slots=True)
class _Document:
    """One document of a file: what it says, and where its parts stand."""

    path: str
    said: dict[str, Any]
    node: yaml.Node

    def line(self, *keys: str) -> int:
        node, line = self.node, self.node.start_mark.line + 1
        for key in keys:
            for name, value in node.value if isinstance(node, yaml.MappingNode) else ():
                if name.value == key:
                    node, line = value, name.start_mark.line + 1
                    break
            else:
                break
        return int(line)

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps(self.said, sort_keys=True, default=str).encode()).hexdigest()


@dataclass
class Library:
    """Rule folders, read again when something in them changed (`changed`). Not for two threads at once."""

    folders: tuple[Path, ...]
    zone: int = 0  # seconds east of UTC, for rules about hours and days
    mistakes: tuple[Mistake, ...] = ()
    _good: dict[Path, list[_Document]] = field(default_factory=dict)
    _looked: tuple[tuple[str, int, int], ...] | None = None

    def changed(self) -> bool:
        return self._look() != self._looked

    def _look(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for path in self._files(PLACEHOLDERS):
            try:
                about = path.stat()
            except OSError:
                continue
            found.append((str(path), about.st_mtime_ns, about.st_size))
        return tuple(found)

    def _files(self, *more: str) -> list[Path]:
        found = {
            path
            for folder in self.folders
            for path in folder.rglob("*")
            if path.suffix in (".yml", ".yaml") and path.is_file()
        }
        return sorted(path for path in found if path.name != PLACEHOLDERS or PLACEHOLDERS in more)

    def load(self) -> Ruleset:
        """Read every file; `mistakes` says what is not in force, and why."""
        self._looked = self._look()
        mistakes: list[Mistake] = []
        placeholders = self._placeholders(mistakes)
        files = self._files()
        self._good = {path: documents for path, documents in self._good.items() if path in files}
        reading = _Reading(placeholders, timezone(timedelta(seconds=self.zone)))
        for path in files:
            try:
                documents = _read(path)
                checked = reading.check(documents)
                wrong = checked.mistakes
            except _WrongError as error:
                checked, wrong = _Checked(), error.mistakes
            mistakes += wrong
            if not wrong:
                self._good[path] = documents
            elif (former := self._good.get(path)) is not None:
                checked = reading.check(former)
            reading.take(checked)
        rules, more = reading.finish()
        self.mistakes = tuple(mistakes + more)
        return Ruleset(rules)

    def _placeholders(self, mistakes: list[Mistake]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path in self._files(PLACEHOLDERS):
            if path.name != PLACEHOLDERS:
                continue
            try:
                for document in _read(path):
                    for name, values in document.said.items():
                        found[name] = [str(one) for one in (values if isinstance(values, list) else [values])]
            except _WrongError as wrong:
                mistakes += wrong.mistakes
        return found


def _read(path: Path) -> list[_Document]:
    """The documents of a file. Raises _WrongError with the line where it stops being YAML."""
    try:
        raw = path.read_bytes()
        if len(raw) > _LARGEST:
            raise _WrongError([Mistake(str(path), 1, f"The file is larger than {_LARGEST} bytes")])
        loader = _Loader(raw.decode())
        documents = []
        while loader.check_node():
            node: Any = loader.get_node()
            said = loader.construct_document(node)
            if said is None:
                continue
            if not isinstance(said, dict) or not all(isinstance(key, str) for key in said):
                raise _WrongError(
                    [Mistake(str(path), node.start_mark.line + 1, "This is no rule: a map is needed")]
                )
            check_alias_expansion(said)  # a few lines of aliases can stand for gigabytes
            documents.append(_Document(str(path), said, node))
        return documents
    except (OSError, UnicodeDecodeError) as error:
        raise _WrongError([Mistake(str(path), 1, str(error))]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else 1
        raise _WrongError([Mistake(str(path), line, f"This cannot be read as YAML: {reason}")]) from error


@dataclass
class _Checked:
    """The rules of a file that can be used, and what is wrong with the others."""

    rules: dict[str, tuple[SigmaRule | SigmaCorrelationRule, _Document]] = field(default_factory=dict)
    filters: list[tuple[SigmaFilter, _Document]] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass
class _Reading:
    """All files of one reading, because rules refer to each other across files."""

    placeholders: Placeholders
    zone: timezone
    rules: dict[str, tuple[SigmaRule | SigmaCorrelationRule, _Document]] = field(default_factory=dict)
    filters: list[tuple[SigmaFilter, _Document]] = field(default_factory=list)

    def check(self, documents: list[_Document]) -> _Checked:
        checked = _Checked()
        for parsed, document in self._parse(documents, checked.mistakes):
            errors = list(parsed.errors)
            if not errors and isinstance(parsed, SigmaRule):
                try:
                    compile_rule(parsed, self.placeholders, self.zone)
                except SigmaError as error:
                    errors.append(error)
            checked.mistakes += [self._mistake(document, error) for error in errors]
            if errors:
                continue
            if isinstance(parsed, SigmaFilter):
                checked.filters.append((parsed, document))
                continue
            name = _name(parsed)
            if (other := checked.rules.get(name) or self.rules.get(name)) is not None:
                where = f"{other[1].path}:{other[1].line()}"
                reason = f"The rule {name} stands in {where} already; that one is in force"
                checked.mistakes.append(Mistake(document.path, document.line(), reason))
                continue
            checked.rules[name] = (parsed, document)
        return checked

    def take(self, checked: _Checked) -> None:
        self.rules |= checked.rules
        self.filters += checked.filters

    def _parse(self, documents: list[_Document], mistakes: list[Mistake]) -> list[tuple[_Parsed, _Document]]:
        # With `action: global` the documents of a file belong together; their rules then stand at its first line.
        if any("action" in document.said for document in documents):
            batches = [(documents[0], [document.said for document in documents])]
        else:
            batches = [(document, [document.said]) for document in documents]
        found: list[tuple[_Parsed, _Document]] = []
        for document, said in batches:
            try:
                taken = SigmaCollection.from_dicts(
                    json.loads(json.dumps(said, default=str)),
                    collect_errors=True,
                    collect_filters=True,
                    resolve_references=False,
                )
            except (SigmaError, TypeError, AttributeError, ValueError, KeyError) as error:
                mistakes.append(self._mistake(document, error))
                continue
            found += [(one, document) for one in (*taken.rules, *taken.filters)]
        return found

    def finish(self) -> tuple[list[Rule], list[Mistake]]:
        """The rules with filters applied and references resolved."""
        mistakes: list[Mistake] = []
        for one, document in self.filters:
            for name, (parsed, where) in self.rules.items():
                if isinstance(parsed, SigmaRule):
                    try:
                        self.rules[name] = (one.apply_on_rule(parsed), where)
                    except SigmaError as error:
                        mistakes.append(self._mistake(document, error))
                        break
        every = SigmaCollection([parsed for parsed, _ in self.rules.values()], resolve_references=False)
        made: dict[str, Rule] = {}
        silent: set[str] = set()
        for name, (parsed, document) in self.rules.items():
            try:
                if isinstance(parsed, SigmaRule):
                    made[name] = self._plain(name, parsed, document)
                    continue
                parsed.resolve_rule_references(every)
                correlation = Correlation(parsed, _referred)
            except SigmaError as error:
                mistakes.append(self._mistake(document, error))
                continue
            made[name] = replace(_rule(name, parsed, document), correlation=correlation)
            if not parsed.generate:
                # Only in its own file: nobody silences another's rule by writing a correlation about it.
                silent |= {part for part in correlation.parts if self.rules[part][1].path == document.path}
        ordered, astray = in_order(made.values())
        mistakes += [Mistake(rule.path, rule.line, str(error)) for rule, error in astray]
        return [replace(rule, silent=rule.name in silent) for rule in ordered], mistakes

    def _plain(self, name: str, parsed: SigmaRule, document: _Document) -> Rule:
        logs = parsed.logsource
        source = Source(logs.product or "", logs.service or "", logs.category or "")
        compiled = compile_rule(parsed, self.placeholders, self.zone)
        return replace(_rule(name, parsed, document), source=source, compiled=compiled)

    def _mistake(self, document: _Document, error: Exception) -> Mistake:
        kind = type(error).__name__
        keys = next((keys for part, keys in _PLACES if part in kind), ("detection",))
        line = document.line(*keys)
        if keys == ("detection",):
            line = self._broken_item(document) or line
        return Mistake(document.path, line, str(error) or kind)

    def _broken_item(self, document: _Document) -> int:
        """The line of the first detection item that is wrong by itself, 0 when none is."""
        detection = document.said.get("detection")
        if not isinstance(detection, dict):
            return 0
        for name, body in detection.items():
            for key, value in body.items() if isinstance(body, dict) else ():
                alone = {"s": {key: value}, "condition": "s"}
                rule = {"title": _ITEM, "logsource": {"product": "any"}, "detection": alone}
                try:
                    compile_rule(SigmaRule.from_dict(rule), self.placeholders, self.zone)
                except (SigmaError, TypeError, ValueError):
                    return document.line("detection", name, key)
        return 0


def _name(parsed: SigmaRule | SigmaCorrelationRule) -> str:
    return str(parsed.name or parsed.id or parsed.title)


def _referred(reference: SigmaRuleReference) -> str:
    return _name(reference.rule)


def _rule(name: str, parsed: SigmaRule | SigmaCorrelationRule, document: _Document) -> Rule:
    own: Mapping[str, Any] = parsed.custom_attributes
    title, about = parsed.title, " ".join((parsed.description or "").split())
    japanese = (str(own.get("title_ja", title)), " ".join(str(own.get("description_ja", about)).split()))
    return Rule(
        name=name,
        level=(parsed.level.name if parsed.level is not None else "medium").lower(),
        words={"en": (title, about), "ja": japanese},
        path=document.path,
        line=document.line(),
        digest=document.digest,
    )
