import pytest

from sekisho.faults import FAULT_KINDS, Fault, fault_kind


def test_a_fault_speaks_both_languages() -> None:
    kind = fault_kind("SEK-TEST-001", en="No file {path}.", ja="{path} がありません。")
    try:
        fault = Fault(kind, path="x")
        assert fault.sentence("en") == "No file x."
        assert fault.sentence("ja") == "x がありません。"
        assert fault.code == "SEK-TEST-001"
        with pytest.raises(ValueError, match="twice"):
            fault_kind("SEK-TEST-001", en="a", ja="b")
    finally:
        del FAULT_KINDS["SEK-TEST-001"]


def test_a_sentence_that_lacks_a_value_in_one_language_is_refused() -> None:
    with pytest.raises(ValueError, match="different fields"):
        fault_kind("SEK-TEST-002", en="No file {path}.", ja="ありません。")
    with pytest.raises(ValueError, match="malformed"):
        fault_kind("TEST-2", en="a", ja="b")
