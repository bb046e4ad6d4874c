"""What is refused of a remote framebuffer."""

from typing import Final

from sekisho.faults import fault_kind

NOT_RFB: Final = fault_kind(
    "SEK-RFB-001",
    en="What came is not the remote framebuffer protocol as this checkpoint speaks it ({reason}). The desktop's "
    "connection was ended; what was recorded before is kept. Open the desktop again.",
    ja="この関所が扱うリモート画面プロトコルではありません({reason})。デスクトップへの接続を終了しました。"
    "それまでの記録は残っています。デスクトップを開き直してください。",
)
UNKNOWN_MESSAGE: Final = fault_kind(
    "SEK-RFB-002",
    en="A message of type {type} came that no desktop needs. Nothing of it was passed on, and the connection was "
    "ended. Open the desktop again with the page of the console.",
    ja="デスクトップに不要な種類 {type} のメッセージを受信しました。一切転送せず、接続を終了しました。"
    "コンソールの画面からデスクトップを開き直してください。",
)
