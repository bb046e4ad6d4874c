"""Postal codes (郵便番号): seven digits."""

from sekisho.text.normal.fold import fold, fold_hyphens


def normal_postal_code(text: str) -> str | None:
    """Seven digits without a hyphen, or None. Six digits lost a leading zero to a spreadsheet.

    Five digits stay unknown: an old five-digit code, or two zeros lost.

    >>> [normal_postal_code(p) for p in ("〒１５０－０００１", "150-0001", "600042", "60-0042", "100-01", "1500001.0")]
    ['1500001', '1500001', '0600042', '0600042', None, '1500001']
    """
    digits = fold_hyphens(fold(text).removeprefix("〒").strip()).removesuffix(".0").replace("-", "", 1)
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in (6, 7):
        return None
    return digits.zfill(7)
