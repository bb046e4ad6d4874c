"""What everybody is told at each login. That it was shown is part of the fact of the login."""

import hashlib
from typing import Final

from sekisho.faults import Language

NOTICE: Final[dict[Language, str]] = {
    "en": "Everything that you open, display and pull here is recorded, and can be seen by the client organisations "
    "whose data it is. The record cannot be changed unseen. If you are asked or pressed to do what you should not, "
    "report it.",
    "ja": "ここで開く・表示する・取り出すものはすべて記録され、データの委託元も確認できます。"
    "記録を気付かれずに変更することはできません。不正を求められたり迫られたりしたときは通報してください。",
}
# Names the very texts in the fact of a login: another wording has another name.
NOTICE_ID: Final = hashlib.sha256("\0".join((NOTICE["en"], NOTICE["ja"])).encode()).hexdigest()[:16]
