"""What can go wrong at a login."""

from sekisho.faults import fault_kind

LOGIN_REFUSED = fault_kind(
    "SEK-PEOP-001",
    en="The login was refused: person, password or one-time code do not fit together. It was recorded; "
    "wait for the next code and try again.",
    ja="ログインできませんでした。担当者ID・パスワード・ワンタイムコードの組み合わせが正しくありません。"
    "試行は記録されました。次のコードを待ってから再度お試しください。",
)
TOO_MANY_FAILURES = fault_kind(
    "SEK-PEOP-002",
    en="Too many failed logins for {person}. Nothing was opened; try again in {seconds} seconds.",
    ja="{person} のログイン失敗が多すぎます。何も開かれていません。{seconds} 秒後に再度お試しください。",
)
NO_SUCH_TICKET = fault_kind(
    "SEK-PEOP-003",
    en="There is no ticket {ticket} of yours for target {target}. No token was issued; ask for a ticket first.",
    ja="対象 {target} に対するあなたのチケット {ticket} はありません。"
    "トークンは発行されていません。先にチケットを申請してください。",
)
