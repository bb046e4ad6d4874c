"""The JSON API says what it answers: schemathesis asks each operation and holds every answer against the schema."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.console_scene import Scene
from relay_workspace.workspace_scene import allow
from sekisho.console.house import SCOPES
from sekisho.ledger import Commitment
from sekisho.people.api_tokens import ApiTokens
from sekisho.people.identity import Method, minted
from sekisho.takeout.facts import TakeoutReleased, TakeoutRequested
from sekisho.watch.facts import AlertRaised

pytestmark = pytest.mark.e2e

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_API_DOC = Path(__file__).parents[2] / "docs/api.md"


async def tokens_of(house: Scene, *people: str) -> dict[str, str]:
    desk = ApiTokens(house.checkpoint.ledger, SCOPES)
    found = {}
    for person in people:
        _, secret = await desk.issue(
            minted(person, person, Method.PASSKEY, "test"), label="test", scopes=SCOPES
        )
        found[person] = secret
    return found


async def test_no_answer_is_undocumented(house: Scene) -> None:
    checkpoint = house.checkpoint
    ticket = await checkpoint.ticket()
    await checkpoint.psql(ticket, "SELECT name FROM minato.customers LIMIT 3", "SELECT * FROM aoba.customers")
    await house.ask()
    session = (await checkpoint.facts("relay.session_opened"))[0].about
    recording = await checkpoint.service.recordings.open(
        session,
        person="sato",
        ticket=ticket,
        organisation="minato",
        kind="ssh",
        title="x",
        width=80,
        height=24,
    )
    await recording.close()
    alert = AlertRaised(
        alert="a-1",
        detector="bulk",
        head="session",
        human="sato",
        organisation="minato",
        session=session,
        ticket=ticket,
        at=0,
        claim=9.0,
        score=9.0,
        observed=9.0,
        expected=1.0,
        values={},
        refs=(),
        certain=True,
        to=("mori",),
    )
    await checkpoint.ledger.record(alert, by="sekisho", about="a-1")
    await allow(checkpoint.ledger)
    takeout = TakeoutRequested(
        takeout="O-1", person="sato", ticket=ticket, organisations=("minato",), purpose="x", basis="x",
        recipient="x", recipient_key="", channel="page", medium="x", rows=3, persons=3, cards=0, numbers=0,
        items=("name",), stated=3, expires=4_000_000_000_000_000, returns=4_100_000_000_000_000,
        content=Commitment("11" * 32), package="22" * 32, holdings=(),
    )  # fmt: skip
    await checkpoint.ledger.record(takeout, by="sato", about="O-1")
    released = TakeoutReleased(
        takeout="O-1",
        digest="33" * 32,
        size=1,
        person="sato",
        ticket=ticket,
        organisations=("minato",),
        persons=3,
    )
    await checkpoint.ledger.record(released, by="mori", about="O-1")
    known = {
        "takeout": "O-1",
        "session": session,
        "alert": "a-1",
        "control": "masking",
        "ticket": await checkpoint.ticket(door="workspace"),
        "dataset": "minato-customers",
        "sheet": "contracts",
        "line": 3,
        "recording": recording.recording,
        "case": "case-0",  # `test_trace_pages` has one that is answered
    }
    tokens = await tokens_of(house, "kensa", "haruka", "sato", "mori", "kanri", "kura")
    async with house.client() as client:
        description = (await client.get("/api/v1/openapi.json")).json()
    answered = await asyncio.to_thread(_ask_everything, house, description, tokens, known)
    # Every operation was answered with success to somebody, and with a refusal to somebody else.
    api = {operation for operation in answered if operation != "POST /api/login"}
    elsewhere = {"GET /api/v1/trace/cases/{case}"}
    assert {operation for operation in api if 200 not in answered[operation]} == elsewhere
    everybody = {"GET /api/v1/me"}
    assert {operation for operation in api - everybody if 403 not in answered[operation]} == set()
    assert answered["POST /api/login"] & {401, 422, 429}


def _ask_everything(
    house: Scene, description: dict[str, Any], tokens: dict[str, str], known: dict[str, Any]
) -> dict[str, set[int]]:
    schema = schemathesis.openapi.from_dict(description)
    answered: dict[str, set[int]] = {}
    options: dict[str, Any] = {"base_url": house.url, "verify": str(house.checkpoint.ca), "timeout": 30}

    def ask(case: Any, headers: dict[str, str]) -> None:
        answer = case.call(headers=headers, **options)
        case.validate_response(answer, checks=_CHECKS)
        answered.setdefault(case.operation.label, set()).add(answer.status_code)

    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        for secret in tokens.values():
            headers = {"authorization": f"Bearer {secret}", "accept-language": "ja"}
            places = {name: value for name, value in known.items() if f"{{{name}}}" in operation.path}
            if operation.method == "get":
                ask(operation.Case(path_parameters=places), headers)

        @settings(
            max_examples=12,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        )
        @given(operation.as_strategy())
        def random(case: Any) -> None:
            ask(case, {"authorization": f"Bearer {tokens['kensa']}"})

        random()
    return answered


async def test_each_page_has_its_answer_and_each_answer_its_place_in_the_docs(house: Scene) -> None:
    async with house.client() as client:
        description = (await client.get("/api/v1/openapi.json")).json()
    text = _API_DOC.read_text("utf-8")
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert f"`{method.upper()} {path}`" in text, path
            assert operation.get("description"), path
            assert set(operation["responses"]) - {"200"}, path
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(SCOPES)


async def test_errors_have_one_shape_in_the_callers_language(house: Scene) -> None:
    async with house.client() as client:
        japanese = await client.get("/api/v1/me", headers={"accept-language": "ja"})
        assert set(japanese.json()) == {"code", "message"}
        assert "ログイン" in japanese.json()["message"]
        broken = await client.post("/api/login", content=b"{", headers={"content-type": "application/json"})
        assert (broken.status_code, broken.json()["code"]) == (422, "SEK-CONS-007")
        assert (await client.get("/api/v1/nothing")).json()["code"] == "SEK-CONS-005"
        secret = await client.post("/api/login", json={"person": "sato", "password": ["hunter2"]})
        assert "hunter2" not in secret.text
