"""What keeps a notice from being asked for or sent."""

from sekisho.faults import fault_kind

BAD_ADDRESS = fault_kind(
    "SEK-NOTE-001",
    en="This address cannot be used: {reason}. Nothing was recorded; give mailto:NAME@HOST, "
    "https://HOST/PATH#whsec_SECRET, or an apprise URL.",
    ja="このアドレスは使えません({reason})。何も記録していません。mailto:名前@ホスト、"
    "https://ホスト/パス#whsec_鍵、または apprise の URL を指定してください。",
)
NO_RECEIVER = fault_kind(
    "SEK-NOTE-002",
    en="{receiver} is not somebody who can be told: give person:ID, agency:NAME or organisation:ID of one who is "
    "registered. Nothing was recorded.",
    ja="{receiver} は通知先として登録されていません。登録済みの person:ID、agency:名前、organisation:ID を"
    "指定してください。何も記録していません。",
)
OUTBOX_FULL = fault_kind(
    "SEK-NOTE-003",
    en="{waiting} notices wait to be delivered, and no more are taken. Nothing was recorded; look at the mail server "
    "and the addresses, then try again.",
    ja="未配信の通知が {waiting} 件あり、これ以上受け付けられません。何も記録していません。"
    "メールサーバーと通知先を確認してからやり直してください。",
)
BAD_SMTP = fault_kind(
    "SEK-NOTE-004",
    en="Mail cannot be sent as set: {reason}. Nothing was started; correct the section [notify.smtp].",
    ja="メール送信の設定を使えません: {reason}。何も起動していません。[notify.smtp] を直してください。",
)
BAD_TEXT = fault_kind(
    "SEK-NOTE-005",
    en="The notice {notice} has no text in both languages, or one longer than {most} characters. Nothing was recorded.",
    ja="通知 {notice} に日英両方の文がないか、{most} 文字を超えています。何も記録していません。",
)
