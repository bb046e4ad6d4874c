"""Japanese family and given names with their readings, and tables that hand them out by weight.

Common names, so that many persons share one: a match by name alone must not look like proof. Given names go
with the birth year and the sex.
"""

import re
from typing import Final, NamedTuple

_FAMILIES: Final = """
佐藤サトウ 鈴木スズキ 高橋タカハシ 田中タナカ 伊藤イトウ 渡辺ワタナベ 山本ヤマモト 中村ナカムラ 小林コバヤシ
加藤カトウ 吉田ヨシダ 山田ヤマダ 佐々木ササキ 山口ヤマグチ 松本マツモト 井上イノウエ 木村キムラ 林ハヤシ
斎藤サイトウ 清水シミズ 山崎ヤマザキ 森モリ 池田イケダ 橋本ハシモト 阿部アベ 石川イシカワ 山下ヤマシタ
中島ナカジマ 石井イシイ 小川オガワ 前田マエダ 岡田オカダ 長谷川ハセガワ 藤田フジタ 後藤ゴトウ 近藤コンドウ
村上ムラカミ 遠藤エンドウ 青木アオキ 坂本サカモト 斉藤サイトウ 福田フクダ 太田オオタ 西村ニシムラ 藤井フジイ
金子カネコ 岡本オカモト 藤原フジワラ 三浦ミウラ 中野ナカノ 中川ナカガワ 原田ハラダ 松田マツダ 竹内タケウチ
小野オノ 田村タムラ 中山ナカヤマ 和田ワダ 石田イシダ 森田モリタ 上田ウエダ 原ハラ 内田ウチダ 柴田シバタ
酒井サカイ 宮崎ミヤザキ 横山ヨコヤマ 高木タカギ 安藤アンドウ 宮本ミヤモト 大野オオノ 小島コジマ 谷口タニグチ
工藤クドウ 今井イマイ 高田タカダ 増田マスダ 丸山マルヤマ 杉山スギヤマ 村田ムラタ 大塚オオツカ 新井アライ
小山コヤマ 平野ヒラノ 藤本フジモト 河野コウノ 上野ウエノ 野口ノグチ 武田タケダ 松井マツイ 千葉チバ
菅原スガワラ 岩崎イワサキ 久保クボ 木下キノシタ 佐野サノ 野村ノムラ 松尾マツオ 菊地キクチ 市川イチカワ
杉本スギモト 古川フルカワ 大西オオニシ 島田シマダ 水野ミズノ 桜井サクライ 高野タカノ 渡部ワタナベ
吉川ヨシカワ 山内ヤマウチ 西田ニシダ 飯田イイダ 菊池キクチ 西川ニシカワ 小松コマツ 北村キタムラ 安田ヤスダ
五十嵐イガラシ 川口カワグチ 平田ヒラタ 関セキ 中田ナカタ 久保田クボタ 服部ハットリ 東ヒガシ 岩田イワタ
土屋ツチヤ 川崎カワサキ 福島フクシマ 本田ホンダ 辻ツジ 樋口ヒグチ 秋山アキヤマ 田口タグチ 永井ナガイ
山中ヤマナカ 中西ナカニシ 吉村ヨシムラ 川上カワカミ 石原イシハラ 髙橋タカハシ 渡邊ワタナベ 齋藤サイトウ
馬場ババ 浜田ハマダ 濱田ハマダ 大橋オオハシ 星野ホシノ 篠原シノハラ 黒田クロダ 荒木アラキ 森本モリモト
矢野ヤノ 尾崎オザキ 望月モチヅキ 永田ナガタ 熊谷クマガイ 内藤ナイトウ 松村マツムラ 西山ニシヤマ
"""
# Four times of birth; in each, given names of men and of women, the commonest first.
_GIVEN: Final[tuple[tuple[int, str, str], ...]] = (
    (
        1945,
        "清キヨシ 勇イサム 茂シゲル 実ミノル 勝マサル 正タダシ 弘ヒロシ 進ススム 昭アキラ 博ヒロシ "
        "三郎サブロウ 正雄マサオ 武タケシ 稔ミノル 豊ユタカ 義雄ヨシオ 一郎イチロウ 武雄タケオ 久ヒサシ "
        "幸雄ユキオ 忠タダシ 昇ノボル 栄サカエ 保タモツ",
        "和子カズコ 幸子サチコ 節子セツコ 弘子ヒロコ 文子フミコ 美代子ミヨコ 千代子チヨコ 久子ヒサコ "
        "芳子ヨシコ 洋子ヨウコ 勝子カツコ 敏子トシコ 信子ノブコ 光子ミツコ キヨキヨ 静子シズコ "
        "悦子エツコ 昭子アキコ 富子トミコ 京子キョウコ 恵子ケイコ トシトシ 八重子ヤエコ 貞子サダコ",
    ),
    (
        1965,
        "誠マコト 隆タカシ 茂シゲル 浩ヒロシ 修オサム 明アキラ 豊ユタカ 博ヒロシ 和彦カズヒコ "
        "健一ケンイチ 浩一コウイチ 清キヨシ 正マサシ 聡サトシ 哲也テツヤ 健ケン 秀樹ヒデキ 剛ツヨシ "
        "学マナブ 正人マサト 久志ヒサシ 英明ヒデアキ 敏夫トシオ 和夫カズオ",
        "恵子ケイコ 京子キョウコ 洋子ヨウコ 幸子サチコ 和子カズコ 久美子クミコ 由美子ユミコ 明美アケミ "
        "真由美マユミ 裕子ユウコ 典子ノリコ 美智子ミチコ 智子トモコ 直美ナオミ 順子ジュンコ 陽子ヨウコ "
        "由美ユミ 美香ミカ 節子セツコ 弘美ヒロミ 和美カズミ 悦子エツコ 純子ジュンコ 早苗サナエ",
    ),
    (
        1985,
        "大輔ダイスケ 誠マコト 直樹ナオキ 哲也テツヤ 剛ツヨシ 健太ケンタ 学マナブ 大介ダイスケ "
        "達也タツヤ 翔太ショウタ 和也カズヤ 拓也タクヤ 亮リョウ 健一ケンイチ 雄太ユウタ 直人ナオト "
        "洋介ヨウスケ 智也トモヤ 隆之タカユキ 浩二コウジ 真一シンイチ 淳ジュン 恵介ケイスケ 裕太ユウタ",
        "陽子ヨウコ 智子トモコ 裕子ユウコ 愛アイ 恵メグミ 久美子クミコ 美穂ミホ 香織カオリ 麻衣マイ "
        "舞マイ 恵美エミ 真由美マユミ 純子ジュンコ 直美ナオミ 理恵リエ 綾アヤ 麻美アサミ 彩アヤ "
        "優子ユウコ 美紀ミキ 千春チハル 友美トモミ 奈緒ナオ 亜希子アキコ",
    ),
    (
        9999,
        "翔ショウ 蓮レン 拓海タクミ 大輝ダイキ 翔太ショウタ 健太ケンタ 駿シュン 陸リク 大翔ヒロト "
        "悠斗ユウト 海斗カイト 翼ツバサ 亮太リョウタ 颯太ソウタ 直樹ナオキ 涼リョウ 匠タクミ 優太ユウタ "
        "航ワタル 一輝カズキ 隼人ハヤト 智也トモヤ 樹イツキ 陽向ヒナタ",
        "美咲ミサキ 葵アオイ 陽菜ヒナ さくらサクラ 愛アイ 彩アヤ 萌モエ 優花ユウカ 七海ナナミ 結衣ユイ "
        "遥ハルカ 未来ミク 楓カエデ 凛リン 千夏チナツ 琴音コトネ 真央マオ 明日香アスカ 莉子リコ "
        "菜摘ナツミ 詩織シオリ 茜アカネ 芽衣メイ 綾香アヤカ",
    ),
)
_SYLLABLES: Final = """
キャ:kya キュ:kyu キョ:kyo シャ:sha シュ:shu ショ:sho チャ:cha チュ:chu チョ:cho ニャ:nya ニュ:nyu ニョ:nyo
ヒャ:hya ヒュ:hyu ヒョ:hyo ミャ:mya ミュ:myu ミョ:myo リャ:rya リュ:ryu リョ:ryo ギャ:gya ギュ:gyu ギョ:gyo
ジャ:ja ジュ:ju ジョ:jo ビャ:bya ビュ:byu ビョ:byo ア:a イ:i ウ:u エ:e オ:o カ:ka キ:ki ク:ku ケ:ke コ:ko
サ:sa シ:shi ス:su セ:se ソ:so タ:ta チ:chi ツ:tsu テ:te ト:to ナ:na ニ:ni ヌ:nu ネ:ne ノ:no ハ:ha ヒ:hi
フ:fu ヘ:he ホ:ho マ:ma ミ:mi ム:mu メ:me モ:mo ヤ:ya ユ:yu ヨ:yo ラ:ra リ:ri ル:ru レ:re ロ:ro ワ:wa ヲ:o
ン:n ガ:ga ギ:gi グ:gu ゲ:ge ゴ:go ザ:za ジ:ji ズ:zu ゼ:ze ゾ:zo ダ:da ヂ:ji ヅ:zu デ:de ド:do バ:ba ビ:bi
ブ:bu ベ:be ボ:bo パ:pa ピ:pi プ:pu ペ:pe ポ:po
"""
_ROMAJI: Final = dict(pair.split(":") for pair in _SYLLABLES.split())


