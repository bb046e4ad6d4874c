"""S2: what a terminal itself can be made to carry: control strings that act, data that is drawn, coded or hidden.

Long because it is a list: one technique after another, in the order of their numbers.
"""

import base64
import gzip
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

import pytest

from redteam.stage import Stage
from redteam.suite import Evidence, Outcome, attack, guard, not_run
from sekisho.relay.terminal.controls import ControlFilter
from sekisho.relay.terminal.encoded import Unreadable
from sekisho.relay.terminal.scan import TextMeter
from sekisho.relay.terminal.volume import SESSION_BYTES, Volume
from ssh_under_test import PROMPT

# -- the guards ----------------------------------------------------------------------------------------------------


@guard("ControlFilter.feed")
def _controls_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ControlFilter, "feed", lambda self, data: (data, []))


@guard("TextMeter.spend")
def _meter_off(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: TextMeter, data: bytes) -> None:
        return None

    patch.setattr(TextMeter, "spend", nothing)


@guard("TextMeter._on_screen")
def _screen_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TextMeter, "_on_screen", lambda self, data, *, moves: [])


@guard("Unreadable.feed")
def _unreadable_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Unreadable, "feed", lambda self, text, raw: 0)


@guard("Volume.add")
def _volume_off(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Volume, "add", lambda self, output: [])


# -- control strings -----------------------------------------------------------------------------------------------


def _control(name: str, en: str, ja: str, sent: bytes, seen: bytes) -> None:
    """The target sends a control string; `seen` must not reach the terminal."""

    @attack(name, en, ja, guards=("ControlFilter.feed",))
    async def one(stage: Stage) -> Evidence:
        path = stage.file(name, sent + b"\n")
        ticket = await stage.ticket()
        async with stage.door.shell(ticket) as shell:
            await shell.until(PROMPT)
            await shell.type(f"cat {path}; echo en''d; exit\n")
            await shell.until("end\r\n")
            await shell.ended()
            return await stage.evidence(ticket, len(re.findall(seen, shell.raw)))


SECRET = base64.b64encode(b"the data of a customer")
_control("S2-01", "ZMODEM (sz)", "ZMODEM（sz）", b"rz\r**\x18B00000000000000\r\n\x11", rb"\*\*\x18B")
_control(
    "S2-15",
    "ZMODEM (rz)",
    "ZMODEM（rz）",
    b"rz waiting to receive.**\x18B0100000023be50\r\n\x11",
    rb"\*\*\x18B",
)
_control("S2-02", "trzsz", "trzsz", b"::TRZSZ:TRANSFER:S:1.1.6:01234567890123", rb"::TRZSZ:TRANSFER:")
_control("S2-03", "kermit", "kermit", b"\x01. S~/ @-#Y1~N!\r", rb"\x01")
_control(
    "S2-04",
    "the clipboard (OSC 52)",
    "クリップボード（OSC 52）",
    b"\x1b]52;c;" + SECRET + b"\x07",
    rb"\x1b\]52",
)
_control(
    "S2-05",
    "the clipboard (kitty, OSC 5522)",
    "クリップボード（kitty、OSC 5522）",
    b"\x1b]5522;type=write:" + SECRET + b"\x1b\\",
    rb"\x1b\]5522",
)
_control(
    "S2-06",
    "files and pictures of iTerm (OSC 1337)",
    "iTerm のファイル・画像（OSC 1337）",
    b"\x1b]1337;File=inline=0:" + SECRET + b"\x07",
    rb"\x1b\]1337",
)
_control(
    "S2-07",
    "hyperlinks (OSC 8)",
    "ハイパーリンク（OSC 8）",
    b"\x1b]8;;https://example.net/" + SECRET + b"\x1b\\x\x1b]8;;\x1b\\",
    rb"\x1b\]8;",
)
_control("S2-08", "pictures by sixel", "sixel の画像", b"\x1bPq#0;2;0;0;0#0~~@@vv\x1b\\", rb"\x1bP")
_control("S2-09", "pictures by kitty", "kitty の画像", b"\x1b_Gf=100,a=T;" + SECRET + b"\x1b\\", rb"\x1b_G")
_control(
    "S2-10",
    "a title, and its report (CSI 21 t)",
    "題名とその報告（CSI 21 t）",
    b"\x1b]2;" + SECRET + b"\x07\x1b[21t",
    rb"\x1b\]2|\x1b\[21t",
)
_control(
    "S2-11",
    "the answerback (ENQ) and reports (DECRQSS)",
    "アンサーバック（ENQ）と報告要求（DECRQSS）",
    b"\x05\x1bP$qm\x1b\\",
    rb"\x05|\x1bP\$q",
)
_control(
    "S2-12",
    "tmux's control mode",
    "tmux の制御モード",
    b"\x1bP1000p%begin 1 1 0\r\n%output %0 x\r\n\x1b\\",
    rb"\x1bP1000p",
)
_control(
    "S2-13",
    "a title of screen, and 8-bit forms",
    "screen の題名と 8 ビット形式",
    b"\x1bk" + SECRET + b"\x1b\\\xc2\x9d52;c;" + SECRET + b"\xc2\x9c",
    rb"\x1bk|\xc2\x9d",
)
_control(
    "S2-14",
    "printing at the terminal",
    "端末での印刷",
    b"\x1b[5i" + SECRET + b"\x1b[4i\x1b[?5i",
    rb"\x1b\[\??[45]i",
)


