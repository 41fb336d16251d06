"""What every text embedding engine does the same: options, prompts, the result matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.errors import EngineFailed, InvalidInput, StelaeError, UnsupportedTask
from stelae.types import EmbeddingDtype, EncodeCall, EncodeResult, Item, Role, Usage

Row = NDArray[np.float32]
"""One vector, shape ``(D,)``, before a closing ``Normalize`` module."""

PROMPT_NAMES = {
    Role.QUERY: ("query",),
    Role.DOCUMENT: ("document", "passage", "corpus"),
}
"""Names under which checkpoints keep the prompt of a role; the first found counts."""

LONGEST_NAME = 128
"""Characters of a wrong name that are looked at and shown."""

SMALLEST = np.float32(1e-12)
"""Length below which a vector is not scaled up (torch ``normalize`` has the same)."""


def check_call(spec: ModelSpec, call: EncodeCall) -> None:
    """Refuse a call that this model cannot run, whatever its items are.

    Raises:
        InvalidInput: An option is wrong; ``param`` names it.
        UnsupportedTask: The model does not make a representation asked for.
    """
    _check_outputs(spec, call)
    _check_prompt(spec, call)
    if call.dimensions is not None:
        _check_dimensions(spec, call.dimensions)


def _check_outputs(spec: ModelSpec, call: EncodeCall) -> None:
    if not call.outputs:
        raise InvalidInput(
            f"outputs=[]: nothing was asked for; choose from {_listed(spec.outputs)}",
            param="outputs",
        )
    for kind in call.outputs:
        if kind not in spec.outputs:
            raise UnsupportedTask(
                f"outputs={kind.value!r}: model {spec.name!r} makes {_listed(spec.outputs)} only",
                param="outputs",
            )


def _check_prompt(spec: ModelSpec, call: EncodeCall) -> None:
    if call.prompt is not None and call.prompt_name is not None:
        raise InvalidInput(
            f"prompt and prompt_name={call.prompt_name!r} were both given; give one of them",
            param="prompt",
        )
    if call.prompt is not None and (reason := unreadable(call.prompt)) is not None:
        raise InvalidInput(f"prompt {reason}", param="prompt")
    if call.prompt_name is not None and call.prompt_name not in spec.prompts:
        raise _unknown_prompt(spec, call.prompt_name)


def _unknown_prompt(spec: ModelSpec, name: str) -> InvalidInput:
    if not spec.prompts:
        known = "it has no prompts; leave prompt_name out, or give the text itself as prompt"
    else:
        known = f"it has {_listed(sorted(spec.prompts))}"
    short = name[:LONGEST_NAME]
    near = get_close_matches(short, list(spec.prompts), n=1)
    return InvalidInput(
        f"prompt_name={short!r}: model {spec.name!r} has no such prompt; {known}",
        param="prompt_name",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _check_dimensions(spec: ModelSpec, wanted: int) -> None:
    width = spec.dimensions
    if not 1 <= wanted <= width:
        choice = f"1..{width}" if spec.matryoshka else f"{width} or leave it out"
        raise InvalidInput(
            f"dimensions={wanted}: model {spec.name!r} makes {width}-wide vectors; choose {choice}",
            param="dimensions",
            hint=_trained_widths(spec),
        )
    if wanted != width and not spec.matryoshka:
        raise InvalidInput(
            f"dimensions={wanted}: model {spec.name!r} was not trained to have its {width}-wide "
            "vectors cut (Matryoshka); leave dimensions out",
            param="dimensions",
        )


def _trained_widths(spec: ModelSpec) -> str | None:
    if not spec.matryoshka:
        return None
    return f"it was trained for {_listed(spec.matryoshka)}"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def choose_prompt(spec: ModelSpec, call: EncodeCall) -> str:
    """The text to put before each item; empty for none.

    A prompt given in full or by name counts first, then the role, then the
    model's default. A role for which the model has no prompt means none.
    """
    if call.prompt is not None:
        return call.prompt
    if call.prompt_name is not None:
        return spec.prompts[call.prompt_name]
    if call.role is not None:
        return next((spec.prompts[n] for n in PROMPT_NAMES[call.role] if n in spec.prompts), "")
    return spec.prompts[spec.default_prompt] if spec.default_prompt is not None else ""


def item_error(item: Item, vocabulary: int) -> InvalidInput | None:
    """Why an item cannot be run, or ``None`` if it can.

    Args:
        item: The item.
        vocabulary: Number of token ids that the model has.
    """
    if (item.text is None) == (item.token_ids is None):
        return InvalidInput("an item needs either text or token_ids", param="items")
    if item.text is not None:
        reason = unreadable(item.text)
        return InvalidInput(f"text {reason}", param="items") if reason else None
    wrong = next((i for i in item.token_ids or () if not 0 <= i < vocabulary), None)
    if wrong is not None:
        return InvalidInput(
            f"token_ids has {wrong}; ids of this model are 0..{vocabulary - 1}", param="items"
        )
    return None


def unreadable(text: str) -> str | None:
    """Why a text is not one, or ``None`` if it is: lone surrogates have no UTF-8."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        return (
            f"has the lone surrogate U+{code:04X} at position {error.start}, which is no character"
        )
    return None


