"""Why a recording ends a session, or is not shown."""

from sekisho.faults import fault_kind

RECORDER_FAILED = fault_kind(
    "SEK-RECD-001",
    en="The recording cannot be written ({reason}), so nothing may pass. The session ends; what had passed is "
    "recorded. Free space or repair the disk, then connect again.",
    ja="録画を書き込めないため({reason})、何も通せません。セッションを終了しました。通過済みの内容は記録されています。"
    "空き容量またはディスクを確認してから接続し直してください。",
)
RECORDING_OVER = fault_kind(
    "SEK-RECD-002",
    en="The recording {recording} is over, so nothing may pass. What had passed is recorded; connect again.",
    ja="録画 {recording} は終了しているため、何も通せません。通過済みの内容は記録されています。接続し直してください。",
)
NO_RECORDING = fault_kind(
    "SEK-RECD-003",
    en="There is no recording {recording} that you may see. Nothing was shown; check the name.",
    ja="録画 {recording} は、閲覧できる範囲にありません。何も表示していません。名前を確認してください。",
)
UNREADABLE = fault_kind(
    "SEK-RECD-004",
    en="The recording {recording} is not as it was recorded: {reason}. Nothing after this point is shown; keep the "
    "file as evidence, and run `sekisho record verify`.",
    ja="録画 {recording} は記録時の内容と異なります: {reason}。この先は表示しません。ファイルを証拠として保全し、"
    "`sekisho record verify` を実行してください。",
)
KEY_ERASED = fault_kind(
    "SEK-RECD-005",
    en="The recording {recording} was made unreadable: its key was erased. Its hashes can still be checked; nothing "
    "can be shown.",
    ja="録画 {recording} の鍵は消去されており、内容は読めません。ハッシュの照合だけができます。",
)
NEEDS_APPROVAL = fault_kind(
    "SEK-RECD-006",
    en="The recording {recording} shows personal data, so two persons decide who watches it. Nothing was shown; give a "
    "reason and have it approved. An approval is good for an hour.",
    ja="録画 {recording} には個人データが映っているため、閲覧には二人の承認が必要です。何も表示していません。"
    "理由を添えて申請し、承認を受けてください。承認は 1 時間有効です。",
)
NO_REQUEST = fault_kind(
    "SEK-RECD-007",
    en="There is no such request to watch {recording}, or it is decided already. Nothing was changed.",
    ja="録画 {recording} の該当する閲覧申請はないか、処理済みです。何も変更していません。",
)
FELL_BEHIND = fault_kind(
    "SEK-RECD-008",
    en="This view could not keep up with the session and ended; the recording is whole. Open the view again.",
    ja="表示がセッションに追い付かないため終了しました。録画は欠けていません。開き直してください。",
)
NO_TEXT = fault_kind(
    "SEK-RECD-009",
    en="The recording {recording} is of a desktop, which is no text. Nothing was shown; watch it at the console, or "
    "take pictures out of it with `sekisho record still`.",
    ja="録画 {recording} はデスクトップの録画で、文字の録画ではありません。何も表示していません。"
    "コンソールで再生するか、`sekisho record still` で静止画を書き出してください。",
)
