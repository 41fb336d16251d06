"""Xinference's documents of models that users register, both versions, as registrations of ours.

Source: Xinference's documents of custom models, versions 1 and 2 of their schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from stelae.catalog.registered import MAX_BYTES
from stelae.catalog.speaking import FORMATS as TOOL_FORMATS
from stelae.catalog.variants import FORMATS, PLAIN, billions
from stelae.dialects.decode import decode
from stelae.dialects.xinference.kinds import abilities_read, kind_of
from stelae.errors import InvalidInput
from stelae.types import ModelKind, Registration, Weights
from stelae.types.card import QUANTIZATION

T = TypeVar("T")

EXTRA = "xinference"
"""Where a registration keeps the document that it was made of."""

HUBS = (None, "", "auto", "huggingface", "none")
"""What a document may say of the hub: there is one to fetch from."""

LAUNCHERS = "xinference.model.flexible.launchers."
"""How the names of launchers begin that come with Xinference; others are code of a user."""

TOOL_PARSERS = {
    "qwen": "hermes",
    "glm4": "glm-4",
    "llama3": "llama",
    "deepseek_v3": "deepseek-v3",
    "deepseek_r1": "deepseek-v3",
    "mistral": "mistral",
}
"""Formats of tool calls by the names of their parsers; of others the chat template tells."""

ON_LOADING = {"4-bit", "8-bit", "int4", "int8"}
"""Quantisations that version 1 made of plain weights while they were loaded."""

PART = "{part}"


class Source(msgspec.Struct, frozen=True):
    """Where the weights are on one hub."""

    model_id: str | None = None
    model_uri: str | None = None
    model_revision: str | None = None
    quantizations: list[str] | None = None
    quantization: str | None = None
    model_file_name_template: str | None = None
    model_file_name_split_template: str | None = None
    quantization_parts: dict[str, list[str]] | None = None


class Spec(Source, frozen=True):
    """A variant: what version 1 also says at the top of a document."""

    model_format: str | None = None
    model_size_in_billions: int | float | str | None = None
    model_hub: str | None = None
    model_src: dict[str, Source] | None = None


class Paper(Spec, frozen=True):
    """What is read of a document; it may say more."""

    model_name: str = ""
    version: int = 2
    model_description: str | None = None
    model_family: str | None = None
    context_length: int | None = None
    max_tokens: int | None = None
    dimensions: int | None = None
    model_lang: list[str] | None = None
    language: list[str] | None = None
    multilingual: bool | None = None
    model_ability: list[str] | None = None
    chat_template: str | None = None
    stop: list[str] | None = None
    tool_parser: str | None = None
    launcher: str | None = None
    model_specs: list[Spec] | None = None


_WHOLE = msgspec.json.Decoder(dict[str, Any])
_PAPERS = msgspec.json.Decoder(Paper)


def _read(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """The document; what is wrong with the whole of it is wrong with the field that holds it."""
    try:
        return decode(decoder, data)
    except InvalidInput as error:
        if error.param is not None:
            raise
        said = error.message.replace("the body", "the document", 1).removeprefix("body: ")
        raise InvalidInput(f"model: {said}", param="model", hint=error.hint) from error


def registration_of(model_type: str, text: str) -> Registration:
    """The registration that a document makes.

    Args:
        model_type: Type of the model, in their words.
        text: The document as JSON.

    Returns:
        What it says in our words; the document itself is kept in ``extra``.

    Raises:
        InvalidInput: The type is not served, or the document is none; names the field.
    """
    kind = kind_of(model_type)
    if len(text) > MAX_BYTES:
        raise InvalidInput(
            f"model: the document has {len(text):,} characters; up to {MAX_BYTES:,} are read",
            param="model",
        )
    data = text.encode("utf-8", "surrogatepass")
    paper, whole = _read(_PAPERS, data), _read(_WHOLE, data)
    _check(paper)
    return Registration(
        name=paper.model_name,
        kind=kind,
        weights=tuple(_weights(paper)),
        description=paper.model_description or "",
        family=paper.model_family or "",
        languages=tuple(_languages(paper)),
        abilities=_abilities(kind, paper),
        context=paper.context_length or paper.max_tokens,
        dimensions=paper.dimensions,
        chat_template=(paper.chat_template or None) if kind == "llm" else None,
        stops=tuple(stop for stop in paper.stop or () if stop),
        tool_format=_tool_format(paper.tool_parser),
        extra={EXTRA: whole},
    )


def _check(paper: Paper) -> None:
    if not paper.model_name:
        raise InvalidInput("the field 'model_name' is missing", param="model_name")
    if paper.version not in (1, 2):
        raise InvalidInput(f"version={paper.version}: 1 and 2 are read", param="version")
    if paper.launcher and not paper.launcher.startswith(LAUNCHERS):
        raise InvalidInput(
            f"launcher={paper.launcher[:80]!r}: code that a document names is never run",
            param="launcher",
            hint="leave it out: models that find things are served by engines of this server",
        )


def _languages(paper: Paper) -> Iterable[str]:
    if paper.model_lang or paper.language or paper.multilingual is None:
        return paper.model_lang or paper.language or []
    return ["multilingual"] if paper.multilingual else ["en"]


def _abilities(kind: ModelKind, paper: Paper) -> tuple[str, ...]:
    found = abilities_read(kind, paper.model_ability or ())
    return found or (("generate",) if kind == "llm" else ())


def _tool_format(parser: str | None) -> str | None:
    if parser is None:
        return None
    plain = parser.strip().casefold()
    return TOOL_PARSERS.get(plain.replace("-", "_"), plain if plain in TOOL_FORMATS else None)


# -- weights ---------------------------------------------------------------------------------


def _weights(paper: Paper) -> Iterator[Weights]:
    listed = paper.model_specs is not None
    found = 0
    for number, spec in enumerate(paper.model_specs or [paper]):
        at = f"model_specs[{number}]." if listed else ""
        if (source := _source(spec)) is None:
            continue
        found += 1
        yield _weights_of(spec, source, at)
    if not found:
        raise InvalidInput(
            "model_hub: weights are fetched from Hugging Face alone, and none of them lie there",
            param="model_hub",
            hint="name a folder with model_uri",
        )


def _source(spec: Spec) -> Source | None:
    """Where a variant is to be had from here; ``None`` if it lies on another hub."""
    if spec.model_uri:
        return spec
    if spec.model_src is not None:
        return spec.model_src.get("huggingface")
    hub = spec.model_hub and spec.model_hub.casefold()
    return spec if hub in HUBS else None


def _weights_of(spec: Spec, source: Source, at: str) -> Weights:
    shape = (spec.model_format or "pytorch").casefold()
    if shape not in FORMATS:
        raise InvalidInput(
            f"{at}model_format={shape[:80]!r}: known are {', '.join(FORMATS)}",
            param=f"{at}model_format",
        )
    place = _path(source.model_uri) if source.model_uri else source.model_id
    if not place:
        raise InvalidInput(
            f"{at}model_id: missing, and so is model_uri; one of them says where the weights are",
            param=f"{at}model_id",
        )
    quantizations = _quantizations(shape, source, place)
    return Weights(
        source=place,
        format=shape,
        size=_size(spec, at),
        quantizations=quantizations,
        revision=None if source.model_uri else source.model_revision or None,
        files=_files(source, place, quantizations, at) if shape == "ggufv2" else {},
    )


def _path(uri: str) -> str:
    """The path of a file's address; what is none is left as it is, to be refused by name."""
    for start in ("file://localhost/", "file:///"):
        if uri.startswith(start):
            return "/" + uri.removeprefix(start)
    return uri


