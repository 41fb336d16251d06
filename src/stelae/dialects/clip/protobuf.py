"""Documents as messages of protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from stelae.dialects.clip.forms import Content, Inner, Link
from stelae.errors import ErrorInfo
from stelae.types import Item
from stelae.wire.arrays import narrowed
from stelae.wire.clip import arrays, structs
from stelae.wire.clip.messages import Document
from stelae.wire.clip.names import TEXT_MIME


class ProtobufForm:
    """Reads and writes messages."""

    # Quirk: clip-client 0.8.3 loses the vectors of a whole request if one of them is missing.
    gaps = True

    def id(self, doc: Document) -> str:
        """Its name."""
        return doc.id

    def read(self, doc: Document) -> Content:
        """What is to be encoded.

        Raises:
            InvalidInput: A tensor that cannot be read.
        """
        content = doc.WhichOneof("content")
        if content == "text" and doc.text:
            return Item(text=doc.text)
        if content == "blob":
            return Item(image=doc.blob)
        if content == "tensor":
            array = arrays.read(doc.tensor)
            listed = doc.tensor.cls_name == arrays.LISTED
            return Item(pixels=narrowed(array) if listed else array)
        return Link(doc.uri) if doc.uri else None

    def inner(self, doc: Document, kind: Inner) -> Sequence[Document]:
        """Its chunks or matches."""
        return doc.chunks if kind == "chunks" else doc.matches

    def tags(self, doc: Document) -> dict[str, Any]:
        """What the caller wrote on it."""
        return structs.plain(doc.tags)

    def uri(self, doc: Document) -> str:
        """Where it comes from."""
        return doc.uri

    def mark_text(self, doc: Document) -> None:
        """Say that it is a text."""
        doc.mime_type = TEXT_MIME

    def embed(self, docs: Sequence[Document], rows: NDArray[Any]) -> None:
        """Give documents their vectors."""
        for doc, alone in zip(docs, arrays.embeddings(rows), strict=True):
            doc.ClearField("embedding")
            doc.MergeFromString(alone)

    def forget(self, doc: Document) -> None:
        """Take its vector away."""
        doc.ClearField("embedding")

    def drop(self, doc: Document) -> None:
        """Take its picture away."""
        if doc.WhichOneof("content") != "text":
            doc.ClearField("blob")
            doc.ClearField("tensor")

    def blame(self, doc: Document, error: ErrorInfo) -> None:
        """Say on it what is wrong with it."""
        structs.fill(doc.tags, {"error": {"code": error.code, "message": error.message}})

    def score(self, doc: Document, name: str, value: float, operation: str) -> None:
        """Give it a score."""
        score = doc.scores.get_or_create(name)
        score.value, score.op_name = value, operation

    def order(self, doc: Document, kind: Inner, places: Sequence[int]) -> None:
        """Put its chunks or matches into another order."""
        inner = doc.chunks if kind == "chunks" else doc.matches
        ranks = {place: rank for rank, place in enumerate(places)}
        numbers = iter(range(len(inner)))
        inner.sort(key=lambda _: ranks[next(numbers)])

    def mirror(self, doc: Document) -> None:
        """Make its matches what its chunks are."""
        del doc.matches[:]
        doc.matches.MergeFrom(doc.chunks)

    def made(self, found: Mapping[str, Any]) -> Document:
        """A new document."""
        made = Document()
        for name, value in found.items():
            if name == "tags":
                structs.fill(made.tags, value)
            else:
                setattr(made, name, value)
        return made

    def match(self, doc: Document, found: Mapping[str, Any]) -> Document:
        """Add a match."""
        doc.matches.append(self.made(found))
        return doc.matches[-1]

    def clear_matches(self, doc: Document) -> None:
        """Take its matches away."""
        del doc.matches[:]


FORM = ProtobufForm()
