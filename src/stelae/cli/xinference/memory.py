"""How much memory a language model is expected to take, told before it is fetched."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from stelae.catalog.catalog import Catalog
from stelae.catalog.shape import Shape, shape_of, shape_of_size
from stelae.catalog.variants import Wish, choose
from stelae.cli import fetching
from stelae.errors import InvalidInput, ModelLoadFailed, ModelNotFound
from stelae.service.estimate import FORMATS, Estimate, estimate, weights_of_size
from stelae.service.footprint import footprint
from stelae.types import ComputeDtype

MEGA, GIGA = 1 << 20, 1 << 30
CACHES = (8, 16, 32)
"""Bits of a number of keys and values that can be asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model, and how it is to be used.

    Attributes:
        name: Its name; any model of the size if not given.
        size: Billions of parameters, as ``7``, ``1.8`` or ``1_8``.
        form: Format of the weights.
        quantization: Their quantisation.
        context: Tokens of a text, prompt and answer.
        cache_bits: Bits of each number of keys and values.
    """

    name: str | None
    size: str
    form: str
    quantization: str | None
    context: int
    cache_bits: int


def show(asked: Asked) -> None:
    """Print the estimate, and on stderr what it rests on.

    Raises:
        ModelNotFound: There is no such model.
        InvalidInput: It has no such variant, or a number makes no sense.
    """
    billions = _billions(asked.size)
    if asked.context < 1 or asked.cache_bits not in CACHES:
        raise InvalidInput(
            f"context-length={asked.context}, kv-cache-dtype={asked.cache_bits}: 1 or more, and "
            f"one of {', '.join(map(str, CACHES))} were expected",
            param="kv-cache-dtype" if asked.context >= 1 else "context-length",
        )
    weights, shape = _known(asked) if asked.name else (None, None)
    taken = estimate(
        weights or _guessed(billions, asked),
        shape or shape_of_size(billions),
        asked.context,
        cache_bits=asked.cache_bits,
    )
    sys.stderr.write(f"an estimate, with {_grounds(weights, shape)}\n")
    sys.stdout.writelines(f"{line}\n" for line in _lines(asked, billions, taken))


def _billions(text: str) -> float:
    try:
        billions = float(text.strip().replace("_", "."))
    except ValueError:
        billions = 0.0
    if not 0 < billions < 1e5:
        raise InvalidInput(
            f"size-in-billions={text[:40]!r}: a number as 7, 1.8 or 1_8 was expected",
            param="size-in-billions",
        )
    return billions


def _guessed(billions: float, asked: Asked) -> int:
    """Bytes of weights that nobody has weighed."""
    if asked.form not in FORMATS:
        raise InvalidInput(
            f"model-format={asked.form[:40]!r}: one of {', '.join(FORMATS)} was expected",
            param="model-format",
        )
    return weights_of_size(billions, asked.form, asked.quantization)


def _known(asked: Asked) -> tuple[int | None, Shape | None]:
    """What the files of a model say, if they are here or the hub tells of them."""
    catalog, name = fetching.catalog_of(None), asked.name or ""
    wish = Wish(format=asked.form, size=asked.size, quantization=asked.quantization)
    entry = catalog.variant(name, _chosen(catalog, name, wish))
    try:
        weight, config = catalog.outline(entry)
    except (ModelLoadFailed, ModelNotFound) as error:
        sys.stderr.write(f"{name} cannot be looked at ({error.message})\n")
        return None, None
    return footprint(weight, ComputeDtype.AUTO).weights or None, shape_of(config)


def _chosen(catalog: Catalog, name: str, wish: Wish) -> Wish:
    """The same; a model without variants is weighed as it is."""
    card = catalog.card(name)
    if card is None:
        return Wish()
    choose(card.name, card.variants, wish)
    return wish


def _grounds(weights: int | None, shape: Shape | None) -> str:
    first = "the size of its files" if weights else "its number of parameters"
    second = "the measures of its checkpoint" if shape else "those of a plain model of that size"
    return f"{first} and {second}; the cache is that of one text"


def _lines(asked: Asked, billions: float, taken: Estimate) -> list[str]:
    parts = {
        "model mem": taken.weights,
        "kv_cache": taken.cache,
        "overhead": taken.worker,
        "active": taken.work,
    }
    whole = f"{_mega(taken.total)} MB ({-(-taken.total // GIGA)} GB)"
    return [
        f"model_name: {asked.name}",
        f"kv_cache_dtype: {asked.cache_bits}",
        f"model size: {billions:.1f} B",
        f"quant: {asked.quantization}",
        f"context: {asked.context}",
        "gpu mem usage:",
        *(f"  {name}: {_mega(count)} MB" for name, count in parts.items()),
        f"  total: {whole}",
    ]


def _mega(count: int) -> int:
    return -(-count // MEGA)
