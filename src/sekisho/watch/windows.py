"""Sums over a day, 30 days, 365 days and a lifetime, in a few hundred bytes. Nothing of the lifetime is ever let go."""

from typing import Final

import msgspec

_MONTH: Final = 30
_YEAR: Final = 13  # of these


class Windows(msgspec.Struct, array_like=True):
    """`days` are the last 30 active days, `months` the last 13 periods of 30 days: pairs of (number, sum)."""

    lifetime: int = 0
    days: list[list[int]] = []
    months: list[list[int]] = []

    def add(self, day: int, amount: int) -> None:
        self.lifetime += amount
        days = self.days
        if days and days[-1][0] == day:
            days[-1][1] += amount
        else:
            days.append([day, amount])
            while days[0][0] <= day - _MONTH:
                days.pop(0)
        months, month = self.months, day // _MONTH
        if months and months[-1][0] == month:
            months[-1][1] += amount
        else:
            months.append([month, amount])
            while months[0][0] <= month - _YEAR:
                months.pop(0)

    def day(self, day: int) -> int:
        return self.days[-1][1] if self.days and self.days[-1][0] == day else 0

    def month(self, day: int) -> int:
        return sum(amount for when, amount in self.days if when > day - _MONTH)

    def year(self, day: int) -> int:
        return sum(amount for when, amount in self.months if when > day // _MONTH - _YEAR)
