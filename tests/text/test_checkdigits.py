"""Vectors are made by hand from the published formulas; the numbers belong to nobody, but for public test cards."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.text import checkdigits
from sekisho.text.checkdigits import (
    card_brand,
    is_corporate_number,
    is_individual_number,
    is_insurer_number,
    is_pension_number_shape,
    luhn,
)


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(checkdigits).failed == 0


@pytest.mark.parametrize(
    ("digits", "brand"),
    [
        ("4012888888881881", "visa"),
        ("4222222222222", "visa"),
        ("5555555555554444", "mastercard"),
        ("2223003122003222", "mastercard"),
        ("378282246310005", "amex"),
        ("38520000023237", "diners"),
        ("30569309025904", "diners"),
        ("6011111111111117", "discover"),
        ("3566002020360505", "jcb"),
        ("6200000000000005", "unionpay"),
        ("6200000000000006", None),
        ("411111111111111", None),  # a length that the scheme does not use
        ("0000000000000000", None),
        ("４１１１１１１１１１１１１１１１", None),
    ],
)
def test_cards(digits: str, brand: str | None) -> None:
    assert card_brand(digits) == brand


# 11 digits; sum of Pn * Qn; remainder; check digit:
#   00000000001 -> 1*2 = 2 -> 2 -> 9      11111111111 -> 2+3+4+5+6+7+2+3+4+5+6 = 47 -> 3 -> 8
#   10000000000 -> 1*6 = 6 -> 6 -> 5      00000500000 -> 5*7 = 35 -> 2 -> 9
#   00000000006 -> 6*2 = 12 -> 1 -> 0     00000000000 -> 0 -> 0 -> 0
@pytest.mark.parametrize(
    "digits", ["000000000019", "111111111118", "100000000005", "000005000009", "000000000060", "000000000000"]
)
def test_individual_numbers(digits: str) -> None:
    assert is_individual_number(digits)
    for other in set("0123456789") - {digits[-1]}:
        assert not is_individual_number(digits[:-1] + other)
    assert not is_individual_number(digits[1:])


# 12 digits, weights 1 and 2 from the right:
#   000000000001 -> 1 -> 8     000000000010 -> 2 -> 7    123456789012 -> 2+2+0+18+8+14+6+10+4+6+2+2 = 74 -> 2 -> 7
@pytest.mark.parametrize("digits", ["8000000000001", "7000000000010", "7123456789012"])
def test_corporate_numbers(digits: str) -> None:
    assert is_corporate_number(digits)
    assert not any(is_corporate_number(other + digits[1:]) for other in "0123456789" if other != digits[0])


# 06 13 999 -> from the right 9*2=18 -> 9, 9*1, 9*2 -> 9, 3*1, 1*2, 6*1, 0 -> 9+9+9+3+2+6+0 = 38 -> 2
def test_insurer_numbers() -> None:
    assert is_insurer_number("06139992")
    assert not is_insurer_number("06139993")
    assert not is_insurer_number("139992"[:5])
    assert is_insurer_number("138016")


def test_a_pension_number_has_a_shape_only() -> None:
    assert is_pension_number_shape("1234567890")
    assert not is_pension_number_shape("123456789")


@given(st.text(max_size=20))
def test_no_text_makes_them_fail(text: str) -> None:
    for check in (luhn, card_brand, is_individual_number, is_corporate_number, is_insurer_number):
        check(text)
