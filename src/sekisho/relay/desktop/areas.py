"""Rectangles of a screen: cut out of one another, and gathered into few."""

from typing import Final, Protocol

Area = tuple[int, int, int, int]  # left, top, right, bottom
_WORTH: Final = 6_000  # pixels that cost as much to tell as one more rectangle


class Placed(Protocol):
    @property
    def x(self) -> int: ...
    @property
    def y(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


def of(one: Placed) -> Area:
    return one.x, one.y, one.x + one.width, one.y + one.height


def size(area: Area) -> int:
    return (area[2] - area[0]) * (area[3] - area[1])


def overlap(one: Area, other: Area) -> Area | None:
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = min(one[2], other[2]), min(one[3], other[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def subtract(areas: list[Area], cuts: list[Area]) -> list[Area]:
    """What of the areas is in none of the cuts."""
    for cut in cuts:
        left: list[Area] = []
        for area in areas:
            both = overlap(area, cut)
            if both is None:
                left.append(area)
                continue
            if area[1] < both[1]:
                left.append((area[0], area[1], area[2], both[1]))
            if both[3] < area[3]:
                left.append((area[0], both[3], area[2], area[3]))
            if area[0] < both[0]:
                left.append((area[0], both[1], both[0], both[3]))
            if both[2] < area[2]:
                left.append((both[2], both[1], area[2], both[3]))
        areas = left
    return areas


def gather(areas: list[Area]) -> list[Area]:
    """Fewer areas that include these: two become one where that tells little more."""
    found: list[Area] = []
    for area in sorted(areas, key=lambda one: (one[1], one[0])):
        one = area
        grown = True
        while grown:
            grown = False
            for place, other in enumerate(found):
                both = (
                    min(one[0], other[0]),
                    min(one[1], other[1]),
                    max(one[2], other[2]),
                    max(one[3], other[3]),
                )
                if size(both) <= size(one) + size(other) + _WORTH:
                    del found[place]
                    one, grown = both, True
                    break
        found.append(one)
    return found
