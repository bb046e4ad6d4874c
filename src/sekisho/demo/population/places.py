"""Addresses and telephone numbers that look right and lead nowhere.

The prefectures are real; the cities are invented, with wards and towns of the names that any city has. Postal
codes begin as those of the prefecture do and end in 98xx, which Japan Post had given to nobody when this was
written. Mobile numbers begin with 090-0, and the local exchange of a landline number begins with 1: the
numbering plan assigns neither.
No number is set aside for fiction in Japan; these are as near to it as one can get.
"""

from typing import Final, NamedTuple


def _words(text: str) -> list[str]:
    return text.split()


# Prefecture, two digits of its postal codes, an area code, persons (in 100,000) as weight.
_PREFECTURES: Final = """
北海道06:011:52 青森県03:017:12 岩手県02:019:12 宮城県98:022:23 秋田県01:018:9 山形県99:023:10
福島県96:024:18 茨城県31:029:28 栃木県32:028:19 群馬県37:027:19 埼玉県33:048:73 千葉県26:043:63
東京都15:03:140 神奈川県22:045:92 新潟県95:025:22 富山県93:076:10 石川県92:076:11 福井県91:0776:8
山梨県40:055:8 長野県38:026:20 岐阜県50:058:19 静岡県42:054:36 愛知県46:052:75 三重県51:059:17
滋賀県52:077:14 京都府60:075:25 大阪府53:06:88 兵庫県65:078:54 奈良県63:0742:13 和歌山県64:073:9
鳥取県68:0857:5 島根県69:0852:7 岡山県70:086:19 広島県73:082:28 山口県75:083:13 徳島県77:088:7
香川県76:087:9 愛媛県79:089:13 高知県78:088:7 福岡県81:092:51 佐賀県84:0952:8 長崎県85:095:13
熊本県86:096:17 大分県87:097:11 宮崎県88:0985:10 鹿児島県89:099:16 沖縄県90:098:15
"""
_CITY_STEMS: Final = _words("""
青葉崎 朝霞台 若草野 桐原台 梅ヶ岡 竹之内 松影 杉並木 葦原 萩野原 菊水野 蓮沼 美晴 美里浜 東雲台 南雲 西雲
風越 風早野 波路 汐留野 舟渡 川霧 清澄野 澄川 泉原 岩清水 石花 玉響 珠城 金色 白銀野 黒鉄 赤穂原 紅野 藍住野
紫野原 緑ヶ浜 翠嶺 夜久野原 暁 曙野 日向野 陽光 日和 天霧 天音 空知野 露草 霜月 初瀬野 早苗 豊穂 稲荷野 実里
穂波野 麦秋 粟津野 黍原 栗林 椎葉野 楠原 榎戸 樫村 桂木 椿原 柊野 蔵人 御影野 宮代野 社原 鳥居野 鈴蘭 鶴見野
鷹取 雁来 千鳥ヶ浜 鷺沼 燕沢 雀野 月影 霞ヶ浜 花霞 水門野 雲雀野 夏木立 秋桜 冬木 春日野原 白雲 青波 緑風
山吹野 藤袴 桔梗野 撫子
""")
_WARDS: Final = ("中央区", "みどり区", "海辺区", "山手区")
_TOWNS: Final = _words("""
本町 みどり町 桜町 栄町 緑町 旭町 末広町 若葉町 朝日町 錦町 幸町 泉町 新町 春日町 寿町 松原 柳町 若宮町 東町
西町 南町 北町 宮前 川端 花園 大手町 元町 港町 富士見町 相生町
""")
_BUILDINGS: Final = _words("""
コーポ青空 メゾン若葉 ハイツ緑風 サンライトヒルズ グリーンパレス みずほ荘 レジデンス月見 シティコート
ひまわりハイツ 県営みどり団地 パークサイド ロイヤル中央
""")

AREA_TABLE_SIZE: Final = 4096
STREET_TABLE_SIZE: Final = 8192
BUILDING_TABLE_SIZE: Final = 2048


class Area(NamedTuple):
    """A town: postal code, address down to the town, and the start of its landline numbers."""

    postal_code: str
    address: str
    exchange: str
    free_digits: int  # of the exchange, after its fixed 1


class _Prefecture(NamedTuple):
    name: str
    postal: str
    area_code: str
    weight: int
    cities: list[str]


def _prefectures() -> list[_Prefecture]:
    found = []
    for number, word in enumerate(_PREFECTURES.split()):
        head, area_code, weight = word.split(":")
        two = [f"{_CITY_STEMS[(2 * number + more) % len(_CITY_STEMS)]}市" for more in (0, 1)]
        # Where many live, the first of the two cities is a large one with wards.
        cities = [*(two[0] + ward for ward in _WARDS), two[1]] if int(weight) > 25 else two
        found.append(_Prefecture(head[:-2], head[-2:], area_code, int(weight), cities))
    return found


def areas(prefecture: str | None = None, city: str | None = None) -> list[Area]:
    """A table of AREA_TABLE_SIZE towns, weighted: of the whole country, one prefecture, or one invented city."""
    chosen = [known for known in _PREFECTURE_LIST if prefecture in (None, known.name)]
    unit = AREA_TABLE_SIZE / sum(known.weight for known in chosen)
    table: list[Area] = []
    for known in chosen:
        towns = [_area(known, [city] if city else known.cities, number) for number in range(150)]
        count = round(known.weight * unit)
        table += (towns * (count // len(towns) + 1))[:count]
    return (table + table[:50])[:AREA_TABLE_SIZE]  # rounding may leave it a few entries short


def _area(prefecture: _Prefecture, cities: list[str], number: int) -> Area:
    place = number % len(cities)
    town = number // len(cities) % len(_TOWNS)
    return Area(
        postal_code=f"{prefecture.postal}{place}-98{town:02d}",
        address=prefecture.name + cities[place] + _TOWNS[town],
        exchange=f"{prefecture.area_code}-1",
        free_digits=10 - len(prefecture.area_code) - 5,
    )


def streets() -> list[str]:
    """Chome, block and house, in the forms in which people write them."""
    found = []
    for number in range(STREET_TABLE_SIZE):
        chome, block, house = 1 + number % 6, 1 + number // 6 % 39, 1 + number * 11 // 7 % 28
        form = number * 5 % 8
        if form < 4:
            found.append(f"{chome}-{block}-{house}")
        elif form < 6:
            found.append(f"{chome}丁目{block}番{house}号")
        else:
            found.append(f"{block * 10 + house}番地{house}" if form == 6 else f"{block * 10 + house}")
    return found


def buildings() -> list[str]:
    """Three in ten live in a block of flats; the others have an empty entry."""
    found = []
    for number in range(BUILDING_TABLE_SIZE):
        room = f"{1 + number // 3 % 9}0{1 + number % 8}"
        name = _BUILDINGS[number // 10 % len(_BUILDINGS)]
        found.append(
            f" {name}{room}" if number % 10 in (1, 4) else f" {name}{room}号室" if number % 10 == 7 else ""
        )
    return found


_PREFECTURE_LIST: Final = _prefectures()
