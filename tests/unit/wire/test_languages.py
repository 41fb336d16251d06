from __future__ import annotations

import pytest

from stelae.wire.languages import CODES, NAMES, code_of, name_of


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("en", "en"),
        (" EN ", "en"),
        ("en-US", "en"),
        ("zh_Hant", "zh"),
        ("yue", "yue"),
        ("English", "en"),
        ("Haitian Creole", "ht"),
        ("mandarin", "zh"),
        ("", None),
        ("xx", None),
        ("klingon", None),
    ],
)
def test_code_is_found_by_whatever_names_it(given: str, code: str | None) -> None:
    assert code_of(given) == code


def test_every_name_leads_back_to_its_code() -> None:
    assert all(CODES[name] == code for code, name in NAMES.items())


def test_language_without_a_name_is_told_by_its_code() -> None:
    assert name_of("tlh") == "tlh"
