"""`sekisho person`: add, freeze, take leave of people; hold an agency's list against ours; see what is due.

Whoever holds the state folder runs these, and nobody logs in: `--by` is who answers for it, "sekisho" for the
keeper of the machine. What needs two persons asks each for a login of their own: `ask-role`, `ask-unfreeze` and `agree`
take no `--by`. Enrolment, and binding an identity, are for the console.

Exit status of `reconcile` and `show`: 1 when something differs or is due.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import click
import msgspec
from sqlalchemy import select

from sekisho.cli.options import STATE
from sekisho.cli.proof import log_in, proven
from sekisho.faults import Fault, Language, preferred_language
from sekisho.ledger import Ledger
from sekisho.people import headcount, staff
from sekisho.people.accounts import add_person, require_active
from sekisho.people.consent import ask_role, find_open_asks, find_roles, grant_role
from sekisho.people.facts import HeadcountReconciled, PersonAdded
from sekisho.people.faults import NOT_OPEN
from sekisho.people.freeze import ask_unfreeze, unfreeze
from sekisho.people.freeze import freeze as freeze_person
from sekisho.people.leaving import LookBack, find_unfinished
from sekisho.people.leaving import leave as take_leave
from sekisho.people.leaving import look_back as read_pulls
from sekisho.people.links import LINK_SECONDS, LinkDesk
from sekisho.people.roles import Role
from sekisho.people.tables import persons
from sekisho.service.service import open_ledger
from sekisho.service.settings import read_settings

_MACHINE: Final = "sekisho"
_SOON: Final = timedelta(days=30)
_Value = TypeVar("_Value")
_BY = click.option(
    "--by",
    default=_MACHINE,
    show_default=True,
    metavar="PERSON",
    help="Who answers for this; nobody logs in.",
)
_DAY = click.DateTime(["%Y-%m-%d"])
_ON = click.option("--on", "day", type=_DAY, help="The day to look at; today unless given.")
_JSON = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")

_SAYS: Final[dict[str, dict[Language, str]]] = {
    "added": {"en": "{person} was added.", "ja": "{person} を登録しました。"},
    "link": {
        "en": "One-time code for {person}, good for {hours} hours, shown once:",
        "ja": "{person} の一回限りのコード({hours} 時間有効、表示は一度だけ):",
    },
    "frozen": {
        "en": "{person} is frozen (fact {seq}): open sessions end within seconds, nothing new opens.",
        "ja": "{person} を凍結しました (事実 {seq})。接続中のセッションは数秒で終了し、新たには何も開きません。",
    },
    "left": {
        "en": "{person} has left: every right is revoked, and the notice to the agency is written.",
        "ja": "{person} の退場を記録しました。権限はすべて失効し、派遣元への通知文を作成しました。",
    },
    "pulls": {
        "en": "{person} ever pulled {rows} rows in {statements} statements of {sessions} sessions ({organisations}).",
        "ja": "{person} の全取得実績: {sessions} セッション、{statements} 文、{rows} 行 ({organisations})。",
    },
    "pull": {
        "en": "  {seq}  {at}  {organisation}  {rows} rows  {persons} persons  {outcome}",
        "ja": "  {seq}  {at}  {organisation}  {rows} 行  {persons} 人  {outcome}",
    },
    "same": {
        "en": "{agency}: the list and ours agree on {ours} people.",
        "ja": "{agency}: 名簿は当方と一致しています ({ours} 人)。",
    },
    "only_agency": {
        "en": "{person}: on the agency's list, not known here",
        "ja": "{person}: 名簿にあり、当方に登録なし",
    },
    "only_here": {
        "en": "{person}: works here, not on the agency's list",
        "ja": "{person}: 当方で稼働中、名簿になし",
    },
    "started": {
        "en": "{person}: started {ours} here, {listed} on the list",
        "ja": "{person}: 開始日が当方 {ours}、名簿 {listed}",
    },
    "left_here": {
        "en": "{person}: left here, still on the agency's list",
        "ja": "{person}: 当方では退場済み、名簿に残存",
    },
    "person": {
        "en": "{person}  {name}  {employer} {agency}  {state}  {roles}",
        "ja": "{person}  {name}  {employer} {agency}  {state}  {roles}",
    },
    "asked": {
        "en": "Asked. Somebody else has to agree: sekisho person agree {request}",
        "ja": "申請しました。別の人の同意が必要です: sekisho person agree {request}",
    },
    "agreed": {"en": "Agreed, for {person}.", "ja": "{person} について同意しました。"},
    "active": {"en": "active", "ja": "稼働"},
    "is_frozen": {"en": "FROZEN", "ja": "凍結"},
    "has_left": {"en": "left", "ja": "退場"},
    "overdue": {
        "en": "overdue: {agency} ({people} people) sent its last list {last}",
        "ja": "期限超過: {agency} ({people} 人) の前回名簿 {last}",
    },
    "never": {"en": "never", "ja": "なし"},
    "differs": {
        "en": "differs: {agency}, {count} differences in its last list",
        "ja": "相違: {agency} の前回名簿に {count} 件",
    },
    "expires": {
        "en": "expires: {person}, {name} on {until}",
        "ja": "期限: {person} の {name} は {until} まで",
    },
    "rotate": {
        "en": "rotate: {person} has been {role} ({organisation}) for {years} years",
        "ja": "交代: {person} は {role} ({organisation}) を {years} 年担当",
    },
    "alone": {
        "en": "alone: only {person} is {role} ({organisation})",
        "ja": "単独: {role} ({organisation}) は {person} のみ",
    },
    "unfinished": {
        "en": "unfinished: {person} left; run `sekisho person leave {person}` again",
        "ja": "未完了: {person} の退場処理。`sekisho person leave {person}` を再実行してください",
    },
    "waiting": {
        "en": "waits for a second person: {act} for {person}, asked by {asked_by} ({request})",
        "ja": "2人目の確認待ち: {person} の {act}(申請者 {asked_by}、{request})",
    },
    "swept": {"en": "{tasks} rotation tasks raised.", "ja": "交代タスクを {tasks} 件起票しました。"},
}  # fmt: skip


@click.group()
def person() -> None:
    """Who works here, for whom, since when, and what is due."""


@person.command()
@click.argument("person")
@click.option("--name", required=True)
@click.option("--employer", required=True)
@click.option("--agency", default="", help="Who dispatched the person, if not the employer.")
@click.option("--unit", default="")
@click.option("--manager", default="", metavar="PERSON", help="The next one up the chain of command.")
@click.option("--language", type=click.Choice(["ja", "en"]), default="ja", show_default=True)
@click.option("--started", type=_DAY, help="The first day at this work.")
@STATE
@_BY
def add(person: str, state: Path, by: str, started: datetime | None, **about: str) -> None:
    """Add a human. Roles and an authenticator are given by two persons, at the console."""

    async def run(ledger: Ledger) -> None:
        await _must_answer(ledger, by)
        added = PersonAdded(person=person, started=started.date() if started else None, **about)
        await add_person(ledger, added, by=by)
        _say("added", person=person)

    _with_ledger(state, run)


@person.command("first-link")
@click.argument("person")
@STATE
def first_link(person: str, state: Path) -> None:
    """Print a one-time code that makes PERSON an administrator, while there are fewer than two."""

    async def run(ledger: Ledger) -> None:
        secret = await LinkDesk(ledger).first_link(person)
        _say("link", error=True, person=person, hours=LINK_SECONDS // 3600)
        click.echo(secret)

    _with_ledger(state, run)


@person.command()
@click.argument("person")
@click.option("--reason", required=True)
@STATE
@_BY
def freeze(person: str, reason: str, state: Path, by: str) -> None:
    """The kill switch: end what PERSON has open, and let nothing new open."""

    async def run(ledger: Ledger) -> None:
        await _must_answer(ledger, by)
        recorded = await freeze_person(ledger, person, reason=reason, by=by)
        _say("frozen", person=person, seq=recorded.seq)

    _with_ledger(state, run)


@person.command()
@click.argument("person")
@click.option("--last-day", type=_DAY, help="Today unless given.")
@click.option("--reason", required=True)
@STATE
@_BY
def leave(person: str, last_day: datetime | None, reason: str, state: Path, by: str) -> None:
    """Revoke everything of PERSON at once, look back over every pull, write to the agency."""

    async def run(ledger: Ledger) -> None:
        await _must_answer(ledger, by)
        found = await take_leave(ledger, person, last_day=_day(last_day), reason=reason, by=by)
        _say("left", person=person)
        _show_pulls(found)

    _with_ledger(state, run)


@person.command("ask-role")
@click.argument("of", metavar="PERSON_ID")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@proven
@click.option("--organisation", default="", help="For which client; the whole house when not given.")
@click.option("--reason", required=True)
def ask_for_role(
    of: str, role: str, state: Path, person: str, password: str, code: str, organisation: str, reason: str
) -> None:
    """Ask, as an administrator who logs in, that PERSON_ID be given ROLE; a second one must agree."""

    async def run(ledger: Ledger) -> str:
        who = await log_in(ledger, person, password, code)
        asked = await ask_role(
            ledger,
            person=of,
            role=Role(role),
            organisation=organisation,
            since=_day(None),
            reason=reason,
            by=who.person,
        )
        return asked.leaf_hash.hex()

    _say("asked", request=_with_ledger(state, run))


@person.command("ask-unfreeze")
@click.argument("of", metavar="PERSON_ID")
@proven
@click.option("--reason", required=True)
def ask_for_unfreeze(of: str, state: Path, person: str, password: str, code: str, reason: str) -> None:
    """Ask, with a login, that the freeze of PERSON_ID be ended; a second one must agree."""

    async def run(ledger: Ledger) -> str:
        who = await log_in(ledger, person, password, code)
        return (await ask_unfreeze(ledger, of, reason=reason, by=who.person)).leaf_hash.hex()

    _say("asked", request=_with_ledger(state, run))


@person.command()
@click.argument("request")
@proven
def agree(request: str, state: Path, person: str, password: str, code: str) -> None:
    """Be the second person, with a login of your own, for the REQUEST that `person show` lists."""

    async def run(ledger: Ledger) -> str:
        async with ledger.read() as connection:
            asks = await find_open_asks(connection)
        ask = next((one for one in asks if one.request == request), None)
        if ask is None or ask.act not in ("role", "unfreeze"):
            raise Fault(NOT_OPEN, request=request[:64])
        who = await log_in(ledger, person, password, code)
        if ask.act == "role":
            await grant_role(ledger, request, by=who.person)
        else:
            await unfreeze(ledger, request, by=who.person)
        return ask.person

    _say("agreed", person=_with_ledger(state, run))


@person.command("look-back")
@click.argument("person")
@STATE
@_JSON
def look_back(person: str, state: Path, as_json: bool) -> None:
    """List everything that PERSON ever pulled, as the facts tell it."""

    async def run(ledger: Ledger) -> None:
        found = await read_pulls(ledger, person)
        if as_json:
            _print_json(found.pulls)
        else:
            _show_pulls(found)

    _with_ledger(state, run)


@person.command()
@click.argument("agency")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--as-of", type=_DAY, help="The day of the list; today unless given.")
@STATE
@_BY
@_JSON
def reconcile(agency: str, file: Path, as_of: datetime | None, state: Path, by: str, as_json: bool) -> None:
    """Hold an agency's list (CSV: person or 担当者ID, started or 開始日) against ours."""
    content = file.read_bytes()

    async def run(ledger: Ledger) -> int:
        await _must_answer(ledger, by)
        recorded = await headcount.reconcile(ledger, agency, content, as_of=_day(as_of), by=by)
        fact = recorded.typed()
        differences = fact.differences if isinstance(fact, HeadcountReconciled) else ()
        if as_json:
            _print_json(differences)
        elif isinstance(fact, HeadcountReconciled) and not differences:
            _say("same", agency=agency, ours=fact.ours)
        else:
            for one in differences:
                _say(one.kind.value, person=one.person, listed=one.listed, ours=one.ours)
        return 1 if differences else 0

    sys.exit(_with_ledger(state, run))


