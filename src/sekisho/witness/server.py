"""The ASGI shell of a witness: paths, bounds and statuses. Every decision is `sekisho.evidence.witness`'s."""

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


def serve(witness: Witness, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    uvicorn.run(
        witness_app(witness),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        limit_concurrency=256,
    )


def _response(answer: Answer) -> Response:
    return Response(
        answer.body, answer.status, {"content-type": answer.content_type, "cache-control": "no-store"}
    )
