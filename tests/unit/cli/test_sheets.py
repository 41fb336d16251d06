"""Tables in the layout of Xinference's, held to those that its documentation shows."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from stelae.cli.app import app
from stelae.cli.sheets import sheet

LLM = """\
Type    Name             Language      Ability                        Is-built-in
------  ---------------  ------------  -----------------------------  -------------
LLM     baichuan         ['en', 'zh']  ['embed', 'generate']          True
LLM     baichuan-2-chat  ['en', 'zh']  ['embed', 'generate', 'chat']  True"""

EMBEDDING = """\
Type       Name              Language      Dimensions  Is-built-in
---------  ----------------  ----------  ------------  -------------
embedding  bge-base-en       ['en']               768  True
embedding  bge-base-en-v1.5  ['en']               768  True"""


def listed(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["registrations", "--local", *arguments])


def test_tables_are_those_that_xinferences_users_know() -> None:
    rows = [
        ("LLM", "baichuan", ("en", "zh"), ("embed", "generate"), True),
        ("LLM", "baichuan-2-chat", ("en", "zh"), ("embed", "generate", "chat"), True),
    ]
    headings = ("Type", "Name", "Language", "Ability", "Is-built-in")
    assert "\n".join(sheet(headings, rows)) == LLM


def test_numbers_stand_to_the_right() -> None:
    rows = [("embedding", f"bge-base-en{end}", ("en",), 768, True) for end in ("", "-v1.5")]
    headings = ("Type", "Name", "Language", "Dimensions", "Is-built-in")
    assert "\n".join(sheet(headings, rows)) == EMBEDDING


def test_an_empty_table_has_its_headings() -> None:
    assert list(sheet(("Type", "Name"), [])) == ["Type    Name", "------  ------"]


def test_what_a_terminal_obeys_is_not_printed() -> None:
    assert "\x1b" not in "".join(sheet(("Name",), [("\x1b[31mred",), ("two\nlines",)]))


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("LLM", ["Type", "Name", "Language", "Ability", "Is-built-in"]),
        ("embedding", ["Type", "Name", "Language", "Dimensions", "Is-built-in"]),
        ("image", ["Type", "Name", "Family", "Is-built-in"]),
        ("audio", ["Type", "Name", "Family", "Multilingual", "Is-built-in"]),
        ("rerank", ["Type", "Name", "Language", "Is-built-in"]),
        ("flexible", ["Type", "Name", "Ability", "Is-built-in"]),
    ],
)
def test_columns_follow_from_the_type(kind: str, columns: list[str]) -> None:
    assert listed("-t", kind).stdout.splitlines()[0].split() == columns


def test_names_of_the_documentation_are_listed_with_their_facts() -> None:
    rows = {line.split()[1]: line for line in listed("-t", "embedding").stdout.splitlines()}
    assert rows["bge-base-en-v1.5"].split() == [
        "embedding", "bge-base-en-v1.5", "['en']", "768", "True",
    ]  # fmt: skip
    audio = {line.split()[1]: line.split() for line in listed("-t", "audio").stdout.splitlines()}
    assert audio["whisper-tiny.en"] == ["audio", "whisper-tiny.en", "whisper", "False", "True"]
    assert audio["whisper-base"] == ["audio", "whisper-base", "whisper", "True", "True"]


def test_json_has_the_facts_of_each() -> None:
    found = {card["name"]: card for card in json.loads(listed("-t", "llm", "--json").stdout)}
    assert found["glm4-chat"]["kind"] == "llm"
    assert "chat" in found["glm4-chat"]["abilities"]


def test_unknown_types_are_refused_with_those_that_there_are() -> None:
    ended = listed("-t", "vidoe")
    assert ended.exit_code == 2
    assert "LLM, embedding, rerank" in ended.stderr
