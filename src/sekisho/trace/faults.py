"""What a trace refuses."""

from sekisho.faults import fault_kind

NO_REGISTRY = fault_kind(
    "SEK-TRACE-001",
    en="There is no registry in {path}. Nothing was looked up; make one with `sekisho trace index`.",
    ja="{path} に照合台帳がありません。何も照合していません。`sekisho trace index` で作成してください。",
)
WRONG_KEY = fault_kind(
    "SEK-TRACE-002",
    en="The trace key in {path} is not the one that this registry was made with. Nothing was looked up; bring "
    "the key that belongs to it.",
    ja="{path} の照合鍵は、この台帳の作成に使われた鍵ではありません。何も照合していません。"
    "台帳に対応する鍵を用意してください。",
)
ALTERED = fault_kind(
    "SEK-TRACE-003",
    en="{path} is not what the registry's list says it is. Nothing was looked up; keep the file as evidence, and "
    "bring back a copy of the registry.",
    ja="{path} の内容が台帳の目録と一致しません。何も照合していません。このファイルを証拠として保全し、"
    "台帳の写しを戻してください。",
)
NO_COLUMNS = fault_kind(
    "SEK-TRACE-004",
    en="No column of {name} holds a name, telephone number, address, date of birth or mail address that could be "
    "looked up. Nothing was looked up; name the columns with --column.",
    ja="{name} には、照合できる氏名・電話番号・住所・生年月日・メールアドレスの列が見つかりません。"
    "何も照合していません。--column で列を指定してください。",
)
NO_SUBJECT = fault_kind(
    "SEK-TRACE-005",
    en="{name} has no column {column}, which tells one person from another. Nothing was indexed; name the column "
    "with --subject.",
    ja="{name} には、本人を区別する列 {column} がありません。何も登録していません。"
    "--subject で列を指定してください。",
)
UNREADABLE = fault_kind(
    "SEK-TRACE-006",
    en="{name} cannot be read: {reason}. Nothing was looked up; bring it as CSV, TSV, Excel, JSON, Parquet, text or "
    "PDF.",
    ja="{name} を読めません ({reason})。何も照合していません。CSV、TSV、Excel、JSON、Parquet、テキスト、"
    "PDF のいずれかで用意してください。",
)
ERASED = fault_kind(
    "SEK-TRACE-007",
    en="The fingerprints of {organisation} were erased and take nothing new. Nothing was indexed; index its data "
    "under a new organisation id.",
    ja="{organisation} の照合値は消去済みで、追加できません。何も登録していません。"
    "新しい組織 ID で登録してください。",
)
NO_CASE = fault_kind(
    "SEK-TRACE-008",
    en="There is no trace case {case}. Nothing was read; `sekisho trace case list` shows those there are.",
    ja="照会案件 {case} はありません。何も読んでいません。`sekisho trace case list` で一覧を確認してください。",
)
NO_ANSWER = fault_kind(
    "SEK-TRACE-009",
    en="Trace case {case} has no answer: it was never concluded, or its answer was erased. Its facts are kept; run "
    "the list again.",
    ja="照会案件 {case} には結果がありません (未完了か、結果が消去されています)。記録は残っています。"
    "リストをもう一度照会してください。",
)
OTHER_LIST = fault_kind(
    "SEK-TRACE-010",
    en="This is not the list of trace case {case}: its SHA-256 differs. Nothing was looked up; bring the file as it "
    "was.",
    ja="照会案件 {case} のリストではありません (SHA-256 が異なります)。何も照合していません。"
    "当時のファイルを用意してください。",
)
TARGET_UNREADABLE = fault_kind(
    "SEK-TRACE-011",
    en="{target} could not be read as {role}: {reason}. Nothing of the dataset was indexed; check that the target "
    "runs and that the role may read its tables.",
    ja="{target} を {role} として読み取れませんでした ({reason})。このデータセットは登録していません。"
    "接続先の稼働と、ロールの読み取り権限を確かめてください。",
)
BAD_CANARY = fault_kind(
    "SEK-TRACE-012",
    en="The canaries of {copy} cannot be planted: {reason}. Nothing was recorded and the copy must not leave; make "
    "others.",
    ja="{copy} の監視用人物を登録できません ({reason})。何も記録していません。この写しは渡さないでください。"
    "別の監視用人物を作ってください。",
)
KEY_LOCKED = fault_kind(
    "SEK-TRACE-013",
    en="The trace key is not released. Nothing was looked up; ask for a release, and let two holders give their "
    "shares.",
    ja="照合鍵が開放されていません。何も照合していません。開放を申請し、分割鍵の保持者2人の入力を受けてください。",
)
KEY_SPENT = fault_kind(
    "SEK-TRACE-014",
    en="The release does not allow {wanted} more (left: {left}). Nothing was looked up; ask for another release.",
    ja="この開放では、あと {wanted} は照合できません (残り {left})。何も照合していません。"
    "あらためて開放を申請してください。",
)
BAD_SHARE = fault_kind(
    "SEK-TRACE-015",
    en="This is not the share that was given to {person}. The key stays closed; type the share as it was handed out.",
    ja="これは {person} に渡された分割鍵ではありません。鍵は閉じたままです。渡されたとおりに入力してください。",
)
NO_RELEASE = fault_kind(
    "SEK-TRACE-016",
    en="There is no open request {release} for a release. The key stays closed; ask again.",
    ja="開放の申請 {release} は受付中ではありません。鍵は閉じたままです。あらためて申請してください。",
)
TOO_OFTEN = fault_kind(
    "SEK-TRACE-017",
    en="The key was released {limit} times within a day. It stays closed; wait, or bring the key as a file.",
    ja="照合鍵の開放が1日の上限 {limit} 回に達しました。鍵は閉じたままです。時間をおいて申請してください。",
)
BAD_SPLIT = fault_kind(
    "SEK-TRACE-018",
    en="The trace key was not split: {reason}. The key is as it was.",
    ja="照合鍵を分割していません ({reason})。鍵はこれまでのままです。",
)
NO_LIST = fault_kind(
    "SEK-TRACE-019",
    en="The list is not here any more, or not all of it came. Nothing was looked up; bring the file again.",
    ja="リストが残っていないか、すべて届いていません。何も照合していません。ファイルをもう一度選んでください。",
)
TOO_LONG = fault_kind(
    "SEK-TRACE-020",
    en="A list of more than {limit} MB is not taken at the console. Nothing was kept; look it up with "
    "`sekisho trace run`.",
    ja="{limit} MB を超えるリストはコンソールでは受け付けません。何も保存していません。"
    "`sekisho trace run` で照合してください。",
)
NO_SANDBOX = fault_kind(
    "SEK-TRACE-021",
    en="The list cannot be read apart from this program ({reason}). Nothing was read; bubblewrap must be installed and "
    "allowed.",
    ja="リストを隔離して読み取れません ({reason})。何も読んでいません。bubblewrap の導入と許可を確認してください。",
)
LOOKUP_BROKEN = fault_kind(
    "SEK-TRACE-022",
    en="The lookup of case {case} broke off ({reason}). The case and its list are kept, without an answer; look it "
    "up again, and tell who maintains this program.",
    ja="案件 {case} の照合が途中で止まりました ({reason})。案件とリストは残っていますが、結果はありません。"
    "もう一度照会し、このプログラムの保守担当に知らせてください。",
)
BUSY = fault_kind(
    "SEK-TRACE-023",
    en="{limit} lookups wait already. Nothing was looked up; wait until one has ended.",
    ja="照合待ちが {limit} 件あります。何も照合していません。終わるのを待ってください。",
)
NO_TARGET = fault_kind(
    "SEK-TRACE-024",
    en="There is no target {target} in the register. Nothing was indexed; `sekisho register` shows those there are.",
    ja="接続先 {target} は台帳にありません。何も登録していません。登録済みの接続先を確認してください。",
)
