"""What can go wrong around people: logins, enrolments, consent of a second person, staff life."""

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
    en="Too many failed logins for this account or from this address. Nothing was opened; try again in "
    "{seconds} seconds.",
    ja="このアカウントまたは接続元のログイン失敗が多すぎます。何も開かれていません。"
    "{seconds} 秒後に再度お試しください。",
)
NO_SUCH_TICKET = fault_kind(
    "SEK-PEOP-003",
    en="There is no ticket {ticket} of yours for target {target}. No token was issued; ask for a ticket first.",
    ja="対象 {target} に対するあなたのチケット {ticket} はありません。"
    "トークンは発行されていません。先にチケットを申請してください。",
)
NO_SUCH_PERSON = fault_kind(
    "SEK-PEOP-004",
    en="There is no person {person}. Nothing was recorded; check the id in the list of people.",
    ja="担当者 {person} は登録されていません。何も記録されていません。担当者一覧でIDを確認してください。",
)
BAD_ID = fault_kind(
    "SEK-PEOP-005",
    en="{name} cannot name a person: use 1 to 63 lowercase letters, digits, hyphens or underscores, and no "
    "reserved word. Nothing was recorded.",
    ja="{name} は担当者IDに使えません。英小文字・数字・ハイフン・下線で1〜63文字、予約語以外にしてください。"
    "何も記録されていません。",
)
NOT_ACTIVE = fault_kind(
    "SEK-PEOP-006",
    en="{person} has left or is frozen. Nothing was opened or changed; ask an administrator.",
    ja="{person} は退場済みか凍結中です。何も開かれず、変更もありません。管理者に確認してください。",
)
SECOND_PERSON = fault_kind(
    "SEK-PEOP-007",
    en="This needs two persons, and neither may be {person}, whom it is about. {by} cannot be the second one. "
    "The request stays open for somebody else.",
    ja="この操作には {person} 本人以外の2人が必要です。{by} は2人目になれません。"
    "申請は残っています。別の人が確認してください。",
)
NOT_OPEN = fault_kind(
    "SEK-PEOP-008",
    en="There is no open request {request} of this kind: it was agreed to before, or it never existed. "
    "Nothing was changed.",
    ja="該当する未処理の申請 {request} はありません。処理済みか、存在しません。何も変更していません。",
)
NEEDS_ROLE = fault_kind(
    "SEK-PEOP-009",
    en="{by} holds no role that allows this ({roles}). Nothing was changed; ask somebody who does.",
    ja="{by} はこの操作に必要な役割({roles})を持っていません。何も変更していません。"
    "役割を持つ人に依頼してください。",
)
ROLES_EXCLUDE = fault_kind(
    "SEK-PEOP-010",
    en="{person} holds {held}, which nobody may hold together with {wanted}. Nothing was changed; give the role "
    "to another person.",
    ja="{person} は {held} を持っており、{wanted} と兼ねることはできません。何も変更していません。"
    "別の人に割り当ててください。",
)
ENOUGH_ADMINISTRATORS = fault_kind(
    "SEK-PEOP-011",
    en="There are two administrators or more already. No link was made; two of them give the role together.",
    ja="管理者は既に2人以上います。リンクは作成していません。管理者2人で役割を付与してください。",
)
BAD_LINK = fault_kind(
    "SEK-PEOP-012",
    en="This link cannot be used: it is wrong, used or expired. The attempt was recorded; ask for a new one.",
    ja="このリンクは使えません。誤りがあるか、使用済みか、期限切れです。試行は記録されました。"
    "新しいリンクを依頼してください。",
)
SAME_ROLE = fault_kind(
    "SEK-PEOP-013",
    en="{person} had an authenticator before, so two people of different roles must vouch; {by} and {first} "
    "share all of theirs. The request stays open for somebody of another role.",
    ja="{person} は以前に認証手段を持っていたため、異なる役割の2人の確認が必要です。{by} と {first} の役割は"
    "同じです。申請は残っています。別の役割の人が確認してください。",
)
PASSKEY_REFUSED = fault_kind(
    "SEK-PEOP-014",
    en="The passkey was refused ({reason}). Nothing was opened or added; the attempt was recorded. Start again.",
    ja="パスキーを受け付けられませんでした ({reason})。何も開かれず、追加もされていません。"
    "試行は記録されました。最初からやり直してください。",
)
OPENID_REFUSED = fault_kind(
    "SEK-PEOP-015",
    en="The login at {issuer} was refused ({reason}). Nothing was opened; the attempt was recorded. Start again, "
    "or ask an administrator.",
    ja="{issuer} でのログインを受け付けられませんでした ({reason})。何も開かれていません。試行は記録されました。"
    "やり直すか、管理者に依頼してください。",
)
OPENID_UNREACHABLE = fault_kind(
    "SEK-PEOP-016",
    en="{issuer} does not answer as an OpenID Connect provider ({reason}). Nothing was opened; try again, or log "
    "in by passkey.",
    ja="{issuer} が OpenID Connect プロバイダーとして応答しません ({reason})。何も開かれていません。"
    "再度お試しになるか、パスキーでログインしてください。",
)
WEAK_PASSWORD = fault_kind(
    "SEK-PEOP-017",
    en="The password must have at least {length} characters, and not be or contain the person's id. Nothing was "
    "changed.",
    ja="パスワードは {length} 文字以上で、担当者IDを含まないものにしてください。何も変更していません。",
)
WRONG_CODE = fault_kind(
    "SEK-PEOP-018",
    en="The one-time code is not that of the new authenticator. Nothing was changed; check the clock of the "
    "device and enter the next code.",
    ja="ワンタイムコードが新しい認証アプリのものと一致しません。何も変更していません。端末の時計を確認し、"
    "次のコードを入力してください。",
)
ONLY_ENROLLING = fault_kind(
    "SEK-PEOP-019",
    en="This login came by a one-time link: it may enrol an authenticator and nothing else. Enrol one, then log in.",
    ja="このログインは一回限りのリンクによるもので、認証手段の登録しかできません。"
    "登録してからログインし直してください。",
)
NOT_IN_THE_LOG = fault_kind(
    "SEK-PEOP-020",
    en="What the database says about {person} is not in the published log. Nothing was opened, and an alarm was "
    "raised.",
    ja="{person} についてのデータベースの内容は公開ログにありません。何も開かれておらず、警報が発せられました。",
)
BAD_SCOPE = fault_kind(
    "SEK-PEOP-021",
    en="{scope} is no scope of the API. No token was issued; use one of: {known}.",
    ja="{scope} は API の権限範囲ではありません。トークンは発行していません。使えるもの: {known}",
)
BAD_HEADCOUNT = fault_kind(
    "SEK-PEOP-022",
    en="The list of {agency} cannot be read: row {row}: {reason}. Nothing was compared or recorded; correct the "
    "row and send the whole list again.",
    ja="{agency} の名簿を読めません。{row} 行目: {reason}。照合も記録もしていません。"
    "該当行を直して、名簿全体を送り直してください。",
)
NOT_FROZEN = fault_kind(
    "SEK-PEOP-023",
    en="{person} is not frozen. Nothing was changed.",
    ja="{person} は凍結されていません。何も変更していません。",
)
HAS_NOT_LEFT = fault_kind(
    "SEK-PEOP-024",
    en="{person} has not left. Nothing was changed.",
    ja="{person} は退場していません。何も変更していません。",
)
BAD_DATES = fault_kind(
    "SEK-PEOP-025",
    en="{name}: the last day {until} is before the first day {on}. Nothing was recorded.",
    ja="{name}: 最終日 {until} が開始日 {on} より前です。何も記録していません。",
)
HAS_AUTHENTICATOR = fault_kind(
    "SEK-PEOP-026",
    en="{person} can log in already. No link was made or used; two administrators give the role together.",
    ja="{person} は既にログインできます。リンクの作成も使用もしていません。管理者2人で役割を付与してください。",
)
BAD_SSH_KEY = fault_kind(
    "SEK-PEOP-040",
    en="This is no public SSH key that can be used here. Nothing was registered; give one line of a .pub file, of one "
    "of: {kinds} (RSA from 3072 bits).",
    ja="ここで使える SSH 公開鍵ではありません。登録していません。.pub ファイルの 1 行を指定してください。"
    "使える種類: {kinds} (RSA は 3072 ビット以上)",
)
KEY_KNOWN = fault_kind(
    "SEK-PEOP-041",
    en="The key {key} is registered already, or was revoked, which is for good. Nothing was registered; make a new "
    "key.",
    ja="鍵 {key} は登録済みか、失効済み (取り消せません) です。登録していません。新しい鍵を作成してください。",
)
NO_SUCH_KEY = fault_kind(
    "SEK-PEOP-042",
    en="You have no SSH key {key}. Nothing was revoked.",
    ja="あなたの SSH 鍵 {key} はありません。何も失効していません。",
)
SSH_KEY_CANNOT = fault_kind(
    "SEK-PEOP-043",
    en="An SSH key cannot bring in another key. Nothing was registered; log in with passkey, or password and code.",
    ja="SSH 鍵によるログインでは別の鍵を登録できません。登録していません。"
    "パスキー、またはパスワードとコードでログインしてください。",
)
