"""The one shape of the JSON API's errors."""

from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from sekisho.console import faults as console_faults
from sekisho.console.words import language_of
from sekisho.faults import Fault, FaultKind
from sekisho.gate import faults as gate_faults
from sekisho.people import faults as people_faults
from sekisho.register import faults as register_faults
from sekisho.relay.record import faults as record_faults
from sekisho.watch import faults as watch_faults


class FaultAnswer(BaseModel):
    """The one shape of an error: a stable code, and a sentence in the caller's language."""

    code: str
    message: str


ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": FaultAnswer, "description": "What was sent cannot be used."},
    401: {"model": FaultAnswer, "description": "No token, or one that is not good any more."},
    403: {"model": FaultAnswer, "description": "The token's scope, or its person's roles, do not allow it."},
    404: {"model": FaultAnswer, "description": "There is none that this person may see."},
    422: {"model": FaultAnswer, "description": "A parameter is not what the schema says."},
    503: {"model": FaultAnswer, "description": "The ledger cannot record, so nothing is shown."},
}

_STATUS: Final[dict[FaultKind, int]] = {
    console_faults.NOT_LOGGED_IN: 401,
    people_faults.LOGIN_REFUSED: 401,
    people_faults.PASSKEY_REFUSED: 401,
    people_faults.BAD_LINK: 401,
    people_faults.TOO_MANY_FAILURES: 429,
    console_faults.NOT_YOURS: 403,
    console_faults.NEEDS_SCOPE: 403,
    console_faults.FROM_ELSEWHERE: 403,
    people_faults.NEEDS_ROLE: 403,
    people_faults.SECOND_PERSON: 403,
    people_faults.NOT_IN_THE_LOG: 403,
    gate_faults.SELF_APPROVAL: 403,
    gate_faults.NOT_YOUR_DUTY: 403,
    record_faults.NEEDS_APPROVAL: 403,
    register_faults.SECOND_PERSON: 403,
    console_faults.NOT_FOUND: 404,
    console_faults.NOT_PUBLISHED: 404,
    record_faults.NO_RECORDING: 404,
    gate_faults.NO_TICKET: 404,
    people_faults.NO_SUCH_PERSON: 404,
    console_faults.TOO_LARGE: 413,
    watch_faults.NO_SOURCE: 401,
    watch_faults.SOURCE_BUSY: 503,
    console_faults.TOO_MANY_STREAMS: 503,
}


def status_of(fault: Fault) -> int:
    """A fault of the ledger or the evidence means that nothing can be recorded or proven now."""
    if fault.code.startswith(("SEK-LEDG", "SEK-EVID")):
        return 503
    return _STATUS.get(fault.kind, 400)


def answer_of(request: Request, fault: Fault, status: int) -> JSONResponse:
    language = language_of(request)
    answer = FaultAnswer(code=fault.code, message=fault.sentence(language))
    return JSONResponse(answer.model_dump(), status)
