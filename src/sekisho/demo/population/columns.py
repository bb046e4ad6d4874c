"""What the tables of persons hold: the columns, and the data item (`sekisho.text.items`) that each carries."""

from typing import Final, Literal, NamedTuple

Extra = Literal["card", "insurance_number", "user_id"]
SUBJECT_KEY: Final = "customer_id"
PERSONAL_TABLES: Final = ("customers", "calls")
PLAIN_RELATIONS: Final = ("campaigns", "call_counts")  # without personal data


class Column(NamedTuple):
    """A column of `customers` or `calls`; `item` is the id of its data item, None when it is not personal."""

    name: str
    type: str
    item: str | None


CUSTOMERS: Final = (
    Column("customer_id", "bigint", "customer_number"),
    Column("name", "text", "name"),
    Column("name_kana", "text", "kana"),
    Column("postal_code", "text", "postal_code"),
    Column("address", "text", "address"),
    Column("phone", "text", "phone"),
    Column("birth_date", "date", "birth_date"),
    Column("sex", "text", "sex"),
    Column("email", "text", "email"),
    Column("registered_on", "date", "registration_date"),
    Column("memo", "text", "free_text"),
)
EXTRAS: Final[dict[Extra, Column]] = {
    "card": Column("card_number", "text", "card"),
    "insurance_number": Column("insured_number", "text", "insurance_number"),
    "user_id": Column("user_id", "text", "user_id"),
}
CALLS: Final = (
    Column("call_id", "bigint", None),
    Column("customer_id", "bigint", "customer_number"),
    Column("called_at", "timestamptz", None),
    Column("operator", "text", None),
    Column("result_code", "text", None),
    Column("note", "text", "free_text"),
)
