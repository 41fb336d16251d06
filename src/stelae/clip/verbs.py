"""What each verb asks for, and what becomes of its answers."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any

from stelae.clip import kinds
from stelae.clip.calls import Call, Callback, Options, Piece, call
from stelae.clip.results import Results
from stelae.errors import InvalidInput
from stelae.wire.clip import messages

Content = Iterable[Any] | AsyncIterable[Any]
Asked = tuple[Call, Results]


def encoding(content: Content, options: Options) -> Asked:
    """Embeddings: a matrix for strings and pictures, the documents themselves for documents."""
    asked = call("encode", content, options, check=_has_content)
    return asked, Results(asked, _embedded, matrix=True)


def indexing(content: Content, options: Options) -> Asked:
    """Embeddings that the server keeps; documents come back."""
    asked = call("index", content, options, check=_has_content)
    return asked, Results(asked, _embedded)


def searching(content: Content, limit: int, options: Options) -> Asked:
    """What the server keeps that is nearest; documents come back with their matches."""
    if not isinstance(limit, int) or limit < 1:
        raise InvalidInput(f"limit={limit!r}: give a whole number of 1 or more", param="limit")
    asked = call("search", content, options, check=_has_content, parameters={"limit": limit})
    return asked, Results(asked, _found)


def ranking(docs: Content, source: str, options: Options) -> Asked:
    """Matches in the order in which they fit; the documents come back."""
    if source not in kinds.INNER:
        raise InvalidInput(f"source={source!r}: give 'matches' or 'chunks'", param="source")

    def check(piece: Piece) -> None:
        if kinds.kind_of(piece.given) is None:
            raise piece.place.wrong(f"is no document but of type {type(piece.given).__name__}")
        if not piece.kind.fields(piece.document).get(source):
            raise piece.place.wrong(f"has no {source} to rank")

    def place(piece: Piece, answer: messages.Document) -> None:
        if kinds.own_fault(answer) is None:
            kinds.place_matches(piece.document, piece.kind, answer, source)

    asked = call("rank", docs, options, check=check, name="docs")
    return asked, Results(asked, place)


def profiling(content: str, take: Callback) -> Asked:
    """One document, which may be empty, asked of no endpoint in particular.

    Args:
        content: A sentence, or where a picture is.
        take: Given the response.
    """
    asked = Call(
        verb="profile", endpoint="/", content=[content], parameters={}, on_done=take, batch_size=1
    )
    return asked, Results(asked, lambda piece, answer: None)


def _has_content(piece: Piece) -> None:
    fields = piece.kind.fields(piece.document)
    if not any(name in fields for name in ("text", "blob", "tensor", "uri", *kinds.INNER)):
        raise piece.place.wrong("is empty", hint="give a text, or a picture as uri, blob or tensor")


def _embedded(piece: Piece, answer: messages.Document) -> None:
    kinds.place_vectors(piece.document, piece.kind, answer)


def _found(piece: Piece, answer: messages.Document) -> None:
    matches = [kinds.read(each, piece.document, piece.kind) for each in answer.matches]
    piece.kind.set(piece.document, "matches", piece.kind.array(matches, None))
