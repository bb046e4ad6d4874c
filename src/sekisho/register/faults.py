"""Every fault of the register that a person can meet. Codes from 100 are the reading of tables."""

from typing import Final

from sekisho.faults import fault_kind

PERIOD_UNREADABLE: Final = fault_kind(
    "SEK-REG-101",
    en="The contract period “{text}” could not be read. The text is kept as written; write it for example as"
    " 2016年2月~2023年1月, 平成30年度, 2021年12月まで, or 不明.",
    ja="契約期間「{text}」を読み取れませんでした。文字はそのまま残しています。"
    "「2016年2月~2023年1月」「平成30年度」「2021年12月まで」「不明」のように書いてください。",
)
COUNT_UNREADABLE: Final = fault_kind(
    "SEK-REG-102",
    en="The count “{text}” could not be read from “{rest}” on. The text is kept as written; write it for"
    " example as 516,185件, 約1.5万件, 延べ1,909件(1,074人分), or 記載なし.",
    ja="件数「{text}」を「{rest}」から先、読み取れませんでした。文字はそのまま残しています。"
    "「516,185件」「約1.5万件」「延べ1,909件(1,074人分)」「記載なし」のように書いてください。",
)
LEAK_STATUS_UNKNOWN: Final = fault_kind(
    "SEK-REG-103",
    en="The leak status “{text}” is none of the forms that Sekisho knows, and was not guessed. The text is kept"
    " as written; choose one of the known forms or add this one to the table.",
    ja="外部流出の有無「{text}」は既知の表現になく、推測はしていません。文字はそのまま残しています。"
    "既知の表現から選ぶか、表に追加してください。",
)
FOUND_UNREADABLE: Final = fault_kind(
    "SEK-REG-104",
    en="How it came to light, “{text}”, could not be read. The text is kept as written; write it for example as"
    " 10月16日報告受領し判明, 確認し判明, or 記載なし.",
    ja="発覚の経緯「{text}」を読み取れませんでした。文字はそのまま残しています。"
    "「10月16日報告受領し判明」「確認し判明」「記載なし」のように書いてください。",
)
ORGANISATION_UNREADABLE: Final = fault_kind(
    "SEK-REG-105",
    en="The organisation cell “{text}” could not be read at “{rest}”. The text is kept as written; marks stand in"
    " brackets behind the name, as in (第2報), and member bodies behind a colon.",
    ja="顧客組織の欄「{text}」の「{rest}」を読み取れませんでした。文字はそのまま残しています。"
    "印は名称の後の括弧に「(第2報)」のように、構成団体はコロンの後に書いてください。",
)
ITEMS_UNREADABLE: Final = fault_kind(
    "SEK-REG-106",
    en="The items cell “{text}” has brackets that do not close. The text is kept as written; close the bracket"
    " and read the table again.",
    ja="情報項目の欄「{text}」は括弧が閉じていません。文字はそのまま残しています。"
    "括弧を閉じて、表をもう一度読み込んでください。",
)
