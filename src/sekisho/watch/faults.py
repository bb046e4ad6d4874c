"""What the watch refuses."""

from sekisho.faults import fault_kind

OTHER_STATE = fault_kind(
    "SEK-WATCH-001",
    en="The watch's memory was written by another version. Nothing is lost: it is made anew from the facts; remove the "
    "file and start again.",
    ja="監視の記憶は別の版で書かれたものです。失われたものはありません。事実から作り直せますので、"
    "ファイルを削除して再起動してください。",
)
NO_ALERT = fault_kind(
    "SEK-WATCH-002",
    en="There is no alert {alert}. Nothing was recorded; see `sekisho watch alerts`.",
    ja="警報 {alert} はありません。何も記録されていません。`sekisho watch alerts` で確認してください。",
)
ACKNOWLEDGED = fault_kind(
    "SEK-WATCH-003",
    en="{by} has acknowledged alert {alert} already. Nothing was recorded.",
    ja="警報 {alert} は {by} が確認済みです。何も記録されていません。",
)
NOT_YOURS_TO_ACKNOWLEDGE = fault_kind(
    "SEK-WATCH-004",
    en="{by} cannot acknowledge alert {alert}: it needs a role for it, and nobody answers for an alert about himself "
    "or somebody in his chain of command. It stays open, and climbs.",
    ja="{by} は警報 {alert} を確認できません。担当の役割が必要で、本人や同じ指揮系統の人に関する警報は確認できません。"
    "警報は開いたままで、上位に回されます。",
)
BAD_MUTE = fault_kind(
    "SEK-WATCH-005",
    en="A mute needs a detector, a person, a reason, and an end within {days} days. Nothing was recorded.",
    ja="警報の停止には検知器・対象者・理由と、{days} 日以内の終了日が必要です。何も記録されていません。",
)
NO_MUTE = fault_kind(
    "SEK-WATCH-006",
    en="There is no open request {request} to mute that you could decide. Nothing was muted.",
    ja="あなたが判断できる停止申請 {request} はありません。何も停止されていません。",
)
BAD_ROWS = fault_kind(
    "SEK-WATCH-007",
    en="{path} cannot be read as a log: {reason}. Nothing of it was looked at; correct it, or give a mapping.",
    ja="{path} をログとして読めません: {reason}。何も調べていません。修正するか、対応表を指定してください。",
)
BAD_SYSLOG = fault_kind(
    "SEK-WATCH-008",
    en="The connection does not speak syslog: {reason}. It was closed; what came before is kept, the rest must be sent "
    "again.",
    ja="syslog として読めません: {reason}。接続を閉じました。それまでの分は保存済みです。残りは再送してください。",
)
NO_SOURCE = fault_kind(
    "SEK-WATCH-009",
    en="No log source may deliver with this. Nothing was kept; see `sekisho watch source list`.",
    ja="この認証情報で送信できるログ源はありません。何も保存されていません。"
    "`sekisho watch source list` で確認してください。",
)
BAD_SOURCE = fault_kind(
    "SEK-WATCH-010",
    en="This log source cannot be registered: {reason}. Nothing was recorded.",
    ja="このログ源は登録できません: {reason}。何も記録されていません。",
)
BAD_BATCH = fault_kind(
    "SEK-WATCH-011",
    en="Row {row} cannot be read: {reason}. Nothing of the batch was kept; correct it and send it again.",
    ja="{row} 行目を読めません: {reason}。この送信分は何も保存されていません。修正して再送してください。",
)
SOURCE_BUSY = fault_kind(
    "SEK-WATCH-012",
    en="More comes from {source} than can be kept now. Nothing of this batch was kept; send it again later.",
    ja="{source} からの送信が多すぎます。この送信分は何も保存されていません。後で再送してください。",
)
NOT_YOURS_TO_REPORT = fault_kind(
    "SEK-WATCH-013",
    en="{by} is nobody who could report this. Nothing was recorded.",
    ja="{by} はこの報告をできる人として登録されていません。何も記録されていません。",
)
