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
NOT_A_LOG: Final = fault_kind(
    "SEK-EVID-030",
    en="{path} is neither a log folder (no checkpoint in it) nor a bundle. Nothing was checked; give the folder that "
    "holds the file `checkpoint`, or a bundle.",
    ja="{path} はログのフォルダー(checkpoint ファイルのあるもの)でも証拠束でもありません。何も検証していません。"
    "checkpoint のあるフォルダーか証拠束を指定してください。",
)
BAD_BUNDLE: Final = fault_kind(
    "SEK-EVID-031",
    en="{path} is not a usable bundle ({reason}). Nothing in it was accepted; get it again from its source.",
    ja="{path} は使える証拠束ではありません({reason})。内容は一切受け入れていません。発行元から取り直してください。",
)
BAD_PROOF: Final = fault_kind(
    "SEK-EVID-032",
    en="This is not a tlog-proof ({reason}). Nothing was accepted from it; get the file again from its source.",
    ja="tlog-proof ではありません({reason})。内容は一切受け入れていません。発行元から取り直してください。",
)
NOT_COVERED: Final = fault_kind(
    "SEK-EVID-033",
    en="Entry {index} is not yet under the checkpoint of {size} entries. The bundle was not written; wait for the next "
    "checkpoint.",
    ja="{index} 番の記録は {size} 件のチェックポイントにまだ含まれていません。証拠束は書き出していません。"
    "次のチェックポイントを待ってください。",
)

# What `sekisho verify` finds. {range} is an entry's index, or the first and the last of several.
EDITED: Final = fault_kind(
    "SEK-EVID-101",
    en="Entry {range} was edited: its content is not what was recorded.",
    ja="{range} 番の記録は書き換えられています。記録された時の内容ではありません。",
)
DELETED: Final = fault_kind(
    "SEK-EVID-102",
    en="Entry {range} was deleted: it was recorded and is not there.",
    ja="{range} 番の記録は削除されています。記録されたのに、ありません。",
)
INSERTED: Final = fault_kind(
    "SEK-EVID-103",
    en="At {range} an entry was inserted that was never recorded there.",
    ja="{range} 番の位置に、そこには記録されていなかったものが挿入されています。",
)
REORDERED: Final = fault_kind(
    "SEK-EVID-104",
    en="Entry {range} was moved: it does not stand where it was recorded.",
    ja="{range} 番の記録は移動されています。記録された位置にありません。",
)
TRUNCATED: Final = fault_kind(
    "SEK-EVID-105",
    en="The log was truncated: entry {range} was signed for and is not there.",
    ja="ログの末尾が切り捨てられています。署名済みの {range} 番の記録がありません。",
)
CHANGED_WITHIN: Final = fault_kind(
    "SEK-EVID-106",
    en="Among entry {range} at least one was changed together with the hashes beside it.",
    ja="{range} 番の記録のうち少なくとも一つが、添えられたハッシュ値とともに変更されています。",
)
ROOT_WRONG: Final = fault_kind(
    "SEK-EVID-107",
    en="The entries do not add up to the signed root of {size} entries; the difference lies in entry {range}.",
    ja="記録から計算した根が、署名された {size} 件の根と一致しません。違いは {range} 番の範囲にあります。",
)
TILE_WRONG: Final = fault_kind(
    "SEK-EVID-108",
    en="The hash file {name} (entry {range}) is damaged or missing; the entries were judged without it.",
    ja="ハッシュ値のファイル {name}({range} 番)が壊れているか、ありません。記録はこれを使わずに調べました。",
)
FOREIGN_SIGNATURE: Final = fault_kind(
    "SEK-EVID-109",
    en="The checkpoint of {size} entries was re-signed: {found} signed it, the pinned log key did not.",
    ja="{size} 件のチェックポイントは署名し直されています。署名は {found} のもので、指定されたログの鍵によるものでは"
    "ありません。",
)
FORGED_SIGNATURE: Final = fault_kind(
    "SEK-EVID-110",
    en="The checkpoint of {size} entries was edited: the signature in the name of {key} does not fit it.",
    ja="{size} 件のチェックポイントは書き換えられています。{key} の名による署名が内容と一致しません。",
)
QUORUM_SHORT: Final = fault_kind(
    "SEK-EVID-111",
    en="The checkpoint of {size} entries lacks witnesses: cosigned by {found}, required {quorum}.",
    ja="{size} 件のチェックポイントは立会人が足りません。連署は {found}、必要なのは {quorum} です。",
)
SEEN_LARGER: Final = fault_kind(
    "SEK-EVID-112",
    en="The log was truncated or rolled back: a checkpoint of {seen} entries was seen before, so entry {range} is "
    "missing.",
    ja="ログは切り捨てられたか、古い写しに戻されています。以前に {seen} 件のチェックポイントが確認されており、"
    "{range} 番の記録が失われています。",
)
SEEN_OTHERWISE: Final = fault_kind(
    "SEK-EVID-113",
    en="The log was rewritten and signed again: the checkpoint of {seen} entries seen before is not of these entries; "
    "the difference lies in entry {range}.",
    ja="ログは書き換えたうえで署名し直されています。以前に確認された {seen} 件のチェックポイントはこの記録のものでは"
    "ありません。違いは {range} 番の範囲にあります。",
)
NOT_INCLUDED: Final = fault_kind(
    "SEK-EVID-114",
    en="Entry {range} is not the one that was signed for: its proof does not lead to the signed root.",
    ja="{range} 番の記録は署名されたものではありません。その証明は署名された根に至りません。",
)
OPENING_WRONG: Final = fault_kind(
    "SEK-EVID-115",
    en="The confidential part {commitment} was exchanged or edited: it does not fit the commitment in the entry.",
    ja="非公開部分 {commitment} は差し替えられたか書き換えられています。記録にある約束値と一致しません。",
)
OPENING_UNKNOWN: Final = fault_kind(
    "SEK-EVID-116",
    en="The confidential part {commitment} belongs to no entry of this bundle.",
    ja="非公開部分 {commitment} は、この証拠束のどの記録にも属しません。",
)
