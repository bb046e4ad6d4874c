"""Who sees which page: what the duty matrix says, asked of the running console."""

import gzip
import re
from pathlib import Path

import httpx2
import pytest

from checkpoint_under_test import Checkpoint
from console.console_scene import Scene
from sekisho.console.access import OPEN_TO, Page
from sekisho.console.house import SCOPES
from sekisho.console.pages import MENU, STATIC
from sekisho.console.words import japanese
from sekisho.people.roles import Role

pytestmark = pytest.mark.e2e

HOLDERS = {
    "sato": Role.WORKER,
    "mori": Role.OPERATOR_MANAGER,
    "moto": Role.PROCESSOR_MANAGER,
    "haruka": Role.CLIENT,
    "kura": Role.LOG_CUSTODIAN,
    "kensa": Role.AUDITOR,
    "hogo": Role.PRIVACY_OFFICER,
    "kanri": Role.ADMINISTRATOR,
}


def test_the_matrix_opens_these_pages_and_no_other() -> None:
    """Derived from the gate's matrix; written out here so that a change of either is seen."""
    expected = {
        Page.WORK: {Role.WORKER},
        Page.QUEUE: {Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER},
        Page.LIVE: {Role.OPERATOR_MANAGER, Role.AUDITOR},
        Page.TICKETS: {Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.AUDITOR, Role.PRIVACY_OFFICER},
        Page.PORTAL: {Role.CLIENT},
        Page.REVIEWS: {Role.OPERATOR_MANAGER, Role.PROCESSOR_MANAGER, Role.AUDITOR, Role.PRIVACY_OFFICER},
        Page.RECORDINGS: {
            Role.OPERATOR_MANAGER,
            Role.PROCESSOR_MANAGER,
            Role.CLIENT,
            Role.AUDITOR,
            Role.PRIVACY_OFFICER,
        },
        Page.FACTS: {Role.LOG_CUSTODIAN, Role.AUDITOR, Role.INVESTIGATOR},
        Page.TRACE: {
            Role.OPERATOR_MANAGER,
            Role.PROCESSOR_MANAGER,
            Role.INVESTIGATOR,
            Role.AUDITOR,
            Role.PRIVACY_OFFICER,
        },
        Page.ALERTS: set(Role) - {Role.WORKER, Role.CLIENT, Role.LOG_CUSTODIAN, Role.ADMINISTRATOR},
        Page.TAKEOUTS: set(Role) - {Role.LOG_CUSTODIAN, Role.INVESTIGATOR},
        Page.REFUSALS: set(Role) - {Role.WORKER, Role.CLIENT, Role.LOG_CUSTODIAN, Role.ADMINISTRATOR},
    }
    for page, roles in expected.items():
        assert OPEN_TO[page] == roles, page
    assert OPEN_TO[Page.STATUS] == OPEN_TO[Page.FACTS] | {Role.ADMINISTRATOR}
    staff = set(Role) - {Role.WORKER, Role.CLIENT, Role.LOG_CUSTODIAN, Role.INVESTIGATOR}
    assert OPEN_TO[Page.CONTROLS] == staff | {Role.CLIENT}
    assert OPEN_TO[Page.PEOPLE] == OPEN_TO[Page.REGISTER] == OPEN_TO[Page.POLICY] == staff
    assert set(OPEN_TO) == set(Page)


async def test_each_role_sees_its_pages_and_is_refused_all_others(house: Scene) -> None:
    paths = {path: page for page, path, _ in MENU if page is not None}
    for person, role in HOLDERS.items():
        async with house.client(person) as client:
            for path, page in paths.items():
                answer = await client.get(path)
                if role in OPEN_TO[page]:
                    assert answer.status_code == 200, (person, path, answer.text[-300:])
                    assert re.search(rf'href="{path}"[^>]* aria-current="page"', answer.text), (person, path)
                else:
                    assert answer.status_code == 403, (person, path)
                    assert "SEK-CONS-002" in answer.text


