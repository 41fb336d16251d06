"""Documents answer as docarray 0.21's do; its answers are recorded."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from stelae.clip import Document, DocumentArray

HERE = Path(__file__).parent
RECORDED: dict[str, Any] = json.loads((HERE / "documents.json").read_text("utf-8"))


def _loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CASES = _loaded("document_cases")


def test_every_case_is_recorded() -> None:
    assert sorted(CASES.CASES) == sorted(RECORDED)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_it_answers_as_recorded(name: str) -> None:
    answer = CASES.plain(CASES.CASES[name](Document, DocumentArray))
    assert json.loads(json.dumps(answer)) == RECORDED[name]


def test_the_last_match_of_each_document() -> None:
    array = CASES.nested(Document, DocumentArray)
    assert array["@m[-1]", "id"] == ["m3", "m4"]
