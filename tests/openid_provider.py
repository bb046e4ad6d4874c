"""A small OpenID Connect provider, a process of its own with keys of its own: `python openid_provider.py PORT`.

Authorization code flow with PKCE (RFC 6749, RFC 7636) and a login page of its own. It is strict about what a client
must do, so that a client which leaves something out does not get in.
"""

import base64
import hashlib
import hmac
import html
import secrets
import sys
import time
from typing import Annotated
from urllib.parse import unquote, urlencode

import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "sekisho-test", "s:cret/with+signs"
# Login name -> (subject, how the provider authenticates it). The e-mail addresses are everybody's: they bind nothing.
USERS = {
    "sato": ("sub-0001", ["pwd"]),
    "mori": ("sub-0002", ["pwd", "mfa"]),
    "stranger": ("sub-9999", ["pwd", "mfa"]),
}
PASSWORD = "provider password"


def provider(issuer: str) -> FastAPI:
    app = FastAPI()
    key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig"})
    asked: dict[str, dict[str, str]] = {}
    codes: dict[str, tuple[dict[str, str], str]] = {}

    @app.get("/.well-known/openid-configuration")
    async def discovery() -> JSONResponse:
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({"issuer": issuer, **{name: f"{issuer}/{path}" for name, path in paths.items()}})

    @app.get("/keys")
    async def keys() -> JSONResponse:
        return JSONResponse({"keys": [key.as_dict(private=False)]})

    @app.get("/authorize")
    async def authorize(request: Request) -> Response:
        query = dict(request.query_params)
        wanted = {"response_type": "code", "client_id": CLIENT, "code_challenge_method": "S256"}
        if any(query.get(name) != value for name, value in wanted.items()) or "openid" not in query["scope"]:
            return Response(status_code=400)
        if len(query["state"]) < 32 or len(query["nonce"]) < 32 or len(query["code_challenge"]) != 43:
            return Response(status_code=400)
        name = secrets.token_urlsafe(16)
        asked[name] = query
        return HTMLResponse(
            f"""<!doctype html><html lang="en"><title>Example Identity</title><h1>Example Identity</h1>
            <form method="post" action="/authorize"><input type="hidden" name="request" value="{html.escape(name)}">
            <label>Name <input name="user"></label><label>Password <input name="password" type="password"></label>
            <button>Sign in</button><button name="refuse" value="1">Refuse</button></form>"""
        )

    @app.post("/authorize")
    async def sign_in(
        request: Annotated[str, Form()],
        user: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
        refuse: Annotated[str, Form()] = "",
    ) -> Response:
        query = asked.pop(request)
        answer = {"state": query["state"], "iss": issuer}
        if refuse or user not in USERS or not hmac.compare_digest(password, PASSWORD):
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(24)
            codes[answer["code"]] = (query, user)
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 303)

    @app.post("/token")
    async def token(
        request: Request,
        grant_type: Annotated[str, Form()],
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
    ) -> Response:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        known = (scheme, unquote(user), unquote(password)) == ("Basic", CLIENT, SECRET)
        query, name = codes.pop(code, ({}, ""))
        digest = hashlib.sha256(code_verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        same = (query.get("code_challenge"), query.get("redirect_uri")) == (challenge, redirect_uri)
        if not known or not same or grant_type != "authorization_code":
            return JSONResponse({"error": "invalid_grant"}, 400)
        subject, methods = USERS[name]
        now = int(time.time())
        claims = {"iss": issuer, "sub": subject, "aud": CLIENT, "iat": now, "exp": now + 300, "amr": methods}
        claims |= {"nonce": query["nonce"], "email": "sato@example.com", "preferred_username": "sato"}
        signed = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})

    return app


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(provider(f"http://127.0.0.1:{port}"), host="127.0.0.1", port=port, log_level="warning")
