"""What stands around every answer: security headers, one content policy, and no unsafe request from elsewhere.

A request that changes something is taken only from a page of this very origin: the browser says so in
Sec-Fetch-Site or Origin, and forms of a session also carry a token that only a page of that session can know.
Requests of the JSON API carry a bearer token that no browser sends by itself.
"""

import secrets
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sekisho.console import faults
from sekisho.faults import Fault

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LARGEST_BODY: Final = 1 << 20
_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    # Not "no-referrer": with it a browser says "Origin: null" of our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), publickey-credentials-get=(self), "
    "publickey-credentials-create=(self)",
    "strict-transport-security": "max-age=31536000",
}


class Guard:
    """ASGI middleware. `scope["state"]["nonce"]` is what script and style elements of this answer must carry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and not _own_page(scope):
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the answer is 403
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = scope.setdefault("state", {})["nonce"] = secrets.token_urlsafe(16)
        headers = Headers(scope=scope)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                _dress(MutableHeaders(scope=message), nonce)
            await send(message)

        refusal = _refusal(scope, headers)
        if refusal is not None:
            body = {"code": refusal.code, "message": refusal.sentence("en")}
            status = 413 if refusal.kind is faults.TOO_LARGE else 403
            await JSONResponse(body, status)(scope, receive, answer)
            return
        await self._app(scope, _bounded(receive), answer)


def _dress(headers: MutableHeaders, nonce: str) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")
    headers["content-security-policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def _refusal(scope: Scope, headers: Headers) -> Fault | None:
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _LARGEST_BODY:
        return Fault(faults.TOO_LARGE, limit=_LARGEST_BODY)
    if scope["method"] in _SAFE or scope["path"].startswith("/api/"):
        return None
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    own = f"{scope['scheme']}://{headers.get('host', '')}"
    if (site is None and origin is None) or site not in (None, "same-origin") or origin not in (None, own):
        return Fault(faults.FROM_ELSEWHERE)
    return None


def _own_page(scope: Scope) -> bool:
    """A browser lets any page open a WebSocket to anywhere, and names the page's origin (RFC 6455 10.2)."""
    headers = Headers(scope=scope)
    scheme = "https" if scope["scheme"] == "wss" else "http"
    return headers.get("origin") == f"{scheme}://{headers.get('host', '')}"


def _bounded(receive: Receive) -> Receive:
    """A body without a length is bounded as it comes: the connection ends where it is too long."""
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > _LARGEST_BODY:
            return {"type": "http.disconnect"}
        return message

    return take