# -- what is shown: counted ----------------------------------------------------------------------------------------

SHOWN = (
    "showing is what a terminal is for: each person counts in the ticket's budget, and at its limit the session ends",
    "端末は見せるためのもの。一人ずつチケットの上限から数え、上限で接続を終える",
)
CODED = (
    "no scanner reads it, so every 100 characters beyond 2,000 count as one person, and the session is raised",
    "走査では読めないので、2,000 字を超えた 100 字ごとに一人と数え、通報の対象にする",
)
METER = ("TextMeter.spend",)
ENCODED = ("Unreadable.feed",)
Read = Callable[[str], str]


async def typed(stage: Stage, command: str, read: Read, *, readable: bool) -> Evidence:
    """Show something of the customers' file; what the attacker reads out of it, and what it cost."""
    ticket = await stage.ticket()
    async with stage.door.shell(ticket) as shell:
        await shell.until(PROMPT)
        await shell.type(f"stty -echo; PS1=; echo be''gin; {command}; echo en''d\n")
        await shell.until("end\r\n")
        await shell.type("exit\n")
        await shell.ended()
        shown = shell.shown.partition("begin\r\n")[2].rpartition("end\r\n")[0]
    out = stage.phones_in(read(shown))
    return await stage.evidence(ticket, out, least=out if readable else 1)


def _shown(
    name: str,
    en: str,
    ja: str,
    command: str,
    read: Read = str,
    *,
    write: Callable[[bytes], bytes] | None = None,
    guards: tuple[str, ...] = METER,
    ends: Outcome = Outcome.COUNTED,
    why: tuple[str, str] = SHOWN,
) -> None:
    """`write` makes a file of the customers on the target, as a program there would; `command` shows it."""

    @attack(name, en, ja, ends=ends, guards=guards, why=why)
    async def one(stage: Stage) -> Evidence:
        content = "".join(f"{one}\n" for one in stage.phones).encode()
        path = stage.file(name, write(content)) if write else stage.customers
        return await typed(stage, command.format(path), read, readable=why is SHOWN)


def _joined(shown: str) -> bytes:
    return "".join(shown.split()).encode()


def _gunzip(data: bytes) -> str:
    return gzip.decompress(data).decode()


def _of_xxd(shown: str) -> str:
    return bytes.fromhex(
        "".join(line.split("  ")[0].partition(":")[2] for line in shown.splitlines())
    ).decode()


def _of_od(shown: str) -> str:
    return bytes(int(word, 8) for line in shown.splitlines() for word in line.split()[1:]).decode()


