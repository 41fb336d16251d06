"""What a language model is expected to take when it writes, before it is fetched or loaded."""

from __future__ import annotations

import re

import msgspec

from stelae.catalog.gguf import KINDS
from stelae.catalog.shape import Shape
from stelae.service.footprint import WORKER

BATCH = 4096
"""Tokens that are worked on at once at most, as ``limits.batch_tokens`` says by default."""

PLAIN = {"pytorch": 16.0, "fp8": 8.0, "fp4": 4.0, "gptq": 4.0, "awq": 4.0, "bnb": 4.0, "mlx": 4.0}
"""Bits of a weight of each format, where its quantisation does not say them."""

FORMATS = (*PLAIN, "ggufv2")
"""Those of which an estimate can be made."""

SCALES = 0.5
"""Bits of a weight that its group's scale and zero take, in groups of 32 to 64."""

GGUF = {name: size * 8 / block for name, block, size in KINDS.values()}
"""Bits of a weight by the kinds of GGUF files."""

_BITS = re.compile(r"(?<!\d)(32|16|8|6|5|4|3|2|1)(?!\d)")


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Memory in bytes.

    Attributes:
        weights: Of the weights.
        cache: Of keys and values of one text of full length.
        work: Of what is computed for a batch, for a moment.
        worker: Of all else in the process.
    """

    weights: int
    cache: int
    work: int
    worker: int = WORKER

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.work + self.worker


def estimate(weights: int, shape: Shape, context: int, *, cache_bits: int = 16) -> Estimate:
    """What a model takes that writes one text.

    Args:
        weights: Bytes of its weights.
        shape: Its measures.
        context: Tokens of the text, prompt and answer.
        cache_bits: Bits of each number of keys and values.
    """
    tokens = min(context, BATCH)
    return Estimate(
        weights=weights,
        cache=shape.layers * shape.kept * context * cache_bits // 8,
        work=tokens * (4 * shape.width + 2 * shape.inner) * 2,  # states and what a layer makes
    )


def weights_of_size(billions: float, form: str, quantization: str | None) -> int:
    """Bytes of weights that nobody has weighed."""
    return round(billions * 1e9 * bits_of(form, quantization) / 8)


def bits_of(form: str, quantization: str | None) -> float:
    """Bits of a weight, by the names of its format and quantisation; a guess for unknown ones."""
    word = (quantization or "").casefold().removeprefix("i1-").replace("fp", "f")
    if form == "ggufv2":
        kinds = [kind for kind in GGUF if word.startswith(kind.casefold())]
        if kinds:
            return GGUF[max(kinds, key=len)]
    found = _BITS.search(word)
    if found is None:
        bits = PLAIN.get(form, 4.0)
        return bits + (SCALES if bits == PLAIN["gptq"] else 0.0)
    bits = float(found[1])
    return bits if word.startswith(("f", "bf")) else bits + SCALES
