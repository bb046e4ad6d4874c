"""Why a copy, a delivery or a receipt is refused."""

from sekisho.faults import fault_kind

BAD_COPY = fault_kind(
    "SEK-TAKE-030",
    en="The copy is not what its manifest says: {reason}. Nothing of it was kept; tell the sender, ask for it again.",
    ja="コピーの中身が添付の明細と一致しません: {reason}。何も保存していません。"
    "送り主に連絡し、もう一度受け取ってください。",
)
DELIVERED = fault_kind(
    "SEK-TAKE-032",
    en="Take-out {takeout} was handed over already. Nothing leaves a second time; ask anew.",
    ja="持ち出し {takeout} はすでに引き渡し済みです。二度は引き渡しません。必要なら申請し直してください。",
)
BAD_LINK = fault_kind(
    "SEK-TAKE-033",
    en="This link opens nothing: it was used, has expired, or was never one. Ask the sender for another one.",
    ja="このリンクでは何も開けません(使用済み、期限切れ、または無効です)。送り主に新しいリンクを依頼してください。",
)
BAD_CODE = fault_kind(
    "SEK-TAKE-034",
    en="The code is wrong; {left} tries are left. Nothing was sent; ask the sender for the code by telephone.",
    ja="コードが違います(残り {left} 回)。何も送信していません。送り主に電話でコードを確認してください。",
)
DELIVERY_FAILED = fault_kind(
    "SEK-TAKE-035",
    en="The delivery of {takeout} failed: {reason}. It does not count as handed over; the package is sealed. "
    "Try again.",
    ja="{takeout} の引き渡しに失敗しました: {reason}。引き渡しとは数えません。パッケージは封緘されたままです。"
    "もう一度実行してください。",
)
OTHER_DESTINATION = fault_kind(
    "SEK-TAKE-036",
    en="Take-out {takeout} was approved for {approved}, not for {destination}. Nothing left; ask anew.",
    ja="持ち出し {takeout} の承認された渡し先は {approved} で、{destination} ではありません。"
    "何も持ち出されていません。申請し直してください。",
)
UNKNOWN_DESTINATION = fault_kind(
    "SEK-TAKE-037",
    en="{destination} is not registered, or no longer. Nothing left; have it registered.",
    ja="{destination} は登録されていないか、登録が終了しています。何も持ち出されていません。登録を依頼してください。",
)
BAD_RECEIPT = fault_kind(
    "SEK-TAKE-038",
    en="The receipt does not prove that {takeout} was opened: {reason}. It does not count; send the one that "
    "sekisho take-out unpack wrote.",
    ja="受領証では {takeout} の開封を確認できません: {reason}。受領として数えません。"
    "sekisho take-out unpack が書き出した受領証を送ってください。",
)
WRONG_STEP = fault_kind(
    "SEK-TAKE-039",
    en="Take-out {takeout} is {state}: that step does not follow. Nothing was recorded; look at its page.",
    ja="持ち出し {takeout} は現在「{state}」のため、その手続きはできません。記録していません。"
    "ページを確認してください。",
)
BAD_ALLOWANCE = fault_kind(
    "SEK-TAKE-040",
    en="What a copy may change cannot be allowed so: {reason}. Nothing changed; correct it.",
    ja="コピーに許す変更の指定が正しくありません: {reason}。何も変更していません。修正してください。",
)
BAD_COPY_RECORD = fault_kind(
    "SEK-TAKE-041",
    en="The copy for {takeout} cannot be put on record: {reason}. Nothing was sealed for it; make it again.",
    ja="{takeout} のコピーを記録できません: {reason}。封緘していません。作り直してください。",
)
BAD_REGISTRATION = fault_kind(
    "SEK-TAKE-042",
    en="{destination} cannot be registered: {reason}. Nothing changed; correct it.",
    ja="{destination} を登録できません: {reason}。何も変更していません。修正してください。",
)
NOT_YOURS = fault_kind(
    "SEK-TAKE-043",
    en="{person} neither asked for take-out {takeout} nor approved it. Nothing was done; ask one of those who did.",
    ja="{person} は持ち出し {takeout} の申請者でも承認者でもありません。何も行っていません。"
    "申請者か承認者に依頼してください。",
)
