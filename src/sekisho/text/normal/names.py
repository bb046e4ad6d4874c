"""Names: one string for the writings of one name.

Merging is meant here: 斉藤 and 斎藤, 渡邊 and 渡辺 are different families that lists mix up. A normal form says
"may be the same name", and an address or phone has to agree.
"""

import re
import unicodedata
from typing import Final

from sekisho.text.normal.fold import HYPHENS, fold

# Each group: the character that stays, then the ones that become it. Old forms (旧字体), and the variants that
# family registers and old terminals keep. NFKC has already replaced the compatibility ideographs (神, 塚, 晴 …).
_GROUPS: Final = (
    "辺邊邉 沢澤 高髙 崎﨑嵜 斎齋齊斉 浜濱濵 広廣 国國 島嶋嶌 桜櫻 徳德 恵惠 栄榮 真眞 竜龍 滝瀧 桧檜 鴎鷗 凛凜 "
    "曽曾 会會 円圓 応應 県縣 寿壽 実實 豊豐 与與 礼禮 槙槇 遥遙 尭堯 条條 浅淺 静靜 聡聰 総總 蔵藏 荘莊 増增 黒黑 "
    "弥彌 万萬 寛寬 戸戶 呉吳 内內 富冨 峰峯 館舘 岳嶽 巌巖 塩鹽 学學 覚覺 関關 気氣 峡峽 暁曉 勲勳 芸藝 顕顯 伝傳 "
    "灯燈 稲稻 仏佛 穂穗 歩步 毎每 禄祿 横橫 来來 頼賴 瀬瀨 昇曻 吉𠮷 郷鄕 巻卷 桑桒 柳栁 達逹 船舩 芦蘆 柏栢 麹麴 "
    "淵渕渊 昂昻 教敎 清淸 青靑 黄黃 糸絲 緒緖 緑綠 児兒 参參 済濟 満滿 渋澁澀 狭狹 並竝 亀龜 鉄鐵 村邨 鶏鷄 団團 "
    "壮壯 奥奧 将將 尚尙 彦彥 恒恆 摂攝 数數 晋晉 為爲 当當 研硏 穣穰 縄繩 絵繪 台臺 旧舊 薫薰 薬藥 蛍螢 誉譽 譲讓 "
    "鎮鎭 麦麥 祢禰 籠篭 橋槗𣘺 遠逺 薮藪籔 鶯鴬 濤涛 槌鎚 葉𦯶 土圡 角⻆ 桝枡 翠翆 楓枫 渚渚 祐祐 隆隆 侠俠 "
    "渓溪 漑溉 釈釋 駅驛 駒駒 鷲鵰 掛挂 飯飰 邦郉 広広 沖冲 涼凉 強强 鼎鼑 餅餠 撃擊 禅禪 単單 弾彈 獣獸 聖聖"
)
_TO_NEW: Final = {ord(old): group[0] for group in _GROUPS.split() for old in group[1:] if old != group[0]}

_HONORIFIC: Final = re.compile("(?<=..)様+$")
_REPEAT: Final = re.compile("([\u3400-\u9fff])(々+)")
_TO_KATAKANA: Final = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}
# Bank and insurance terminals hold no small kana: シヨウ is ショウ.
_TO_LARGE: Final = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_LONG_VOWEL: Final = re.compile(rf"(?<=[ァ-ヺー])[{re.escape(HYPHENS)}~〜]+")
_NOT_KANA: Final = re.compile(r"[\s・=,.、]+")


def modern_kanji(text: str) -> str:
    """Old and variant kanji as the usual ones; everything else as it is.

    >>> modern_kanji("渡邉髙﨑齋濱嶋")
    '渡辺高崎斎浜島'
    """
    return text.translate(_TO_NEW)


def with_old_kanji(characters: set[str]) -> set[str]:
    """The characters, and every old or variant one that `modern_kanji` turns into one of them."""
    return characters | {chr(old) for old, new in _TO_NEW.items() if new in characters}


def normal_name(text: str) -> str:
    """A name in kanji, kana or Latin letters: folded, modern characters, no spaces, no 様; Latin in capitals.

    >>> [normal_name(n) for n in ("渡邊　太郎", "渡辺太郎 様", "佐々木", "佐佐木", "Sato Taro", "ｻﾄｳ ﾀﾛｳ")]
    ['渡辺太郎', '渡辺太郎', '佐佐木', '佐佐木', 'SATOTARO', 'サトウタロウ']
    """
    # A voiced mark behind a space only composes when the space is gone.
    name = unicodedata.normalize("NFC", "".join(modern_kanji(fold(text)).split()))
    name = _REPEAT.sub(lambda match: match[1] * (1 + len(match[2])), name)
    return _HONORIFIC.sub("", name).upper()


def normal_kana(text: str) -> str:
    """A reading: full-width katakana, no small kana, no spaces, a hyphen after kana as the long vowel it stands for.

    >>> [normal_kana(n) for n in ("ｼﾖｳｼﾞ ｼﾞﾕﾝ", "しょうじ　じゅん", "オ-タ", "おおた")]
    ['シヨウジジユン', 'シヨウジジユン', 'オータ', 'オオタ']
    """
    kana = _NOT_KANA.sub("", fold(text)).translate(_TO_KATAKANA).translate(_TO_LARGE)
    # A voiced mark behind a space or a small kana only composes now.
    large = unicodedata.normalize("NFC", kana)
    return _LONG_VOWEL.sub("ー", large).upper()
