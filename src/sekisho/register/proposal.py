"""From a survey to a proposal: whose tables these are, which columns are personal, which one tells persons apart.

A proposal opens nothing. Every line of it carries its reasons; a person reads, corrects and confirms it. Reasons
never quote a value. Where the survey cannot tell, the proposal masks, and says that somebody should look.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sekisho.faults import Language
from sekisho.register.survey import Name, Survey, SurveyedTable, Surveyor
from sekisho.text.columns import Guess, guess_item
from sekisho.text.items import ITEM_BY_ID, ItemClass


class _Written(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """In a file the order is that of the fields; what is not said is not written."""


class ProposedColumn(_Written):
    """`look`: the survey could not tell; somebody should look at this one."""

    name: str
    item: str = ""
    look: bool = False
    why: str = ""


class ProposedTable(_Written):
    """`schema.name` as it stands in the database; the other fields as in `facts.TableEntry`.

    `client_column` is set where one table holds the rows of several clients: no door can divide such a table, so
    that it cannot be confirmed. `views` is how the database can divide it.
    """

    schema: str
    name: str
    subject: str = ""
    rows_per_subject: int = 1
    metered: bool = True
    client_column: str = ""
    views: list[str] = []
    look: bool = False
    why: str = ""
    columns: list[ProposedColumn] = []


class ProposedDataset(_Written):
    """What a person still has to write is there and empty; nothing is taken over before `confirmed: true`."""

    dataset: str
    organisation: str
    confirmed: bool
    name: str
    role: str
    items: str
    purpose: str
    responsible_unit: str
    holders: list[str]
    retention: str
    why: str = ""
    tables: list[ProposedTable] = []


class Proposal(_Written):
    target: str
    fingerprint: str
    unread: list[str] = []
    datasets: list[ProposedDataset] = []


PERSONAL_FROM: Final = 0.5  # of a guess's confidence; the tests hold it to a population
_BY_NAME_ALONE: Final = 0.7  # what a column's name weighs when no value supports it (`text.columns`)
_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000, 1_000_000)
_FEW: Final = 1000  # clients in one table
_CLIENT_WORD: Final = re.compile(
    r"client|tenant|itakumoto|entrust|^org|organi[sz]ation|company|corp|municipality|jichitai|kokyaku_?kigyo"
    r"|委託元|委託者|団体|顧客企業|自治体|事業者|会社",
    re.IGNORECASE,
)
_SAYS: Final[dict[str, dict[Language, str]]] = {
    "key": {"en": "It is the table's key.", "ja": "表のキーです。"},
    "refers": {"en": "It refers to {table}.", "ja": "{table}を参照しています。"},
    "named_as": {
        "en": "It has the name and type of the key of {table}, and {share:.0%} of its values stand there.",
        "ja": "{table}のキーと名前と型が同じで、値の{share:.0%}がそこにあります。",
    },
    "most": {
        "en": "One subject has at most {most} rows.",
        "ja": "本人一人当たり最大{most}行です。",
    },
    "unmeasured": {
        "en": "How many rows a subject has could not be measured in time.",
        "ja": "本人一人当たりの行数は時間内に測れませんでした。",
    },
    "no_subject": {
        "en": "No column tells one person from another: each row counts as a person.",
        "ja": "本人を区別する列がないため、1行を1人と数えます。",
    },
    "no_persons": {"en": "Nothing here speaks of persons.", "ja": "個人に関するものは見当たりません。"},
    "attribute": {
        "en": "Not recognised, but each row is a person: masked until somebody says otherwise.",
        "ja": "判別できませんが、1行が1人なので、指示があるまで伏せます。",
    },
    "alone": {
        "en": "Only the column's name speaks of a person; no value does, nor anything else in the table.",
        "ja": "列名だけが個人を示し、値にも表のほかの列にも個人を示すものがありません。",
    },
    "unread": {
        "en": "No rows could be read in time: judged by the names alone.",
        "ja": "時間内に行を読めなかったため、名前だけで判断しました。",
    },
    "empty": {"en": "The table is empty: judged by the names alone.", "ja": "空の表なので、名前だけで判断しました。"},
    "client_name": {
        "en": "The column {column} is named as one for clients.",
        "ja": "列{column}の名前が委託元を示しています。",
    },
    "client_values": {
        "en": "{share:.0%} of the {count} values of {column} are registered organisations.",
        "ja": "列{column}の{count}種の値のうち{share:.0%}が登録済みの組織です。",
    },
    "client_refers": {
        "en": "The column {column} refers to {table}, which holds no persons.",
        "ja": "列{column}は、個人のいない{table}を参照しています。",
    },
    "shared": {
        "en": "Several clients' rows stand in one table. The doors cannot divide it: make the views, and scan again.",
        "ja": "一つの表に複数の委託元の行があります。関所では分けられません。ビューを作り、もう一度調べてください。",
    },
    "schema": {
        "en": "The schema is named as the organisation.",
        "ja": "スキーマ名が組織と同じです。",
    },
    "no_organisation": {
        "en": "No registered organisation is named as this schema: write whose data this is.",
        "ja": "このスキーマ名の組織は登録されていません。誰のデータか記入してください。",
    },
    "reader": {
        "en": "The role may read this schema, and the fewest others.",
        "ja": "このロールはこのスキーマを読め、ほかに読める範囲が最も狭いものです。",
    },
}  # fmt: skip


class _Reading:
    """One proposal in the making: what is known of each table so far."""

    def __init__(self, survey: Survey, surveyor: Surveyor, language: Language) -> None:
        self.survey = survey
        self.surveyor = surveyor
        self.language = language
        self.by_name: dict[Name, SurveyedTable] = {(one.schema, one.name): one for one in survey.tables}
        self.guesses: dict[Name, dict[str, Guess]] = {
            name: _guesses(one) for name, one in self.by_name.items()
        }
        # Tables of persons: their own key tells their rows apart, and they say more of a person than a number.
        self.persons: dict[Name, str] = {}
        for name, table in self.by_name.items():
            if key := _person_key(table, self.guesses[name]):
                self.persons[name] = key

    def say(self, sentence: str, **values: object) -> str:
        return _SAYS[sentence][self.language].format(**values)

    def reasons(self, guess: Guess) -> str:
        return " ".join(getattr(reason, self.language) for reason in guess.reasons)


def _guesses(table: SurveyedTable) -> dict[str, Guess]:
    """The likeliest item of each column, where it is likely enough.

    A free text may hold anything about anybody: its name alone is enough, whatever the sampled values are.
    """
    found = {}
    for column in table.columns:
        for guess in guess_item(column.name, table.values(column.name)):
            if guess.confidence >= PERSONAL_FROM or guess.item == "free_text":
                found[column.name] = guess
                break
    return found


def _person_key(table: SurveyedTable, guesses: Mapping[str, Guess]) -> str | None:
    telling = {
        guess.item
        for guess in guesses.values()
        if ITEM_BY_ID[guess.item].item_class
        in (ItemClass.CONTACT, ItemClass.BIRTH, ItemClass.OFFICIAL_NUMBER)
        and (guess.confidence > _BY_NAME_ALONE or not table.sample)
    }
    if not telling or not table.keys:
        return None
    numbers = [key for key in table.keys if key in guesses and _is_number_of_person(guesses[key])]
    return min(numbers or table.keys)


def _is_number_of_person(guess: Guess) -> bool:
    return ITEM_BY_ID[guess.item].item_class is ItemClass.ACCOUNT_ID


async def propose(
    survey: Survey,
    surveyor: Surveyor,
    target: str,
    organisations: Mapping[str, tuple[str, str]],
    language: Language,
) -> Proposal:
    """One dataset for each schema that holds personal data. `organisations`: id -> (Japanese, English name)."""
    reading = _Reading(survey, surveyor, language)
    schemas: dict[str, list[ProposedTable]] = {}
    for name in reading.by_name:
        schemas.setdefault(name[0], []).append(await _table(reading, name, organisations))
    datasets = [
        _dataset(reading, schema, tables, organisations)
        for schema, tables in schemas.items()
        if any(table.metered for table in tables)
    ]
    return Proposal(
        target=target, fingerprint=survey.fingerprint, unread=list(survey.unread), datasets=datasets
    )


async def _table(
    reading: _Reading, name: Name, organisations: Mapping[str, tuple[str, str]]
) -> ProposedTable:
    table, guesses = reading.by_name[name], reading.guesses[name]
    why: list[str] = []
    if table.sample is None:
        why.append(reading.say("unread"))
    elif not table.sample:
        why.append(reading.say("empty"))
    subject, rows, measured = await _subject(reading, name, why)
    alone = subject is None and not any(_supported(table, guess) for guess in guesses.values())
    client, client_why = _client_column(reading, table, subject, organisations)
    columns = []
    for column in table.columns:
        guess = guesses.get(column.name)
        if guess is not None and not alone:
            columns.append(ProposedColumn(name=column.name, item=guess.item, why=reading.reasons(guess)))
        elif guess is not None:
            columns.append(ProposedColumn(name=column.name, look=True, why=reading.say("alone")))
        elif name in reading.persons and column.name != client:
            columns.append(
                ProposedColumn(name=column.name, item="other", look=True, why=reading.say("attribute"))
            )
        else:
            columns.append(ProposedColumn(name=column.name))
    metered = subject is not None or any(column.item for column in columns)
    if not metered:
        why.append(reading.say("no_persons"))
    elif subject is None:
        why.append(reading.say("no_subject"))
    shared = bool(client) and metered
    return ProposedTable(
        schema=table.schema,
        name=table.name,
        subject=subject or "",
        rows_per_subject=rows,
        metered=metered,
        client_column=client if shared else "",
        views=_views(table, client, organisations) if shared else [],
        look=table.sample is None or (metered and (subject is None or not measured)),
        why=" ".join([*why, *client_why, reading.say("shared")] if shared else why),
        columns=columns,
    )


def _supported(table: SurveyedTable, guess: Guess) -> bool:
    """Whether more than the column's name speaks for the guess; names must do where no row was read."""
    return guess.confidence > _BY_NAME_ALONE or not table.sample or guess.item == "free_text"


