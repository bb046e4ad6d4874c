"""What can go wrong in the demo's servers, clients and population."""

from typing import Final

from sekisho.faults import FaultKind, fault_kind

PROGRAM_MISSING: Final[FaultKind] = fault_kind(
    "SEK-DEMO-001",
    en="The program {program} is not installed. Nothing was started. Install the Debian package {package}.",
    ja="プログラム {program} がありません。何も起動していません。"
    "Debian パッケージ {package} を入れてください。",
)
SERVER_FAILED: Final[FaultKind] = fault_kind(
    "SEK-DEMO-002",
    en="The server {server} did not start: {reason}. Its folder was removed. Settle that, then start again.",
    ja="サーバー {server} が起動しませんでした({reason})。そのフォルダーは消去しました。"
    "原因を取り除いてから、もう一度起動してください。",
)
NO_FOLDER: Final[FaultKind] = fault_kind(
    "SEK-DEMO-003",
    en="No temporary folder can be reached by the user {user} ({tried}). Nothing was started. "
    "Set TMPDIR to a folder that every user may enter.",
    ja="利用者 {user} が入れる一時フォルダーがありません({tried})。何も起動していません。"
    "誰でも入れるフォルダーを TMPDIR に指定してください。",
)
CLIENT_TIMED_OUT: Final[FaultKind] = fault_kind(
    "SEK-DEMO-004",
    en="{program} did not finish within {seconds} seconds and was stopped. "
    "Look at the server that it was talking to, then try again.",
    ja="{program} が {seconds} 秒以内に終わらなかったため停止しました。"
    "接続先のサーバーを確かめてから、もう一度実行してください。",
)
PERSONS_OUT_OF_RANGE: Final[FaultKind] = fault_kind(
    "SEK-DEMO-005",
    en="{persons} persons cannot be spread over the call centre's organisations. Nothing was made. "
    "Ask for a number between {least} and {most}.",
    ja="{persons} 人をコールセンターの委託元に割り振ることはできません。何も作成していません。"
    "{least} から {most} までの人数を指定してください。",
)
