"""Why a terminal session ends."""

from sekisho.faults import fault_kind

OVER_LIMIT = fault_kind(
    "SEK-SCRN-001",
    en="The limit of {limit} persons per {scope} is reached, or would be by what came next, which was not shown. The "
    "session ends; what had passed is recorded. Narrow the work, or ask for a larger budget on ticket {ticket}.",
    ja="{scope}あたりの上限 {limit} 人に達したか、次の出力で超えるため、その出力は表示していません。"
    "セッションを終了しました。通過済みの内容は記録されています。作業を絞るか、チケット {ticket} の上限の引き上げを"
    "申請してください。",
)
LINES_OVER_LIMIT = fault_kind(
    "SEK-SCRN-002",
    en="The limit of {limit} lines with personal data per {scope} is reached. What came next was not shown; the "
    "session ends, and what had passed is recorded. Narrow the work, or ask for a larger budget on ticket {ticket}.",
    ja="{scope}あたりの、個人データを含む行の上限 {limit} 行に達しました。次の出力は表示していません。"
    "セッションを終了しました。通過済みの内容は記録されています。作業を絞るか、チケット {ticket} の上限の引き上げを"
    "申請してください。",
)
IDLE = fault_kind(
    "SEK-SCRN-003",
    en="Nothing was typed or shown for {minutes} minutes, so the session ends. What had passed is recorded; connect "
    "again to go on.",
    ja="{minutes} 分間操作も表示もなかったため、セッションを終了しました。通過済みの内容は記録されています。"
    "続けるには接続し直してください。",
)
