"""What the command line itself has to say."""

from sekisho.faults import fault_kind

NO_ANSWER = fault_kind(
    "SEK-CLI-001",
    en="The checkpoint at {url} does not answer ({reason}). Nothing was kept there; check the address and --ca.",
    ja="{url} のチェックポイントが応答しません ({reason})。何も受理されていません。"
    "アドレスと --ca を確認してください。",
)
NOT_LET_IN = fault_kind(
    "SEK-CLI-002",
    en="The checkpoint issued no token. {reason}",
    ja="トークンは発行されませんでした。{reason}",
)
