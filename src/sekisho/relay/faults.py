"""Why a door refuses, cuts, or ends a session."""

from sekisho.faults import fault_kind

OTHER_CLIENT = fault_kind(
    "SEK-RLAY-001",
    en="This statement reads {table}, which belongs to another client organisation's dataset than ticket "
    "{ticket}. No row was passed; it was recorded. Work on {dataset}, or ask for a ticket for the other dataset.",
    ja="この文は、チケット {ticket} の対象ではない委託元のデータ {table} を読みます。1行も通過しておらず、"
    "記録されました。{dataset} の範囲で作業するか、別のチケットを申請してください。",
)
UNKNOWN_TABLE = fault_kind(
    "SEK-RLAY-002",
    en="This statement reads a table or view (object {oid}) that is not in the catalogue. No row was passed. Use a "
    "catalogued table, or have this one registered.",
    ja="この文は目録にない表またはビュー (オブジェクト {oid}) を読みます。1行も通過していません。"
    "目録にある表を使うか、登録を依頼してください。",
)
UNKNOWN_LINEAGE = fault_kind(
    "SEK-RLAY-003",
    en='The result column "{column}" is computed, so nobody can say whose data it holds, and this target refuses '
    "such columns. No row was passed. Select the plain columns, or use a registered view.",
    ja="結果の列「{column}」は計算された値で、誰のデータか判定できないため、この対象では拒否されます。"
    "1行も通過していません。列をそのまま選ぶか、登録済みのビューを使ってください。",
)
COPY_REFUSED = fault_kind(
    "SEK-RLAY-004",
    en="COPY is refused at this door: it would carry rows past the meter. Nothing was copied. Use SELECT within "
    "your budget, or ask for a larger one.",
    ja="この入口では COPY を使えません (計量を経ずに行が出るため)。何もコピーされていません。"
    "上限内で SELECT を使うか、上限の引き上げを申請してください。",
)
FUNCTION_CALL_REFUSED = fault_kind(
    "SEK-RLAY-005",
    en="The function-call message is refused at this door: its result has no known origin. Nothing was called.",
    ja="この入口では関数呼び出しメッセージを使えません (結果の出所が不明なため)。何も呼び出されていません。",
)
ENCODING_REFUSED = fault_kind(
    "SEK-RLAY-006",
    en="The client encoding {encoding} cannot be masked safely. The session ends; nothing more was passed. Use UTF8.",
    ja="クライアントの文字コード {encoding} は安全に伏せ字にできません。セッションを終了しました。"
    "UTF8 を使ってください。",
)
NOT_A_TOKEN = fault_kind(
    "SEK-RLAY-007",
    en="This is no valid door token: it may have expired, or name another ticket or target. Nothing was opened; "
    "run `sekisho login` and use the user and password that it prints.",
    ja="有効な入口トークンではありません。期限切れか、チケットまたは対象が違います。何も開かれていません。"
    "`sekisho login` を実行し、表示されたユーザー名とパスワードを使ってください。",
)
TLS_REQUIRED = fault_kind(
    "SEK-RLAY-008",
    en="This door is opened over TLS only. Nothing was opened; connect with sslmode=require or stricter.",
    ja="この入口は TLS 接続のみです。何も開かれていません。sslmode=require 以上で接続してください。",
)
TARGET_DOWN = fault_kind(
    "SEK-RLAY-009",
    en="The target {target} does not answer as it should ({reason}). Nothing was opened; tell whoever runs it.",
    ja="対象 {target} が正しく応答しません ({reason})。何も開かれていません。運用担当者に連絡してください。",
)
PARAMETER_REFUSED = fault_kind(
    "SEK-RLAY-010",
    en="The start-up parameter {name} is not allowed at this door. Nothing was opened; connect without it.",
    ja="起動パラメータ {name} はこの入口では使えません。何も開かれていません。指定せずに接続してください。",
)
PROTOCOL_BROKEN = fault_kind(
    "SEK-RLAY-011",
    en="The session ended: a message broke the protocol ({reason}). What had passed is recorded.",
    ja="プロトコル違反のメッセージ ({reason}) のためセッションを終了しました。通過済みの内容は記録されています。",
)
LEDGER_DOWN = fault_kind(
    "SEK-RLAY-012",
    en="The ledger cannot record, so nothing may pass. The session ends; what had passed is recorded.",
    ja="台帳に記録できないため、何も通せません。セッションを終了しました。通過済みの内容は記録されています。",
)
SESSION_ENDED = fault_kind(
    "SEK-RLAY-013",
    en="The session was ended by the checkpoint ({reason}). What had passed is recorded.",
    ja="チェックポイントがセッションを終了しました ({reason})。通過済みの内容は記録されています。",
)
TARGET_REFUSED = fault_kind(
    "SEK-RLAY-014",
    en="The target answered {condition} ({sqlstate}). Its own words are withheld, for they may quote data.",
    ja="対象が {condition} ({sqlstate}) を返しました。対象の文言はデータを含み得るため表示しません。",
)
BUSY = fault_kind(
    "SEK-RLAY-015",
    en="This door is full ({limit} sessions). Nothing was opened; try again later.",
    ja="この入口は満員です (上限 {limit} セッション)。何も開かれていません。しばらくして再度お試しください。",
)
