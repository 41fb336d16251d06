"""Documents answer as docarray 0.21's do; its answers are recorded."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from stelae.clip import Document, DocumentArray
from stelae.errors import InvalidInput

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


def test_copies_are_apart() -> None:
    document = Document(id="a", text="one", tags={"n": 1}, matches=[Document(id="m")])
    array = DocumentArray([document])
    for other in (
        copy.copy(document),
        copy.deepcopy(document),
    ):
        assert other == document
        other.text = "two"
        other.tags["n"] = 2
    assert (document.text, document.tags) == ("one", {"n": 1})
    copy.copy(array).append(Document())
    assert len(array) == 1


def test_what_is_no_document_is_refused() -> None:
    for wrong in ("text", 3, None):
        with pytest.raises(InvalidInput, match="holds documents, not"):
            DocumentArray().append(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="the mask has 1 values"):
        DocumentArray([Document(), Document()])[[True]]
    with pytest.raises(InvalidInput, match="content of type list"):
        Document().content = []


def test_embeddings_that_are_missing_among_others_are_nan() -> None:
    rows = DocumentArray([Document(embedding=np.ones(2, "f4")), Document()]).embeddings
    assert rows is not None
    assert rows.dtype == np.float32
    assert np.isnan(rows).tolist() == [[False, False], [True, True]]


def test_content_is_set_by_its_kind() -> None:
    document = Document()
    for content, kind in (("a", "text"), (b"b", "blob"), (np.zeros(3), "tensor")):
        document.content = content
        assert document.content_type == kind
        assert document.content is content
