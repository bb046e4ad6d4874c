"""Asking witnesses for cosignatures.

A witness that has seen more than we have, or something else, is not a failed request but the alarm that the log
was rolled back or changed: `WITNESS_AHEAD` and `CONTRADICTED` are never retried away.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx2

from sekisho.evidence.checkpoint import parse_checkpoint
from sekisho.evidence.note import (
    Note,
    SignatureLine,
    VerifierKey,
    parse_note,
    parse_signatures,
    verify_note,
)
from sekisho.evidence.witness import request
from sekisho.faults import Fault
from sekisho.witness.faults import BAD_ANSWER, CONTRADICTED, REFUSED, UNREACHABLE, WITNESS_AHEAD

# The consistency proof from the given size to the checkpoint that is being cosigned.
Prove = Callable[[int], Sequence[bytes]]

_TRIES: Final = 3  # the first may only learn the witness's size, the second may lose a race
_MAX_ANSWER_BYTES: Final = 1 << 18
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class WitnessClient:
    """One witness, under its submission prefix. Remembers the size that it cosigned last."""

    def __init__(self, http: httpx2.AsyncClient, url: str, key: VerifierKey, *, timeout: float = 5.0) -> None:
        """`timeout`: seconds for one request, whole."""
        self.url = url.rstrip("/")
        self.key = key
        self._http = http
        self._timeout = timeout
        self._seen = 0

    async def cosign(self, note: bytes, prove: Prove) -> tuple[SignatureLine, ...]:
        """The witness's verified cosignature lines over `note`. Raises Fault."""
        size = parse_checkpoint(parse_note(note).text).size
        for _ in range(_TRIES):
            if self._seen > size:
                raise Fault(WITNESS_AHEAD, url=self.url, size=size, seen=self._seen)
            asked = request(note, self._seen, prove(self._seen))
            status, body = await self._post(asked.encode())
            if status == 200:
                lines = self._verified(asked.note.text, body)
                self._seen = size
                return lines
            told = _SIZE.fullmatch(body) if status == 409 else None
            # v1.0.0 answers an equal size with another root by 409; one witness sends no body then.
            if status == 422 or (status == 409 and (told is None or int(told[1]) == asked.old)):
                raise Fault(CONTRADICTED, url=self.url, size=size, seen=asked.old)
            if told is None:
                reason = body[:200].decode(errors="replace").strip()
                raise Fault(REFUSED, url=self.url, size=size, status=status, reason=reason)
            self._seen = int(told[1])
        raise Fault(REFUSED, url=self.url, size=size, status=409, reason="its size keeps changing")

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._timeout):
                async with self._http.stream("POST", f"{self.url}/add-checkpoint", content=body) as response:
                    answer = bytearray()
                    async for chunk in response.aiter_bytes():
                        answer += chunk
                        if len(answer) > _MAX_ANSWER_BYTES:
                            raise Fault(BAD_ANSWER, url=self.url, key=self.key.name, reason="too long")
                    return response.status_code, bytes(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise Fault(UNREACHABLE, url=self.url, reason=reason) from error

    def _verified(self, text: str, body: bytes) -> tuple[SignatureLine, ...]:
        try:
            lines = tuple(line for line in parse_signatures(body.decode()) if self.key.made(line))
            verify_note(Note(text, lines), [self.key])
        except (Fault, UnicodeDecodeError) as error:
            reason = error.code if isinstance(error, Fault) else "not UTF-8"
            raise Fault(BAD_ANSWER, url=self.url, key=self.key.name, reason=reason) from error
        return lines


@dataclass(frozen=True)
class Collected:
    """What the witnesses answered; `faults` by witness key."""

    lines: tuple[SignatureLine, ...]
    faults: dict[VerifierKey, Fault]


async def collect(witnesses: Sequence[WitnessClient], note: bytes, prove: Prove) -> Collected:
    """Ask all witnesses at once. A witness that fails is named in the result; the others' answers are kept."""
    lines: list[SignatureLine] = []
    faults: dict[VerifierKey, Fault] = {}

    async def ask(witness: WitnessClient) -> None:
        try:
            lines.extend(await witness.cosign(note, prove))
        except Fault as fault:
            faults[witness.key] = fault

    async with asyncio.TaskGroup() as group:
        for witness in witnesses:
            group.create_task(ask(witness))
    return Collected(tuple(lines), faults)
