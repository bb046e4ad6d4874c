"""What is no cast."""

from typing import Final

from sekisho.faults import fault_kind

NO_CAST: Final = fault_kind(
    "SEK-CAST-001",
    en="This is no asciicast v2 ({reason}). Nothing more was read; take the file again from where it was recorded.",
    ja="asciicast v2 の形式ではありません({reason})。これ以降は読み込んでいません。元の録画から取得し直してください。",
)
