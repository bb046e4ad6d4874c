"""Why the SSH door refuses."""

from sekisho.faults import fault_kind

CHANNEL_REFUSED = fault_kind(
    "SEK-RSSH-001",
    en="{what} is refused at this door, and it was recorded. Nothing passed. Work in a terminal here; files, programs "
    "and transfers have their place in the workspace of ticket {ticket}: `sekisho pull`, or the console.",
    ja="この入口では {what} を使えません。記録されました。何も通過していません。ここでは端末で作業してください。"
    "ファイルやプログラム、転送はチケット {ticket} の作業領域で行います (`sekisho pull` またはコンソール)。",
)
HOST_KEY_REFUSED = fault_kind(
    "SEK-RSSH-002",
    en="The target {target} shows a host key that is not the registered one ({found}), and it was recorded. Nothing "
    "was opened: somebody may stand between, or it was set up anew. Tell whoever runs it.",
    ja="対象 {target} のホスト鍵が登録済みのものと異なります ({found})。記録されました。何も開かれていません。"
    "中間者がいるか、再構築された可能性があります。運用担当者に連絡してください。",
)
BAD_KEY = fault_kind(
    "SEK-RSSH-003",
    en="The key in {path} cannot be used ({reason}). Nothing was started; restore it from the backup.",
    ja="{path} の鍵を使えません ({reason})。起動していません。バックアップから復元してください。",
)
KEY_VOID = fault_kind(
    "SEK-RSSH-004",
    en="The key {key} by which this connection logged in is no longer good. Nothing was opened; register another one.",
    ja="この接続のログインに使われた鍵 {key} は無効になりました。何も開かれていません。別の鍵を登録してください。",
)
