"""The options of the verbs: checked once, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Literal, TypedDict, TypeVar

import msgspec

from stelae.client._items import AnyCall, ItemLike, checked, sendable, text_size
from stelae.client._place import Place
from stelae.errors import InvalidInput
from stelae.types import (
    ComputeDtype,
    EmbeddingDtype,
    EncodeCall,
    ExtractCall,
    Muvera,
    OutputType,
    Role,
    ScoreCall,
    Truncate,
)

OutputName = OutputType | Literal["dense", "sparse", "multivector"]
DtypeName = EmbeddingDtype | Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]
ComputeDtypeName = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Progress = bool | Callable[[int, int | None], object]
"""``True`` for a bar, or a function called with items done and items in all (if known)."""

E = TypeVar("E", bound=StrEnum)


class EncodeOptions(TypedDict, total=False):
    """What can be asked of ``encode`` besides the items.

    Attributes:
        model: Name of the model; the client's own model if not given.
        outputs: Kinds of representation wanted: ``"dense"``, ``"sparse"``, ``"multivector"``;
            ``None`` for dense ones, unless the model's profile says others.
        role: Side of the search, ``"query"`` or ``"document"``: selects the
            prompt of that name, if the model has one.
        prompt_name: Name of one of the model's prompts.
        prompt: A prompt given in full; excludes ``prompt_name``.
        instruction: The task in words, for models trained with instructions.
        dimensions: Keep the first so many numbers of each vector and normalise
            again; only for models trained for it (Matryoshka).
        dtype: Number format of vectors: ``"float32"``, ``"float16"``, ``"int8"``,
            ``"uint8"``, ``"binary"`` or ``"ubinary"``.
        normalize: Whether vectors get unit length; ``None`` as the model says.
        truncate: What to do with items longer than the model reads: drop tokens
            at the ``"end"`` or the ``"start"``, or fail them with ``"error"``.
        max_tokens: Longest text in tokens, where it should be shorter than the model reads.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``.
        pool_factor: Keep one token vector of so many, by joining similar ones.
        muvera: Give token vectors as one dense vector of fixed width.
        lora: Name of one of the model's adapters.
        errors: ``"raise"`` the error of the first failed item, or ``"return"``
            each in its ``Encoding``.
        progress: ``True`` shows a bar; a function is called with the items done
            and the items in all, ``None`` if that is not known.
        timeout: Seconds for the whole call, retries included; for a stream, for
            each of its requests. ``None`` gives each request the client's own timeout.
        batch_size: Most items in one request; ``None`` lets the client choose.
    """

    model: str | None
    outputs: OutputName | Sequence[OutputName] | None
    role: Role | Literal["query", "document"] | None
    prompt_name: str | None
    prompt: str | None
    instruction: str | None
    dimensions: int | None
    dtype: DtypeName | None
    normalize: bool | None
    truncate: Truncate | Literal["end", "start", "error"]
    max_tokens: int | None
    gpu: str | None
    pool_factor: int | None
    muvera: Muvera | None
    lora: str | None
    errors: Literal["raise", "return"]
    progress: Progress
    timeout: float | None
    batch_size: int | None


class ScoreOptions(TypedDict, total=False):
    """What can be asked of ``score`` besides the query and the documents.

    Attributes:
        model: Name of the model; the client's own model if not given.
        instruction: The task in words, for models trained with instructions.
        by: Kind of representation to compare, for models that make several.
        normalize: ``False`` for the plain logits of a model that reads pairs.
        truncate: What to do with texts longer than the model reads.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``.
        lora: Name of one of the model's adapters.
        errors: ``"raise"`` the error of the first failed document, or ``"return"``
            each in its ``Score``.
        progress: ``True`` shows a bar; a function is called with the documents
            done and the documents in all, ``None`` if that is not known.
        timeout: Seconds for the whole call, retries included; ``None`` gives each
            request the client's own timeout.
        batch_size: Most documents in one request; ``None`` lets the client choose.
    """

    model: str | None
    instruction: str | None
    by: OutputName | None
    normalize: bool | None
    truncate: Truncate | Literal["end", "start", "error"]
    gpu: str | None
    lora: str | None
    errors: Literal["raise", "return"]
    progress: Progress
    timeout: float | None
    batch_size: int | None


class ExtractOptions(TypedDict, total=False):
    """What can be asked of ``extract`` besides the items.

    Attributes:
        model: Name of the model; the client's own model if not given.
        labels: What to look for: kinds of names, classes or objects.
        relations: Kinds of relation to look for between the names found.
        output_schema: JSON Schema of the fields wanted, for models that write.
        instruction: The task in words, for models that take one.
        threshold: Least score of what is returned, 0 to 1; ``None`` as the model says.
        nested: Whether names may lie within each other.
        multi_label: Whether classes do not exclude each other; ``None`` as the model says.
        hypothesis: Sentence with a place ``{}`` for a class, for models that judge sentences.
        max_new_tokens: Most tokens written, for models that write.
        beams: Width of the search, for models that write.
        truncate: What to do with items that are too long and are not read in windows.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``.
        errors: ``"raise"`` the error of the first failed item, or ``"return"`` each in its
            ``Extracted``.
        progress: ``True`` shows a bar; a function is called with the items done and the
            items in all, ``None`` if that is not known.
        timeout: Seconds for the whole call, retries included; ``None`` gives each
            request the client's own timeout.
        batch_size: Most items in one request; ``None`` lets the client choose.
    """

    model: str | None
    labels: Sequence[str]
    relations: Sequence[str]
    output_schema: dict[str, Any] | None
    instruction: str | None
    threshold: float | None
    nested: bool
    multi_label: bool | None
    hypothesis: str | None
    max_new_tokens: int | None
    beams: int | None
    truncate: Truncate | Literal["end", "start", "error"]
    gpu: str | None
    errors: Literal["raise", "return"]
    progress: Progress
    timeout: float | None
    batch_size: int | None


Options = EncodeOptions | ScoreOptions | ExtractOptions


@dataclass(frozen=True, slots=True)
class Plan(Generic[AnyCall]):
    """How a call is carried out: the request to repeat for each chunk, and the rest.

    Attributes:
        verb: What is asked for, as callers know it.
        template: The request, without items.
        raises: Whether the first failed item ends the call.
        progress: Who is told about finished items.
        timeout: Seconds for the whole call; ``None`` if not limited as a whole.
        batch_size: Most items in one request.
    """

    verb: str
    template: AnyCall
    raises: bool = True
    progress: Progress = False
    timeout: float | None = None
    batch_size: int | None = None


def encode_plan(options: EncodeOptions, model: str) -> Plan[EncodeCall]:
    """Check the options of one call.

    Args:
        options: As the caller gave them.
        model: The client's own model.

    Raises:
        InvalidInput: An option is unknown, or its value is not one of those it takes.
    """
    role, dtype, outputs = (options.get(name) for name in ("role", "dtype", "outputs"))
    fields = {
        "items": [],
        "outputs": None if outputs is None else _outputs(outputs),
        "role": None if role is None else _choice(Role, role, "role"),
        "dtype": None if dtype is None else _choice(EmbeddingDtype, dtype, "dtype"),
        **_plain(options, "prompt_name", "prompt", "dimensions", "pool_factor", "muvera"),
        **_plain(options, "normalize", "max_tokens", "lora"),
        **_shared(options, model),
    }
    return _plan("encode", _call(fields, EncodeCall, "encode"), options)


def score_plan(options: ScoreOptions, query: ItemLike, model: str) -> Plan[ScoreCall]:
    """Check the options of one call, and its query.

    Args:
        options: As the caller gave them.
        query: What is looked for.
        model: The client's own model.

    Raises:
        InvalidInput: As ``encode_plan``; or the query is no item.
    """
    place, by = Place("query"), options.get("by")
    item = sendable(checked(query, place)[0], place)
    fields = {
        "query": {},
        "documents": [],
        "by": None if by is None else _choice(OutputType, by, "by"),
        **_plain(options, "normalize", "lora"),
        **_shared(options, model),
    }
    call = _call(fields, ScoreCall, "score")
    return _plan("score", msgspec.structs.replace(call, query=item), options)


def extract_plan(options: ExtractOptions, model: str) -> Plan[ExtractCall]:
    """Check the options of one call.

    Args:
        options: As the caller gave them.
        model: The client's own model.

    Raises:
        InvalidInput: As ``encode_plan``.
    """
    fields = {
        "items": [],
        "labels": _several(options.get("labels", ()), "labels"),
        "relations": _several(options.get("relations", ()), "relations"),
        "nested": options.get("nested", False),
        **_plain(options, "output_schema", "threshold", "multi_label", "hypothesis"),
        **_plain(options, "max_new_tokens", "beams"),
        **_shared(options, model),
    }
    return _plan("extract", _call(fields, ExtractCall, "extract"), options)


def _several(value: object, param: str) -> list[object]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidInput(f"{param}={value!r}: give a list of texts", param=param)
    return list(value)


def _shared(options: Options, model: str) -> dict[str, Any]:
    name = options.get("model")
    return {
        "model": model if name is None else name,
        "truncate": _choice(Truncate, options.get("truncate", Truncate.END), "truncate"),
        **_plain(options, "instruction", "gpu"),
    }


def _plain(options: Options, *names: str) -> dict[str, Any]:
    return {name: options.get(name) for name in names}


def _call(fields: dict[str, Any], kind: type[AnyCall], verb: str) -> AnyCall:
    try:
        call = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"an option of {verb} is wrong: {error}") from error
    for param in ("model", "prompt_name", "prompt", "instruction", "lora", "gpu"):
        text_size(fields.get(param) or "", Place(param))
    return call


def _plan(verb: str, template: AnyCall, options: Options) -> Plan[AnyCall]:
    errors = options.get("errors", "raise")
    if errors not in ("raise", "return"):
        raise InvalidInput(f"errors={errors!r}: choose 'raise' or 'return'", param="errors")
    progress = options.get("progress", False)
    if not (isinstance(progress, bool) or callable(progress)):
        raise InvalidInput(
            f"progress={progress!r}: give True, False or a function", param="progress"
        )
    size = options.get("batch_size")
    return Plan(
        verb=verb,
        template=template,
        raises=errors == "raise",
        progress=progress,
        timeout=seconds(options.get("timeout"), "timeout"),
        batch_size=None if size is None else count(size, "batch_size"),
    )


def seconds(value: object, name: str) -> float | None:
    """A time limit, or ``None`` for none.

    Raises:
        InvalidInput: It is not a number above zero.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise InvalidInput(f"{name}={value!r}: give seconds above 0, or None", param=name)
    return float(value)


def count(value: object, name: str) -> int:
    """A count.

    Raises:
        InvalidInput: It is not a whole number above zero.
    """
    if type(value) is int and value > 0:
        return value
    raise InvalidInput(f"{name}={value!r}: give a count above 0", param=name)


def compute_dtype(value: object) -> ComputeDtype:
    """A number format to compute in.

    Raises:
        InvalidInput: There is no such format.
    """
    return _choice(ComputeDtype, value, "dtype")


def _outputs(value: object) -> list[OutputType]:
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return list(dict.fromkeys(_choice(OutputType, one, "outputs") for one in several))


def _choice(kind: type[E], value: object, param: str) -> E:
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    words = ", ".join(repr(str(word)) for word in kind)
    raise InvalidInput(f"{param}={value!r}: choose one of {words}", param=param)
