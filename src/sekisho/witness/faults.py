"""What can go wrong between a log and a witness, in the words of the person who is told."""

from typing import Final

from sekisho.faults import fault_kind

UNREACHABLE: Final = fault_kind(
    "SEK-WITN-001",
    en="The witness at {url} did not answer ({reason}). The entries are kept and the checkpoint waits for its "
    "cosignature; the request is repeated.",
    ja="立会人 {url} から応答がありません({reason})。記録は残っており、チェックポイントは連署を待っています。"
    "要求は繰り返されます。",
)
REFUSED: Final = fault_kind(
    "SEK-WITN-002",
    en="The witness at {url} refused the checkpoint of {size} entries (status {status}: {reason}). It has no "
    "cosignature of this witness; check that the witness knows this log's key.",
    ja="立会人 {url} は {size} 件のチェックポイントを拒否しました(状態 {status}: {reason})。この立会人の連署は"
    "ありません。立会人にこのログの鍵が登録されているか確かめてください。",
)
CONTRADICTED: Final = fault_kind(
    "SEK-WITN-003",
    en="The witness at {url} says that the log of {size} entries is not a continuation of what it cosigned before "
    "({seen} entries). The log was changed or exchanged; stop it, and keep the folder as evidence.",
    ja="立会人 {url} によれば、{size} 件のログは以前に連署したもの({seen} 件)の続きではありません。ログが改変されたか"
    "差し替えられています。停止し、フォルダーを証拠として保全してください。",
)
WITNESS_AHEAD: Final = fault_kind(
    "SEK-WITN-004",
    en="The witness at {url} has cosigned {seen} entries of this log, which now has only {size}. The log was rolled "
    "back to an older copy; nothing was cosigned, restore the newest copy.",
    ja="立会人 {url} はこのログの {seen} 件まで連署していますが、今のログは {size} 件しかありません。古い写しに"
    "戻されています。連署はありません。最新の写しに戻してください。",
)
BAD_ANSWER: Final = fault_kind(
    "SEK-WITN-005",
    en="The answer of the witness at {url} carries no valid cosignature of {key} ({reason}). Nothing was accepted from "
    "it; compare the witness's key with its operator.",
    ja="立会人 {url} の応答に {key} の有効な連署がありません({reason})。何も受け入れていません。"
    "立会人の鍵を運営者に確かめてください。",
)
