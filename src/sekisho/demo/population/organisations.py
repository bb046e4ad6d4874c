"""The call centre's 69 client organisations. All are invented; only the shape of the sizes is real.

The sizes follow the counts that were published about the incident which the demo replays: one client with 43 %
of 9.28 million persons, a dozen above 100,000, and a long tail of municipalities with a few thousand each.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from sekisho.demo.faults import PERSONS_OUT_OF_RANGE
from sekisho.demo.population.columns import CALLS, CUSTOMERS, EXTRAS, Column, Extra
from sekisho.faults import Fault

Kind = Literal[
    "mail_order", "telecom", "broadcaster", "retailer", "public_corporation", "health_insurer", "municipality"
]

DEFAULT_PERSONS: Final = 200_000
MOST_PERSONS: Final = 9_280_000


@dataclass(frozen=True)
class Organisation:
    """A client of the call centre. `id` is the name of its schema in the database."""

    id: str
    name: str
    name_en: str
    kind: Kind
    persons: int
    extra: Extra | None  # a column that only some have
    number: int  # its rank by size, from 0
    prefecture: str | None = None  # where all its customers live, if they do
    city: str | None = None

    @property
    def role(self) -> str:
        """The login role that may read this client's schema, and nothing else."""
        return f"{self.id}_reader"

    def columns(self, table: str) -> tuple[Column, ...]:
        """The columns of its `customers` or `calls`, in order."""
        if table == "calls":
            return CALLS
        if table != "customers":
            raise ValueError(f"no table of persons is called {table!r}")
        return CUSTOMERS if self.extra is None else (*CUSTOMERS, EXTRAS[self.extra])

    @property
    def items(self) -> tuple[str, ...]:
        """The data items that are entrusted with its customers."""
        return tuple(column.item for column in self.columns("customers") if column.item)


# Name, romanised id, English name, kind, persons of 9,280,000, an extra column.
_COMPANIES: Final[tuple[tuple[str, str, str, Kind, int, Extra | None], ...]] = (
    ("みなと養蜂園", "minato_yohoen", "Minato Bee Farm", "mail_order", 4_000_000, None),
    ("青葉通信サービス", "aoba_tsushin", "Aoba Telecom Service", "telecom", 1_200_000, "user_id"),
    ("彩雲はだ研究所", "saiun_hada", "Saiun Skin Laboratory", "mail_order", 515_000, None),
    ("ひなた青汁本舗", "hinata_aojiru", "Hinata Green Juice", "mail_order", 461_000, None),
    ("しらかば牛乳宅配", "shirakaba_milk", "Shirakaba Milk Delivery", "retailer", 340_000, None),
    ("七つ星ひかりネット", "nanatsuboshi_net", "Nanatsuboshi Hikari Net", "telecom", 228_000, "user_id"),
    ("雪うさぎ化粧品", "yukiusagi_cosme", "Yukiusagi Cosmetics", "mail_order", 196_000, None),
    ("こもれび健康堂", "komorebi_kenkodo", "Komorebi Health", "mail_order", 88_000, None),
    ("あけぼのモバイル", "akebono_mobile", "Akebono Mobile", "telecom", 69_000, "user_id"),
    ("つむぎテレビ通販", "tsumugi_tv", "Tsumugi TV Shopping", "mail_order", 104_000, None),
    ("みずいろ放送", "mizuiro_hoso", "Mizuiro Broadcasting", "broadcaster", 41_000, None),
    ("くじらネットワーク", "kujira_network", "Kujira Network", "telecom", 40_000, "user_id"),
    ("とんぼの里の酢", "tombo_su", "Tombo Village Vinegar", "mail_order", 30_000, None),
    ("かささぎプロバイダ", "kasasagi_isp", "Kasasagi Internet", "telecom", 17_000, "user_id"),
    ("なぎさ生活協同組合", "nagisa_coop", "Nagisa Consumer Cooperative", "retailer", 15_000, None),
    ("ほしぞら携帯ショップ", "hoshizora_shop", "Hoshizora Phone Shops", "retailer", 12_000, None),
    ("れんげ屋オイル", "rengeya_oil", "Rengeya Oils", "mail_order", 5_000, "card"),
    ("ふうりん美容", "furin_biyo", "Furin Beauty", "mail_order", 1_000, "card"),
    ("やまびこ眼鏡", "yamabiko_megane", "Yamabiko Opticians", "retailer", 240_000, None),
    ("たんぽぽ回線企画", "tampopo_kaisen", "Tampopo Line Planning", "telecom", 60_000, "user_id"),
    ("はまなす通販倶楽部", "hamanasu_club", "Hamanasu Shopping Club", "mail_order", 165_000, None),
    ("みつばち文具便", "mitsubachi_bungu", "Mitsubachi Stationery", "retailer", 120_000, None),
    ("ゆきやなぎ電力窓口", "yukiyanagi_denryoku", "Yukiyanagi Power Desk", "retailer", 86_300, None),
    ("そらまめ共済", "soramame_kyosai", "Soramame Mutual Aid", "retailer", 15_000, None),
    ("こはく茶園", "kohaku_chaen", "Kohaku Tea Garden", "mail_order", 9_000, None),
    ("つばめ旅行企画", "tsubame_ryoko", "Tsubame Travel", "retailer", 6_000, None),
    ("ねむの木寝具", "nemunoki_shingu", "Nemunoki Bedding", "mail_order", 4_500, None),
    ("まつかぜ仏具", "matsukaze_butsugu", "Matsukaze Altars", "mail_order", 2_500, None),
    ("からくさ衣料", "karakusa_iryo", "Karakusa Clothing", "mail_order", 1_500, None),
    ("しおさい釣具", "shiosai_tsurigu", "Shiosai Fishing Tackle", "mail_order", 900, None),
    ("あすなろ奨学基金", "asunaro_shogaku", "Asunaro Scholarship Fund", "public_corporation", 50_000, None),
)
# Stem of the name, romanised stem, prefecture, persons. 国保連合 and 広域連合 act for several municipalities.
_FEDERATIONS: Final[tuple[tuple[str, str, str, str, Kind, int], ...]] = (
    ("天霧国保連合", "amagiri_kokuho", "Amagiri Insurance Federation", "岐阜県", "health_insurer", 483_000),
    (
        "東雲台広域連合",
        "shinonomedai_koiki",
        "Shinonomedai Wide-Area Union",
        "福岡県",
        "municipality",
        162_000,
    ),
    ("南雲広域連合", "nagumo_koiki", "Nagumo Wide-Area Union", "鹿児島県", "municipality", 108_000),
    ("珠城国保連合", "tamaki_kokuho", "Tamaki Insurance Federation", "三重県", "health_insurer", 30_000),
    ("澄川広域連合", "sumikawa_koiki", "Sumikawa Wide-Area Union", "沖縄県", "municipality", 32_000),
    (
        "若草野国保連合",
        "wakakusano_kokuho",
        "Wakakusano Insurance Federation",
        "奈良県",
        "health_insurer",
        4_400,
    ),
)
_CITIES: Final[tuple[tuple[str, str, str, int], ...]] = (
    ("北雲", "kitagumo", "大阪府", 69_000),
    ("汐見野", "shiomino", "千葉県", 50_000),
    ("瑞穂原", "mizuhohara", "静岡県", 50_000),
    ("高月野", "takatsukino", "愛知県", 30_000),
    ("白鷺浜", "shirasagihama", "愛知県", 30_000),
    ("夕凪", "yunagi", "大阪府", 17_500),
    ("雪代", "yukishiro", "福井県", 9_200),
    ("月見坂", "tsukimizaka", "東京都", 8_000),
    ("花籠", "hanakago", "愛知県", 8_000),
    ("雲井", "kumoi", "東京都", 7_000),
    ("水鏡", "mizukagami", "愛知県", 5_000),
    ("柏葉", "kashiwaba", "愛知県", 4_000),
    ("霞野", "kasumino", "愛知県", 4_000),
    ("桜瀬", "sakurase", "奈良県", 4_000),
    ("磯笛", "isobue", "福岡県", 3_200),
    ("渚野", "nagisano", "静岡県", 3_200),
    ("橋立野", "hashidateno", "石川県", 3_200),
    ("鈴鳴", "suzunari", "徳島県", 3_100),
    ("帆立", "hotate", "静岡県", 3_000),
    ("桐原", "kirihara", "大阪府", 3_000),
    ("楓野", "kaedeno", "大阪府", 3_000),
    ("潮路", "shioji", "富山県", 3_000),
    ("虹ヶ丘", "nijigaoka", "三重県", 2_400),
    ("星ヶ原", "hoshigahara", "愛知県", 2_050),
    ("藤波", "fujinami", "富山県", 2_000),
    ("滝沢野", "takizawano", "富山県", 2_000),
    ("朝凪", "asanagi", "富山県", 2_000),
    ("深山口", "miyamaguchi", "富山県", 2_000),
    ("瀬音", "seoto", "石川県", 1_900),
    ("銀鏡", "shirokagami", "福井県", 1_350),
    ("茜原", "akanehara", "岡山県", 1_200),
    ("霧ノ宮", "kirinomiya", "大阪府", 600),
)


