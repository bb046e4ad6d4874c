"""Why there is no desktop."""

from sekisho.faults import fault_kind

NOT_STARTED = fault_kind(
    "SEK-DESK-002",
    en="The desktop did not start ({reason}). Files of the workspace are as they were; open it again, or tell the "
    "administrator.",
    ja="デスクトップを起動できませんでした ({reason})。作業領域のファイルはそのままです。"
    "開き直すか、管理者に連絡してください。",
)
