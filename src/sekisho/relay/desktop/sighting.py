"""Whose picture is this: the faint mark found again in a screenshot or a photograph.

First, how the picture lies over the screen. The signs that all sessions share are searched for at every scale and
place, then, if that shows nothing, at small angles too; what is found is refined block by block until it is a
perspective. Then each session's own signs are held against the cells. These are drawn from a key, so for any picture
that was not this session's their sum is a sum of coin throws: whatever the picture holds, it exceeds z times its
spread with a chance below exp(-z^2/2) (Hoeffding 1963, theorem 2). The search looks at shared signs only, and so does
not make such a sum more likely.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sekisho.relay.desktop.imprint import BAND, CELL, Signs, own, shape, shared

Plane = NDArray[np.float32]
Matrix = NDArray[np.float64]  # 3 x 3: from a place on the screen to one in the picture
Corners = Sequence[tuple[float, float]]  # upper left, upper right, lower right, lower left
CERTAIN: Final = 1e-6  # chance at which a session is named

_LARGEST: Final = 2400  # pixels of a side that are looked at: a photograph has more than it needs
_STEP_X, _STEP_Y = CELL // 2, BAND // 8  # screen pixels in one sample of the search
_SCALES: Final = (0.35, 3.2)
_SCALE_STEP: Final = 1.005
_ANGLES: Final = tuple(sign * step * 1.0 for step in range(1, 7) for sign in (1, -1))  # degrees
_ANGLE_SCALE_STEP: Final = 1.012
_TRIED: Final = 4  # of the best places
_SEEN: Final = 5.0  # of a search: far above what noise reaches
_PLAIN: Final = 11.0  # of a search that needs no other
_BLOCKS: Final = (8, 4)  # in which a place is refined
_SHIFTS_X: Final = range(-24, 25)
_SHIFTS_Y: Final = range(-60, 61, 20)
_SLOW: Final = 9 * CELL  # screen pixels: what changes more slowly is the picture's, not the mark's
_CLIP: Final = 8.0


@dataclass(frozen=True, slots=True)
class Sighting:
    """A session that the picture shows, or None where none is certain. `strength` is z; `chance` bounds that a picture
    without its mark would be taken for it, among all sessions that were tried."""

    session: str | None
    strength: float
    chance: float
    runner_up: float  # z of the next one
    shared: float  # z of the signs that all sessions share: whether there is a mark of this checkpoint at all
    covered: float  # part of the screen that the picture shows


def find(
    picture: Image.Image,
    key: bytes,
    sessions: Iterable[str],
    size: tuple[int, int],
    corners: Corners | None = None,
) -> Sighting:
    """Look for the mark of one of the sessions. `corners` of the screen in the picture, where a person has seen them,
    stand for the search."""
    looked = _Looked(picture, key, size)
    best: tuple[float, Matrix] | None = None
    for place in [_from_corners(corners, looked.reduced, size)] if corners else looked.places():
        refined = looked.refine(place)
        strength = looked.strength(refined, looked.shared)
        if best is None or strength > best[0]:
            best = strength, refined
        if strength > 2 * _SEEN:
            break
    if best is None:
        return Sighting(None, 0.0, 1.0, 0.0, 0.0, 0.0)
    cells, covered = looked.cells(best[1])
    names = list(sessions)
    scores = [_strength(cells, own(key, name, *size)) for name in names]
    order = np.argsort(scores)[::-1]
    top = float(scores[order[0]]) if names else 0.0
    chance = min(1.0, len(names) * math.exp(-(max(top, 0.0) ** 2) / 2))
    return Sighting(
        names[order[0]] if names and chance < CERTAIN else None,
        top,
        chance,
        float(scores[order[1]]) if len(names) > 1 else 0.0,
        best[0],
        covered,
    )


class _Looked:
    """A picture, and places of the screen in it."""

    def __init__(self, picture: Image.Image, key: bytes, size: tuple[int, int]) -> None:
        self.reduced = min(1.0, _LARGEST / max(picture.size))
        if self.reduced < 1:
            wide, high = (max(1, round(side * self.reduced)) for side in picture.size)
            picture = picture.convert("RGB").resize((wide, high), Image.Resampling.BOX)
        red, green, blue = (np.asarray(one, np.float32) for one in picture.convert("RGB").split())
        self.plane: Plane = np.subtract(blue, (red + green) * np.float32(0.5), dtype=np.float32)
        self.size = size
        self.shared = shared(key, *size)

    # -- where the screen lies ----------------------------------------------------------------------------------------

    def places(self) -> Iterator[Matrix]:
        """Where the screen may lie, the likeliest first; where it lies upright, and then, at an angle."""
        upright = self._search(self.plane, _SCALE_STEP)
        yield from (place for _, place in upright)
        if upright and upright[0][0] > _SEEN * 1.6:
            return
        found = []
        high, wide = self.plane.shape
        image = Image.fromarray(self.plane)
        for angle in _ANGLES:
            turned = np.asarray(image.rotate(angle, Image.Resampling.BILINEAR))
            back = _turn(angle, wide / 2, high / 2)
            found += [(score, back @ place) for score, place in self._search(turned, _ANGLE_SCALE_STEP)]
        found.sort(key=lambda one: -one[0])
        yield from (place for _, place in found[:_TRIED])

    def _search(self, plane: Plane, step: float) -> list[tuple[float, Matrix]]:
        """Scales and places at which the shared signs stand out."""
        template = self._template
        found: list[tuple[float, Matrix]] = []
        image = Image.fromarray(_fast(plane, _SLOW))
        for scale in _scales(plane.shape[1] / self.size[0], step):
            wide, high = round(plane.shape[1] / (_STEP_X * scale)), round(plane.shape[0] / (_STEP_Y * scale))
            if wide >= 16 and high >= 4:
                small = np.asarray(image.resize((wide, high), Image.Resampling.BOX))
                score, x, y = _correlate(small, template)
                # The sample at x, y of the picture is the first one of the screen.
                place = np.diag((plane.shape[1] / wide / _STEP_X, plane.shape[0] / high / _STEP_Y, 1.0))
                place[0, 2], place[1, 2] = x * plane.shape[1] / wide, y * plane.shape[0] / high
                found.append((score, place))
                if score > _PLAIN:
                    break
        found.sort(key=lambda one: -one[0])
        return found[:_TRIED]

    @cached_property
    def _template(self) -> Plane:
        width, height = self.size
        full = _over(self.shared, width, height)
        return full[_STEP_Y // 2 :: _STEP_Y, _STEP_X // 2 :: _STEP_X].astype(np.float32)

    def refine(self, place: Matrix) -> Matrix:
        """A place that is about right, made right: each block of the screen says how far off it is."""
        best, reached = place, self.strength(place, self.shared)
        for _ in range(8):
            place = self._refined(best)
            strength = self.strength(place, self.shared)
            if strength <= reached:
                break
            best, reached = place, strength
        return best

    def _refined(self, place: Matrix) -> Matrix:
        width, height = self.size
        margin_x, margin_y = _SHIFTS_X[-1], _SHIFTS_Y[-1]
        seen, there = self._seen(place, margin_x, margin_y)
        signs = _over(self.shared, width, height)
        across, down = _BLOCKS
        at: list[tuple[float, float]] = []
        goes: list[tuple[float, float]] = []
        for row in range(down):
            for column in range(across):
                left, right = column * width // across, (column + 1) * width // across
                top, bottom = row * height // down, (row + 1) * height // down
                part = signs[top:bottom, left:right]
                if there[top + margin_y : bottom + margin_y, left + margin_x : right + margin_x].mean() < 0.5:
                    continue
                around = seen[top : bottom + 2 * margin_y, left : right + 2 * margin_x]
                score, x, y = _shift(around, part)
                if score > 3.5:
                    at.append(((left + right) / 2, (top + bottom) / 2))
                    goes.append(((left + right) / 2 + x, (top + bottom) / 2 + y))
        if len(at) < 3:
            return place
        return np.asarray(place @ _fit(at, goes))

    # -- what stands there --------------------------------------------------------------------------------------------

    def _seen(self, place: Matrix, margin_x: int = 0, margin_y: int = 0) -> tuple[Plane, NDArray[np.bool_]]:
        """The screen as it lies in the picture, and which of it is in the picture."""
        width, height = self.size[0] + 2 * margin_x, self.size[1] + 2 * margin_y
        moved = place @ np.array([[1.0, 0, -margin_x], [0, 1, -margin_y], [0, 0, 1]])
        moved = moved / moved[2, 2]
        coefficients = tuple(moved.ravel()[:8])
        plane = self.plane
        image = Image.fromarray(plane)
        how = Image.Transform.PERSPECTIVE
        seen = np.asarray(image.transform((width, height), how, coefficients, Image.Resampling.BILINEAR))
        inside = Image.fromarray(np.full(plane.shape, 255, np.uint8))
        there = np.asarray(inside.transform((width, height), how, coefficients)) > 0
        return np.where(there, np.clip(_fast(seen, _SLOW), -_CLIP, _CLIP), 0).astype(np.float32), there

    def cells(self, place: Matrix) -> tuple[Plane, float]:
        """How far each cell leans to blue, 0 where it is not in the picture; and the part of the screen that is."""
        seen, there = self._seen(place)
        bands, across = shape(*self.size)
        sums, counts = _by_cell(seen, bands, across), _by_cell(there.astype(np.float32), bands, across)
        means = np.where(counts > CELL * BAND / 8, sums / np.maximum(counts, 1), 0)
        known = means != 0
        limit = 2.5 * float(np.median(np.abs(means[known]))) if known.any() else 0.0
        return np.clip(means, -limit, limit).astype(np.float32), float(there.mean())

    def strength(self, place: Matrix, signs: Signs) -> float:
        return _strength(self.cells(place)[0], signs)


def _scales(whole: float, step: float) -> Iterator[float]:
    """How large the screen may be in a picture: first as it is, and as large as the picture."""
    yield from (1.0, whole)
    scale = _SCALES[0]
    while scale < _SCALES[1]:
        yield scale
        scale *= step


def _strength(cells: Plane, signs: Signs) -> float:
    """How many times its spread the sum of the cells by these signs is."""
    spread = math.sqrt(float((cells[signs != 0].astype(np.float64) ** 2).sum()))
    return float((cells * signs).sum()) / spread if spread else 0.0


def _over(signs: Signs, width: int, height: int) -> NDArray[np.int8]:
    wide = np.repeat(signs, CELL, axis=1)[:, :width]
    return np.repeat(wide, BAND, axis=0)[BAND // 2 : BAND // 2 + height]


def _by_cell(values: Plane, bands: int, across: int) -> Plane:
    height, width = values.shape
    padded = np.zeros((bands * BAND, across * CELL), np.float32)
    padded[BAND // 2 : BAND // 2 + height, :width] = values
    return np.asarray(padded.reshape(bands, BAND, across, CELL).sum(axis=(1, 3)))


def _fast(plane: Plane, window: int) -> Plane:
    """Without what changes slowly along a row."""
    half = window // 2
    padded = np.pad(plane, ((0, 0), (half + 1, half)), mode="edge")
    sums = np.cumsum(padded, axis=1, dtype=np.float64)
    return (plane - (sums[:, window:] - sums[:, :-window])[:, : plane.shape[1]] / window).astype(np.float32)


def _correlate(plane: Plane, template: Plane) -> tuple[float, int, int]:
    """Where in the plane the template stands out most, and by how many spreads; it may lie over the edges."""
    limit = 2.5 * float(np.median(np.abs(plane))) + 1e-6
    values = np.clip(plane, -limit, limit)
    high, wide = (a + b for a, b in zip(values.shape, template.shape, strict=True))
    product = np.fft.rfft2(values, (high, wide)) * np.conj(np.fft.rfft2(template, (high, wide)))
    found = np.fft.irfft2(product, (high, wide))
    spread = float(np.sqrt((found**2).mean())) + 1e-9
    y, x = np.unravel_index(int(np.argmax(found)), found.shape)
    down = int(y) if y < values.shape[0] else int(y) - high
    right = int(x) if x < values.shape[1] else int(x) - wide
    return float(found[y, x]) / spread, right, down


def _shift(around: Plane, signs: NDArray[np.int8]) -> tuple[float, int, int]:
    """By how much a block must move so that the signs stand out most."""
    high, wide = signs.shape
    best = 0.0, 0, 0
    ones = signs.astype(np.float32)
    for down in _SHIFTS_Y:
        rows = around[down + _SHIFTS_Y[-1] : down + _SHIFTS_Y[-1] + high]
        # All shifts along a row at once: signs are the same in many rows.
        cut = np.flatnonzero(np.any(ones[1:] != ones[:-1], axis=1)) + 1
        groups = np.add.reduceat(rows, [0, *cut.tolist()], axis=0)
        patterns = ones[[0, *cut.tolist()]]
        for right in _SHIFTS_X:
            moved = groups[:, right + _SHIFTS_X[-1] : right + _SHIFTS_X[-1] + wide]
            cells = (moved * patterns)[:, : wide // CELL * CELL].reshape(len(patterns), -1, CELL).sum(axis=2)
            spread = float(np.sqrt((cells.astype(np.float64) ** 2).sum()))
            score = float(cells.sum()) / spread if spread else 0.0
            if score > best[0]:
                best = score, right, down
    return best


def _fit(at: list[tuple[float, float]], goes: list[tuple[float, float]]) -> Matrix:
    """The transformation that moves places as the blocks say: a perspective where there are enough of them. Blocks that
    disagree with the others are left out."""
    kept = list(range(len(at)))
    found: Matrix = np.eye(3)
    for _ in range(3):
        found = _solve([at[one] for one in kept], [goes[one] for one in kept])
        points = np.array([[x, y, 1.0] for x, y in at]) @ found.T
        errors = np.hypot(
            points[:, 0] / points[:, 2] - [x for x, _ in goes],
            (points[:, 1] / points[:, 2] - [y for _, y in goes])
            / 10,  # along a column there is little to see
        )
        limit = max(2.0, 2.5 * float(np.median(errors)))
        kept = [one for one in range(len(at)) if errors[one] <= limit]
        if len(kept) < 3:
            return np.eye(3)
    return found


def _solve(at: Sequence[tuple[float, float]], goes: Sequence[tuple[float, float]]) -> Matrix:
    rows: list[list[float]] = []
    wanted: list[float] = []
    perspective = len(at) >= 8 or len(at) == 4
    for (x, y), (to_x, to_y) in zip(at, goes, strict=True):
        bent_x, bent_y = ([-x * to_x, -y * to_x], [-x * to_y, -y * to_y]) if perspective else ([], [])
        rows += [[x, y, 1.0, 0, 0, 0, *bent_x], [0, 0, 0, x, y, 1.0, *bent_y]]
        wanted += [to_x, to_y]
    solved = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return np.array([*solved, *([] if perspective else [0.0, 0.0]), 1.0]).reshape(3, 3)


def _from_corners(corners: Corners, reduced: float, size: tuple[int, int]) -> Matrix:
    width, height = size
    screen = [(0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))]
    return _solve(screen, [(x * reduced, y * reduced) for x, y in corners])


def _turn(angle: float, x: float, y: float) -> Matrix:
    """From a picture that was turned by so many degrees about a place, back."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    about = np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1.0]])
    return np.asarray(about @ turn @ np.linalg.inv(about))
