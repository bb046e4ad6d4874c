"""Why a take-out is refused."""

from sekisho.faults import fault_kind

NO_TAKEOUT = fault_kind(
    "SEK-TAKE-001",
    en="There is no take-out {takeout}. Nothing left; look up its name.",
    ja="持ち出し {takeout} はありません。何も持ち出されていません。名前を確認してください。",
)
BAD_REQUEST = fault_kind(
    "SEK-TAKE-002",
    en="The request {takeout} is incomplete or contradicts itself: {fields}. Nothing was asked for; correct it.",
    ja="申請 {takeout} に不足または矛盾があります: {fields}。申請は受け付けられていません。修正してください。",
)
BAD_SIGNATURE = fault_kind(
    "SEK-TAKE-003",
    en="The signature of {approver} is not one over request {takeout} as it stands, by a key of that account. It does "
    "not count; read the request again and sign what you read.",
    ja="{approver} の署名は、現在の申請 {takeout} に対するそのアカウントの鍵による署名ではありません。"
    "承認として数えません。申請内容を読み直して署名してください。",
)
OTHER_DIGEST = fault_kind(
    "SEK-TAKE-004",
    en="The approval by {approver} is for another request than {takeout} as it stands. It does not count; a changed "
    "byte, recipient or date needs a new approval.",
    ja="{approver} の承認は、現在の申請 {takeout} とは別の内容に対するものです。承認として数えません。"
    "内容、受取人、期日のどれかが変われば、新しい承認が必要です。",
)
LAPSED = fault_kind(
    "SEK-TAKE-005",
    en="Take-out {takeout} lapsed at {expires}. Nothing left; ask anew.",
    ja="持ち出し {takeout} は {expires} に失効しました。何も持ち出されていません。申請し直してください。",
)
ENDED = fault_kind(
    "SEK-TAKE-006",
    en="Take-out {takeout} is over ({how}). Nothing more leaves by it; ask anew.",
    ja="持ち出し {takeout} は終了しています({how})。この申請で持ち出せるものはもうありません。"
    "申請し直してください。",
)
APPROVALS_MISSING = fault_kind(
    "SEK-TAKE-007",
    en="Take-out {takeout} lacks approvals that count, for {organisation}, of: {roles}. Nothing left; "
    "ask the approvers.",
    ja="持ち出し {takeout} には、{organisation} について有効な承認が足りません(役割: {roles})。"
    "何も持ち出されていません。承認者に依頼してください。",
)
ONE_EMPLOYER = fault_kind(
    "SEK-TAKE-008",
    en="More than {limit} persons need approvers of two employers; take-out {takeout} has them of one. Nothing left; "
    "ask an approver of another employer.",
    ja="{limit} 人を超える場合、二つの事業者の承認者が必要です。持ち出し {takeout} の承認者は一つの事業者だけです。"
    "何も持ち出されていません。別の事業者の承認者に依頼してください。",
)
NOT_PUBLISHED = fault_kind(
    "SEK-TAKE-009",
    en="The published log cannot vouch for take-out {takeout}: {reason}. Nothing left; have the evidence checked with "
    "sekisho verify.",
    ja="公開ログで持ち出し {takeout} を裏付けられません: {reason}。何も持ち出されていません。"
    "sekisho verify で証拠を検証してください。",
)
NOT_THE_REQUESTER = fault_kind(
    "SEK-TAKE-010",
    en="Request {takeout} was not made by the person in whose name it stands ({person}). It does not count; look who "
    "wrote it.",
    ja="申請 {takeout} は、名義人({person})本人によるものではありません。有効な申請として扱いません。"
    "誰が書き込んだかを確認してください。",
)
RELEASED_OTHERWISE = fault_kind(
    "SEK-TAKE-011",
    en="Release {number} of take-out {takeout} is not one that its approvals allow: {reason}. Treat what left "
    "as a leak.",
    ja="持ち出し {takeout} の {number} 回目の払出しは、承認で認められたものではありません: {reason}。"
    "出たものは漏えいとして扱ってください。",
)
NO_HOLDER = fault_kind(
    "SEK-TAKE-012",
    en="Nobody with the role {role} for {organisation} has a key that can hold a share. Nothing was sealed; have an "
    "approver register an SSH key (Ed25519 or RSA).",
    ja="{organisation} の {role} に、鍵の断片を預けられる鍵を登録した人がいません。封緘していません。"
    "承認者に SSH 鍵(Ed25519 または RSA)を登録してもらってください。",
)
BAD_PACKAGE = fault_kind(
    "SEK-TAKE-013",
    en="The package cannot be sealed or opened: {reason}. No part of a file was written; nothing left.",
    ja="パッケージを封緘または開封できません: {reason}。ファイルは一部も書き出されておらず、何も持ち出されていません。",
)
NOT_INSPECTED = fault_kind(
    "SEK-TAKE-014",
    en="{name} cannot be looked into ({reason}), so it does not leave. It stays where it is; ask with a file that can "
    "be read, without a password.",
    ja="{name} は中を確認できないため({reason})、持ち出せません。元の場所に残っています。"
    "パスワードのない、読み取れる形式のファイルで申請してください。",
)
STRANGER = fault_kind(
    "SEK-TAKE-015",
    en="{recipient} is not registered as a recipient for the data of {organisations} with this key, and take-out "
    "{takeout} is for {persons} persons or rows ({limit} may go to strangers). Nothing left; have the recipient "
    "registered by a manager, the lead processor and the privacy officer, then ask anew.",
    ja="{recipient} は、{organisations} のデータの受取人として(この鍵では)登録されていません。持ち出し {takeout} は "
    "{persons} 人(行)分です(未登録の相手に出せるのは {limit} まで)。何も持ち出されていません。管理者、元請けの管理者、"
    "個人情報保護責任者による受取人の登録を受けてから、申請し直してください。",
)
ABOVE_POLICY = fault_kind(
    "SEK-TAKE-016",
    en="The policy does not allow take-out {takeout}: {reason}. Nothing left; ask for less, or have the policy "
    "changed by two people.",
    ja="持ち出し {takeout} は方針で認められていません: {reason}。何も持ち出されていません。量を減らすか、"
    "2 人による方針の変更を経て申請し直してください。",
)
SHARES_MISSING = fault_kind(
    "SEK-TAKE-017",
    en="For take-out {takeout} the key's shares of {seats} were not given. Nothing left, and "
    "nobody could open it; have an approver with a registered SSH key open the share at home (sekisho take-out share).",
    ja="持ち出し {takeout} には、{seats} の鍵の断片がまだありません。何も持ち出されておらず、"
    "誰も開けられません。SSH 鍵を登録した承認者が手元で断片を開いてください(sekisho take-out share)。",
)
OTHERS_INSIDE = fault_kind(
    "SEK-TAKE-018",
    en="At least {persons} persons in the file of take-out {takeout} are those of {found}, for which it does not ask. "
    "Nothing left; take them out, or ask for that organisation too, so that its approver decides.",
    ja="持ち出し {takeout} のファイルには、申請にない {found} の人が少なくとも {persons} 人含まれています。"
    "何も持ち出されていません。取り除くか、その団体についても申請して、承認者の判断を受けてください。",
)
NOT_APART = fault_kind(
    "SEK-TAKE-019",
    en="The inspection could not run apart from everything else: {reason}. Nothing was looked at and nothing left; "
    "have bubblewrap installed or repaired.",
    ja="中身の検査を隔離された環境で実行できません: {reason}。何も読まれておらず、何も持ち出されていません。"
    "bubblewrap を導入または修復してください。",
)
BAD_SHARE = fault_kind(
    "SEK-TAKE-020",
    en="{holder} gave no share that take-out {takeout} needs. Nothing changed; write it with sekisho take-out share, "
    "with the key to which it was sealed.",
    ja="{holder} が渡したものは、持ち出し {takeout} に必要な断片ではありません。何も変わっていません。"
    "封じられた鍵を使い、sekisho take-out share で作成してください。",
)
BUSY = fault_kind(
    "SEK-TAKE-021",
    en="{limit} take-outs are being inspected already. Nothing was asked for; try again when one is done.",
    ja="すでに {limit} 件の持ち出しを検査中です。申請は受け付けられていません。終わってからやり直してください。",
)
STOPPED = fault_kind(
    "SEK-TAKE-022",
    en="The checkpoint stopped while it prepared take-out {takeout}. Nothing was asked for and nothing is left of it; "
    "ask again.",
    ja="持ち出し {takeout} の準備中に関所が停止しました。申請は受け付けられておらず、途中のものも残っていません。"
    "申請し直してください。",
)
BAD_RECIPIENT = fault_kind(
    "SEK-TAKE-023",
    en="A recipient needs these as well: {fields}. Nobody was registered; correct it.",
    ja="受取人の登録に不足があります: {fields}。登録されていません。修正してください。",
)
NO_RECIPIENT = fault_kind(
    "SEK-TAKE-024",
    en="There is no recipient {recipient} that is as you saw it. Nothing changed; look at the list again.",
    ja="ご覧になった内容の受取人 {recipient} はありません。何も変わっていません。一覧を見直してください。",
)
NOT_RELEASED = fault_kind(
    "SEK-TAKE-025",
    en="Take-out {takeout} was not released. Nothing is handed out; ask who is still to approve.",
    ja="持ち出し {takeout} は払い出されていません。何も引き渡されません。未承認の人に確認してください。",
)
