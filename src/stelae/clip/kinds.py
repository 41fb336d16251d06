"""Documents of every kind that callers have: ours, docarray's before 0.30, and docarray's since.

They are told by what they can do; docarray itself is never imported, for whoever has its documents
has loaded it already.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from stelae.client._pictures import is_picture, loaded, picture
from stelae.client._place import Place
from stelae.clip import loading
from stelae.clip.array import DocumentArray
from stelae.clip.document import CONTENTS, Document
from stelae.clip.scores import NamedScore
from stelae.errors import InvalidInput
from stelae.wire.clip import arrays, messages, structs

PLAIN = ("text", "blob", "uri", "mime_type", "weight", "modality", "granularity", "adjacency")
"""Attributes that are sent as they are."""

INNER = ("chunks", "matches")
FAULT = "error"
"""Tag of a document that the server could not encode, and why."""


class Kind(Protocol):
    """How documents of one kind are read, filled and put together."""

    def fields(self, document: Any) -> dict[str, Any]:
        """The attributes that have a value, under the names of ``Document``."""

    def set(self, document: Any, name: str, value: Any) -> None:
        """Set an attribute, by its name in ``Document``."""

    def made(self, like: Any, fields: dict[str, Any]) -> Any:
        """A new document, of the kind of ``like``."""

    def array(self, documents: Sequence[Any], like: Any) -> Any:
        """Several documents together, as ``like`` is if it is such an array."""


class Ours:
    """Our documents, and docarray's before 0.30, whose attributes have the same names."""

    def fields(self, document: Any) -> dict[str, Any]:
        """See ``Kind``."""
        return {name: getattr(document, name) for name in document.non_empty_fields}

    def set(self, document: Any, name: str, value: Any) -> None:
        """See ``Kind``."""
        if name == "scores":
            for key, score in value.items():
                _fill_score(document.scores[key], score)
        else:
            setattr(document, name, value)

    def made(self, like: Any, fields: dict[str, Any]) -> Any:
        """See ``Kind``."""
        document = type(like)()
        for name, value in fields.items():
            self.set(document, name, value)
        return document

    def array(self, documents: Sequence[Any], like: Any) -> Any:
        """See ``Kind``."""
        if isinstance(like, DocumentArray) or not documents or isinstance(documents[0], Document):
            return DocumentArray(documents)
        return sys.modules["docarray"].DocumentArray(documents)


def _fill_score(score: Any, value: NamedScore) -> None:
    score.value, score.op_name = value.value, value.op_name
    if value.description:
        score.description = value.description
    if value.ref_id:
        score.ref_id = value.ref_id


NAMES = {"uri": "url", "blob": "bytes_"}
"""What docarray since 0.30 calls attributes."""


class New:
    """Documents of docarray since 0.30: classes of pydantic, each with fields of its own."""

    def fields(self, document: Any) -> dict[str, Any]:
        """See ``Kind``."""
        found = {}
        for name in _OF_ALL:
            value = getattr(document, _named(document, name), None)
            if value is not None and not (isinstance(value, (str, bytes)) and not value):
                found[name] = value
        if "uri" in found:
            found["uri"] = str(found["uri"])
        return found

    def set(self, document: Any, name: str, value: Any) -> None:
        """See ``Kind``."""
        own = _named(document, name)
        if own in type(document).model_fields:
            setattr(document, own, _values(value) if name == "scores" else value)
        elif name in ("embedding", "matches", "scores"):
            raise InvalidInput(
                f"{type(document).__name__} has no field {own!r} for what the server answers",
                hint=f"give the class a field {own!r}",
            )

    def made(self, like: Any, fields: dict[str, Any]) -> Any:
        """See ``Kind``."""
        model = type(like)
        kept = {_named(like, name): value for name, value in fields.items()}
        if "scores" in kept:
            kept["scores"] = _values(kept["scores"])
        return model(**{name: value for name, value in kept.items() if name in model.model_fields})

    def array(self, documents: Sequence[Any], like: Any) -> Any:
        """See ``Kind``."""
        if hasattr(like, "doc_type"):
            return type(like)(documents)
        lists = sys.modules["docarray"].DocList
        models = {type(document) for document in documents}
        return (lists[models.pop()] if len(models) == 1 else lists)(documents)


