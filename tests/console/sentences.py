"""Every sentence that a page can show, out of templates and modules."""

from pathlib import Path

from babel.messages.extract import extract_from_dir

import sekisho.console

ROOT = Path(sekisho.console.__file__).parent
_METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "marked": None}


def sentences() -> dict[str, str]:
    """Sentence -> where it stands."""
    found: dict[str, str] = {}
    options = {"templates/**.html": {"silent": "false", "newstyle_gettext": "true", "trimmed": "false"}}
    for file, line, message, _, _ in extract_from_dir(str(ROOT), _METHODS, options, keywords=_KEYWORDS):
        text = message if isinstance(message, str) else message[0]
        found.setdefault(text, f"{file}:{line}")
    return found
