from __future__ import annotations

import json
import re

import msgspec
import pytest

from stelae.server.app import DIALECTS
from stelae.server.listeners import settle
from stelae.server.openapi import document
from stelae.server.pages import _DOCS, pages

CLAIMS = settle([*DIALECTS, pages(bytes)])
DOCUMENT = document(CLAIMS, "1.2.3")


def references(value: object) -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(value)))


def test_every_route_is_described() -> None:
    described = {
        (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods
    }
    routed = {(c.operation.method, re.sub(r":\w+\}", "}", c.operation.path)) for c in CLAIMS}
    assert described == routed


def test_every_reference_leads_somewhere() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert {ref.rpartition("/")[2] for ref in references(DOCUMENT)} <= schemas.keys()


def test_operations_have_names_of_their_own() -> None:
    names = [o["operationId"] for methods in DOCUMENT["paths"].values() for o in methods.values()]
    assert len(names) == len(set(names))


def test_path_parameters_are_declared() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            declared = [p["name"] for p in operation["parameters"]]
            assert declared == re.findall(r"\{(\w+)\}", path)


@pytest.mark.parametrize("name", ["EncodeCall", "EncodeResult", "EmbeddingRequest", "ModelInfo"])
def test_every_field_carries_the_text_of_its_docstring(name: str) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert "Attributes:" not in schema["description"]
    assert [n for n, field in schema["properties"].items() if not field.get("description")] == []


def test_errors_share_one_body() -> None:
    answers = DOCUMENT["paths"]["/v1/embeddings"]["post"]["responses"]
    assert {"200", "400", "404", "503", "504"} <= answers.keys()
    for status, answer in answers.items():
        if status != "200":
            assert references(answer) == {"#/components/schemas/ErrorAnswer"}


def test_docs_page_needs_nothing_from_elsewhere() -> None:
    page = _DOCS.decode()
    assert re.findall(r"""(?:src|href)=["'](?!/|#|data:)[^"']*["']""", page) == []
    assert "@import" not in page
    assert "//" not in re.sub(r"https?://", "", page) or "http" not in page


def test_examples_fit_the_types_they_are_examples_of() -> None:
    operations = [claim.operation for claim in CLAIMS]
    with_body = [o for o in operations if o.request is not None]
    assert with_body
    for operation in with_body:
        assert msgspec.convert(operation.example, operation.request)