async def test_nobody_sees_anything_without_a_session(house: Scene) -> None:
    async with house.client() as client:
        for _, path, _ in MENU:
            assert (await client.get(path)).status_code == 401
        assert (await client.get("/")).headers["location"] == "/login"
        assert (await client.get("/api/v1/me")).json()["code"] == "SEK-CONS-001"
        assert (await client.get("/login")).status_code == 200


async def test_a_client_sees_its_own_data_only(house: Scene) -> None:
    ticket = await house.checkpoint.ticket()
    await house.checkpoint.psql(ticket, "SELECT name FROM minato.customers LIMIT 3")
    session = (await house.checkpoint.facts("relay.session_opened"))[0].about
    async with house.client("haruka") as mine, house.client("aoi") as other:
        assert session in (await mine.get("/portal")).text
        assert (await mine.get(f"/portal/sessions/{session}")).status_code == 200
        assert session not in (await other.get("/portal")).text
        for path in (f"/portal/sessions/{session}", f"/portal/sessions/{session}/evidence"):
            assert (await other.get(path)).status_code == 404
        assert (await other.get("/portal?organisation=minato")).status_code == 404
        assert (await other.get("/portal/digest?organisation=minato")).status_code == 404


async def test_the_text_of_a_statement_is_for_those_who_supervise(house: Scene) -> None:
    ticket = await house.checkpoint.ticket()
    typed = "SELECT name FROM minato.customers WHERE name = 'typed-by-hand'"
    await house.checkpoint.psql(ticket, typed)
    session = (await house.checkpoint.facts("relay.session_opened"))[0].about
    for person, path in (("mori", f"/live/{session}"), ("kensa", f"/live/{session}")):
        async with house.client(person) as client:
            assert "typed-by-hand" in (await client.get(path)).text
    for person in ("haruka", "kensa", "mori", "hogo", "kura", "sato"):
        paths = [path for _, path, _ in MENU if path != "/live"]
        async with house.client(person) as client:
            for path in (
                *paths,
                f"/portal/sessions/{session}",
                f"/tickets/{ticket}",
                "/facts?about=" + session,
            ):
                assert "typed-by-hand" not in (await client.get(path)).text, (person, path)
    read = [one for one in await house.checkpoint.facts("console.log_read") if one.about == session]
    assert {one.by for one in read} == {"mori", "kensa"}


async def test_an_administrator_sees_no_session_no_ticket_and_no_log(house: Scene) -> None:
    ticket = await house.checkpoint.ticket()
    await house.checkpoint.psql(ticket, "SELECT name FROM minato.customers LIMIT 3")
    session = (await house.checkpoint.facts("relay.session_opened"))[0].about
    async with house.client("kanri") as client:
        for path in (
            "/live",
            "/live/list",
            f"/live/{session}",
            f"/live/{session}/list",
            "/tickets",
            f"/tickets/{ticket}",
            "/facts",
            "/refusals",
            "/portal",
            "/proof/3",
        ):
            assert (await client.get(path)).status_code == 403, path


async def test_a_role_written_into_the_database_opens_nothing(house: Scene, tmp_path: Path) -> None:
    """Roles are read from facts that stand in the published log: a row is no role, and neither is a forged fact."""
    import sqlite3

    async with house.client("haruka") as client:
        assert (await client.get("/facts")).status_code == 403
        with sqlite3.connect(house.checkpoint.service.state / "ledger.sqlite") as database:
            database.execute(
                "INSERT INTO roles_held (person, role, organisation, since, granted, granted_by, rotation_due)"
                " VALUES ('haruka', 'auditor', '', '2024-04-01', 0, 'kanri', 0)"
            )
        assert (await client.get("/facts")).status_code == 403
        with sqlite3.connect(house.checkpoint.service.state / "ledger.sqlite") as database:
            database.execute(
                'UPDATE facts SET leaf = CAST(replace(leaf, \'"role":"client"\', \'"role":"auditor"\') AS BLOB)'
                " WHERE about = 'haruka'"
            )
        answer = await client.get("/facts")
        assert answer.status_code == 403
        assert "SEK-PEOP-020" in answer.text


