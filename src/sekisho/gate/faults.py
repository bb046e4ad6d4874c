"""Why the gate refuses."""

from sekisho.faults import fault_kind

NO_TICKET = fault_kind(
    "SEK-GATE-001",
    en="There is no ticket {ticket} for you. Nothing was opened; ask for a ticket.",
    ja="あなたのチケット {ticket} はありません。何も開かれていません。チケットを申請してください。",
)
NOT_APPROVED = fault_kind(
    "SEK-GATE-002",
    en="Ticket {ticket} is not approved by anyone but you. Nothing was opened; ask your approver.",
    ja="チケット {ticket} は本人以外の承認を受けていません。何も開かれていません。承認者に依頼してください。",
)
OUTSIDE_WINDOW = fault_kind(
    "SEK-GATE-003",
    en="Ticket {ticket} is valid from {opens} to {closes}. Nothing was opened; ask for a new window.",
    ja="チケット {ticket} の有効期間は {opens} から {closes} までです。何も開かれていません。"
    "新しい期間で申請してください。",
)
OTHER_TARGET = fault_kind(
    "SEK-GATE-004",
    en="Ticket {ticket} does not open {target} through this door. Nothing was opened; use the target it names.",
    ja="チケット {ticket} ではこの入口から {target} を開けません。何も開かれていません。"
    "チケットに記載された対象を使用してください。",
)
TICKET_CLOSED = fault_kind(
    "SEK-GATE-005",
    en="Ticket {ticket} is closed. Nothing was opened; ask for a new ticket.",
    ja="チケット {ticket} は終了しています。何も開かれていません。新しいチケットを申請してください。",
)
NOT_IN_THE_LOG = fault_kind(
    "SEK-GATE-006",
    en="Ticket {ticket} does not stand in the published log as the database shows it. Nothing was opened, and "
    "an alarm was raised.",
    ja="チケット {ticket} は、データベースの内容と公開ログの内容が一致しません。"
    "何も開かれておらず、警報が発せられました。",
)
SELF_APPROVAL = fault_kind(
    "SEK-GATE-007",
    en="{approver} cannot approve ticket {ticket}: requester and approver must be two persons without a chain "
    "of command from the requester down to the approver. The request stays open.",
    ja="{approver} はチケット {ticket} を承認できません。申請者本人、および申請者の指揮下にある人は"
    "承認者になれません。申請はそのまま残っています。",
)
BUDGET_PERSONS = fault_kind(
    "SEK-GATE-008",
    en="The limit of {limit} persons per {scope} is reached. {passed} rows of this statement passed, no more "
    "will. Narrow the query, or ask for a larger budget on ticket {ticket}.",
    ja="{scope}あたりの上限 {limit} 人に達しました。この文で通過したのは {passed} 行までで、以降は通りません。"
    "検索条件を絞るか、チケット {ticket} の上限の引き上げを申請してください。",
)
BUDGET_ROWS = fault_kind(
    "SEK-GATE-009",
    en="The limit of {limit} rows per {scope} is reached. {passed} rows of this statement passed, no more "
    "will. Narrow the query, or ask for a larger budget on ticket {ticket}.",
    ja="{scope}あたりの上限 {limit} 行に達しました。この文で通過したのは {passed} 行までで、以降は通りません。"
    "検索条件を絞るか、チケット {ticket} の上限の引き上げを申請してください。",
)
