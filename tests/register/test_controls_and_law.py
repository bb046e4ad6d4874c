"""Controls: what has no evidence in force is red; the law: which rules hold on a day."""

import hashlib
import json
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from sekisho.cli.register import register
from sekisho.faults import Fault
from sekisho.gate.facts import TicketApproved
from sekisho.ledger import Ledger
from sekisho.register import faults
from sekisho.register.controls import (
    Control,
    ControlStanding,
    Light,
    built_in,
    describe_control,
    open_verifications,
    read_controls,
    record_evidence,
    state_control,
    verify_control,
)
from sekisho.register.facts import CertificateStated, ControlStated
from sekisho.register.law import all_rules, rules_on, threshold_on
from sekisho.register.parties import SupervisionItem
from sekisho.register.tables import JST
from sekisho.service.service import create_state
from sekisho.service.settings import Settings

TODAY = datetime.now(JST).date()
OWN = """
id: fence
name: {en: Fence, ja: 柵}
does: {en: Keeps out., ja: 入れない。}
steps: [{en: Walk along it., ja: 歩いて見る。}]
life: 10
minutes: {operator: 5, user: 0}
"""


async def standing(ledger: Ledger, control: str = "masking", on: date = TODAY) -> ControlStanding:
    return next(one for one in await read_controls(ledger, on) if one.control.id == control)


def stated(status: str, control: str = "masking") -> ControlStated:
    return ControlStated(control=control, status=status, operator_minutes=40, user_minutes=2)  # type: ignore[arg-type]


async def evidence(ledger: Ledger, on: date = TODAY, control: str = "masking") -> None:
    await record_evidence(ledger, control, b"report", kind="red-team", on=on, today=TODAY, by="kanri")


def test_each_built_in_control_has_steps_and_minutes_in_both_languages() -> None:
    found = built_in()
    assert len({one.id for one in found}) == len(found) > 9
    for one in found:
        assert one.steps
        assert one.minutes.operator + one.minutes.user > 0
        assert 1 <= one.life <= 366
        for said in (one.name, one.does, *one.steps):
            assert said.en
            assert said.ja != said.en


async def test_without_evidence_every_control_is_red_also_beside_a_certificate(ledger: Ledger) -> None:
    assert {one.light for one in await read_controls(ledger, TODAY)} == {Light.RED}
    await state_control(ledger, stated("permanent"), by="kanri")
    isms = CertificateStated(organisation="prime", name="ISMS", until=TODAY + timedelta(days=900))
    await ledger.record(isms, by="kanri", about="prime")
    one = await standing(ledger)
    assert (one.status, one.light, one.stated.by, one.stated.since) == (
        "permanent",
        Light.RED,
        "kanri",
        TODAY,
    )
    assert one.stated.minutes.operator == 40


async def test_evidence_lapses_and_a_verified_control_is_interim_again(ledger: Ledger) -> None:
    await evidence(ledger)
    assert (await standing(ledger)).light is Light.RED  # planned: it is not there yet
    await state_control(ledger, stated("interim"), by="kanri")
    assert (await standing(ledger)).light is Light.AMBER
    proposed = await state_control(ledger, stated("verified"), by="kanri")
    proposal = proposed.leaf_hash.hex()
    assert (await standing(ledger)).status == "interim"
    assert [one.seq for one in await open_verifications(ledger, "masking")] == [proposed.seq]
    with pytest.raises(Fault) as refused:
        await verify_control(ledger, proposal, by="kanri", on=TODAY)
    assert refused.value.kind is faults.SECOND_PERSON
    await verify_control(ledger, proposal, by="hogo", on=TODAY)
    one = await standing(ledger)
    assert (one.status, one.light, one.stated.by, one.stated.second) == (
        "verified",
        Light.GREEN,
        "kanri",
        "hogo",
    )
    last = TODAY + timedelta(days=one.control.life)
    assert (await standing(ledger, on=last)).light is Light.GREEN
    lapsed = await standing(ledger, on=last + timedelta(days=1))
    assert (lapsed.status, lapsed.light, lapsed.in_force) == ("interim", Light.RED, False)
    with pytest.raises(Fault) as refused:
        await verify_control(ledger, proposal, by="hogo", on=TODAY)
    assert refused.value.kind is faults.NO_SUCH_PROPOSAL


async def test_nothing_is_verified_without_evidence_or_after_another_status(ledger: Ledger) -> None:
    proposed = await state_control(ledger, stated("verified"), by="kanri")
    with pytest.raises(Fault) as refused:
        await verify_control(ledger, proposed.leaf_hash.hex(), by="hogo", on=TODAY)
    assert refused.value.kind is faults.UNPROVEN
    await evidence(ledger)
    await state_control(ledger, stated("interim"), by="kanri")
    with pytest.raises(Fault) as refused:
        await verify_control(ledger, proposed.leaf_hash.hex(), by="hogo", on=TODAY)
    assert refused.value.kind is faults.NO_SUCH_PROPOSAL
    # Whoever writes the proof of a second person into a status has none.
    forged = msgspec.structs.replace(stated("permanent"), proposal="0" * 64, proposer="hogo")
    await state_control(ledger, forged, by="kanri")
    assert (await standing(ledger)).stated.second == ""


