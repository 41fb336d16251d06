"""``summary()`` shows the rows of the table in the client's own reference."""

from __future__ import annotations

import numpy as np
import pytest

from stelae.clip import Document, DocumentArray


def array() -> DocumentArray:
    """What the reference shows: four pictures by address, a text, and bytes."""
    vector = np.zeros(2)
    uris = ["apple.png", "apple.png", "https://example.org/favicon.png", "data:image/gif;base64,R0"]
    return DocumentArray(
        [
            Document(text="she smiled, with pain", mime_type="text/plain", embedding=vector),
            *(Document(uri=uri, embedding=vector.copy()) for uri in uris),
            Document(blob=b"png", embedding=vector.copy()),
        ]
    )


def rows(shown: str) -> list[list[str]]:
    """The cells of the tables, without their frames."""
    lines = [line.strip("│╭╮╰╯─ ") for line in shown.splitlines()]
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in lines if line]


def test_the_table_of_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    array().summary()
    found = rows(capsys.readouterr().out)
    for row in (
        ["Documents Summary"],
        ["Length", "6"],
        ["Homogenous Documents", "False"],
        ["4 Documents have attributes", "('id', 'mime_type', 'uri', 'embedding')"],
        ["1 Document has attributes", "('id', 'mime_type', 'text', 'embedding')"],
        ["Attributes Summary"],
        ["Attribute", "Data type", "#Unique values", "Has empty value"],
        ["embedding", "('ndarray',)", "6", "False"],
        ["id", "('str',)", "6", "False"],
        ["text", "('str',)", "2", "False"],
    ):
        assert row in found, row


def test_documents_that_are_alike(capsys: pytest.CaptureFixture[str]) -> None:
    DocumentArray([Document(text="a"), Document(text="b")]).summary()
    found = rows(capsys.readouterr().out)
    assert ["Homogenous Documents", "True"] in found
    assert ["Common Attributes", "('id', 'text')"] in found


def test_nothing_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    DocumentArray().summary()
    found = rows(capsys.readouterr().out)
    assert ["Length", "0"] in found
    assert ["Attributes Summary"] not in found


def test_a_document_is_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    match = Document(id="m", text="match")
    Document(id="d", text="root", embedding=np.zeros(3, "f4"), matches=[match]).summary()
    shown = capsys.readouterr().out
    for part in ("<Document", "ndarray of shape (3,), float32", "Matches", "match"):
        assert part in shown, part


def test_nested_documents_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    document = Document(text="a", matches=[Document(text="m")], chunks=[Document(text="c")])
    DocumentArray([document]).summary()
    assert ["Has nested Documents in", "('chunks', 'matches')"] in rows(capsys.readouterr().out)
