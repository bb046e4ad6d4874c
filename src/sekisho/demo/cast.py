"""The demo's page of roles: whom one may be at the console, with a password and the one-time code of this moment.

Only the demo has such a page: it stands in for everybody's authenticator.
"""

import html
import time
from collections.abc import Mapping, Sequence
from typing import Final

import pyotp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from sekisho.demo.callcentre import PASSWORD, Player
from sekisho.faults import Language
from sekisho.people.credentials import STEP_SECONDS
from sekisho.people.roles import Role

ROLE_NAMES: Final[Mapping[Role, tuple[str, str]]] = {
    Role.WORKER: ("worker", "保守員"),
    Role.OPERATOR_MANAGER: ("approver (operating company)", "承認者 (運用会社)"),
    Role.PROCESSOR_MANAGER: ("manager at the lead processor", "元請の管理者"),
    Role.CLIENT: ("client organisation", "委託元"),
    Role.AUDITOR: ("auditor", "監査人"),
    Role.PRIVACY_OFFICER: ("privacy officer", "個人情報保護責任者"),
    Role.ADMINISTRATOR: ("administrator", "管理者"),
}

_PAGE: Final = """<!doctype html><html lang="{language}"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:16px/1.6 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;
color-scheme:light dark}}
table{{border-collapse:collapse;width:100%}}td,th{{padding:.45rem .6rem;border-bottom:1px solid #8886;text-align:left}}
code{{font-size:1.05em}}</style>
<h1>{title}</h1><p>{lead}</p><p>{password}: <code>{secret}</code></p>
<table><tr><th>{role}<th>{person}<th>{code}<th></tr>{rows}</table></html>"""


def cast_app(
    players: Sequence[Player], secrets: Mapping[str, str], console: str, language: Language
) -> Starlette:
    """`secrets` are those of the one-time codes, by person; `console` is its address."""

    def say(en: str, ja: str) -> str:
        return ja if language == "ja" else en

    async def page(_: Request) -> HTMLResponse:
        rows = "".join(
            f"<tr><td>{say(*ROLE_NAMES[player.role])}<td>{html.escape(player.name)} <code>{player.person}</code>"
            f"<td><code>{pyotp.TOTP(secrets[player.person]).at(int(time.time()))}</code>"
            f'<td><a href="{console}login" target="_blank" rel="noreferrer">{say("log in", "ログイン")}</a></tr>'
            for player in players
        )
        left = STEP_SECONDS - int(time.time()) % STEP_SECONDS
        return HTMLResponse(
            _PAGE.format(
                language=language,
                title=say("Whom to be at the console", "コンソールに入る人を選ぶ"),
                lead=say(
                    f"Invented people of the demo. A code opens one session; the next ones come in {left} seconds.",
                    f"デモの架空の人々です。コードは1回だけ使えます。次のコードまで {left} 秒。",
                ),
                password=say("Everybody's password", "全員のパスワード"),
                secret=PASSWORD,
                role=say("role", "役割"),
                person=say("person", "人"),
                code=say("code now", "いまのコード"),
                rows=rows,
            )
        )

    return Starlette(routes=[Route("/", page)])
