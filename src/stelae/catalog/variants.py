"""The variants of a model, and which of them is meant: format, size, quantisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Literal, get_args

import msgspec

from stelae.errors import InvalidInput
from stelae.types import Chosen, Variant

Format = Literal["pytorch", "ggufv2", "fp8", "gptq", "awq", "bnb", "fp4", "mlx"]
"""How weights are stored, by the names that Xinference gives; those served first come first."""

FORMATS: tuple[str, ...] = get_args(Format)

PLAIN = "none"
"""The quantisation of weights as their authors stored them."""

GOOD = ("q4_k_m", "q4_k", "q4_k_s", "q4_0", "q8_0")
"""Quantisations of GGUF files to take if none is asked for, the best trade first."""

SIZE, PART = "{size}", "{part}"
"""Places in hub ids and file names."""


class Row(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Variants that differ in size only: one line of a family's file.

    Attributes:
        hub: Hub id, perhaps with ``{size}`` and ``{quantization}``.
        format: How the weights are stored.
        sizes: Billions of parameters.
        revision: Commit to take; ``None`` is the main branch.
        quantizations: What there is to choose.
        file: Name of the GGUF file, perhaps with ``{size}`` and ``{quantization}``.
        parts: The same where it is cut in several, with ``{part}`` for the numbers.
    """

    hub: str
    format: Format = "pytorch"
    sizes: tuple[float, ...] = ()
    revision: str | None = None
    quantizations: tuple[str, ...] = (PLAIN,)
    file: str | None = None
    parts: str | None = None

    def __post_init__(self) -> None:
        if (self.format == "ggufv2") != bool(self.file or self.parts):
            raise ValueError("a variant names a file exactly if its format is ggufv2")
        if not self.quantizations:
            raise ValueError("a variant has at least one quantization")

    @property
    def variants(self) -> Iterator[Variant]:
        """One for each size."""
        files = [file for file in (self.file, self.parts) if file is not None]
        for size in self.sizes or (None,):
            text = "" if size is None else f"{size:g}"
            yield Variant(
                format=self.format,
                size=size,
                hub=self.hub.replace(SIZE, text),
                revision=self.revision,
                quantizations=self.quantizations,
                files=tuple(file.replace(SIZE, text).replace(PART, "*") for file in files),
            )


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; ``None`` leaves it open.

    Attributes:
        format: A format, in any case; ``gguf`` is ``ggufv2``.
        size: Billions of parameters: ``7``, ``0.5``, ``"0.5"`` or ``"0_5"``.
        quantization: A quantisation, in any case.
    """

    format: str | None = None
    size: float | str | None = None
    quantization: str | None = None

    def __bool__(self) -> bool:
        return self != Wish()


def choose(name: str, variants: Sequence[Variant], wish: Wish) -> Chosen:
    """The variant that is meant.

    What is left open is decided by what runs with the fewest packages: formats in the order
    of ``FORMATS``, then the smallest size, then weights as they are, or a GGUF file of
    about four bits.

    Args:
        name: Name of the model, for messages.
        variants: Its variants, one at least.
        wish: What is asked for.

    Raises:
        InvalidInput: There is none of that format, size or quantisation; the message and
            ``details["known"]`` have those that there are.
    """
    left = list(variants)
    if wish.format is not None:
        left = _of_format(name, left, wish.format)
    if wish.size is not None:
        left = _of_size(name, left, wish.size)
    if len(left) > 1:
        left.sort(key=lambda variant: (FORMATS.index(variant.format), variant.size or 0.0))
    if wish.quantization is not None:
        return _of_quantization(name, left, wish.quantization)
    return left[0].chosen(_usual(left[0].quantizations))


def _of_format(name: str, variants: list[Variant], wanted: str) -> list[Variant]:
    plain = wanted.strip().casefold()
    found = [v for v in variants if v.format == ("ggufv2" if plain == "gguf" else plain)]
    if not found:
        known = sorted({v.format for v in variants}, key=FORMATS.index)
        raise _missing("format", wanted, name, known)
    return found


def _of_size(name: str, variants: list[Variant], wanted: float | str) -> list[Variant]:
    size = billions(wanted)
    found = [v for v in variants if size is not None and v.size == size]
    if not found:
        known = sorted({v.size for v in variants if v.size is not None})
        raise _missing("size", wanted, name, [f"{size:g}" for size in known])
    return found


def _of_quantization(name: str, variants: list[Variant], wanted: str) -> Chosen:
    plain = wanted.strip().casefold()
    for variant in variants:
        for quantization in variant.quantizations:
            if quantization.casefold() == plain:
                return variant.chosen(quantization)
    known = dict.fromkeys(q for variant in variants for q in variant.quantizations)
    raise _missing("quantization", wanted, name, list(known))


def billions(size: float | str) -> float | None:
    """A size as a number; ``None`` if it is none."""
    if isinstance(size, bool):
        return None
    try:
        number = float(str(size).strip().replace("_", "."))
    except ValueError:
        return None
    return number if isfinite(number) else None


def _usual(quantizations: Sequence[str]) -> str:
    names = {name.casefold(): name for name in reversed(quantizations)}
    return next((names[good] for good in (PLAIN, *GOOD) if good in names), quantizations[0])


def _missing(param: str, wanted: float | str, name: str, known: list[str]) -> InvalidInput:
    given = f"{wanted:g}" if isinstance(wanted, float) else f"{wanted!r:.80}"
    there = f"there is {', '.join(known)}" if known else f"its variants differ in no {param}"
    return InvalidInput(
        f"{param}={given}: the model {name!r} has no such variant; {there}",
        param=param,
        details={"known": known},
    )
