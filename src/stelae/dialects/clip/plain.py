"""Documents as JSON has them."""

from __future__ import annotations

import re
import uuid
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.dialects.clip.forms import Content, Inner, Link
from stelae.dialects.clip.schema import Doc
from stelae.errors import ErrorInfo, InvalidInput
from stelae.types import Item
from stelae.wire.arrays import narrowed
from stelae.wire.clip.names import TEXT_MIME

_BLANK = re.compile(r"\s+")


class PlainForm:
    """Reads and writes Structs."""

    gaps = False  # JSON has no NaN

    def id(self, doc: Doc) -> str:
        """Its name; it gets one if it has none."""
        if not doc.id:
            doc.id = uuid.uuid4().hex
        return doc.id

    def read(self, doc: Doc) -> Content:
        """What is to be encoded.

        Raises:
            InvalidInput: A blob that is not base64, or a tensor that is no array.
        """
        if doc.text:
            return Item(text=doc.text)
        if doc.blob:
            return Item(image=_bytes(doc.blob))
        if doc.tensor is not None:
            return Item(pixels=_pixels(doc.tensor))
        return Link(doc.uri) if doc.uri else None

    def inner(self, doc: Doc, kind: Inner) -> Sequence[Doc]:
        """Its chunks or matches."""
        return (doc.chunks if kind == "chunks" else doc.matches) or ()

    def tags(self, doc: Doc) -> dict[str, Any]:
        """What the caller wrote on it."""
        return doc.tags or {}

    def uri(self, doc: Doc) -> str:
        """Where it comes from."""
        return doc.uri or ""

    def mark_text(self, doc: Doc) -> None:
        """Say that it is a text."""
        doc.mime_type = TEXT_MIME

    def embed(self, docs: Sequence[Doc], rows: NDArray[Any]) -> None:
        """Give documents their vectors."""
        for doc, row in zip(docs, rows, strict=True):
            doc.embedding = row

    def forget(self, doc: Doc) -> None:
        """Take its vector away."""
        doc.embedding = None

    def drop(self, doc: Doc) -> None:
        """Take its picture away."""
        doc.blob = doc.tensor = None

    def blame(self, doc: Doc, error: ErrorInfo) -> None:
        """Say on it what is wrong with it."""
        doc.tags = {**(doc.tags or {}), "error": {"code": error.code, "message": error.message}}

    def score(self, doc: Doc, name: str, value: float, operation: str) -> None:
        """Give it a score."""
        score = {"value": value, "op_name": operation, "description": None, "ref_id": None}
        doc.scores = {**(doc.scores or {}), name: score}

    def order(self, doc: Doc, kind: Inner, places: Sequence[int]) -> None:
        """Put its chunks or matches into another order."""
        inner = self.inner(doc, kind)
        setattr(doc, kind, [inner[place] for place in places])

    def mirror(self, doc: Doc) -> None:
        """Make its matches what its chunks are."""
        doc.matches = doc.chunks

    def made(self, found: Mapping[str, Any]) -> Doc:
        """A new document."""
        fields = dict(found)
        if "blob" in fields:
            fields["blob"] = b64encode(fields["blob"]).decode()
        return Doc(**fields)

    def match(self, doc: Doc, found: Mapping[str, Any]) -> Doc:
        """Add a match."""
        made = self.made(found)
        doc.matches = [*(doc.matches or ()), made]
        return made

    def clear_matches(self, doc: Doc) -> None:
        """Take its matches away."""
        doc.matches = None


def _bytes(blob: str) -> bytes:
    try:
        broken = "\n" in blob or " " in blob
        return b64decode(_BLANK.sub("", blob) if broken else blob, validate=True)
    except (NotBase64, ValueError) as error:
        raise InvalidInput(f"blob is not base64: {error}", param="data.blob") from error


def _pixels(tensor: list[Any]) -> NDArray[Any]:
    try:
        array = np.asarray(tensor)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"tensor is no array: {error}", param="data.tensor") from error
    if array.dtype.kind not in "biuf":
        raise InvalidInput("tensor holds other things than numbers", param="data.tensor")
    return narrowed(array)


FORM = PlainForm()
