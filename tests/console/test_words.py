"""The catalogue: every sentence has its Japanese, and nothing stands there that no page shows."""

import re
from typing import Any

from babel.messages.pofile import read_po

from console.sentences import ROOT, sentences
from sekisho.console.words import CATALOGUE, LABELS, gettext_in, grouped, jst, label, ngettext_in
from sekisho.people.roles import Role
from sekisho.text.items import ITEMS

_PLACE = re.compile(r"%\((\w+)\)s")


def first(text: Any) -> str:
    """The one form, or the first of several."""
    return str(text if isinstance(text, str) else text[0])


def test_every_sentence_has_its_japanese_and_no_other_is_kept() -> None:
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="ja")
    held = {}
    for message in catalogue:
        if message.id:
            held[first(message.id)] = message
    shown = sentences()
    assert {sentence: where for sentence, where in shown.items() if sentence not in held} == {}
    assert set(held) - set(shown) == set()
    for sentence, message in held.items():
        said = first(message.string)
        assert not message.fuzzy, sentence
        assert said, sentence
        assert set(_PLACE.findall(sentence)) == set(_PLACE.findall(said)), sentence


def test_no_template_holds_a_sentence_outside_the_catalogue() -> None:
    """Text between tags is a translation, a value, or a mark."""
    allowed = {"ID", "SHA-256", "Sekisho", "TLS", "/log/checkpoint"}
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = re.sub(r"\{%\s*trans.*?endtrans\s*%\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<!--.*?-->|<svg.*?</svg>", "", text, flags=re.DOTALL)
        text = re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)  # commands are the same in each language
        for found in re.findall(r">([^<>]*[A-Za-z]{2,}[^<>]*)<", text):
            assert found.strip(" ·\n") in allowed, f"{path.name}: {found!r}"


def test_codes_have_names_in_both_languages() -> None:
    assert {role.value for role in Role} == set(LABELS["role"])
    for kind, names in LABELS.items():
        for name, sentence in names.items():
            if sentence not in ("PostgreSQL", "OpenID Connect", "SSH", "RDP", "VNC"):
                assert label(name, "ja", kind) != label(name, "en", kind), (kind, name)
    assert label("phone", "ja") == "電話番号"
    assert label("phone", "en") == "telephone number"
    assert all(label(item.id, "ja") for item in ITEMS)


def test_japanese_has_one_form_for_every_number() -> None:
    one = "%(count)s further request waits for somebody else's approval."
    many = "%(count)s further requests wait for somebody else's approval."
    assert ngettext_in("en")(one, many, 1) == one
    assert ngettext_in("en")(one, many, 2) == many
    assert ngettext_in("ja")(one, many, 1) == ngettext_in("ja")(one, many, 2) == gettext_in("ja")(one) != one


def test_times_are_of_japan_and_numbers_are_grouped() -> None:
    assert jst(0) == "1970-01-01 09:00:00"
    assert grouped(9_280_000) == "9,280,000"
