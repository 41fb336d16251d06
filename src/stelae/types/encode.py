"""Encode: texts in, vectors out. The call and its result, columns not objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.enums import EmbeddingDtype, OutputType, Role, Truncate
from stelae.types.lazy import np
from stelae.types.usage import Timing, Usage

if TYPE_CHECKING:
    Matrix = np.typing.NDArray[Any]
    """A 2-D array of numbers, one row per item."""
else:
    Matrix = Any  # a name for annotations, which must not load NumPy


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to encode: a text, or the token ids of one.

    Attributes:
        text: The text as written; prompts are added by the server.
        token_ids: Ids of this model's own tokenizer, without special tokens.
        id: The caller's name for the item, returned with its result.
        metadata: Anything; carried by the client, never sent on.
    """

    text: str | None = None
    token_ids: list[int] | None = None
    id: str | None = None
    metadata: dict[str, Any] | None = None


class EncodeCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model for the representation of each item.

    Attributes:
        model: Name or alias of the model.
        items: What to encode, in order.
        outputs: Kinds of representation wanted.
        role: Side of the search; selects the prompt that the checkpoint names
            ``query`` or ``document``, if it has one.
        prompt_name: Name of one of the checkpoint's prompts.
        prompt: A prompt given in full; excludes ``prompt_name``.
        dimensions: Keep the first so many numbers of each vector and normalise
            again; only for models trained for it (Matryoshka).
        dtype: Number format of the answer.
        normalize: Whether vectors get unit length; ``None`` as the model says.
        truncate: What to do with items that are too long.
    """

    model: str
    items: list[Item]
    outputs: tuple[OutputType, ...] = (OutputType.DENSE,)
    role: Role | None = None
    prompt_name: str | None = None
    prompt: str | None = None
    dimensions: int | None = None
    dtype: EmbeddingDtype = EmbeddingDtype.FLOAT32
    normalize: bool | None = None
    truncate: Truncate = Truncate.END

    def part(self, start: int, stop: int) -> EncodeCall:
        """The same call for the items ``start`` to ``stop`` only."""
        if start == 0 and stop >= len(self.items):
            return self
        return msgspec.structs.replace(self, items=self.items[start:stop])


class EncodeResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model made of the items, row by row in the order given.

    Attributes:
        model: Name of the model that ran.
        fingerprint: Identifies weights, pooling, normalisation, prompts and dtype.
        dense: Vectors, shape ``(N, D)``; the row of a failed item is NaN.
        tokens: Tokens run per item, shape ``(N,)``, special tokens included.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: What went wrong, by item index; other items are unharmed.
        usage: Tokens run in all.
        timing: Where the time went.
    """

    model: str
    fingerprint: str
    tokens: np.typing.NDArray[np.int32]
    truncated: np.typing.NDArray[np.bool_]
    dense: np.typing.NDArray[Any] | None = None
    errors: dict[int, ErrorInfo] = {}
    usage: Usage = Usage()
    timing: Timing = Timing()
