"""Check digits of the numbers that Japanese data hold. All take ASCII digits only; `normal.fold` comes first.

A check digit passes one random number in ten (one in nine, or eleven), so it confirms a number that its place
or a word beside it suggests; alone it proves nothing. The basic pension number (基礎年金番号, four and six
digits) has no published check digit: only its shape can be tested, and only a word beside it tells.
"""

from typing import Final, Literal

CardBrand = Literal["visa", "mastercard", "jcb", "amex", "diners", "discover", "unionpay"]

# ISO/IEC 7812 ranges as the schemes publish them: first and last prefix, brand, lengths.
_CARD_RANGES: Final[tuple[tuple[int, int, CardBrand, tuple[int, ...]], ...]] = (
    (4, 4, "visa", (13, 16, 19)),
    (51, 55, "mastercard", (16,)),
    (2221, 2720, "mastercard", (16,)),
    (3528, 3589, "jcb", (16, 17, 18, 19)),
    (34, 34, "amex", (15,)),
    (37, 37, "amex", (15,)),
    (300, 305, "diners", (14, 16)),
    (3095, 3095, "diners", (14, 16)),
    (36, 36, "diners", (14, 16)),
    (38, 39, "diners", (14, 16)),
    (6011, 6011, "discover", (16, 19)),
    (644, 659, "discover", (16, 19)),
    (62, 62, "unionpay", (16, 17, 18, 19)),
)


def _digits(text: str, *lengths: int) -> bool:
    return len(text) in lengths and text.isascii() and text.isdigit()


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B: from the right, double every second digit; the digit sum is a multiple of ten.

    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    if not (digits.isascii() and digits.isdigit()):
        return False
    total = sum(int(d) for d in digits[::-2])
    return (total + sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])) % 10 == 0


def card_brand(digits: str) -> CardBrand | None:
    """The scheme of a payment card number: its range, a length of that range, and Luhn. None: not a card.

    >>> card_brand("4111111111111111"), card_brand("3530111333300000"), card_brand("9111111111111111")
    ('visa', 'jcb', None)
    """
    if not _digits(digits, *range(13, 20)):
        return None
    for first, last, brand, lengths in _CARD_RANGES:
        if first <= int(digits[: len(str(first))]) <= last:
            return brand if len(digits) in lengths and luhn(digits) else None
    return None


def is_individual_number(digits: str) -> bool:
    """個人番号 (My Number): 12 digits; Ministry of Internal Affairs ordinance 85 of 2014, article 5.

    The check digit is 11 - (sum of Pn * Qn mod 11), or 0 where the remainder is 0 or 1; Pn is the n-th digit
    from the right without the check digit; Qn is n + 1 up to n = 6, then n - 5.

    >>> is_individual_number("123456789018"), is_individual_number("123456789012")
    (True, False)
    """
    if not _digits(digits, 12):
        return False
    total = sum(
        int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits[:11]), start=1)
    )
    remainder = total % 11
    return int(digits[11]) == (0 if remainder <= 1 else 11 - remainder)


def is_corporate_number(digits: str) -> bool:
    """法人番号: 13 digits, the check digit first; Ministry of Finance ordinance 70 of 2014, article 2.

    The check digit is 9 - (sum of Pn * Qn mod 9); Pn counts from the right; Qn is 1 for odd n, 2 for even n.

    >>> is_corporate_number("7000012050002"), is_corporate_number("8000012050002")
    (True, False)
    """
    if not _digits(digits, 13):
        return False
    total = sum(int(digit) * (1 if n % 2 else 2) for n, digit in enumerate(reversed(digits[1:]), start=1))
    return int(digits[0]) == 9 - total % 9


def is_insurer_number(digits: str) -> bool:
    """保険者番号: 8 digits (law 2, prefecture 2, insurer 3, check 1), or 6 without the law (国民健康保険).

    The check digit is computed as Luhn's. The prefecture is 01 to 47.

    >>> is_insurer_number("01130012"), is_insurer_number("138016"), is_insurer_number("01480012")
    (True, True, False)
    """
    return _digits(digits, 6, 8) and 1 <= int(digits[-6:-4]) <= 47 and luhn(digits)


def is_pension_number_shape(digits: str) -> bool:
    """基礎年金番号: ten digits; nothing in them can be checked."""
    return _digits(digits, 10)
