"""What runs in the sandbox for a desktop, and the connection to it.

The X server listens on a socket that is made inside, and exists nowhere else; the first program in the sandbox hands a
connection out. Nothing inside is trusted to draw the mark, or to hold anything back.
"""

import asyncio
import shlex
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from sekisho.faults import Language
from sekisho.register.access import DRAWING
from sekisho.wire.x11 import HELLO, TitleReader

WIDTH: Final = 1280
HEIGHT: Final = 800
_READ: Final = 1 << 20
CACHE: Final = "/etc/cache"  # of fontconfig, read-only
SOCKET: Final = "/run/sekisho/screen.sock"
DISPLAY: Final = "/tmp/.X11-unix/X1"  # noqa: S108 (in the sandbox)
_LOOK_SECONDS: Final = 0.2  # between two looks at titles: a program may change its own as often as it likes
PROGRAMS: Final = (("Xtigervnc", "tigervnc-standalone-server"), ("openbox", "openbox"), ("xterm", "xterm"))
_TERMINAL: Final = (
    "xterm -T Sekisho -u8 -fa 'DejaVu Sans Mono' -fd 'Noto Sans Mono CJK JP' -fs 11 -geometry 118x36+20+20"
    " -bg '#101418' -fg '#e7e6e2' -e env -C /work HOME=/work bash --norc"
)
_PSQL: Final = _TERMINAL.replace("bash --norc", "psql -X")
# Where the X server is told of, and gets, keys of Japanese: anthy, by XIM. Zenkaku/Hankaku or Shift+Space turns it on.
_INPUT: Final = "uim-xim"
# A program that starts before the input method is there never asks for it again.
_INPUT_READY: Final = (
    "left=60; until xprop -root XIM_SERVERS 2>/dev/null | grep -q uim || [ $left = 0 ];"
    " do sleep 0.05; left=$((left - 1)); done"
)
# An input method of Japanese talks to programs of a Japanese locale only, which few servers have: C.UTF-8 lends its
# tables.
_LOCALES: Final = "/tmp/locale"  # noqa: S108 (in the sandbox)
_WORDS: Final = {
    "terminal": ("Terminal", "端末"),
    "database": ("Database (psql)", "データベース (psql)"),
    "files": ("Files", "ファイル"),
    "target": ("Show the target", "対象の画面を開く"),
    "sheet": ("Spreadsheet", "表計算"),
    "text": ("Text", "テキスト"),
}


def starting(language: Language, protocol: str) -> str:
    """The shell's words that start a desktop before a target of this protocol, with a menu (right button) in this
    language. openbox starts the terminal: an X client that is started beside a window manager may wait long for its
    window."""
    items = [_item("terminal", language, _TERMINAL)]
    if protocol == "postgres":
        items.append(_item("database", language, _PSQL))
    if protocol in DRAWING:
        items.append(_item("target", language, "target"))
    items.append(f"<menu id='files' label={quoteattr(_said('files', language))} execute='files'/>")
    items += [
        _item(name, language, program)
        for name, program in (("sheet", "gnumeric"), ("text", "mousepad"))
        if shutil.which(program)
    ]
    menu = f"<openbox_menu><menu id='root-menu' label='Sekisho'>{''.join(items)}</menu></openbox_menu>"
    method, first = "", "target" if protocol in DRAWING else f"exec {_TERMINAL}"
    if shutil.which(_INPUT) is not None:
        method = (
            f"{_INPUT} --engine=anthy-utf8 >/dev/null 2>&1 &\nexport XMODIFIERS=@im=uim GTK_IM_MODULE=xim"
        )
        first = first if protocol in DRAWING else f"{_INPUT_READY}\n{first}"
    return f"""
export HOME=/tmp XDG_CACHE_HOME={CACHE} XDG_CONFIG_HOME=/tmp DISPLAY=:1 NO_AT_BRIDGE=1 GSETTINGS_BACKEND=memory
mkdir -p /tmp/openbox {_LOCALES}
ln -s /usr/lib/locale/C.utf8 {_LOCALES}/ja_JP.UTF-8
export LOCPATH={_LOCALES} LC_CTYPE=ja_JP.UTF-8{" LANG=ja_JP.UTF-8" * (language == "ja")}
printf %s {shlex.quote(menu)} >/tmp/openbox/menu.xml
Xtigervnc :1 -rfbunixpath {SOCKET} -rfbport -1 -SecurityTypes None -geometry {WIDTH}x{HEIGHT} -depth 24 \\
    -extension GLX -nolisten tcp -AcceptCutText=0 -SendCutText=0 -AcceptSetDesktopSize=0 >/dev/null 2>&1 &
server=$!
left=500
while [ ! -S {DISPLAY} ] && [ $left -gt 0 ]; do sleep 0.01; left=$((left - 1)); done
{method}
printf %s {shlex.quote(first)} >/tmp/first
openbox --startup 'sh /tmp/first' >/dev/null 2>&1 &
wait $server
"""


def _said(name: str, language: Language) -> str:
    return _WORDS[name][language == "ja"]


def _item(name: str, language: Language, command: str) -> str:
    label = quoteattr(_said(name, language))
    return f"<item label={label}><action name='Execute'><execute>{escape(command)}</execute></action></item>"


class Screen:
    """A connection to the X server, as `relay.terminal.session.Upstream`. Owned by the event loop's thread.

    `names` is a second connection, which speaks X11 and asks for titles only."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, names: socket.socket | None = None
    ) -> None:
        self._reader, self._writer = reader, writer
        self._names = names
        self._asked = False
        self._closed: Callable[[], object] = lambda: None

    def on_closed(self, told: Callable[[], object]) -> None:
        """Call `told` once, when the connection is closed from here."""
        self._closed = told

    @classmethod
    async def over(cls, connected: socket.socket, names: socket.socket | None = None) -> "Screen":
        return cls(*await asyncio.open_unix_connection(sock=connected, limit=_READ), names)

    async def read(self) -> bytes:
        try:
            return await self._reader.read(_READ)
        except OSError:
            return b""

    async def titles(self) -> AsyncIterator[str]:
        """The title of each window that gets the keyboard, and each new one. Ends when the X server tells no more."""
        if self._names is None or self._asked:
            return
        self._asked = True
        reader, writer = await asyncio.open_unix_connection(sock=self._names)
        titles = TitleReader()
        try:
            writer.write(HELLO)
            while data := await reader.read(_READ):
                try:
                    found, answers = titles.feed(data)
                except ValueError:
                    return
                writer.write(answers)
                for title in found:
                    yield title
                if found:
                    await asyncio.sleep(_LOOK_SECONDS)
        except OSError:
            return
        finally:
            writer.close()

    def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def resize(self, width: int, height: int) -> None:
        """A desktop has one size; the browser scales it."""

    def close(self) -> None:
        if not self._writer.is_closing():
            self._writer.close()
        if self._names is not None and not self._asked:
            self._names.close()
        told, self._closed = self._closed, lambda: None
        told()
