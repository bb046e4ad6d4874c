"""Writes docs/reference/: every fault, fact, setting and command, from the code itself.

`make docs` writes the pages; a test fails when a page is not what this would write.
"""

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import get_args, get_origin, get_type_hints

import click
import msgspec

import sekisho
from sekisho.cli import COMMANDS, cli
from sekisho.faults import FAULT_KINDS
from sekisho.ledger.leaf import FACTS_BY_NAME
from sekisho.service.settings import Settings

FOLDER = Path(__file__).parent.parent / "docs" / "reference"


def import_everything() -> None:
    """Import each module of the house, so that everything that it declares is declared."""
    for module in pkgutil.walk_packages(sekisho.__path__, "sekisho."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def pages() -> dict[str, str]:
    """File name -> text."""
    import_everything()
    return {"faults.md": faults(), "facts.md": facts(), "settings.md": settings(), "commands.md": commands()}


def faults() -> str:
    lines = [
        "# Faults",
        "",
        "Each refusal or failure that a person is told about has a stable code. Values stand in braces.",
        "",
        "| code | English | 日本語 |",
        "|---|---|---|",
    ]
    for code in sorted(code for code in FAULT_KINDS if not code.startswith("SEK-TEST-")):
        kind = FAULT_KINDS[code]
        lines.append(f"| `{code}` | {_cell(kind.en)} | {_cell(kind.ja)} |")
    return "\n".join(lines) + "\n"


def facts() -> str:
    lines = [
        "# Facts",
        "",
        "What can stand in the log: the name and version in the leaf, its fields, and what it means.",
        "",
        "| fact | version | fields | meaning |",
        "|---|---|---|---|",
    ]
    for name in sorted(FACTS_BY_NAME):
        kind = FACTS_BY_NAME[name]
        if not kind.type.__module__.startswith("sekisho."):
            continue  # declared by a test
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(kind.type))  # type: ignore[arg-type]
        own = kind.type.__dict__.get("__doc__")
        lines.append(
            f"| `{name}` | {kind.version} | {fields} | {_cell(inspect.cleandoc(own)) if own else ''} |"
        )
    return "\n".join(lines) + "\n"


def settings() -> str:
    lines = ["# Settings", "", "`sekisho.toml` in the state folder.", "", *_section(Settings, "")]
    return "\n".join(lines[:-1]) + "\n"


def _section(section: type[msgspec.Struct], within: str) -> list[str]:
    """A section's own settings, then the sections within it."""
    lines = [inspect.cleandoc(section.__doc__ or ""), "", "| setting | default |", "|---|---|"]
    deeper: list[str] = []
    types = get_type_hints(section)
    for field in msgspec.structs.fields(section):
        required = field.default is msgspec.NODEFAULT
        default = "required" if required else f"`{msgspec.json.encode(field.default).decode()}`"
        lines.append(f"| `{field.name}` | {default} |")
        kind = types[field.name]
        for one in (kind, *get_args(kind)):
            if isinstance(one, type) and issubclass(one, msgspec.Struct):
                name = f"{within}{field.name}"
                heading = f"[[{name}]]" if get_origin(kind) is tuple else f"[{name}]"
                deeper += [f"## `{heading}`", "", *_section(one, f"{name}.")]
    return [*lines, "", *deeper]


def commands() -> str:
    lines = ["# Commands", ""]
    context = click.Context(cli, info_name="sekisho", terminal_width=100, max_content_width=100)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            lines += _command(command, click.Context(command, context, name))
    return "\n".join(lines) + "\n"


def _command(command: click.Command, context: click.Context) -> list[str]:
    context.terminal_width = 100
    lines = [f"## {context.command_path}", "", "```", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                lines += _command(child, click.Context(child, context, name))
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