def organisations(persons: int = DEFAULT_PERSONS) -> list[Organisation]:
    """The 69 clients, the largest first, scaled so that they add up to `persons`; each has one at least."""
    if not len(_CATALOGUE) <= persons <= MOST_PERSONS:
        raise Fault(PERSONS_OUT_OF_RANGE, persons=persons, least=len(_CATALOGUE), most=MOST_PERSONS)
    # One each, and the rest in proportion; what rounding leaves over goes to the largest remainders.
    spread, whole = persons - len(_CATALOGUE), MOST_PERSONS - len(_CATALOGUE)
    shares = [divmod((organisation.persons - 1) * spread, whole) for organisation in _CATALOGUE]
    left = spread - sum(share for share, _ in shares)
    lucky = set(sorted(range(len(shares)), key=lambda number: -shares[number][1])[:left])
    return [
        replace(organisation, persons=1 + share + (number in lucky), number=number)
        for number, (organisation, (share, _)) in enumerate(zip(_CATALOGUE, shares, strict=True))
    ]


def _catalogue() -> list[Organisation]:
    """Everyone at full size, the largest first."""
    found = [
        Organisation(id_, name, english, kind, size, extra, 0)
        for name, id_, english, kind, size, extra in _COMPANIES
    ]
    for name, id_, english, prefecture, kind, size in _FEDERATIONS:
        extra: Extra | None = "insurance_number" if kind == "health_insurer" else None
        found.append(Organisation(id_, name, english, kind, size, extra, 0, prefecture))
    for stem, romaji, prefecture, size in _CITIES:
        id_, name, english = f"{romaji}_shi", f"{stem}市", f"City of {romaji.capitalize()}"
        found.append(
            Organisation(id_, name, english, "municipality", size, "insurance_number", 0, prefecture, name)
        )
    return sorted(found, key=lambda organisation: (-organisation.persons, organisation.id))


_CATALOGUE: Final = _catalogue()