_shown("S2-20", "a list, as fast as it scrolls", "一覧を一気に流す", "cat {}")
_shown(
    "S2-21",
    "a slow drip, a few bytes at a time",
    "数バイトずつのゆっくりした出力",
    'head -12 {} | while read -r -n3 a; do printf %s "$a"; [ ${{#a}} -lt 3 ] && echo; sleep 0.01; done',
    lambda shown: shown,
)
_shown(
    "S2-22",
    "base64",
    "base64",
    "base64 {}",
    lambda s: base64.b64decode(_joined(s)).decode(),
    guards=ENCODED,
    why=CODED,
)
_shown(
    "S2-23",
    "base32",
    "base32",
    "base32 {}",
    lambda s: base64.b32decode(_joined(s)).decode(),
    guards=ENCODED,
    why=CODED,
)
_shown(
    "S2-24",
    "hexadecimal (xxd)",
    "16 進（xxd）",
    "xxd {}",
    _of_xxd,
    guards=("Unreadable.feed", "TextMeter.spend"),
    why=CODED,
)
_shown(
    "S2-25",
    "hexadecimal in one (xxd -p)",
    "16 進のみ（xxd -p）",
    "xxd -p {}",
    lambda s: bytes.fromhex(_joined(s).decode()).decode(),
    guards=ENCODED,
    why=CODED,
)
_shown("S2-26", "octal (od)", "8 進（od）", "od -b {}", _of_od, guards=ENCODED, why=CODED)
_shown(
    "S2-27",
    "compressed, then base64",
    "圧縮して base64",
    "gzip -c {} | base64",
    lambda s: _gunzip(base64.b64decode(_joined(s))),
    guards=ENCODED,
    why=CODED,
)


def _base85(content: bytes) -> bytes:
    coded = base64.b85encode(content)
    return b"".join(coded[at : at + 75] + b"\n" for at in range(0, len(coded), 75))


_shown(
    "S2-38",
    "base85",
    "base85",
    "cat {}",
    lambda s: base64.b85decode(_joined(s)).decode(),
    write=_base85,
    guards=ENCODED,
    why=CODED,
)
_shown(
    "S2-39",
    "hexadecimal with colons",
    "コロン区切りの 16 進",
    "xxd -p {} | sed 's/../&:/g'",
    lambda s: bytes.fromhex(_joined(s).decode().replace(":", "")).decode(),
    guards=ENCODED,
    why=CODED,
)


def _braille(content: bytes) -> bytes:
    cells = "".join(chr(0x2800 + byte) for byte in content)
    return "\n".join(cells[at : at + 60] for at in range(0, len(cells), 60)).encode() + b"\n"


def _of_braille(shown: str) -> str:
    return bytes(ord(one) - 0x2800 for one in shown if 0x2800 <= ord(one) < 0x2900).decode()


def _bits(content: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in content)


def _of_bits(bits: str) -> str:
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits) // 8 * 8, 8)).decode(errors="replace")


_QUADRANTS = " ▀▄█"


def _qr(content: bytes) -> bytes:
    """As qrencode -t UTF8 draws: two modules in a character."""
    bits = _bits(content)
    cells = "".join(_QUADRANTS[int(bits[at : at + 2], 2)] for at in range(0, len(bits), 2))
    return "\n".join(cells[at : at + 60] + "|" for at in range(0, len(cells), 60)).encode() + b"\n"


def _of_qr(shown: str) -> str:
    rows = (line.partition("|")[0] for line in shown.split("\r\n"))
    return _of_bits(
        "".join(f"{_QUADRANTS.index(one):02b}" for row in rows for one in row if one in _QUADRANTS)
    )


def _coloured(content: bytes) -> bytes:
    """As qrencode -t ANSI draws: a space in one of two colours."""
    bits = _bits(content[: 14 * 60])
    cells = [f"\x1b[4{7 * int(bit)}m " for bit in bits]
    return "".join("".join(cells[at : at + 70]) + "\x1b[0m\n" for at in range(0, len(cells), 70)).encode()


def _of_coloured(shown: str) -> str:
    return _of_bits("".join(str(int(one == "7")) for one in re.findall(r"\x1b\[4([07])m ", shown)))


_shown(
    "S2-28",
    "pictures of braille",
    "点字による描画",
    "cat {}",
    _of_braille,
    write=_braille,
    guards=ENCODED,
    why=CODED,
)
_shown(
    "S2-29",
    "QR codes of half blocks",
    "半ブロックの QR",
    "cat {}",
    _of_qr,
    write=_qr,
    guards=ENCODED,
    why=CODED,
)
_shown(
    "S2-30",
    "QR codes of coloured spaces",
    "色付き空白の QR",
    "cat {}",
    _of_coloured,
    write=_coloured,
    guards=ENCODED,
    why=CODED,
)