# -- what every answer carries, and what is never taken ---------------------------------------------------------------


async def test_every_answer_is_dressed(house: Scene) -> None:
    async with house.client("mori") as client:
        for path in ("/queue", "/login", "/nowhere", "/facts", "/api/v1/me", "/static/console.css"):
            headers = (await client.get(path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'nonce-")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["strict-transport-security"]
            assert headers["referrer-policy"] == "same-origin"
        first, second = (await client.get("/queue")).text, (await client.get("/queue")).text
        nonces = [set(re.findall(r'nonce="([^"]+)"', text)) for text in (first, second)]
        assert len(nonces[0]) == len(nonces[1]) == 1
        assert nonces[0] != nonces[1]
        assert not re.search(r"<(script|style)(?![^>]*nonce=)|\son\w+=|\sstyle=", first)


async def test_a_session_cookie_is_bound_to_this_host_and_hidden_from_scripts(house: Scene) -> None:
    checkpoint: Checkpoint = house.checkpoint
    import pyotp

    async with house.client() as client:
        code = pyotp.TOTP(checkpoint.totp).now()
        answer = await client.post(
            "/login/password", data={"person": "sato", "password": "correct horse", "code": code}
        )
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-sekisho=")
        for word in ("Secure", "HttpOnly", "SameSite=strict", "Path=/"):
            assert word in cookie
        assert (await client.get("/work")).status_code == 200
        opened = (await checkpoint.facts("people.session_opened"))[-1]
        assert opened.by == "sato"
        token = re.search(r'name="csrf" value="(\w+)"', (await client.get("/work")).text)
        assert token is not None
        assert (await client.post("/logout", data={"csrf": token[1]})).status_code == 303
        client.cookies.set("__Host-sekisho", cookie.split(";")[0].split("=", 1)[1])
        assert (await client.get("/work")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {},
    ],
)
async def test_a_form_from_elsewhere_changes_nothing(house: Scene, headers: dict[str, str]) -> None:
    async with house.client("mori") as client:
        token = await csrf(client, "/people/sato")
        del client.headers["origin"]
        data = {"csrf": token, "reason": "test"}
        answer = await client.post("/people/sato/freeze", data=data, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "SEK-CONS-003")
    assert await house.checkpoint.facts("people.person_frozen") == []


async def test_a_form_without_its_sessions_token_changes_nothing(house: Scene) -> None:
    async with house.client("mori") as client, house.client("mori") as other:
        foreign = await csrf(other, "/people/sato")
        for token in ("", "0" * 64, foreign):
            answer = await client.post("/people/sato/freeze", data={"csrf": token, "reason": "test"})
            assert answer.status_code == 403
        assert await house.checkpoint.facts("people.person_frozen") == []
        token = await csrf(client, "/people/sato")
        answer = await client.post("/people/sato/freeze", data={"csrf": token, "reason": "test"})
        assert answer.status_code == 303
    assert len(await house.checkpoint.facts("people.person_frozen")) == 1


async def test_a_body_that_is_too_large_is_not_read(house: Scene) -> None:
    async with house.client() as client:
        answer = await client.post("/login/password", content=b"x" * (2 << 20))
        assert answer.status_code == 413


async def csrf(client: httpx2.AsyncClient, path: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', (await client.get(path)).text)
    assert found is not None
    return found[1]


# -- what is read is recorded -----------------------------------------------------------------------------------------


async def test_reading_the_log_is_a_fact_before_it_is_shown(house: Scene) -> None:
    async with house.client("kensa") as client:
        answer = await client.get("/facts?fact=people.&about=sato")
        assert answer.status_code == 200
        read = (await house.checkpoint.facts("console.log_read"))[-1]
        assert read.by == "kensa"
        assert b'"filter":{"fact":"people.","about":"sato"}' in read.leaf
        newest = (await client.get("/facts")).text
        assert "console.log_read" in newest  # this very reading is on the page that it opened
        await client.get("/refusals")
        assert b'"view":"refusals"' in (await house.checkpoint.facts("console.log_read"))[-1].leaf


async def test_the_log_can_be_walked_to_its_beginning(house: Scene) -> None:
    async with house.client("kensa") as client:
        path, seen = "/facts?fact=people.", set()
        for _ in range(10):
            text = (await client.get(path)).text
            seen |= set(re.findall(r"(people\.\w+)</(?:code|summary)>", text))
            following = re.search(r'class="pager"><a href="([^"]+)"', text)
            if following is None:
                break
            path = following[1].replace("&amp;", "&")
        assert {"people.person_added", "people.role_granted", "people.credential_set"} <= seen


# -- the API ----------------------------------------------------------------------------------------------------------


async def test_a_token_reads_what_its_person_and_its_scopes_allow(house: Scene) -> None:
    async with house.client("mori") as client:
        token = await issue(client, "sessions", "me")
        api = {"authorization": f"Bearer {token}"}
        del client.cookies["__Host-sekisho"]
        assert (await client.get("/api/v1/me", headers=api)).json()["person"] == "mori"
        assert (await client.get("/api/v1/sessions", headers=api)).json()["may_end"] is False
        refused = await client.get("/api/v1/tickets", headers=api)
        assert (refused.status_code, refused.json()["code"]) == (403, "SEK-CONS-006")
        assert (await client.get("/live", headers=api)).status_code == 401  # a token opens no page
    async with house.client("kanri") as client:
        token = await issue(client, *SCOPES)
        api = {"authorization": f"Bearer {token}"}
        for path in ("sessions", "tickets", "facts", "refusals", "portal", "queue", "work"):
            assert (await client.get(f"/api/v1/{path}", headers=api)).status_code == 403, path
        assert (await client.get("/api/v1/people", headers=api)).status_code == 200
        assert (await client.get("/api/v1/people")).status_code == 401  # a cookie opens no API


async def issue(client: httpx2.AsyncClient, *scopes: str) -> str:
    data = {"csrf": await csrf(client, "/me"), "label": "test", "scopes": list(scopes), "days": "1"}
    found = re.search(r'id="token">([^<]+)<', (await client.post("/me/tokens", data=data)).text)
    assert found is not None
    return found[1]


async def test_pages_speak_the_language_asked_for(house: Scene) -> None:
    for person in HOLDERS:
        async with house.client(person, **{"accept-language": "ja,en;q=0.5"}) as client:
            text = (await client.get("/me")).text
            assert '<html lang="ja"' in text
            assert japanese()["My account"] in text
            await client.post("/preferences", data={"language": "en", "back": "/me"})
            assert '<html lang="en"' in (await client.get("/me")).text
    async with house.client() as client:
        answer = await client.post("/preferences", data={"theme": "dark", "back": "//elsewhere.example"})
        assert answer.headers["location"] == "/"
        assert 'data-theme="dark"' in (await client.get("/login")).text


def scripts_of(template: Path) -> set[Path]:
    """The scripts that a page loads: its own, and those of the frame around it."""
    text = template.read_text("utf-8") + (template.parent / "base.html").read_text("utf-8")
    return {STATIC / name for name in re.findall(r'src="/static/([^?"]+\.js)', text)}


def test_no_page_is_sent_more_than_200_kb_of_script() -> None:
    """As it is sent: static files go out compressed. Pages with xterm.js are the largest."""
    templates = STATIC.parent / "templates"
    weights = {
        template.name: sum(len(gzip.compress(path.read_bytes(), 9)) for path in scripts_of(template))
        for template in templates.glob("*.html")
    }
    assert max(weights, key=lambda name: weights[name]) in ("terminal.html", "play.html")
    assert weights["terminal.html"] < 200_000
    assert weights["live.html"] < 40_000


async def test_scripts_are_sent_compressed(house: Scene) -> None:
    async with house.client() as client:
        answer = await client.get("/static/vendor/xterm/xterm.js", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert int(answer.headers.get("content-length", 0)) < 200_000
