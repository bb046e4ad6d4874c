"""The ASGI shell of a witness: paths, bounds and statuses. Every decision is `sekisho.evidence.witness`'s."""

import socket
from typing import Final

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sekisho.evidence.witness import MAX_REQUEST_BYTES, Answer, Witness
from sekisho.faults import Fault

_KEEP_ALIVE: Final = 75  # seconds; a log comes back about every second, the norm asks to keep its connection
_CONNECTIONS: Final = 256


def witness_app(witness: Witness) -> Starlette:
    """`POST /add-checkpoint` and `GET /<hex SHA-256 of the origin>/checkpoint`; mount it below any prefix."""

    async def add_checkpoint(request: Request) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_REQUEST_BYTES:
                return _response(Answer(413, b"the request is too long\n"))
        try:
            # It waits for the lock and for fsync: not on the event loop.
            return _response(await run_in_threadpool(witness.add_checkpoint, bytes(body)))
        except Fault as fault:
            return _response(Answer(503, f"{fault}\n".encode()))

    async def monitor(request: Request) -> Response:
        try:
            answer = await run_in_threadpool(witness.monitor, request.path_params["origin_hash"])
        except Fault as fault:
            answer = Answer(503, f"{fault}\n".encode())
        return _response(answer)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin_hash}/checkpoint", monitor, methods=["GET"]),
        ]
    )


def serve(witness: Witness, listener: socket.socket) -> None:
    """Serve on a bound socket until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        witness_app(witness),
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=5,
        lifespan="off",
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listener])


def _response(answer: Answer) -> Response:
    return Response(
        answer.body, answer.status, {"content-type": answer.content_type, "cache-control": "no-store"}
    )
