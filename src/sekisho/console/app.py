"""The console's application: the faces and their JSON API, `POST /api/login` for doors, the published log below
`/log/`.

Everything below `/log/` is public by design: leaves hold no personal data, and whoever doubts the log must be able
to read it (C2SP tlog-tiles).
"""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from sekisho.console import faults
from sekisho.console.api import FaultAnswer, answer_of, status_of
from sekisho.console.faces import (
    account,
    alerts,
    approver,
    auditor,
    client,
    controls,
    custody,
    desktop,
    desktop_views,
    editing,
    entrance,
    extract,
    feeds,
    ingest,
    law,
    live,
    notices,
    openid,
    people,
    recipients,
    recordings,
    register,
    takeout_acts,
    takeouts,
    terminal,
    trace,
    trace_case,
    worker,
    workspace,
)
from sekisho.console.guard import Guard
from sekisho.console.house import House
from sekisho.console.pages import STATIC, page_of_fault
from sekisho.console.viewer import HouseDep, peer_of
from sekisho.faults import Fault
from sekisho.ledger import Recorded

FACES: Final = (
    worker,
    terminal,
    desktop,
    desktop_views,
    workspace,
    approver,
    takeouts,
    takeout_acts,
    recipients,
    custody,
    live,
    alerts,
    feeds,
    recordings,
    client,
    extract,
    auditor,
    people,
    register,
    controls,
    law,
    editing,
    notices,
    trace,
    trace_case,
    account,
)
_TILE: Final = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/(x[0-9]{3}/)*[0-9]{3}(\.p/[1-9][0-9]{0,2})?"
)
_CONFIRMED: Final = 100_000


class LoginRequest(BaseModel):
    """Who logs in, and for which ticket and target the token shall be good."""

    model_config = ConfigDict(extra="forbid")
    person: Annotated[str, Field(max_length=64)]
    password: Annotated[str, Field(max_length=1024)]
    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]
    ticket: Annotated[str, Field(max_length=64)]
    target: Annotated[str, Field(max_length=64)]


class LoginAnswer(BaseModel):
    """User name and password for a client, good until `expires` (seconds since 1970)."""

    user: str
    password: str
    target: str
    expires: int


def console_app(house: House) -> FastAPI:
    app = FastAPI(
        title="Sekisho",
        version="1",
        description="What each page of the console shows, as JSON. Tokens have scopes, and see what their person "
        "may see. Reading the log is itself recorded.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.house = house
    app.add_middleware(Guard)
    # Compressed: nothing in these files is secret, so a length tells nothing.
    app.mount("/static", GZipMiddleware(_Kept(directory=STATIC), minimum_size=1024), name="static")

    @app.exception_handler(Fault)
    async def _fault(request: Request, fault: Fault) -> Response:
        status = status_of(fault)
        if _wants_json(request):
            return answer_of(request, fault, status)
        return await page_of_fault(request, fault, status)

    @app.exception_handler(RequestValidationError)
    async def _bad(request: Request, error: RequestValidationError) -> Response:
        # Names of fields only: what was typed may be a secret.
        fields = sorted({str(one["loc"][-1]) for one in error.errors()})
        fault = Fault(faults.BAD_INPUT, reason=", ".join(fields)[:200])
        return (
            answer_of(request, fault, 422)
            if _wants_json(request)
            else await page_of_fault(request, fault, 422)
        )

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # broken JSON, or a form that is none
            fault = Fault(faults.BAD_INPUT, reason="body")
        else:
            fault = Fault(faults.NOT_FOUND, what=request.url.path[:100])
        if _wants_json(request):
            answer: Response = answer_of(request, fault, error.status_code)
        else:
            answer = await page_of_fault(request, fault, error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    @app.post(
        "/api/login",
        tags=["door"],
        responses={
            status: {"model": FaultAnswer, "description": said}
            for status, said in (
                (400, "The body is no JSON."),
                (401, "Person, password and code do not fit together."),
                (422, "A field is not what the schema says."),
                (429, "Too many failures: wait."),
                (503, "The ledger cannot record."),
            )
        },
    )
    async def login(asked: LoginRequest, request: Request, house: HouseDep) -> LoginAnswer:
        """Exchange password and one-time code for a door token."""
        token, password = await house.login.issue(
            person=asked.person,
            password=asked.password,
            code=asked.code,
            ticket=asked.ticket,
            target=asked.target,
            peer=peer_of(request),
        )
        return LoginAnswer(
            user=token.login(), password=password, target=token.target, expires=token.expires // 1_000_000
        )

    app.include_router(entrance.router)
    app.include_router(openid.router)
    app.include_router(workspace.doors)
    app.include_router(takeout_acts.doors)
    app.include_router(custody.doors)
    app.include_router(ingest.doors)
    for face in FACES:
        app.include_router(face.face.pages)
        app.include_router(face.face.api)
    _publish(app, house.log)
    return app


def _publish(app: FastAPI, log: Path) -> None:
    @app.get("/log/checkpoint", include_in_schema=False)
    async def checkpoint() -> Response:
        """The newest signed checkpoint."""
        return _file(log / "checkpoint", "text/plain; charset=utf-8", "no-store")

    @app.get("/log/tile/{path:path}", include_in_schema=False)
    async def tile(path: str) -> Response:
        """A tile or entry bundle."""
        if not _TILE.fullmatch(f"tile/{path}"):
            return Response(status_code=404)
        return _file(log / "tile" / path, "application/octet-stream", "public, max-age=31536000, immutable")


def _file(path: Path, kind: str, caching: str) -> Response:
    if not path.is_file():
        return Response(status_code=404)
    return FileResponse(path, media_type=kind, headers={"cache-control": caching})


class _Kept(StaticFiles):
    """A static file with its version in its address may be kept for ever; one that a module imports by its name alone,
    for an hour."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        response = await super().get_response(path, scope)
        kept = "max-age=31536000, immutable" if scope.get("query_string") else "max-age=3600"
        response.headers["cache-control"] = f"public, {kept}"
        return response


def _wants_json(request: Request) -> bool:
    """The API, and what the pages' own script asks for."""
    return request.url.path.startswith("/api/") or request.headers.get("content-type") == "application/json"


def remembering(confirms: Callable[[Recorded], Awaitable[bool]]) -> Callable[[Recorded], Awaitable[bool]]:
    """Each page asks of the same facts whether the log has them: what was proven once stays proven, because a
    published line does not change. The index counts as well as the bytes."""
    proven: OrderedDict[tuple[int, bytes], None] = OrderedDict()

    async def confirmed(recorded: Recorded) -> bool:
        place = recorded.seq, recorded.leaf_hash
        if place in proven:
            return True
        if not await confirms(recorded):
            return False
        proven[place] = None
        if len(proven) > _CONFIRMED:
            proven.popitem(last=False)
        return True

    return confirmed