_OF_ALL = ("id", "text", "blob", "tensor", "uri", "mime_type", "tags", *INNER)


def _named(document: Any, name: str) -> str:
    """The name that a class of its own has for an attribute."""
    known = type(document).model_fields
    other = NAMES.get(name, name)
    return other if other in known or name not in known else name


def _values(scores: Mapping[str, NamedScore]) -> dict[str, float]:
    return {name: score.value for name, score in scores.items()}


OURS, NEW = Ours(), New()


def kind_of(value: object) -> Kind | None:
    """How a value is treated as a document; ``None`` if it is none."""
    if hasattr(value, "non_empty_fields"):
        return OURS
    if hasattr(type(value), "model_fields") and "docarray" in sys.modules:
        return NEW
    return None


def document_of(value: object, place: Place) -> tuple[Any, Kind]:
    """The document that a value means: itself, or one made of a string or a picture.

    Raises:
        InvalidInput: It is nothing that can be encoded.
    """
    kind = kind_of(value)
    if kind is not None:
        return value, kind
    if isinstance(value, str):
        return (Document(uri=value) if loading.is_picture(value) else Document(text=value)), OURS
    if isinstance(value, os.PathLike):
        return Document(uri=os.fspath(value)), OURS
    if is_picture(value):
        return _of_picture(value, place), OURS
    raise place.wrong(
        f"is of type {type(value).__name__}",
        hint="give a str, a Document, or a picture: its path, its bytes, pixels or a Pillow image",
    )


def _of_picture(value: Any, place: Place) -> Document:
    item, _ = picture(value, place)
    if item.image is None and item.pixels is None:
        item = loaded(item, place)  # type: ignore[arg-type]  # a Pillow image
    return Document(blob=item.image) if item.image is not None else Document(tensor=item.pixels)


def write(message: messages.Document, document: Any, kind: Kind, place: Place) -> None:
    """Put a document into a message; a picture that is only named is read now.

    Raises:
        InvalidInput: Its picture cannot be read, or a value of it cannot be sent.
    """
    try:
        _write(message, document, kind)
    except InvalidInput as error:
        raise place.wrong(f"cannot be sent: {error.message}", hint=error.hint) from error


def _write(message: messages.Document, document: Any, kind: Kind) -> None:
    fields = kind.fields(document)
    message.id = str(fields.get("id", ""))
    for name in PLAIN:
        if name in fields:
            setattr(message, name, fields[name])
    if "tensor" in fields:
        arrays.fill(message.tensor, np.asarray(fields["tensor"]))
    if "uri" in fields and not any(name in fields for name in CONTENTS):
        message.blob = loading.read(fields["uri"])
    if "tags" in fields:
        tags = fields["tags"].items()
        structs.fill(message.tags, {key: tag for key, tag in tags if not _is_fault(key, tag)})
    for name in INNER:
        for inner in fields.get(name, ()):
            _write(getattr(message, name).add(), inner, kind_of(inner) or kind)


def must_load(document: Any, kind: Kind) -> bool:
    """Whether a picture has to be read before the document can be sent."""
    fields = kind.fields(document)
    inner = [each for name in INNER for each in fields.get(name, ())]
    named = "uri" in fields and not any(name in fields for name in CONTENTS)
    return named or any(must_load(each, kind_of(each) or kind) for each in inner)