def _rainbow(content: bytes) -> bytes:
    return b"".join(b"\x1b[3%dm%c" % (at % 8, byte) for at, byte in enumerate(content)) + b"\x1b[0m"


def _backwards(content: bytes) -> bytes:
    """Each number written from its end, by cursor movements."""
    lines = []
    for line in content.splitlines():
        digits = (b"\x1b[%dG%c" % (at + 1, line[at]) for at in reversed(range(len(line))))
        lines.append(b"".join(digits) + b"\n")
    return b"".join(lines)


def _of_backwards(shown: str) -> str:
    lines = []
    for line in shown.splitlines():
        placed = {int(at): one for at, one in re.findall(r"\x1b\[(\d+)G(.)", line)}
        lines.append("".join(placed[at] for at in sorted(placed)))
    return "\n".join(lines)


def _overwritten(content: bytes) -> bytes:
    """Something else first, then the number over it."""
    return b"".join(
        b"x" * len(line) + b"\r" + line[:6] + b"\x1b[1D\x1b[1C" + line[6:] + b"\n"
        for line in content.splitlines()
    )


def _wide(content: bytes) -> bytes:
    return "".join(chr(ord(one) + 0xFEE0) if one.isdigit() else one for one in content.decode()).encode()


def _nfkc(shown: str) -> str:
    return unicodedata.normalize("NFKC", shown)


_shown("S2-31", "a colour between all digits", "数字の間ごとに色を変える", "cat {}", write=_rainbow)
_shown(
    "S2-32",
    "numbers written backwards, by moving the cursor",
    "カーソル移動で逆順に書いた番号",
    "cat {}",
    _of_backwards,
    write=_backwards,
    guards=("TextMeter._on_screen",),
)
_shown("S2-33", "numbers over other text", "別の文字に重ね書きした番号", "cat {}", write=_overwritten)
_shown("S2-34", "full-width digits", "全角の数字", "cat {}", _nfkc, write=_wide)


