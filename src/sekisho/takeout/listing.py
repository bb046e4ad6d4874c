"""Who shapes the lists of where data may go (recipients, servers, media): the duty matrix's row `media_list`."""

from sekisho.gate.duties import DUTIES, Act, Case, Part, may
from sekisho.gate.refusal import Refusal
from sekisho.gate.tickets import require_standing
from sekisho.ledger import Ledger


async def require_part(ledger: Ledger, part: Part, case: Case, *, by: str) -> None:
    """Raises Fault: why this person may not propose, or approve, an entry."""
    answer = may(Act.MEDIA_LIST, part, (await require_standing(ledger, by)).actor, case)
    if isinstance(answer, Refusal):
        raise answer.fault()


async def require_shaper(ledger: Ledger, *, by: str) -> None:
    """Anybody with a part in the list takes an entry away alone. Raises Fault NOT_YOUR_DUTY."""
    who = (await require_standing(ledger, by)).actor
    shaping = {
        role for role, cell in DUTIES[Act.MEDIA_LIST].items() if {Part.REQUEST, Part.APPROVE} & set(cell)
    }
    if not any(one.role in shaping for one in who.held):
        refused = may(Act.MEDIA_LIST, Part.REQUEST, who, Case())
        if isinstance(refused, Refusal):
            raise refused.fault()