async def _subject(reading: _Reading, name: Name, why: list[str]) -> tuple[str | None, int, bool]:
    """The subject column, the rows that one subject may have, and whether these were measured."""
    column = await _reference_to_persons(reading, name, why)
    if column is None:
        key = reading.persons.get(name)
        if key is not None:
            why.append(reading.say("key"))
        return key, 1, True
    if column in reading.by_name[name].keys:
        return column, 1, True
    most = await reading.surveyor.most_rows(name, column)
    if most is None:
        why.append(reading.say("unmeasured"))
        return column, 1, False
    why.append(reading.say("most", most=most))
    return column, next((step for step in _STEPS if step >= most), most), True


async def _reference_to_persons(reading: _Reading, name: Name, why: list[str]) -> str | None:
    table = reading.by_name[name]
    for column, (schema, referred, key) in table.references.items():
        if (schema, referred) != name and reading.persons.get((schema, referred)) == key:
            why.append(reading.say("refers", table=f"{schema}.{referred}"))
            return column
    if name in reading.persons:
        return None
    # Without a declared reference, by name: in the same schema first; of a view, anywhere.
    others = [other for other in reading.persons if other[0] == name[0]]
    if table.is_view:
        others += [other for other in reading.persons if other[0] != name[0]]
    for other in others:
        key = reading.persons[other]
        if table.type_of(key) is None or table.type_of(key) != reading.by_name[other].type_of(key):
            continue
        share = await reading.surveyor.share_within(name, key, other, key)
        if share is not None and share >= 0.9:
            why.append(reading.say("named_as", table=".".join(other), share=share))
            return key
    return None