def place_vectors(document: Any, kind: Kind, answer: messages.Document) -> None:
    """Give a document, and those inside it, the embeddings of an answer."""
    if answer.HasField("embedding") and own_fault(answer) is None:
        kind.set(document, "embedding", vector(answer))
    for name in INNER:
        answers = {inner.id: inner for inner in getattr(answer, name)}
        if answers:
            for inner in kind.fields(document).get(name, ()):
                if (each := answers.get(str(inner.id))) is not None:
                    place_vectors(inner, kind_of(inner) or kind, each)
                    mark(inner, kind_of(inner) or kind, own_fault(each))


def vector(answer: messages.Document) -> Any:
    """The embedding of an answer, shape ``(D,)``, float32, writable."""
    return np.array(arrays.read(answer.embedding), dtype=np.float32)


def place_matches(document: Any, kind: Kind, answer: messages.Document, source: str) -> None:
    """Give a document its matches in the order of an answer, each with its scores.

    A match that the caller gave stays the caller's own object, with its picture.
    """
    if answer.HasField("embedding") and own_fault(answer) is None:
        _embed(document, kind, answer)
    given = {str(inner.id): inner for inner in kind.fields(document).get(source, ())}
    ranked = []
    for each in answer.matches:
        match = given.get(each.id)
        if match is None:
            match = kind.made(document, fields_of(each))
        else:
            own = kind_of(match) or kind
            own.set(match, "scores", scores_of(each))
            mark(match, own, own_fault(each))
        ranked.append(match)
    kind.set(document, source, kind.array(ranked, None))


def _embed(document: Any, kind: Kind, answer: messages.Document) -> None:
    if kind is OURS:
        kind.set(document, "embedding", vector(answer))


def scores_of(answer: messages.Document) -> dict[str, NamedScore]:
    """The scores of an answer by name."""
    return {
        name: NamedScore(score.value, score.op_name, score.description, score.ref_id)
        for name, score in answer.scores.items()
    }


def fields_of(answer: messages.Document) -> dict[str, Any]:
    """What a document of an answer has, under the names of ``Document``."""
    fields: dict[str, Any] = {"id": answer.id}
    fields |= {name: value for name in PLAIN if (value := getattr(answer, name))}
    if answer.HasField("tags"):
        fields["tags"] = structs.plain(answer.tags)
    for name in ("tensor", "embedding"):
        if answer.HasField(name):
            fields[name] = np.array(arrays.read(getattr(answer, name)))
    if answer.scores:
        fields["scores"] = scores_of(answer)
    return fields


def read(answer: messages.Document, like: Any, kind: Kind) -> Any:
    """A document of an answer, of the kind of ``like``, with all that is inside it."""
    fields = fields_of(answer)
    for name in INNER:
        inner = [read(each, like, kind) for each in getattr(answer, name)]
        if inner:
            fields[name] = kind.array(inner, None)
    return kind.made(like, fields)


def fault_of(answer: messages.Document) -> dict[str, Any] | None:
    """The code and message of what is wrong with a document or one inside it, if anything is."""
    fault = own_fault(answer)
    if fault is not None:
        return fault
    for name in INNER:
        for place, inner in enumerate(getattr(answer, name)):
            if (fault := fault_of(inner)) is not None:
                return {**fault, "message": f"{name}[{place}]: {fault['message']}"}
    return None


def own_fault(answer: messages.Document) -> dict[str, Any] | None:
    """The code and message of what kept the server from encoding a document, if anything did."""
    if not answer.HasField("tags") or FAULT not in answer.tags.fields:
        return None
    fault = structs.plain(answer.tags).get(FAULT)
    return fault if _is_fault(FAULT, fault) else None


def _is_fault(name: str, tag: object) -> bool:
    return name == FAULT and isinstance(tag, Mapping) and {"code", "message"} <= set(tag)


def mark(document: Any, kind: Kind, fault: Mapping[str, Any] | None) -> None:
    """Note on a document what kept it from being encoded, if anything did and it has tags."""
    if fault is not None and "tags" in getattr(type(document), "model_fields", {"tags": None}):
        kind.set(document, "tags", {**(kind.fields(document).get("tags") or {}), FAULT: {**fault}})
