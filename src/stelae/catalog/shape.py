"""The measures of a language model that decide what its work takes, beside its weights."""

from __future__ import annotations

import msgspec

from stelae.catalog.files import Json

NUMBERS_OF_LAYER = 12
"""Parameters of one layer of a transformer, in squares of its width."""

SLENDER = 128
"""Width of such models by their layers, as of LLaMA's: 32 layers of 4096."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Measures of a language model.

    Attributes:
        layers: How many there are.
        width: Numbers of the state of a token.
        inner: The same within a layer.
        kept: Numbers that a layer keeps of each token: keys and values.
    """

    layers: int
    width: int
    inner: int
    kept: int


def shape_of(config: Json) -> Shape | None:
    """The measures that ``config.json`` tells; ``None`` if it tells none.

    Layers that look back a short way only, or keep a state in place of keys and values, count as
    the others: the figure is the most that they take.

    Source: the keys of ``transformers``' configurations; of compressed keys and values
        DeepSeek-V2, section 2.1 (arXiv:2405.04434).
    """
    nested = config.get("text_config")
    told = nested if isinstance(nested, dict) else config
    layers = _number(told, "num_hidden_layers", "n_layer", "num_layers")
    width = _number(told, "hidden_size", "n_embd", "d_model")
    heads = _number(told, "num_attention_heads", "n_head", "num_heads")
    if layers is None or width is None or heads is None:
        return None
    inner = _number(told, "intermediate_size", "n_inner", "ffn_hidden_size") or 4 * width
    return Shape(layers=layers, width=width, inner=inner, kept=_kept(told, width // heads, heads))


def _kept(told: Json, usual: int, heads: int) -> int:
    if (rank := _number(told, "kv_lora_rank")) is not None:
        return rank + (_number(told, "qk_rope_head_dim") or 0)
    groups = _number(told, "num_key_value_heads", "multi_query_group_num") or heads
    return 2 * groups * (_number(told, "head_dim", "kv_channels") or usual)


def shape_of_size(billions: float) -> Shape:
    """The measures of a plain transformer of a size, whose heads all keep keys and values.

    Source: parameters are about ``12 * layers * width**2``, Kaplan et al. 2020, section 2.1
        (arXiv:2001.08361).
    """
    layers = max(1, round((billions * 1e9 / (NUMBERS_OF_LAYER * SLENDER**2)) ** (1 / 3)))
    width = SLENDER * layers
    return Shape(layers=layers, width=width, inner=4 * width, kept=2 * width)


def _number(told: Json, *names: str) -> int | None:
    """The first of these that is a number above 0."""
    given = (told.get(name) for name in names)
    return next((n for n in given if type(n) is int and n > 0), None)