def _client_column(
    reading: _Reading,
    table: SurveyedTable,
    subject: str | None,
    organisations: Mapping[str, tuple[str, str]],
) -> tuple[str, list[str]]:
    """The column that tells one client's rows from another's, by two of: name, values, reference."""
    best: tuple[int, str, list[str]] = (1, "", [])
    known = {word for one, names in organisations.items() for word in (_plain(one), *map(_plain, names))}
    for column in table.columns:
        if column.name == subject or column.name in table.keys:
            continue
        values = set(table.values(column.name))
        if not 2 <= len(values) <= _FEW:
            continue
        why = []
        if _CLIENT_WORD.search(column.name):
            why.append(reading.say("client_name", column=column.name))
        share = sum(_plain(value) in known for value in values) / len(values)
        if share >= 0.5:
            why.append(reading.say("client_values", column=column.name, share=share, count=len(values)))
        if (reference := table.references.get(column.name)) and reference[:2] not in reading.persons:
            why.append(reading.say("client_refers", column=column.name, table=".".join(reference[:2])))
        if len(why) > best[0]:
            best = (len(why), column.name, why)
    return best[1], best[2]


def _plain(name: str) -> str:
    return re.sub(r"[-_\s]", "", name).casefold()


def _views(table: SurveyedTable, client: str, organisations: Mapping[str, tuple[str, str]]) -> list[str]:
    """One view for each registered organisation that the sample shows. Other values are not written down."""
    by_word = {_plain(word): one for one, names in organisations.items() for word in (one, *names)}
    views = []
    for value in sorted(set(table.values(client))):
        if organisation := by_word.get(_plain(value)):
            schema = _identifier(re.sub(r"\W", "_", organisation))
            literal = value.replace("'", "''")
            view, base = _identifier(table.name), f"{_identifier(table.schema)}.{_identifier(table.name)}"
            views.append(
                f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE VIEW {schema}.{view} WITH (security_barrier) "  # noqa: S608
                f"AS SELECT * FROM {base} WHERE {_identifier(client)} = '{literal}'"
            )
    return views


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def _dataset(
    reading: _Reading,
    schema: str,
    tables: Sequence[ProposedTable],
    organisations: Mapping[str, tuple[str, str]],
) -> ProposedDataset:
    shared = any(table.client_column for table in tables)
    found = [one for one in organisations if _plain(one) == _plain(schema)]
    organisation = found[0] if len(found) == 1 and not shared else ""
    why = [] if shared else [reading.say("schema" if organisation else "no_organisation")]
    role = reading.survey.readers.get(schema, "")
    if role:
        why.append(reading.say("reader"))
    items = dict.fromkeys(column.item for table in tables for column in table.columns if column.item)
    return ProposedDataset(
        dataset=schema if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", schema) else "",
        organisation=organisation,
        confirmed=False,
        name=f"{organisations[organisation][0]} {schema}" if organisation else schema,
        role=role,
        items="、".join(ITEM_BY_ID[item].ja for item in items),
        purpose="",
        responsible_unit="",
        holders=[],
        retention="",
        why=" ".join(why),
        tables=list(tables),
    )
