"""What a rule looks at: one flat record. `{"a": {"b": 1}}` has the field "a.b"; a list is any of its elements."""

from collections.abc import Mapping
from typing import Any, Final

Value = Any  # what JSON can say, flat: str, int, float, bool, None, or a tuple of these
Folded = str | tuple[str, ...] | None
_DEPTH: Final = 16


class Source:
    """Where events come from, in Sigma's three words. A rule is routed by those that it names."""

    __slots__ = ("_hash", "category", "product", "service")

    def __init__(self, product: str = "", service: str = "", category: str = "") -> None:
        self.product = product.lower()
        self.service = service.lower()
        self.category = category.lower()
        self._hash = hash((self.product, self.service, self.category))  # asked for with every event

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Source) and (self.product, self.service, self.category) == (
            other.product,
            other.service,
            other.category,
        )


class _FoldedFields(dict[str, Folded]):
    """The fields in lower case, each made when it is first asked for: rules ask for the same few again and again."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self._fields = fields

    def __missing__(self, field: str) -> Folded:
        found = self[field] = fold(self._fields.get(field))
        return found


class Event:
    """`at` in microseconds since 1970, `ref` says where it stands (a fact's index)."""

    __slots__ = ("at", "fields", "folded", "ref", "source")

    def __init__(self, fields: Mapping[str, Value], source: Source, at: int = 0, ref: int = 0) -> None:
        self.fields = fields
        self.folded = _FoldedFields(fields)
        self.source = source
        self.at = at
        self.ref = ref


def text_of(value: Value) -> str:
    """A single value as the text that rules compare with: 4624 and "4624" are the same."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def fold(value: Value) -> Folded:
    if isinstance(value, str):
        return value.lower()
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(text_of(one).lower() for one in value if one is not None)
    return text_of(value).lower()


def flatten(record: Mapping[str, Any]) -> dict[str, Value]:
    """Members of members by dotted names. Lists of records become lists of their members' values."""
    flat: dict[str, Value] = {}
    for key, value in record.items():
        if isinstance(value, (dict, list, tuple)):
            _into(flat, key, value, 0)
        else:
            flat[key] = value
    return flat


def _into(flat: dict[str, Value], name: str, value: Any, depth: int) -> None:
    if depth > _DEPTH:
        return  # no log nests so deep; a record made to exhaust the stack is cut here
    if isinstance(value, dict):
        for key, inner in value.items():
            _into(flat, f"{name}.{key}", inner, depth + 1)
    elif isinstance(value, (list, tuple)):
        if name not in flat and not any(isinstance(inner, (dict, list, tuple)) for inner in value):
            flat[name] = tuple(value)  # at once: one fact can carry the figures of a thousand statements
            return
        for inner in value:
            _into(flat, name, inner, depth + 1) if isinstance(inner, (dict, list, tuple)) else _add(
                flat, name, inner
            )
    elif depth and name in flat:
        _add(flat, name, value)
    else:
        flat[name] = value


def _add(flat: dict[str, Value], name: str, value: Any) -> None:
    before = flat.get(name, ())
    flat[name] = (*(before if isinstance(before, tuple) else (before,)), value)
