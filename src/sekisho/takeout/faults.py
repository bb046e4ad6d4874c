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
