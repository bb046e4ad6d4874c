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
BAD_SETTING = fault_kind(
    "SEK-CLI-010",
    en="The policy cannot be set so: {reason}. Nothing was proposed; `sekisho policy show` lists the settings.",
    ja="ポリシーをこのようには設定できません: {reason}。何も提案していません。"
    "設定項目は `sekisho policy show` で確認できます。",
)
SAME_POLICY = fault_kind(
    "SEK-CLI-011",
    en="This is the policy in force already. Nothing was proposed.",
    ja="現在有効なポリシーと同じです。何も提案していません。",
)
NO_PROPOSAL = fault_kind(
    "SEK-CLI-012",
    en="No proposal {proposal} is known. Nothing was approved; `sekisho policy show` lists the proposals.",
    ja="提案 {proposal} は見つかりません。何も承認していません。`sekisho policy show` で一覧を確認してください。",
)
NOT_THAT_CLIENT = fault_kind(
    "SEK-CLI-013",
    en="{person} does not act for {organisation}: the role of the client is not held. Nothing was recorded.",
    ja="{person} には {organisation} の委託元としての役割がありません。何も記録していません。",
)
NO_HOP = fault_kind(
    "SEK-CLI-014",
    en="No hop {hop} of an entrustment is registered. Nothing was recorded; `sekisho register graph` shows them.",
    ja="委託の段階 {hop} は登録されていません。何も記録していません。`sekisho register graph` で確認できます。",
)
NO_CERTIFICATE = fault_kind(
    "SEK-CLI-015",
    en="{party} has not certified the erasure of {dataset}, or nothing is to be erased there. Nothing was recorded; "
    "`sekisho register show` lists what is due.",
    ja="{party} による {dataset} の消去証明がないか、消去の対象ではありません。何も記録していません。"
    "`sekisho register show` で確認できます。",
)
NOT_AN_EDITOR = fault_kind(
    "SEK-CLI-021",
    en="{person} does not keep the register: administrators and privacy officers do. Nothing was changed.",
    ja="{person} は台帳の担当(管理者・個人情報保護担当)ではありません。何も変更していません。",
)
NO_SSH_KEYGEN = fault_kind(
    "SEK-CLI-031",
    en="ssh-keygen made no signature: {reason}. Nothing was signed and nothing was handed in; look at the key, then "
    "sign again.",
    ja="ssh-keygen で署名できませんでした: {reason}。署名も提出もされていません。鍵を確認してからやり直してください。",
)
