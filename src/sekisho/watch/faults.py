"""What the watch refuses."""

from sekisho.faults import fault_kind

OTHER_STATE = fault_kind(
    "SEK-WATCH-001",
    en="The watch's memory was written by another version. Nothing is lost: it is made anew from the facts; remove the "
    "file and start again.",
    ja="監視の記憶は別の版で書かれたものです。失われたものはありません。事実から作り直せますので、"
    "ファイルを削除して再起動してください。",
)
