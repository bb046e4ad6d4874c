"""What can go wrong with evidence, in the words of the person who is told."""

from typing import Final

from sekisho.faults import fault_kind

BAD_NOTE: Final = fault_kind(
    "SEK-EVID-001",
    en="This is not a signed note ({reason}). Nothing was accepted from it; get the file again from its source.",
    ja="署名付きノートではありません({reason})。内容は一切受け入れていません。発行元から取り直してください。",
)
BAD_KEY: Final = fault_kind(
    "SEK-EVID-002",
    en="This is not a usable key ({reason}). Nothing was signed or checked with it; compare it with its source.",
    ja="使える鍵ではありません({reason})。署名にも検証にも使っていません。発行元のものと照合してください。",
)
BAD_CHECKPOINT: Final = fault_kind(
    "SEK-EVID-003",
    en="This is not a checkpoint ({reason}). Nothing was accepted from it; get the file again from its source.",
    ja="チェックポイントではありません({reason})。内容は一切受け入れていません。発行元から取り直してください。",
)
SIGNATURE_MISSING: Final = fault_kind(
    "SEK-EVID-004",
    en="The note carries no signature of {key}. It was not accepted; ask its source for the signed one.",
    ja="{key} の署名がありません。受け入れていません。署名のあるものを発行元に求めてください。",
)
SIGNATURE_WRONG: Final = fault_kind(
    "SEK-EVID-005",
    en="A signature in the name of {key} does not fit the note. The note was refused as a whole; keep it as evidence.",
    ja="{key} の名による署名がノートの内容と一致しません。ノート全体を拒否しました。証拠として保管してください。",
)
KEY_FILE: Final = fault_kind(
    "SEK-EVID-006",
    en="The key file {path} cannot be used ({reason}). Nothing was signed; correct the file and start again.",
    ja="鍵ファイル {path} を使えません({reason})。署名は行っていません。ファイルを直してからやり直してください。",
)
CANNOT_WRITE: Final = fault_kind(
    "SEK-EVID-010",
    en="{path} could not be written ({reason}). What was complete before is kept; make room or repair the disk, "
    "then restart.",
    ja="{path} に書き込めませんでした({reason})。それまでに完了した分は残っています。"
    "空き容量かディスクを直してから再起動してください。",
)
CANNOT_READ: Final = fault_kind(
    "SEK-EVID-011",
    en="{path} could not be read ({reason}). Nothing was changed; check the path and its permissions.",
    ja="{path} を読めませんでした({reason})。何も変更していません。場所と権限を確かめてください。",
)
TILE_CONFLICT: Final = fault_kind(
    "SEK-EVID-012",
    en="{path} already holds other content than the log is about to write. Nothing was overwritten; keep the "
    "folder as evidence and compare it with the ledger.",
    ja="{path} には、これから書く内容と異なるものが既にあります。上書きはしていません。"
    "フォルダーを証拠として保全し、台帳と突き合わせてください。",
)
ANOTHER_WRITER: Final = fault_kind(
    "SEK-EVID-013",
    en="Another program has written to the log folder {path}. Nothing was added by this one; let only one "
    "publisher run, then restart.",
    ja="ログのフォルダー {path} に別のプログラムが書き込みました。こちらからは何も加えていません。"
    "発行プログラムを一つだけにして再起動してください。",
)
LOG_STOPPED: Final = fault_kind(
    "SEK-EVID-014",
    en="The log folder {path} had a write error and takes no more entries. What was complete is kept; restart "
    "after the cause is repaired.",
    ja="ログのフォルダー {path} で書き込みエラーが起きたため、これ以上の記録を受け付けません。"
    "完了した分は残っています。原因を直してから再起動してください。",
)
ENTRY_TOO_LONG: Final = fault_kind(
    "SEK-EVID-015",
    en="Entry {index} has {length} bytes; a log entry holds at most 65,535. None of this batch was added; "
    "shorten the entry.",
    ja="記録 {index} は {length} バイトです。一つの記録は 65,535 バイトまでです。"
    "この一括分は加えていません。記録を短くしてください。",
)
TILES_DAMAGED: Final = fault_kind(
    "SEK-EVID-016",
    en="The log folder {path} does not reproduce its own tree of {size} entries ({reason}). Nothing was changed; "
    "run `sekisho verify` on it and restore the folder from a copy that verifies.",
    ja="ログのフォルダー {path} から {size} 件の木を再現できません({reason})。何も変更していません。"
    "`sekisho verify` で調べ、検証に通る写しから復元してください。",
)
ROLLED_BACK: Final = fault_kind(
    "SEK-EVID-017",
    en="The log folder {path} holds {size} entries, but {seen} were signed before: it is an older copy. Nothing was "
    "signed; restore the newest copy.",
    ja="ログのフォルダー {path} は {size} 件ですが、以前に {seen} 件まで署名されています。古い写しです。"
    "署名は行っていません。最新の写しに戻してください。",
)
CONTRADICTION: Final = fault_kind(
    "SEK-EVID-018",
    en="A checkpoint of {size} entries contradicts the entries of {path}. It was not published; keep both as "
    "evidence of a changed log.",
    ja="{size} 件のチェックポイントが {path} の記録と食い違います。発行していません。"
    "改変の証拠として両方を保管してください。",
)
WRONG_ORIGIN: Final = fault_kind(
    "SEK-EVID-019",
    en="{path} is the log of {found}, not of {expected}. Nothing was changed; check the folder and the key.",
    ja="{path} は {expected} ではなく {found} のログです。何も変更していません。フォルダーと鍵を確かめてください。",
)
BAD_POLICY: Final = fault_kind(
    "SEK-EVID-020",
    en="Line {line} of the policy is refused ({reason}). No part of the policy is in force; correct the line.",
    ja="方針ファイルの {line} 行目を受け付けません({reason})。方針は全体として無効です。その行を直してください。",
)
QUORUM_MISSING: Final = fault_kind(
    "SEK-EVID-021",
    en="The checkpoint of {size} entries is cosigned by {found}, which does not meet the quorum {quorum}. It was not "
    "accepted; ask the witnesses for their latest checkpoint.",
    ja="{size} 件のチェックポイントの連署は {found} で、定足数 {quorum} を満たしません。受け入れていません。"
    "立会人に最新のチェックポイントを確かめてください。",
)
BAD_REQUEST: Final = fault_kind(
    "SEK-EVID-022",
    en="The witness cannot read the request ({reason}). Nothing was cosigned; correct the sender.",
    ja="立会人は要求を読み取れません({reason})。連署していません。送信側を直してください。",
)
WITNESS_STATE: Final = fault_kind(
    "SEK-EVID-023",
    en="The witness's record {path} is damaged ({reason}). Nothing is cosigned until it is restored from a copy that "
    "is not older.",
    ja="立会人の記録 {path} が壊れています({reason})。より古くない写しから戻すまで連署しません。",
)