def assemble(
    call: EncodeCall,
    spec: ModelSpec,
    fingerprint: str,
    prepared: Sequence[Prepared[Any]],
    rows: Sequence[Row | StelaeError],
) -> EncodeResult:
    """Put the vectors of a call together: cut, normalise, cast.

    Args:
        call: What was asked for; ``check_call`` has accepted it.
        spec: The model.
        fingerprint: What is served.
        prepared: One per item, in order.
        rows: One per item, in order: its vector of ``spec.dimensions`` numbers as
            the modules before a closing ``Normalize`` make it, or its error.

    Returns:
        One row per item; a failed item's row is NaN and its error is told by
        index. A vector that is not finite, or does not fit the dtype asked for,
        fails its item.
    """
    errors = {i: e for i, e in enumerate(map(_error, prepared, rows)) if e is not None}
    width = call.dimensions or spec.dimensions
    dense = np.full((len(rows), width), np.nan, np.float32)
    good = [i for i in range(len(rows)) if i not in errors]
    if good:
        dense[good] = _scaled(np.stack([_vector(rows[i])[:width] for i in good]), _unit(spec, call))
    dense, failed = _cast(dense, call.dtype, good)
    errors |= failed
    ran = np.array([i not in errors for i in range(len(rows))], np.bool_)
    tokens = np.where(ran, np.array([p.tokens for p in prepared], np.int32), 0).astype(np.int32)
    return EncodeResult(
        model=spec.name,
        fingerprint=fingerprint,
        dense=dense,
        tokens=tokens,
        truncated=np.array([p.truncated for p in prepared], np.bool_),
        errors={i: error.info for i, error in sorted(errors.items())},
        usage=Usage(tokens=int(tokens.sum())),
    )


def _error(prepared: Prepared[Any], row: Row | StelaeError) -> StelaeError | None:
    return prepared.error or (row if isinstance(row, StelaeError) else None)


def _vector(row: Row | StelaeError) -> Row:
    if isinstance(row, StelaeError):
        raise TypeError("an item with an error has no vector")
    return row


def _unit(spec: ModelSpec, call: EncodeCall) -> bool:
    return spec.normalized if call.normalize is None else call.normalize


def _scaled(vectors: NDArray[np.float32], unit: bool) -> NDArray[np.float32]:
    if not unit:
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = vectors / np.maximum(lengths, SMALLEST)
    return scaled


def _cast(
    dense: NDArray[np.float32], dtype: EmbeddingDtype, good: Sequence[int]
) -> tuple[NDArray[Any], dict[int, StelaeError]]:
    """The matrix in its dtype, and the items of which a number is lost in it."""
    with np.errstate(over="ignore"):
        cast = dense.astype(np.dtype(dtype.value), copy=False)
    finite: list[bool] = np.all(np.isfinite(cast), axis=1).tolist()
    lost = [i for i in good if not finite[i]]
    failed: dict[int, StelaeError] = {}
    for i in lost:
        failed[i] = (
            InvalidInput(
                f"dtype={dtype.value!r}: the vector has numbers over 65504; choose float32 or "
                "normalize=True",
                param="dtype",
            )
            if np.isfinite(dense[i]).all()
            else EngineFailed("the model gave a vector with numbers that are not finite")
        )
    cast[lost] = np.nan
    return cast, failed
