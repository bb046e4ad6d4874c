"""What a terminal would show, as far as words on it go: cursor movements put characters beside each other that came
apart in the stream, and the scanner has to read them as a person does.

Only what `controls.ControlFilter` passes has to be understood. Colours change nothing here. Text is kept by cell,
each row as far as something stands in it; a wide character takes two cells. Pure; owned by the session's task.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from sekisho.text.normal.fold import INVISIBLE

_LARGEST: Final = (1000, 500)  # columns, rows
_TOKEN: Final = re.compile(
    r"(?P<text>[^\x00-\x1f]+)|\x1b\[(?P<private>[<-?]*)(?P<parameters>[0-9:;]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b(?P<escape>[ -/]*[0-~])|(?P<control>[\x00-\x1f])"
)
_TAB: Final = 8


class Screen:
    """`changed` is the rows that were written since `take_changed`; `_gone` what of them left the screen since."""

    def __init__(self, width: int, height: int) -> None:
        self._x = self._y = 0
        self._saved = (0, 0)
        self._insert = False
        self._before = " "
        self.changed: set[int] = set()
        self._gone: list[str] = []
        self._rows: list[list[str]] = []
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Cells that stay keep their text. A size of 0 is what a client without a size sends: 80 x 24."""
        self.width = min(width or 80, _LARGEST[0])
        self.height = min(height or 24, _LARGEST[1])
        self._top, self._bottom = 0, self.height
        for row in self._rows:
            del row[self.width :]
        self._rows = self._rows[-self.height :]
        self._rows += [[] for _ in range(self.height - len(self._rows))]
        self._x, self._y = min(self._x, self.width - 1), min(self._y, self.height - 1)
        self.changed.clear()

    def feed(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup
            if kind == "text":
                self._write(token["text"])
            elif kind == "control":
                self._control(token["control"])
            elif kind == "escape":
                self._escape(token["escape"])
            else:
                self._sequence(token["private"], token["parameters"], token["between"], token["final"])

    def goes_on_empty(self) -> bool:
        """Whether what comes next is written on empty rows only, as long as nothing moves the cursor."""
        if self._x or (self._y and self._is_full(self._y - 1)):
            return False
        return not any("".join(row).strip() for row in self._rows[self._y :])

    def take_changed(self) -> Iterator[str]:
        """The lines that changed since the last call; a row that is full to its last cell goes on in the next one."""
        gone, self._gone = self._gone, []
        yield from gone
        changed, self.changed = self.changed, set()
        done: set[int] = set()
        for y in sorted(changed):
            if y in done or y >= self.height:
                continue
            first = y
            while first > 0 and self._is_full(first - 1):
                first -= 1
            last = y
            while last < self.height - 1 and self._is_full(last):
                last += 1
            done.update(range(first, last + 1))
            # Only full rows are joined: nothing is missing between them.
            yield "".join(cell for row in self._rows[first : last + 1] for cell in row).rstrip()

    def _is_full(self, y: int) -> bool:
        return len(self._rows[y]) == self.width and self._rows[y][-1] != " "

    def _leave(self, rows: range) -> None:
        """These rows go: what was written there and not read yet is kept for `take_changed`."""
        for y in rows:
            if y in self.changed:
                self.changed.discard(y)
                self._gone.append("".join(self._rows[y]).rstrip())

    def _row(self) -> list[str]:
        """The cursor's row, filled up to the cursor."""
        row = self._rows[self._y]
        if len(row) < self._x:
            row.extend(" " * (self._x - len(row)))
        return row

    # -- writing ------------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        self._before = text[-1]
        if text.isascii() and not self._insert:
            while text:
                if self._x >= self.width:
                    self._wrap()
                piece, text = text[: self.width - self._x], text[self.width - self._x :]
                self._row()[self._x : self._x + len(piece)] = piece
                self.changed.add(self._y)
                self._x += len(piece)
            return
        for character in text:
            self._put(character)

    def _put(self, character: str) -> None:
        if unicodedata.combining(character) or INVISIBLE.match(character):
            row, at = self._rows[self._y], max(0, min(self._x, self.width) - 1)
            # What is stacked on one cell without end hides nothing, and would fill the memory.
            if at < len(row) and len(row[at]) < 16:
                row[at] += character
            self.changed.add(self._y)
            return
        cells = [character, ""] if unicodedata.east_asian_width(character) in "WF" else [character]
        if self._x + len(cells) > self.width:
            self._wrap()
        row = self._row()
        row[self._x : self._x + (0 if self._insert else len(cells))] = cells
        del row[self.width :]
        self.changed.add(self._y)
        self._x += len(cells)

    def _wrap(self) -> None:
        self._x = 0
        self._line_feed()

    def _line_feed(self) -> None:
        if self._y == self._bottom - 1:
            self._scroll(1)
        elif self._y < self.height - 1:
            self._y += 1

    def _scroll(self, lines: int) -> None:
        """Up for positive `lines`, within the scrolling region."""
        self._move_rows(self._top, self._bottom, lines)

    def _move_rows(self, top: int, bottom: int, lines: int) -> None:
        size = bottom - top
        lines = max(-size, min(size, lines))
        rows = self._rows[top:bottom]
        self._leave(range(top, top + lines) if lines >= 0 else range(bottom + lines, bottom))
        blank: list[list[str]] = [[] for _ in range(abs(lines))]
        self._rows[top:bottom] = rows[lines:] + blank if lines >= 0 else blank + rows[:lines]
        self.changed = {y - lines if top <= y < bottom else y for y in self.changed}

    # -- controls -----------------------------------------------------------------------------------------------

    def _control(self, control: str) -> None:
        if control in "\n\v\f":
            self._line_feed()
        elif control == "\r":
            self._x = 0
        elif control == "\b":
            self._x = max(0, min(self._x, self.width) - 1)
        elif control == "\t":
            self._x = min(self.width - 1, (self._x // _TAB + 1) * _TAB)

    def _escape(self, escape: str) -> None:
        match escape:
            case "7":
                self._saved = (self._x, self._y)
            case "8":
                self._x, self._y = self._saved
            case "D":
                self._line_feed()
            case "E":
                self._wrap()
            case "M":
                if self._y == self._top:
                    self._scroll(-1)
                else:
                    self._y = max(0, self._y - 1)
            case "c":
                self._clear(0, self.height - 1)
                self._x = self._y = 0
                self._insert, self._top, self._bottom = False, 0, self.height

    def _sequence(self, private: str, parameters: str, between: str, final: str) -> None:
        numbers = [int(word[:5]) if word.isdigit() else 0 for word in parameters.replace(":", ";").split(";")]
        first = numbers[0]
        count = max(1, first)
        if private or between:
            if private == "?" and final == "h" and {47, 1047, 1049} & set(numbers):
                self._clear(0, self.height - 1)  # the other screen; ours is read before it goes
            return
        self._x = min(self._x, self.width - 1) if final != "m" else self._x
        match final:
            case "A":
                self._y = max(0, self._y - count)
            case "B" | "e":
                self._y = min(self.height - 1, self._y + count)
            case "C" | "a":
                self._x = min(self.width - 1, self._x + count)
            case "D":
                self._x = max(0, self._x - count)
            case "E":
                self._x, self._y = 0, min(self.height - 1, self._y + count)
            case "F":
                self._x, self._y = 0, max(0, self._y - count)
            case "G" | "`":
                self._x = min(self.width, count) - 1
            case "d":
                self._y = min(self.height, count) - 1
            case "H" | "f":
                self._y = min(self.height, count) - 1
                self._x = min(self.width, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
            case "I":
                self._x = min(self.width - 1, (self._x // _TAB + count) * _TAB)
            case "Z":
                self._x = max(0, ((self._x - 1) // _TAB - count + 1) * _TAB)
            case "r":
                bottom = numbers[1] if len(numbers) > 1 and numbers[1] else self.height
                self._top, self._bottom = count - 1, min(bottom, self.height)
                if self._top >= self._bottom:
                    self._top, self._bottom = 0, self.height
                self._x = self._y = 0
            case "s":
                self._saved = (self._x, self._y)
            case "u":
                self._x, self._y = self._saved
            case "h" | "l":
                self._insert = final == "h"
            case "b":
                self._write(self._before * min(count, self.width))  # more fills rows with nothing else
            case _:
                self._edit(final, first, count)

    def _edit(self, final: str, first: int, count: int) -> None:
        row, x = self._rows[self._y], self._x
        count = min(count, self.width)
        match final:
            case "J":
                # ECMA-48 8.3.39: 0 is from the cursor on, 1 up to it, 2 everything.
                if first == 0:
                    del row[x:]
                    self._clear(self._y + 1, self.height - 1)
                elif first == 1:
                    self._clear(0, self._y - 1)
                    row[: x + 1] = " " * min(x + 1, len(row))
                else:
                    self._clear(0, self.height - 1)
            case "K":
                if first == 1:
                    row[: x + 1] = " " * min(x + 1, len(row))
                else:
                    del row[x if first == 0 else 0 :]
            case "X":
                row[x : x + count] = " " * max(0, min(count, len(row) - x))
            case "P":
                del row[x : x + count]
                self.changed.add(self._y)  # what is drawn together may be a value now
            case "@":
                row[x:x] = " " * (count if x < len(row) else 0)
                del row[self.width :]
                self.changed.add(self._y)
            case "L":
                if self._top <= self._y < self._bottom:
                    self._move_rows(self._y, self._bottom, -count)
            case "M":
                if self._top <= self._y < self._bottom:
                    self._move_rows(self._y, self._bottom, count)
            case "S":
                self._scroll(count)
            case "T":
                self._scroll(-count)

    def _clear(self, top: int, bottom: int) -> None:
        """Rows `top` to `bottom`, both with."""
        rows = range(top, min(bottom, self.height - 1) + 1)
        self._leave(rows)
        for y in rows:
            self._rows[y] = []