async def test_some_controls_are_evidence_of_themselves(ledger: Ledger) -> None:
    await state_control(ledger, stated("permanent", "tickets"), by="kanri")
    assert (await standing(ledger, "tickets")).light is Light.RED
    approved = await ledger.record(
        TicketApproved(ticket="T-1", approver="mori", request=""), by="mori", about="T-1"
    )
    one = await standing(ledger, "tickets")
    assert one.light is Light.GREEN
    assert one.evidence is not None
    assert (one.evidence.line, one.evidence.kind) == (approved.seq, "gate.ticket_approved")
    assert (await standing(ledger, "tickets", TODAY + timedelta(days=32))).light is Light.RED


async def test_evidence_of_tomorrow_or_of_nothing_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Fault) as refused:
        await evidence(ledger, TODAY + timedelta(days=1))
    assert refused.value.kind is faults.BAD_CONTROL
    with pytest.raises(Fault) as refused:
        await record_evidence(ledger, "masking", b"", kind="x", on=TODAY, today=TODAY, by="kanri")
    assert refused.value.kind is faults.BAD_CONTROL
    with pytest.raises(Fault) as refused:
        await evidence(ledger, control="nothing")
    assert refused.value.kind is faults.UNKNOWN_CONTROL
    await evidence(ledger, TODAY - timedelta(days=9))
    await evidence(ledger, TODAY - timedelta(days=30))  # taken in later, and older
    found = (await standing(ledger)).evidence
    assert found is not None
    assert found.on == TODAY - timedelta(days=9)


async def test_a_control_of_ones_own_lapses_as_well_and_the_built_in_ones_stay(ledger: Ledger) -> None:
    own = msgspec.yaml.decode(OWN.encode(), type=Control)
    await describe_control(ledger, own, by="kanri")
    assert (await standing(ledger, "fence")).control == own
    wrongs = (
        {"id": "masking"},
        {"life": 0},
        {"life": 367},
        {"steps": ()},
        {"renewed_by": ("gate.ticket_approved",)},
    )
    for wrong in wrongs:
        with pytest.raises(Fault) as refused:
            await describe_control(ledger, msgspec.structs.replace(own, **wrong), by="kanri")
        assert refused.value.kind is faults.BAD_CONTROL


# -- the law ---------------------------------------------------------------------------------------------------


def ids(day: date) -> set[str]:
    return {rule.id for rule in rules_on(day)}


def test_every_rule_has_a_source_and_both_languages() -> None:
    rules = all_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.source.strip(), rule.id
        assert rule.says.ja != rule.says.en
    entrustment = next(rule for rule in rules if rule.id == "entrustment")
    assert entrustment.supervision == tuple(SupervisionItem)


def test_the_same_incident_meets_other_rules_on_other_days() -> None:
    report = {"report", "report-thresholds", "report-clocks"}
    before, after_bodies, after_amendment = (
        ids(date(2022, 3, 31)),
        ids(date(2023, 10, 17)),
        ids(date(2024, 4, 2)),
    )
    assert not report & before
    assert report | {"report-thresholds-public"} <= after_bodies
    assert after_amendment - after_bodies == {"wrongful-taking-of-input"}
    assert "report-thresholds-public" not in ids(date(2023, 3, 31))
    assert report <= ids(date(2022, 4, 1))


def test_thresholds_by_day() -> None:
    assert threshold_on(date(2022, 3, 31), public_body=False) is None
    assert threshold_on(date(2022, 4, 1), public_body=False) == 1000
    assert threshold_on(date(2022, 4, 1), public_body=True) is None
    assert threshold_on(date(2023, 10, 17), public_body=True) == 100


def test_what_is_not_in_force_holds_on_no_day() -> None:
    assert "amendment-2026" in {rule.id for rule in all_rules()}
    for year in (2022, 2026, 2040):
        assert "amendment-2026" not in ids(date(year, 12, 31))


def test_the_commands(tmp_path: Path) -> None:
    state = tmp_path / "state"
    create_state(state, Settings(origin="checkpoint.example/test"))

    def run(*words: str) -> Result:
        return CliRunner().invoke(register, words, env={"SEKISHO_STATE": str(state), "LANG": "en_US.UTF-8"})

    report = tmp_path / "report.txt"
    report.write_text("nothing passed")
    day = TODAY.isoformat()
    recorded = run(
        "controls",
        "record",
        str(report),
        "--control",
        "red-team",
        "--kind",
        "red-team",
        "--on",
        day,
        "--by",
        "k",
    )
    assert recorded.exit_code == 0, recorded.output
    minutes = ("--operator-minutes", "90", "--user-minutes", "0", "--by", "k")
    assert run("controls", "state", "red-team", "permanent", *minutes).exit_code == 0
    own = tmp_path / "own.yaml"
    own.write_text(f"[{{{', '.join(OWN.strip().splitlines())}}}]")
    assert run("controls", "describe", str(own), "--by", "k").exit_code == 0
    shown = run("controls", "--json")
    assert shown.exit_code == 1
    by_id = {one["id"]: one for one in json.loads(shown.output)}
    assert (by_id["red-team"]["light"], by_id["red-team"]["minutes"]["operator"]) == ("green", 90)
    assert by_id["red-team"]["evidence"]["sha256"] == hashlib.sha256(b"nothing passed").hexdigest()
    assert by_id["fence"]["light"] == by_id["masking"]["light"] == "red"
    text = run("controls").output
    assert "green  red-team" in text
    assert "RED  masking" in text
    assert "1,000" in run("law", "--on", "2022-04-01").output
    assert "1,000" not in run("law", "--on", "2022-03-31").output
    assert "2026-07-17" in run("law", "--all").output
