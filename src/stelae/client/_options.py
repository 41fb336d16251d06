"""The options of ``encode``: checked once, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypedDict, TypeVar

import msgspec

from stelae.client._items import text_size
from stelae.errors import InvalidInput
from stelae.types import ComputeDtype, EmbeddingDtype, EncodeCall, OutputType, Role, Truncate

OutputName = OutputType | Literal["dense"]
Progress = bool | Callable[[int, int | None], object]
"""``True`` for a bar, or a function called with items done and items in all (if known)."""

E = TypeVar("E", bound=StrEnum)


class EncodeOptions(TypedDict, total=False):
    """What can be asked of ``encode`` besides the items.

    Attributes:
        model: Name of the model; the client's own model if not given.
        outputs: Kinds of representation wanted.
        role: Side of the search, ``"query"`` or ``"document"``: selects the
            prompt of that name, if the model has one.
        prompt_name: Name of one of the model's prompts.
        prompt: A prompt given in full; excludes ``prompt_name``.
        dimensions: Keep the first so many numbers of each vector and normalise
            again; only for models trained for it (Matryoshka).
        dtype: Number format of the answer, ``"float32"`` or ``"float16"``.
        normalize: Whether vectors get unit length; ``None`` as the model says.
        truncate: What to do with items longer than the model reads: drop tokens
            at the ``"end"`` or the ``"start"``, or fail them with ``"error"``.
        errors: ``"raise"`` the error of the first failed item, or ``"return"``
            each in its ``Encoding``.
        progress: ``True`` shows a bar; a function is called with the items done
            and the items in all, ``None`` if that is not known.
        timeout: Seconds for the whole call, retries included; for a stream, for
            each of its requests. ``None`` gives each request the client's own timeout.
        batch_size: Most items in one request; ``None`` lets the client choose.
    """

    model: str | None
    outputs: OutputName | Sequence[OutputName]
    role: Role | Literal["query", "document"] | None
    prompt_name: str | None
    prompt: str | None
    dimensions: int | None
    dtype: EmbeddingDtype | Literal["float32", "float16"]
    normalize: bool | None
    truncate: Truncate | Literal["end", "start", "error"]
    errors: Literal["raise", "return"]
    progress: Progress
    timeout: float | None
    batch_size: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a call is carried out: the request to repeat for each chunk, and the rest.

    Attributes:
        template: The request, without items.
        raises: Whether the first failed item ends the call.
        progress: Who is told about finished items.
        timeout: Seconds for the whole call; ``None`` if not limited as a whole.
        batch_size: Most items in one request.
    """

    template: EncodeCall
    raises: bool = True
    progress: Progress = False
    timeout: float | None = None
    batch_size: int | None = None


def plan(options: EncodeOptions, model: str) -> Plan:
    """Check the options of one call.

    Args:
        options: As the caller gave them.
        model: The client's own model.

    Raises:
        InvalidInput: An option is unknown, or its value is not one of those it takes.
    """
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
        template=_template(options, model),
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


def _template(options: EncodeOptions, model: str) -> EncodeCall:
    name, role = options.get("model"), options.get("role")
    fields: dict[str, Any] = {
        "model": model if name is None else name,
        "items": [],
        "outputs": _outputs(options.get("outputs", OutputType.DENSE)),
        "role": None if role is None else _choice(Role, role, "role"),
        "prompt_name": options.get("prompt_name"),
        "prompt": options.get("prompt"),
        "dimensions": options.get("dimensions"),
        "dtype": _choice(EmbeddingDtype, options.get("dtype", EmbeddingDtype.FLOAT32), "dtype"),
        "normalize": options.get("normalize"),
        "truncate": _choice(Truncate, options.get("truncate", Truncate.END), "truncate"),
    }
    try:
        call = msgspec.convert(fields, EncodeCall)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"an option of encode is wrong: {error}") from error
    for param in ("model", "prompt_name", "prompt"):
        text_size(getattr(call, param) or "", param)
    return call


def _outputs(value: object) -> list[OutputType]:
    several = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return [_choice(OutputType, one, "outputs") for one in several]


def _choice(kind: type[E], value: object, param: str) -> E:
    if isinstance(value, str) and value in set(kind):
        return kind(value)
    words = ", ".join(repr(str(word)) for word in kind)
    raise InvalidInput(f"{param}={value!r}: choose one of {words}", param=param)
