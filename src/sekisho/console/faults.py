"""What the console refuses by itself; most refusals are of the rooms that it asks."""

from sekisho.faults import fault_kind

NOT_LOGGED_IN = fault_kind(
    "SEK-CONS-001",
    en="You are not logged in, or your session has ended. Nothing was shown or changed; log in and try again.",
    ja="ログインしていないか、セッションが終了しています。何も表示・変更していません。"
    "ログインしてからやり直してください。",
)
NOT_YOURS = fault_kind(
    "SEK-CONS-002",
    en="Your roles do not let you see or do this ({what}). Nothing was shown or changed; ask somebody whose role does.",
    ja="あなたの役割では閲覧・操作できません({what})。何も表示・変更していません。権限のある人に依頼してください。",
)
FROM_ELSEWHERE = fault_kind(
    "SEK-CONS-003",
    en="The request did not come from a page of this console. Nothing was changed; open the page anew and try again.",
    ja="この要求はコンソールの画面から送られたものではありません。何も変更していません。"
    "画面を開き直してからやり直してください。",
)
TOO_LARGE = fault_kind(
    "SEK-CONS-004",
    en="The request is larger than {limit} bytes. Nothing was taken from it; send less.",
    ja="要求が {limit} バイトを超えています。何も受け取っていません。内容を減らしてください。",
)
NOT_FOUND = fault_kind(
    "SEK-CONS-005",
    en="There is no {what} here that you may see. Check the address, or go back to the start page.",
    ja="該当する {what} は、閲覧できる範囲にありません。アドレスを確認するか、トップページに戻ってください。",
)
NEEDS_SCOPE = fault_kind(
    "SEK-CONS-006",
    en="This token lacks the scope {scope}. Nothing was shown; issue a token that has it.",
    ja="このトークンには権限範囲 {scope} がありません。何も表示していません。"
    "必要な範囲を持つトークンを発行してください。",
)
BAD_INPUT = fault_kind(
    "SEK-CONS-007",
    en="What was entered cannot be used: {reason}. Nothing was recorded; correct it and send it again.",
    ja="入力内容を使えません({reason})。何も記録していません。修正して送り直してください。",
)
NOT_PUBLISHED = fault_kind(
    "SEK-CONS-008",
    en="Line {seq} is not published yet. Nothing is lost; its proof can be taken in a few seconds.",
    ja="{seq} 行目はまだ公開されていません。記録は保持されています。数秒後に証明を取得できます。",
)
NOT_LIVE = fault_kind(
    "SEK-CONS-009",
    en="Session {session} is not open at this checkpoint any more. Nothing had to be ended; look at its record.",
    ja="セッション {session} はこのチェックポイントでは既に開いていません。終了の必要はありません。"
    "記録を確認してください。",
)
TOO_MANY_STREAMS = fault_kind(
    "SEK-CONS-020",
    en="More than {limit} live pages are open at this checkpoint. Nothing is lost; this page asks every two seconds.",
    ja="このチェックポイントで開いている実況画面が {limit} を超えました。記録は失われません。"
    "この画面は2秒ごとに問い合わせます。",
)
NO_PASS = fault_kind(
    "SEK-CONS-030",
    en="This page's leave to open a terminal was used or is too old. Nothing was opened, and nothing goes on in the "
    "background; open the page anew.",
    ja="この画面から端末を開く許可は使用済みか期限切れです。何も開かれておらず、裏で続いている処理もありません。"
    "画面を開き直してください。",
)