@person.command()
@STATE
@_ON
def show(state: Path, day: datetime | None) -> None:
    """List the people and their roles, and what is due about them."""

    async def run(ledger: Ledger) -> int:
        async with ledger.read() as connection:
            rows = (await connection.execute(select(persons).order_by(persons.c.person))).all()
            for row in rows:
                held = await find_roles(connection, row.person)
                names = [
                    f"{one.role}:{one.organisation}" if one.organisation else str(one.role) for one in held
                ]
                word = "has_left" if row.left else "is_frozen" if row.frozen else "active"
                values = {name: getattr(row, name) for name in ("person", "name", "employer", "agency")}
                _say("person", **values, state=_word(word), roles=" ".join(sorted(names)))
        due = await _due(ledger, _day(day))
        for sentence in due:
            click.echo(sentence)
        return 1 if due else 0

    sys.exit(_with_ledger(state, run))


@person.command()
@STATE
@_ON
def sweep(state: Path, day: datetime | None) -> None:
    """Raise a rotation task for who has held a role too long; run it daily."""

    async def run(ledger: Ledger) -> None:
        _say("swept", tasks=len(await staff.sweep_tenures(ledger, _day(day))))

    _with_ledger(state, run)


async def _due(ledger: Ledger, on: date) -> list[str]:
    """A sentence for everything that somebody should look at."""
    due: list[str] = []

    def say(sentence: str, **values: object) -> None:
        due.append(_word(sentence).format(**values))

    async with ledger.read() as connection:
        for late in await headcount.find_overdue(connection, on):
            say("overdue", agency=late.agency, people=late.people, last=late.last or _word("never"))
        for agency, differences in (await headcount.find_differences(connection)).items():
            say("differs", agency=agency, count=len(differences))
        for expiry in await staff.find_expiring(connection, on, within=_SOON):
            say("expires", person=expiry.person, name=expiry.name, until=expiry.until)
        for held in await staff.find_long_tenures(connection, on):
            where = held.organisation or "-"
            say("rotate", person=held.person, role=held.role, organisation=where, years=held.years)
        for sole in await staff.find_sole_holders(connection):
            say("alone", person=sole.person, role=sole.role, organisation=sole.organisation or "-")
        for person in await find_unfinished(connection):
            say("unfinished", person=person)
        for ask in await find_open_asks(connection):
            say("waiting", act=ask.act, person=ask.person, asked_by=ask.asked_by, request=ask.request)
    return due


def _show_pulls(found: LookBack) -> None:
    _say(
        "pulls",
        person=found.person,
        rows=found.rows,
        statements=len(found.pulls),
        sessions=found.sessions,
        organisations=", ".join(found.organisations) or "-",
    )
    for pull in found.pulls:
        _say("pull", **msgspec.structs.asdict(pull))


async def _must_answer(ledger: Ledger, by: str) -> None:
    if by != _MACHINE:
        async with ledger.read() as connection:
            await require_active(connection, by)


def _day(given: datetime | None) -> date:
    return (given or datetime.now(UTC).astimezone()).date()


def _print_json(values: object) -> None:
    click.echo(json.dumps(msgspec.to_builtins(values), ensure_ascii=False, indent=2))


def _word(name: str) -> str:
    return _SAYS[name][preferred_language()]


def _say(sentence: str, *, error: bool = False, **values: object) -> None:
    click.echo(_word(sentence).format(**values), err=error)


def _with_ledger(state: Path, run: Callable[[Ledger], Awaitable[_Value]]) -> _Value:
    async def open_and_run() -> _Value:
        async with open_ledger(state, read_settings(state)) as ledger:
            return await run(ledger)

    return asyncio.run(open_and_run())
