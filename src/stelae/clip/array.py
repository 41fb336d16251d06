"""A list of documents: by place, by id, by access path, and column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from stelae.clip import summary
from stelae.errors import InvalidInput
from stelae.wire.clip.paths import Move, parsed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stelae.clip.document import Document

    Selection = slice | EllipsisType | Sequence[int] | Sequence[bool] | Sequence[str] | NDArray[Any]

STEPS = {"m": "matches", "c": "chunks"}
MATRICES = ("embedding", "tensor")
"""Attributes whose column is one array."""


class DocumentArray(MutableSequence["Document"]):
    """Documents in order.

    ``a[0]``, ``a[1:3]`` and ``a["an-id"]`` are documents; ``a["@m"]`` are those that an access path
    leads to, ``a[...]`` all, however deep. With the name of an attribute after it the selection
    gives values: ``a[:, "text"]``, ``a["@m", ["text", "scores__clip_score__value"]]``.

    Args:
        documents: What it holds at first.
    """

    def __init__(self, documents: Iterable[Document] | Document | None = None) -> None:
        self._documents: list[Document] = []
        self._places: dict[str, int] | None = None
        if documents is not None:
            self.extend(documents if isinstance(documents, Iterable) else [documents])

    def __len__(self) -> int:
        return len(self._documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self._documents)

    def __contains__(self, wanted: object) -> bool:
        key = wanted if isinstance(wanted, str) else getattr(wanted, "id", None)
        return key in self._by_id()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DocumentArray) and self._documents == other._documents

    __hash__ = None  # type: ignore[assignment]  # like a list

    def __add__(self, other: Iterable[Document]) -> DocumentArray:
        return DocumentArray([*self, *other])

    def __iadd__(self, other: Iterable[Document]) -> Self:
        self.extend(other)
        return self

    def __copy__(self) -> DocumentArray:
        return DocumentArray(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} (length={len(self)})>"

    @overload
    def __getitem__(self, wanted: int) -> Document: ...
    @overload
    def __getitem__(self, wanted: slice) -> DocumentArray: ...
    @overload
    def __getitem__(self, wanted: Any) -> Any: ...
    def __getitem__(self, wanted: Any) -> Any:
        match wanted:
            case int() | np.integer() if not isinstance(wanted, bool):
                return self._documents[int(wanted)]
            case str() if wanted.startswith("@"):
                return self._reached(wanted)
            case str():
                return self._documents[self._place(wanted)]
            case slice():
                return DocumentArray(self._documents[wanted])
            case EllipsisType():
                return self.flatten()
            case (rows, str(name)) if isinstance(wanted, tuple) and name not in self:
                return self._values(rows, name)
            case (rows, [*names]) if isinstance(wanted, tuple):
                return self._columns(rows, names)
            case np.ndarray():
                return self[wanted.ravel().tolist()]
            case [*several]:
                return self._several(several)
        raise InvalidInput(
            f"a DocumentArray is not indexed by {type(wanted).__name__} {wanted!r:.80}",
            hint="give a number, a slice, an id, an access path such as '@m', or one of them "
            "with the names of attributes",
        )

    def _several(self, several: list[Any]) -> DocumentArray:
        if several and isinstance(several[0], bool):
            if len(several) != len(self):
                raise InvalidInput(
                    f"the mask has {len(several)} values, the array {len(self)} documents"
                )
            return DocumentArray(doc for doc, on in zip(self, several, strict=True) if on)
        return DocumentArray(self[one] for one in several)

    def _values(self, rows: Any, name: str) -> Any:
        """One attribute of what is selected."""
        selected = self[rows]
        if isinstance(selected, DocumentArray):
            return selected._column(name)
        return selected.get(name)

    def _columns(self, rows: Any, names: list[str]) -> Any:
        selected = self[rows]
        if not isinstance(selected, DocumentArray):
            selected = DocumentArray(selected)
        columns = [selected._column(name) for name in names]
        return columns[0] if len(columns) == 1 else columns

    def _column(self, name: str) -> Any:
        if name in MATRICES:
            return self._matrix(name)
        return [document.get(name) for document in self]

    def __setitem__(self, wanted: Any, value: Any) -> None:
        if isinstance(wanted, tuple) and len(wanted) == 2:
            self._set_values(*wanted, value)
        elif isinstance(wanted, slice):
            self._documents[wanted] = [self._taken(document) for document in value]
        else:
            place = self._place(wanted) if isinstance(wanted, str) else int(wanted)
            self._documents[place] = self._taken(value)
        self._places = None

    def _set_values(self, rows: Any, names: str | Sequence[str], values: Any) -> None:
        selected = self[rows]
        if not isinstance(selected, DocumentArray):
            selected, values = [selected], [values] if isinstance(names, str) else values
        if isinstance(names, str):
            names, values = [names], [values]
        for name, column in zip(names, values, strict=True):
            for document, value in zip(selected, column, strict=True):
                setattr(document, name, value)

    def __delitem__(self, wanted: Any) -> None:
        if isinstance(wanted, str) and wanted.startswith("@"):
            raise InvalidInput(f"documents are not deleted by an access path ({wanted!r})")
        del self._documents[self._place(wanted) if isinstance(wanted, str) else wanted]
        self._places = None

    def insert(self, index: int, value: Document) -> None:
        """Put a document before the place ``index``."""
        self._documents.insert(index, self._taken(value))
        self._places = None

    def append(self, value: Document) -> None:
        """Put a document behind the others."""
        self._documents.append(self._taken(value))
        self._places = None

    def extend(self, values: Iterable[Document]) -> None:
        """Put several documents behind the others."""
        self._documents.extend([self._taken(document) for document in values])
        self._places = None

    def _taken(self, document: Document) -> Document:
        """A document as it is kept here."""
        if not hasattr(document, "non_empty_fields"):
            raise InvalidInput(
                f"a DocumentArray holds documents, not {type(document).__name__} {document!r:.80}"
            )
        return document

    @property
    def embeddings(self) -> NDArray[Any] | None:
        """All embeddings, shape ``(N, D)``; ``None`` if no document has one.

        The row of a document without an embedding, when others have one, is NaN.
        """
        return self._matrix("embedding")

    @embeddings.setter
    def embeddings(self, rows: Iterable[Any]) -> None:
        self[:, "embedding"] = rows

    @property
    def tensors(self) -> NDArray[Any] | None:
        """All tensors in one array; ``None`` if no document has one."""
        return self._matrix("tensor")

    @tensors.setter
    def tensors(self, values: Iterable[Any]) -> None:
        self[:, "tensor"] = values

    @property
    def texts(self) -> list[str]:
        """The text of each document."""
        return [document.text for document in self]

    @texts.setter
    def texts(self, values: Iterable[str]) -> None:
        self[:, "text"] = values

    @property
    def blobs(self) -> list[bytes]:
        """The bytes of each document."""
        return [document.blob for document in self]

    @blobs.setter
    def blobs(self, values: Iterable[bytes]) -> None:
        self[:, "blob"] = values

    @property
    def contents(self) -> list[Any]:
        """The text, the bytes or the tensor of each document."""
        return [document.content for document in self]

    def _matrix(self, name: str) -> NDArray[Any] | None:
        values = [getattr(document, name) for document in self]
        present = next((value for value in values if value is not None), None)
        if present is None:
            return None
        absent = np.full(np.shape(present), np.nan, np.result_type(present, np.float16))
        return np.stack([absent if value is None else np.asarray(value) for value in values])

    def traverse_flat(self, path: str) -> DocumentArray:
        """The documents that an access path leads to, as ``r,m`` without its ``@``."""
        return self._reached("@" + path)

    def flatten(self) -> DocumentArray:
        """All documents with their chunks and matches, however deep: those before their owner."""
        found: dict[int, Document] = {}
        for document in self:
            for inner in (*document.chunks.flatten(), *document.matches.flatten(), document):
                found.setdefault(id(inner), inner)
        return DocumentArray(found.values())

    def _reached(self, path: str) -> DocumentArray:
        moves = parsed(path[1:])
        return DocumentArray(document for each in moves for document in self._after(each))

    def _after(self, moves: list[Move]) -> Iterable[Document]:
        groups: list[DocumentArray] = [self]
        for move in moves:
            if move.step != "r":
                inner = STEPS[move.step]
                groups = [getattr(document, inner) for group in groups for document in group]
            groups = [group[move.part] for group in groups]
        return (document for group in groups for document in group)

    def _place(self, key: str) -> int:
        try:
            return self._by_id()[key]
        except KeyError:
            raise KeyError(f"no document has the id {key!r}") from None

    def _by_id(self) -> dict[str, int]:
        if self._places is None:
            places = reversed(list(enumerate(self)))
            self._places = {document.id: place for place, document in places}
        return self._places

    def summary(self) -> None:
        """Print how many documents there are and what they have."""
        summary.show(*summary.of_array(self))
