"""What keeps a checkpoint from starting."""

from sekisho.faults import fault_kind

NO_STATE = fault_kind(
    "SEK-SERV-001",
    en="{path} is not the state folder of a checkpoint (no sekisho.toml). Nothing was started; run `sekisho init` "
    "or give another folder.",
    ja="{path} はチェックポイントの状態フォルダではありません (sekisho.toml がありません)。何も起動していません。"
    "`sekisho init` を実行するか、別のフォルダを指定してください。",
)
BAD_SETTINGS = fault_kind(
    "SEK-SERV-002",
    en="The settings in {path} cannot be used: {reason}. Nothing was started.",
    ja="{path} の設定を使えません: {reason}。何も起動していません。",
)
STATE_EXISTS = fault_kind(
    "SEK-SERV-003",
    en="{path} already holds a checkpoint. Nothing was changed; choose an empty folder.",
    ja="{path} には既にチェックポイントがあります。何も変更していません。空のフォルダを指定してください。",
)
CANNOT_LISTEN = fault_kind(
    "SEK-SERV-004",
    en="{address} cannot be listened on ({reason}). Nothing was started; free it or set another address.",
    ja="{address} で待ち受けできません ({reason})。何も起動していません。空けるか、別のアドレスを設定してください。",
)