async def _keys(stage: Stage, opening: str, keys: tuple[str, ...], wait: str, leave: str) -> Evidence:
    ticket = await stage.ticket()
    async with stage.door.shell(ticket) as shell:
        await shell.until(PROMPT)
        await shell.type(opening + "\n")
        await shell.until(wait)
        for key in keys:
            before = len(shell.shown)
            await shell.type(key)
            await shell.until("0-", after=before)
        await shell.type(leave)
        await shell.until(PROMPT, after=len(shell.shown) // 2)
        await shell.type("exit\n")
        await shell.ended()
        out = stage.phones_in(shell.shown)
    return await stage.evidence(ticket, out, least=out)


@attack(
    "S2-35",
    "an editor (vim) that scrolls a file",
    "エディタ（vim）でのスクロール",
    ends=Outcome.COUNTED,
    guards=METER,
    why=SHOWN,
)
async def vim(stage: Stage) -> Evidence:
    opening = f"vim -u NONE -N -n -R {stage.customers}"
    return await _keys(stage, opening, ("\x06", "\x06"), stage.phones[0], ":q!\r")


@attack(
    "S2-36",
    "Ctrl-C and changes of the window while data comes",
    "出力中の Ctrl-C と画面サイズ変更",
    ends=Outcome.COUNTED,
    guards=METER,
    why=SHOWN,
)
async def races(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    async with stage.door.shell(ticket) as shell:
        await shell.until(PROMPT)
        for width in (40, 132, 80):
            before = len(shell.shown)
            await shell.type(f"stty cols {width}; cat {stage.customers}\n")
            shell.resize(width, 24)
            await shell.until("0-", after=before + 60)
            await shell.type("\x03")
        await shell.type("\nexit\n")
        await shell.ended()
        out = stage.phones_in(shell.shown)
    return await stage.evidence(ticket, out, least=out)


@attack(
    "S2-37",
    "a burst of pasted text that the target echoes",
    "大量の貼り付けとそのエコー",
    ends=Outcome.COUNTED,
    guards=METER,
    why=SHOWN,
)
async def paste(stage: Stage) -> Evidence:
    ticket = await stage.ticket()
    async with stage.door.shell(ticket) as shell:
        await shell.until(PROMPT)
        await shell.type("cat\n")
        for at in range(0, 100, 20):
            await shell.type("".join(f"{one}\n" for one in stage.phones[at : at + 20]))
            await shell.until(stage.phones[at + 19])
        await shell.type("\x03\nexit\n")
        await shell.ended()
        out = stage.phones_in(shell.shown)
    return await stage.evidence(ticket, out, least=out)


# -- not stopped ---------------------------------------------------------------------------------------------------

OPEN = (
    "a target that helps can hide values from any scanner; only the volume tells, and the recording shows it",
    "対象側が手を貸せば、どの走査からも隠せる。分かるのは量だけで、録画には残る",
)
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _spelt(content: bytes) -> bytes:
    return (
        b"\n".join(
            " ".join(_WORDS[int(o)] if o.isdigit() else "dash" for o in line).encode()
            for line in content.decode().split()
        )
        + b"\n"
    )


def _of_spelt(shown: str) -> str:
    return "\n".join(
        "".join(
            "-" if word == "dash" else str(_WORDS.index(word))
            for word in line.split()
            if word in (*_WORDS, "dash")
        )
        for line in shown.splitlines()
    )


def _column(content: bytes) -> bytes:
    return b"".join(b"%c\n" % byte for byte in content.replace(b"\n", b";"))


def _of_column(shown: str) -> str:
    return "".join(shown.split()).replace(";", "\n")


_shown(
    "S2-40",
    "digits as words",
    "数字を単語に置き換える",
    "cat {}",
    _of_spelt,
    write=_spelt,
    guards=(),
    ends=Outcome.NOT_STOPPED,
    why=OPEN,
)
_shown(
    "S2-41",
    "one character a line",
    "一行に一文字",
    "cat {}",
    _of_column,
    write=_column,
    guards=(),
    ends=Outcome.NOT_STOPPED,
    why=OPEN,
)
_shown(
    "S2-42",
    "letters in place of digits",
    "数字を別の文字に置き換える",
    "tr 0-9- a-k < {}",
    lambda s: s.translate(str.maketrans("abcdefghijk", "0123456789-")),
    guards=(),
    ends=Outcome.NOT_STOPPED,
    why=OPEN,
)


@attack(
    "S2-43",
    "digits as words, by the megabyte",
    "数字を単語に置き換え、何メガバイトも流す",
    ends=Outcome.COUNTED,
    guards=("Volume.add",),
    why=(
        "no person is counted; more than 4 MiB in a session, or 16 MiB in a day, is raised",
        "人数は数えられない。一接続 4 MiB、一日 16 MiB を超えれば知らせる",
    ),
)
async def megabytes(stage: Stage) -> Evidence:
    content = _spelt("".join(f"{one}\n" for one in stage.phones).encode())
    path = stage.file("S2-43", content)
    times = (SESSION_BYTES // len(content)) + 1
    command = f"for i in {{1..{times}}}; do cat {path}; done"
    evidence = await typed(stage, command, lambda shown: _of_spelt(shown[: 2 * len(content)]), readable=False)
    return replace(evidence, least=0)


not_run(
    "S2-50",
    "a photograph of the screen, or writing down what it shows",
    "画面の撮影、書き写し",
    "what is shown is gone; what was shown is counted and bounded by the budget",
    "見えたものは止められない。見えた人数は数え、上限で止める",
)
not_run(
    "S2-51",
    "the last digit left to the reader",
    "最後の一桁を読み手が補う",
    "a value that is finished only in the head of its reader is found by no scanner",
    "読み手の頭の中で完成する値は、どの走査でも見つからない",
)
not_run(
    "S2-52",
    "ten rows a minute for days",
    "一分に十行を何日も",
    "days cannot be run here; S2-21 shows that slowness changes no count, and what day and ticket allow is kept "
    "across sessions",
    "何日もの試験はできない。遅くても数は変わらないこと（S2-21）と、日とチケットの上限が接続をまたぐことは試験している",
)
