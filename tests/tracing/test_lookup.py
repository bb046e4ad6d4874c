"""A list is looked up: its sessions, its clients, its persons; or it is not ours."""

from pathlib import Path

import pytest
from pyroaring import BitMap64

from sekisho.trace.answer import answer_of
from sekisho.trace.attribution import Verdict
from sekisho.trace.intake import read_list
from sekisho.trace.lookup import Traced, trace
from sekisho.trace.registry import Registry
from tracing.trace_world import FIRST, NOW, make_registry, parties, people, rows_of, shown, write_csv


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("trace"))[0]


def look_up(registry: Registry, path: Path) -> Traced:
    return trace(read_list(path), registry, registry.load(), processes=1)


def accused(traced: Traced) -> set[str]:
    return {one.session for fit in traced.attribution.fits.values() for one in fit.findings}


def test_the_sessions_of_a_list_are_named(registry: Registry, tmp_path: Path) -> None:
    one, other = f"s-{parties()[0].id}-6", f"s-{parties()[1].id}-5"
    strangers = people(parties()[0], 0, 80, seed=9)
    rows = rows_of(registry, one, 0.6) + rows_of(registry, other) + strangers
    traced = look_up(registry, write_csv(tmp_path / "list.csv", rows))
    assert traced.attribution.verdict is Verdict.PASSED
    assert accused(traced) == {one, other}
    found = next(f for fit in traced.attribution.fits.values() for f in fit.findings if f.session == one)
    assert found.low <= 0.6 <= found.high
    assert found.lift >= 5
    assert traced.attribution.foreign >= 0.8 * len(strangers)
    own = len(rows) - len(strangers)
    assert traced.attribution.own + traced.attribution.ambiguous >= own
    assert 0.95 * own <= traced.counts.lower <= traced.counts.best <= traced.counts.upper <= len(rows)


def test_a_part_of_a_run_is_found_though_others_overlap_it(registry: Registry, tmp_path: Path) -> None:
    session = f"s-{parties()[0].id}-9"
    rows = rows_of(registry, session)[:400]  # the first ones: what was copied before it was stopped
    traced = look_up(registry, write_csv(tmp_path / "list.csv", rows))
    assert accused(traced) == {session}


def test_a_list_from_elsewhere_accuses_nobody(registry: Registry, tmp_path: Path) -> None:
    """Half of all customers, through no session: the likelihood ratio alone would not stop at that."""
    rows = [row for party in parties() for row in people(party)[::2]]
    traced = look_up(registry, write_csv(tmp_path / "list.csv", rows))
    assert accused(traced) == set()
    assert traced.attribution.verdict is Verdict.NOT_HERE
    assert traced.attribution.own + traced.attribution.ambiguous >= 0.99 * len(rows)


def test_a_list_of_strangers_did_not_pass_here(registry: Registry, tmp_path: Path) -> None:
    traced = look_up(registry, write_csv(tmp_path / "list.csv", people(parties()[0], 0, 3000, seed=9)))
    assert accused(traced) == set()
    assert traced.attribution.verdict is Verdict.NOT_HERE
    assert traced.attribution.own < 100


def test_sessions_that_showed_the_same_are_a_tie(registry: Registry, tmp_path: Path) -> None:
    made, _ = make_registry(tmp_path)
    party = parties()[0]
    numbers = BitMap64(FIRST + number for number in shown(made, f"s-{party.id}-4")[1])
    made.add_sessions(party.id, party.id, [("s-twin", numbers)], NOW)
    rows = rows_of(made, "s-twin", 0.8)
    traced = look_up(made, write_csv(tmp_path / "list.csv", rows))
    found = [one for fit in traced.attribution.fits.values() for one in fit.findings]
    assert len(found) == 1
    assert {found[0].session, *found[0].ties} == {"s-twin", f"s-{party.id}-4"}


def test_a_few_persons_give_leads_and_no_session(registry: Registry, tmp_path: Path) -> None:
    session = f"s-{parties()[2].id}-2"
    lines = [f"{name} 電話 {phone}" for name, _, phone, *_ in rows_of(registry, session)[:3]]
    path = tmp_path / "complaints.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    traced = look_up(registry, path)
    assert traced.attribution.rows == 3
    assert accused(traced) == set()
    assert traced.attribution.verdict is Verdict.UNDECIDED
    leads = [lead.session for fit in traced.attribution.fits.values() for lead in fit.leads]
    assert session in leads
    assert [share.organisation for share in traced.attribution.shares][:1] == [parties()[2].id]


def test_the_same_list_gives_the_same_answer(registry: Registry, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "list.csv", rows_of(registry, f"s-{parties()[0].id}-6"))
    answers = {answer_of(look_up(registry, path), registry=registry.digest).encoded() for _ in range(2)}
    assert len(answers) == 1


def test_damaged_rows_are_found_among_what_the_session_showed(registry: Registry, tmp_path: Path) -> None:
    session = f"s-{parties()[0].id}-8"
    rows = rows_of(registry, session)
    cut = len(rows) - 40
    damaged: list[tuple[str | None, ...]] = [
        # Family name, reading, telephone number but its end, date of birth: nothing exact is left.
        ("誤" + (row[0] or "")[1:], None, "090-9999-" + (row[2] or "")[-4:], (row[3] or "") + "9", None)
        for row in rows[cut:]
    ]
    traced = look_up(registry, write_csv(tmp_path / "list.csv", rows[:cut] + damaged))
    assert accused(traced) == {session}
    assert set(traced.fuzzy) == {parties()[0].id}
    # Two parts of five are left of these rows: the fuzzy pass finds some of them, and says so apart.
    assert 10 <= traced.fuzzy[parties()[0].id] <= 40
