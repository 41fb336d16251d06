"""Models that users register: what such a document may say, and what follows from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import isfinite
from pathlib import Path, PurePosixPath

import msgspec
from msgspec.structs import replace

from stelae.catalog.entry import GGUF, ModelEntry, check_name
from stelae.catalog.family import ABILITIES
from stelae.catalog.hub import REVISION, is_hub_id
from stelae.catalog.speaking import FORMATS as TOOL_FORMATS
from stelae.catalog.variants import FORMATS, GOOD, PLAIN
from stelae.errors import InvalidInput
from stelae.types import Card, Chosen, Registration, Variant, Weights
from stelae.types.card import QUANTIZATION

MAX_BYTES = 1 << 20
"""Largest document; chat templates are its longest part."""

MAX_DEPTH = 32
"""Levels of what an author wrote beside."""

MAX_VARIANTS = 512
MAX_BILLIONS = 100_000.0
MAX_TOKENS = 1 << 30
MAX_WIDTH = 1 << 20
SHOWN = 100

MARKS = (
    "config.json",
    "modules.json",
    "model_index.json",
    "router_config.json",
    "gliner_config.json",
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "artifact.metadata",
    f"*{GGUF}",
)
"""Files by which a folder is known for a checkpoint."""

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_QUANTIZATION = re.compile(r"[\w][\w.+-]{0,63}", re.ASCII)
_PATTERN = re.compile(r"[\w][\w.+*-]*(/[\w][\w.+*-]*)*\.gguf", re.ASCII)


def check_registration(registration: Registration) -> None:
    """Refuse what cannot be launched or shown; nothing of this machine is looked at.

    Raises:
        InvalidInput: Something makes no sense; the message names the field.
    """
    check_name(registration.name)
    _check_size(registration)
    _check_facts(registration)
    if not registration.weights:
        raise InvalidInput("weights: at least one entry was expected", param="weights")
    for number, weights in enumerate(registration.weights):
        _check_weights(weights, f"weights[{number}]")
    _check_variants(registration)


def check_places(registration: Registration) -> None:
    """Refuse folders and files without a checkpoint; of a place that is none nothing is told.

    Raises:
        InvalidInput: One of them holds none.
    """
    for number, weights in enumerate(registration.weights):
        for quantization in weights.quantizations:
            source = weights.source.replace(QUANTIZATION, quantization)
            if not is_hub_id(source) and not is_checkpoint(Path(source)):
                raise InvalidInput(
                    f"weights[{number}].source={source[:SHOWN]!r}: there is no checkpoint that "
                    "this server can read",
                    param=f"weights[{number}].source",
                    hint="a folder with config.json or its kin was expected, or a GGUF file",
                )


def is_checkpoint(path: Path) -> bool:
    """Whether a place of this machine looks like a checkpoint: a GGUF file, or a folder."""
    try:
        if path.suffix == GGUF and path.is_file():
            return True
        return any(found.is_file() for mark in MARKS for found in path.glob(mark))
    except OSError:
        return False


def card_of(registration: Registration) -> Card:
    """The facts of a registered model."""
    return Card(
        name=registration.name,
        family=registration.family,
        kind=registration.kind,
        aliases=(),
        languages=registration.languages,
        abilities=registration.abilities,
        inputs=tuple(_inputs(registration)),
        context=registration.context,
        dimensions=registration.dimensions,
        architectures=(),
        variants=tuple(_variants(registration.weights)),
        description=registration.description,
        builtin=False,
    )


def entry_of(registration: Registration, chosen: Chosen) -> ModelEntry:
    """A registered model as it is served, in a variant."""
    return ModelEntry(
        name=registration.name,
        source=chosen.hub,
        revision=chosen.revision,
        files=chosen.files,
        tool_format=registration.tool_format,
        chat_template=registration.chat_template,
        stops=registration.stops,
    )


def _variants(weights: Iterable[Weights]) -> Iterator[Variant]:
    for each in weights:
        whole = Variant(
            format=each.format,
            size=each.size,
            hub=each.source,
            revision=each.revision,
            quantizations=each.quantizations,
            files=(),
        )
        if each.files:
            for quantization in sorted(each.quantizations, key=_rank):
                yield replace(
                    whole,
                    hub=each.source.replace(QUANTIZATION, quantization),
                    quantizations=(quantization,),
                    files=(each.files[quantization],),
                )
        else:
            yield whole


def _rank(quantization: str) -> int:
    """Where a quantisation stands among those to take if none is asked for."""
    order = (PLAIN, *GOOD)
    name = quantization.casefold()
    return order.index(name) if name in order else len(order)


def _inputs(registration: Registration) -> Iterator[str]:
    """What it reads, as far as its abilities tell."""
    kind, abilities = registration.kind, {*registration.abilities}
    if kind == "audio":
        yield "audio" if abilities & {"transcribe", "translate"} or not abilities else "text"
        return
    yield "text"
    if abilities & {"vision", "omni", "image-to-image", "inpainting", "objects"}:
        yield "image"
    if abilities & {"audio", "omni"}:
        yield "audio"


# -- checks ----------------------------------------------------------------------------------


def _check_size(registration: Registration) -> None:
    if (wrong := _no_json(registration.extra, MAX_DEPTH)) is not None:
        raise InvalidInput(f"extra: {wrong}", param="extra")
    size = len(msgspec.json.encode(registration))
    if size > MAX_BYTES:
        raise InvalidInput(
            f"the document has {size:,} bytes; up to {MAX_BYTES:,} are kept", param="extra"
        )


def _check_facts(registration: Registration) -> None:
    known = ABILITIES[registration.kind]
    strange = sorted({*registration.abilities} - known)
    if strange:
        raise InvalidInput(
            f"abilities: {strange[0][:SHOWN]!r} is none of a model of the kind "
            f"{registration.kind!r}; known are {', '.join(sorted(known)) or 'none'}",
            param="abilities",
            details={"known": sorted(known)},
        )
    if registration.tool_format is not None and registration.tool_format not in TOOL_FORMATS:
        raise InvalidInput(
            f"tool_format={registration.tool_format[:SHOWN]!r}: known are "
            f"{', '.join(sorted(TOOL_FORMATS))}",
            param="tool_format",
        )
    _check_number("context", registration.context, MAX_TOKENS)
    _check_number("dimensions", registration.dimensions, MAX_WIDTH)


def _check_number(name: str, number: int | None, most: int) -> None:
    if number is not None and not 1 <= number <= most:
        raise InvalidInput(f"{name}={number}: 1..{most} was expected", param=name)


def _check_weights(weights: Weights, at: str) -> None:
    if weights.format not in FORMATS:
        raise InvalidInput(
            f"{at}.format={weights.format[:SHOWN]!r}: known are {', '.join(FORMATS)}",
            param=f"{at}.format",
            details={"known": list(FORMATS)},
        )
    size = weights.size
    if size is not None and not (isfinite(size) and 0 < size <= MAX_BILLIONS):
        raise InvalidInput(
            f"{at}.size={size}: billions of parameters were expected, above 0 and up to "
            f"{MAX_BILLIONS:,.0f}",
            param=f"{at}.size",
        )
    if not weights.quantizations:
        raise InvalidInput(
            f"{at}.quantizations: at least one was expected; {PLAIN!r} for weights as they are",
            param=f"{at}.quantizations",
        )
    for quantization in weights.quantizations:
        if not _QUANTIZATION.fullmatch(quantization):
            raise InvalidInput(
                f"{at}.quantizations: {quantization[:SHOWN]!r} is no name: up to 64 letters, "
                "digits and . + _ - were expected",
                param=f"{at}.quantizations",
            )
    _check_source(weights, at)
    _check_files(weights, at)


def _check_source(weights: Weights, at: str) -> None:
    source = weights.source.replace(QUANTIZATION, weights.quantizations[0])
    if is_hub_id(source):
        if weights.revision is not None and not REVISION.fullmatch(weights.revision):
            raise InvalidInput(
                f"{at}.revision={weights.revision[:SHOWN]!r}: not a branch, tag or commit",
                param=f"{at}.revision",
            )
        return
    path = PurePosixPath(source)
    scheme = _SCHEME.match(source)
    if scheme is not None or not path.is_absolute() or ".." in path.parts or "\0" in source:
        given = f"an address of {scheme['scheme']}" if scheme else "neither"
        raise InvalidInput(
            f"{at}.source={source[:SHOWN]!r}: a hub id (organisation/name) or the whole path of a "
            f"folder or GGUF file, without '..', was expected; that is {given}",
            param=f"{at}.source",
        )
    if weights.revision is not None:
        raise InvalidInput(
            f"{at}.revision: a folder has no revisions; leave it out", param=f"{at}.revision"
        )


def _check_files(weights: Weights, at: str) -> None:
    """A GGUF file is named for each quantisation, unless the source is one."""
    packed, own = weights.format == "ggufv2", weights.source.endswith(GGUF)
    if weights.files and not packed:
        raise InvalidInput(
            f"{at}.files: files are named of the format ggufv2 alone", param=f"{at}.files"
        )
    if not packed or (own and not weights.files):
        return
    lacking = [q for q in weights.quantizations if q not in weights.files]
    if lacking:
        raise InvalidInput(
            f"{at}.files: the file of the quantization {lacking[0]!r} is missing",
            param=f"{at}.files",
            hint='{"Q4_K_M": "model-Q4_K_M.gguf"}, or a GGUF file as the source',
        )
    for pattern in weights.files.values():
        if not _PATTERN.fullmatch(pattern) or ".." in pattern:
            raise InvalidInput(
                f"{at}.files: {pattern[:SHOWN]!r} is no path of a GGUF file inside the repository",
                param=f"{at}.files",
            )


def _check_variants(registration: Registration) -> None:
    """Refuse two variants that no wish could tell apart, and very many."""
    told = [
        (weights.format, weights.size, quantization.casefold())
        for weights in registration.weights
        for quantization in weights.quantizations
    ]
    if len(told) > MAX_VARIANTS:
        raise InvalidInput(
            f"weights: {len(told)} variants; up to {MAX_VARIANTS} are taken", param="weights"
        )
    for variant in told:
        if told.count(variant) > 1:
            shape, size, quantization = variant
            billions = "" if size is None else f" of {size:g} billions"
            raise InvalidInput(
                f"weights: {shape}{billions} in {quantization!r} stands there twice",
                param="weights",
            )


def _no_json(value: object, depth: int) -> str | None:
    """Why a value cannot be told again in any form; ``None`` if it can."""
    if isinstance(value, dict | list):
        if depth == 0:
            return f"nested more than {MAX_DEPTH} levels deep"
        if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
            return "names of fields are texts"
        inner = value.values() if isinstance(value, dict) else value
        return next((wrong for each in inner if (wrong := _no_json(each, depth - 1))), None)
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return "numbers have up to 64 bits"
    if value is None or isinstance(value, str | int | float):
        return None
    return f"a value of the type {type(value).__name__} is none of JSON"
