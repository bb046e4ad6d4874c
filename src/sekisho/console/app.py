"""The console's application: `POST /api/login`, and the published log below `/log/`.

Everything below `/log/` is public by design: leaves hold no personal data, and whoever doubts the log must be able
to read it (C2SP tlog-tiles).
"""

import re
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sekisho.faults import Fault, Language
from sekisho.people import faults
from sekisho.people.login import LoginDesk

_TILE: Final = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/(x[0-9]{3}/)*[0-9]{3}(\.p/[1-9][0-9]{0,2})?"
)


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


class FaultAnswer(BaseModel):
    """The one shape of an error: a stable code, and a sentence in the caller's language."""

    code: str
    message: str


def console_app(desk: LoginDesk, log: Path) -> FastAPI:
    app = FastAPI(title="Sekisho", docs_url=None, redoc_url=None)

    @app.exception_handler(Fault)
    async def _fault(request: Request, fault: Fault) -> JSONResponse:
        status = 429 if fault.kind is faults.TOO_MANY_FAILURES else 401
        language: Language = "ja" if request.headers.get("accept-language", "").startswith("ja") else "en"
        answer = FaultAnswer(code=fault.code, message=fault.sentence(language))
        return JSONResponse(answer.model_dump(), status)

    @app.middleware("http")
    async def _headers(request: Request, call_next):  # type: ignore[no-untyped-def]
        response = await call_next(request)
        response.headers["content-security-policy"] = "default-src 'none'"
        response.headers["x-content-type-options"] = "nosniff"
        return response

    @app.post("/api/login", responses={401: {"model": FaultAnswer}, 429: {"model": FaultAnswer}})
    async def login(asked: LoginRequest, request: Request) -> LoginAnswer:
        """Exchange password and one-time code for a door token."""
        token, password = await desk.issue(
            person=asked.person,
            password=asked.password,
            code=asked.code,
            ticket=asked.ticket,
            target=asked.target,
            peer=request.client.host if request.client else "",
        )
        return LoginAnswer(
            user=token.login(), password=password, target=token.target, expires=token.expires // 1_000_000
        )

    @app.get("/log/checkpoint")
    async def checkpoint() -> Response:
        """The newest signed checkpoint."""
        return _file(log / "checkpoint", "text/plain; charset=utf-8", "no-store")

    @app.get("/log/tile/{path:path}")
    async def tile(path: str) -> Response:
        """A tile or entry bundle."""
        if not _TILE.fullmatch(f"tile/{path}"):
            return Response(status_code=404)
        return _file(log / "tile" / path, "application/octet-stream", "public, max-age=31536000, immutable")

    return app


def _file(path: Path, kind: str, caching: str) -> Response:
    if not path.is_file():
        return Response(status_code=404)
    return FileResponse(path, media_type=kind, headers={"cache-control": caching})