def _size(spec: Spec, at: str) -> float | None:
    given = spec.model_size_in_billions
    if given is None or given == "":
        return None
    if (size := billions(given)) is None:
        raise InvalidInput(
            f"{at}model_size_in_billions={str(given)[:80]!r}: a number was expected, as 7, 0.5 "
            "or '0_5'",
            param=f"{at}model_size_in_billions",
        )
    return size


def _quantizations(shape: str, source: Source, place: str) -> tuple[str, ...]:
    own = [source.quantization] if source.quantization else []
    found = [name for name in source.quantizations or own if name]
    if shape == "pytorch" and QUANTIZATION not in place:
        found = [name for name in found if name.casefold() not in ON_LOADING]
    return tuple(dict.fromkeys(found)) or (PLAIN,)


def _files(source: Source, place: str, quantizations: tuple[str, ...], at: str) -> dict[str, str]:
    """The GGUF file of each quantisation; the first of those it is cut into."""
    whole, cut = source.model_file_name_template, source.model_file_name_split_template
    if whole is None and cut is None:
        if place.endswith(".gguf"):
            return {}
        raise InvalidInput(
            f"{at}model_file_name_template: missing; it names the GGUF file of a quantization",
            param=f"{at}model_file_name_template",
        )
    parts = source.quantization_parts or {}
    return {name: _file(name, whole, cut, parts.get(name)) for name in quantizations}


def _file(name: str, whole: str | None, cut: str | None, parts: list[str] | None) -> str:
    template = cut if cut is not None and (parts or whole is None) else whole or ""
    return template.replace(QUANTIZATION, name).replace(PART, parts[0] if parts else "*")
