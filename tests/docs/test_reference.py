"""The reference pages are what the code says; the other pages name nothing that does not exist."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent


def _reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference"] = module
    spec.loader.exec_module(module)
    return module


REFERENCE = _reference()
PAGES: dict[str, str] = REFERENCE.pages()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    assert (REFERENCE.FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "run `make docs`"


def _documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_only_codes_and_files_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    known = set(re.findall(r"SEK-[A-Z]+-\d{3}", PAGES["faults.md"]))
    assert set(re.findall(r"SEK-[A-Z]+-\d{3}", text)) <= known
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", text):
        assert (document.parent / link).exists(), f"{document.name} links to {link}"


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_both_readmes_give_the_same_commands(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


def test_every_glossary_entry_has_its_japanese_term() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and not line.startswith("| term")
    ]
    assert len(rows) > 30
    for term, japanese, meaning in rows:
        assert term
        assert meaning
        assert re.search("[぀-ヿ一-鿿]", japanese), term
