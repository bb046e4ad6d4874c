"""Pages: Jinja templates, filled with what a reader returned, around a frame that knows who looks.

One reader makes a page and an answer of the JSON API: `Face.shows` registers both, so neither can show what the
other does not.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import escape
from pydantic import BaseModel

from sekisho.console import words
from sekisho.console.access import OPEN_TO, Page, open_to
from sekisho.console.api import ANSWERS
from sekisho.console.house import SCOPES
from sekisho.console.viewer import Viewer, ViewerDep, find_viewer, house_of
from sekisho.console.words import LANGUAGES, gettext_in, language_of, marked, ngettext_in
from sekisho.faults import Fault, Language

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_SENTENCE: Final = re.compile(r"""\{\{ _\("([^"{}%]+)"\) \}\}""")
THEME_COOKIE: Final = "sekisho-theme"
THEMES: Final = ("auto", "light", "dark")

# The way through the house: (page, path, its name in the menu). "" is everybody's.
MENU: Final[tuple[tuple[Page | None, str, str], ...]] = (
    (Page.WORK, "/work", marked("My work")),
    (Page.QUEUE, "/queue", marked("Approvals")),
    (Page.LIVE, "/live", marked("Live sessions")),
    (Page.ALERTS, "/alerts", marked("Alerts")),
    (Page.RECORDINGS, "/recordings", marked("Recordings")),
    (Page.TICKETS, "/tickets", marked("Tickets")),
    (Page.PORTAL, "/portal", marked("Our data")),
    (Page.PORTAL, "/portal/digest", marked("Daily digest")),
    (Page.PORTAL, "/portal/alerts", marked("Alerts")),
    (Page.PORTAL, "/portal/duties", marked("Duties and overdue")),
    (Page.REVIEWS, "/reviews", marked("Emergency reviews")),
    (Page.TRACE, "/trace", marked("Found lists")),
    (Page.PORTAL, "/portal/trace", marked("Found lists")),
    (Page.FACTS, "/facts", marked("Facts")),
    (Page.REFUSALS, "/refusals", marked("Refusals")),
    (Page.PEOPLE, "/people", marked("People")),
    (Page.TAKEOUTS, "/takeouts", marked("Take-outs")),
    (Page.REGISTER, "/register", marked("Data and targets")),
    (Page.CONTROLS, "/controls", marked("Controls")),
    (Page.POLICY, "/policy", marked("Policy")),
    (Page.STATUS, "/status", marked("This checkpoint")),
    (Page.FEEDS, "/feeds", marked("What the watch hears")),
    (Page.NOTICES, "/notices", marked("Notices")),
    (None, "/me", marked("My account")),
)


def _version() -> str:
    """Changes when a static file does, so that browsers may keep each one for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class _TemplatesIn(FileSystemLoader):
    """Templates of one language: a sentence without values is put in when the template is read, and not looked up for
    each cell of each row."""

    def __init__(self, language: Language) -> None:
        super().__init__(_HERE / "templates")
        self._said = gettext_in(language)

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, fresh = super().get_source(environment, template)
        return _SENTENCE.sub(lambda found: str(escape(self._said(found[1]))), source), path, fresh


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=_TemplatesIn(language),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_callables(gettext_in(language), ngettext_in(language), newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(
        jst=words.jst,
        jst_minute=words.jst_minute,
        jst_clock=words.jst_clock,
        utc=words.utc,
        iso=words.iso,
        grouped=words.grouped,
        in_short=lambda code: words.in_short(code, language),
        label=lambda name, *of: words.label(name, language, *of),
    )
    environment.globals.update(language=language, version=_version(), scopes=SCOPES)
    return environment


_ENVIRONMENTS: Final[dict[Language, Environment]] = {
    language: _environment(language) for language in LANGUAGES
}


def render(
    request: Request, template: str, viewer: Viewer | None, /, *, status: int = 200, **values: Any
) -> HTMLResponse:
    language = viewer.language if viewer else language_of(request)
    theme = request.cookies.get(THEME_COOKIE, "auto")
    menu = [
        (path, name, _current(request.url.path, path))
        for page, path, name in MENU
        if viewer is not None and (page is None or open_to(page, viewer))
    ]
    text = (
        _ENVIRONMENTS[language]
        .get_template(template)
        .render(
            viewer=viewer,
            menu=menu,
            theme=theme if theme in THEMES else "auto",
            nonce=request.state.nonce,
            path=request.url.path,
            origin=f"{request.url.scheme}://{request.url.netloc}",
            **values,
        )
    )
    return HTMLResponse(text, status)


def _current(path: str, of: str) -> bool:
    longest = max(
        (one for _, one, _ in MENU if path == one or path.startswith(one + "/")), key=len, default=""
    )
    return of == longest


def home_of(viewer: Viewer) -> str:
    """The first page of the menu that is open to the person."""
    return next(
        (path for page, path, _ in MENU if page is None or (page in OPEN_TO and open_to(page, viewer))), "/me"
    )


async def page_of_fault(request: Request, fault: Fault, status: int) -> HTMLResponse:
    """A refusal as a page, in the frame of whoever is logged in."""
    try:
        viewer = await find_viewer(request, house_of(request))
    except Fault:  # the very reading of who it is may be what failed
        viewer = None
    return render(request, "fault.html", viewer, status=status, fault=fault, code=status)


def back_to(path: str) -> RedirectResponse:
    """After an act: 303, so that a reload does not act again."""
    return RedirectResponse(path, 303)


Reader = Callable[..., Awaitable[BaseModel]]
AnyReader = TypeVar("AnyReader", bound=Reader)


class Face:
    """The pages and the API of one part of the house."""

    def __init__(self, tag: str) -> None:
        self.pages = APIRouter(include_in_schema=False)
        self.api = APIRouter(prefix="/api/v1", tags=[tag], responses=ANSWERS)

    def shows(self, path: str, template: str, *, api: str = "") -> Callable[[AnyReader], AnyReader]:
        """Register a reader as page `path` and as API path `api` (the page's own, unless given)."""

        def register(reader: AnyReader) -> AnyReader:
            async def page(request: Request, viewer: ViewerDep, view: Any = Depends(reader)) -> HTMLResponse:  # noqa: B008
                return render(request, template, viewer, view=view)

            self.pages.get(path, name=reader.__name__)(page)
            self.api.get(api or path, name=reader.__name__, operation_id=reader.__name__)(reader)
            return reader

        return register

    def part(self, path: str, template: str, reader: Reader) -> None:
        """A part of a page that htmx asks for anew."""

        async def page(request: Request, viewer: ViewerDep, view: Any = Depends(reader)) -> HTMLResponse:  # noqa: B008
            return render(request, template, viewer, view=view)

        self.pages.get(path)(page)
