"""Encode: texts in, vectors out. The call and its result, columns not objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from stelae.errors import ErrorInfo
from stelae.types.columns import Quantization, Ragged, Sparse
from stelae.types.enums import EmbeddingDtype, OutputType, Role, Truncate
from stelae.types.item import Item
from stelae.types.lazy import np
from stelae.types.usage import Timing, Usage

if TYPE_CHECKING:
    Matrix = np.typing.NDArray[Any]
    """A 2-D array of numbers, one row per item."""
else:
    Matrix = Any  # a name for annotations, which must not load NumPy


class Muvera(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Turn token vectors into one vector whose dot products stand for late interaction.

    Attributes:
        repetitions: Independent partitions of space.
        projections: Planes of each partition; it has ``2 ** projections`` cells.
        dimensions: Width of the result; ``None`` for all
            ``repetitions * 2 ** projections * D`` numbers.
        seed: Decides the planes; queries and documents need the same.

    Source:
        Dhulipala et al. 2024 (arXiv:2405.19504).
    """

    repetitions: int = 40
    projections: int = 6
    dimensions: int | None = 10240
    seed: int = 42


class EncodeCall(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Ask a model for the representation of each item.

    Attributes:
        model: Name or alias of the model.
        items: What to encode, in order.
        outputs: Kinds of representation wanted; ``None`` for dense vectors, unless the
            model's profile says others.
        role: Side of the search; selects the prompt that the checkpoint names
            ``query`` or ``document``, if it has one.
        prompt_name: Name of one of the checkpoint's prompts.
        prompt: A prompt given in full; excludes ``prompt_name``.
        dimensions: Keep the first so many numbers of each vector and normalise
            again; only for models trained for it (Matryoshka).
        instruction: The task in words, for models trained with instructions; excludes
            ``prompt`` and ``prompt_name``.
        dtype: Number format of the answer; ``None`` for float32, unless the profile says
            another.
        normalize: Whether vectors get unit length; ``None`` as the model says.
        truncate: What to do with items that are too long.
        max_tokens: Longest text in tokens, special ones included, where it should be shorter
            than the model reads; for longer ones ``truncate`` decides.
        pool_factor: Keep one token vector of so many, by joining similar ones; queries
            keep all.
        muvera: Make the dense vector of the token vectors, so that dot products stand
            for late interaction.
        lora: Name of one of the model's adapters; ``None`` for the model itself.
        gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``; ``None``
            for any.
    """

    model: str
    items: list[Item]
    outputs: tuple[OutputType, ...] | None = None
    role: Role | None = None
    prompt_name: str | None = None
    prompt: str | None = None
    instruction: str | None = None
    dimensions: int | None = None
    dtype: EmbeddingDtype | None = None
    normalize: bool | None = None
    truncate: Truncate = Truncate.END
    max_tokens: int | None = None
    gpu: str | None = None
    pool_factor: int | None = None
    muvera: Muvera | None = None
    lora: str | None = None

    @property
    def kinds(self) -> tuple[OutputType, ...]:
        """Kinds of representation to make."""
        return (OutputType.DENSE,) if self.outputs is None else self.outputs

    @property
    def format(self) -> EmbeddingDtype:
        """Number format to write them in."""
        return self.dtype or EmbeddingDtype.FLOAT32

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
        dense: Vectors, shape ``(N, D)``; the row of a failed item is NaN, or 0 in
            dtypes without NaN.
        sparse: Weights of terms; a failed item has none.
        multivector: Token vectors; a failed item has none.
        quantization: How to read ``dense`` if it is in whole numbers.
        tokens: Tokens run per item, shape ``(N,)``, special tokens included.
        truncated: Whether an item was cut, shape ``(N,)``.
        errors: What went wrong, by item index; other items are unharmed.
        usage: Tokens run in all.
        timing: Where the time went.
        replica: Which of the model's replicas ran it, from 0.
    """

    model: str
    fingerprint: str
    tokens: np.typing.NDArray[np.int32]
    truncated: np.typing.NDArray[np.bool_]
    dense: np.typing.NDArray[Any] | None = None
    sparse: Sparse | None = None
    multivector: Ragged | None = None
    quantization: Quantization | None = None
    errors: dict[int, ErrorInfo] = {}
    usage: Usage = Usage()
    timing: Timing = Timing()
    replica: int = 0