class Name(NamedTuple):
    """A family or given name: as written, in full-width katakana, and in Latin letters for mail addresses."""

    written: str
    kana: str
    romaji: str


def romaji(kana: str) -> str:
    """Hepburn without long vowels: スズキ -> suzuki, サトウ -> sato, ハットリ -> hattori."""
    out, place, doubled = "", 0, False
    while place < len(kana):
        if kana[place] == "ッ":
            place, doubled = place + 1, True
            continue
        width = 2 if kana[place : place + 2] in _ROMAJI else 1
        syllable = _ROMAJI[kana[place : place + width]]
        out += syllable[0] + syllable if doubled else syllable
        place, doubled = place + width, False
    return re.sub("ou(?!e)|oo", "o", out).replace("uu", "u")  # not in Inoue, where the u is its own syllable


def _parse(text: str) -> list[Name]:
    names = []
    for word in text.split():
        # Names written in katakana (キヨキヨ) are their own reading: the reading is the second half.
        cut = next((at for at, letter in enumerate(word) if "ァ" <= letter <= "ー"), 0) or len(word) // 2
        names.append(Name(word[:cut], word[cut:], romaji(word[cut:])))
    return names


def _by_rank(names: list[Name], size: int, softness: float) -> list[Name]:
    """A table of `size` entries in which the name of rank r has a share of 1 / (r + softness)."""
    weights = [1 / (rank + softness) for rank in range(len(names))]
    unit = size / sum(weights)
    table = [name for name, weight in zip(names, weights, strict=True) for _ in range(round(weight * unit))]
    return (table + names)[:size] if len(table) < size else table[:size]


FAMILY_TABLE_SIZE: Final = 4096
GIVEN_TABLE_SIZE: Final = 256
FAMILIES: Final = _by_rank(_parse(_FAMILIES), FAMILY_TABLE_SIZE, 12)
_GIVEN_TABLES: Final = [
    (until, _by_rank(_parse(men), GIVEN_TABLE_SIZE, 6), _by_rank(_parse(women), GIVEN_TABLE_SIZE, 6))
    for until, men, women in _GIVEN
]


def given_names(birth_year: int, sex: str) -> list[Name]:
    """The table of given names for this year of birth; `sex` is 男 or 女."""
    for until, men, women in _GIVEN_TABLES:
        if birth_year <= until:
            return men if sex == "男" else women
    raise ValueError(f"no given names for {birth_year}")
