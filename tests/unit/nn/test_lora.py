from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from stelae.nn.batch import pack
from stelae.nn.layers.linear import Adaptable, GatedLinear, Linear
from stelae.nn.lora.places import Part, Places
from stelae.nn.lora.update import Instead, Lora, LowRank, adapted
from stelae.nn.weights import WeightMap

INPUTS, OUTPUTS, RANK = 8, 6, 2


def filled(layer: Adaptable) -> Adaptable:
    """A layer of random numbers."""
    drawn = {name: torch.randn_like(p) for name, p in layer.named_parameters()}
    layer.load_state_dict(drawn)
    return layer


def low_rank(outputs: int, numbers: float | None = None) -> tuple[LowRank, Tensor]:
    """A random pair, and its product."""
    down, up = filled(Linear(INPUTS, RANK, bias=False)), filled(Linear(RANK, outputs, bias=False))
    if numbers is not None:
        torch.nn.init.constant_(up.weight, numbers)
    assert isinstance(down, Linear)
    assert isinstance(up, Linear)
    return LowRank(down, up), up.weight @ down.weight


MADE: dict[str, Callable[[], Adaptable]] = {
    "plain": lambda: Linear(INPUTS, OUTPUTS),
    "activated": lambda: Linear(INPUTS, OUTPUTS, bias=False, activation="gelu"),
    "gated": lambda: GatedLinear(INPUTS, OUTPUTS, "silu", bias=True),
    "gated without bias": lambda: GatedLinear(INPUTS, OUTPUTS, "gelu_tanh"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["as it is", "laid out"])
@pytest.mark.parametrize("made", MADE.values(), ids=[*MADE])
def test_a_layer_with_a_pair_is_the_layer_of_the_sum(
    made: Callable[[], Adaptable], packed: bool
) -> None:
    torch.manual_seed(0)
    layer, merged = filled(made()), made()
    share, product = low_rank(len(layer.weight))
    merged.load_state_dict(layer.state_dict() | {"weight": layer.weight + product})
    if packed:
        layer.prepack()
    batch = pack([np.arange(3, dtype=np.int32), np.arange(2, dtype=np.int32)])
    x = torch.randn(5, INPUTS)
    plain = layer(x)
    with torch.inference_mode():
        with adapted(batch, [Lora("d", {layer: share})] * 2):
            torch.testing.assert_close(layer(x), merged(x))
        with adapted(batch, [None, Lora("d", {layer: share})]):
            mixed = layer(x)
    torch.testing.assert_close(mixed, torch.cat([plain[:2], merged(x)[2:]]))
    torch.testing.assert_close(layer(x), plain, rtol=0, atol=0)


def test_a_residual_is_added_after_the_pair() -> None:
    layer = filled(Linear(INPUTS, OUTPUTS))
    share, product = low_rank(OUTPUTS)
    x, residual = torch.randn(4, INPUTS), torch.randn(4, OUTPUTS)
    expected = x @ (layer.weight + product).T + layer.bias + residual
    layer.prepack()
    assert isinstance(layer, Linear)
    with (
        torch.inference_mode(),
        adapted(pack([np.zeros(4, np.int32)]), [Lora("d", {layer: share})]),
    ):
        torch.testing.assert_close(layer.add(x, residual), expected)


def test_a_head_reads_one_row_per_text() -> None:
    layer, other = filled(Linear(INPUTS, 1)), filled(Linear(INPUTS, 1))
    assert isinstance(other, Linear)
    batch = pack([np.zeros(n, np.int32) for n in (1, 3, 4)])
    x = torch.randn(3, INPUTS)
    with torch.inference_mode(), adapted(batch, [None, Lora("d", {layer: Instead(other)}), None]):
        made = layer(x)
    expected = torch.stack([layer(x)[0], other(x)[1], layer(x)[2]])
    torch.testing.assert_close(made, expected)


def test_numbers_out_of_range_stay_with_their_own_text() -> None:
    layer = filled(Linear(INPUTS, OUTPUTS))
    share, _ = low_rank(OUTPUTS, torch.inf)
    batch = pack([np.zeros(2, np.int32), np.zeros(3, np.int32)])
    x = torch.randn(5, INPUTS)
    with torch.inference_mode(), adapted(batch, [None, Lora("d", {layer: share})]):
        made = layer(x)
    torch.testing.assert_close(made[:2], layer(x)[:2])
    assert not made[2:].isfinite().all()


def test_a_failed_batch_leaves_no_adapter_behind() -> None:
    layer = filled(Linear(INPUTS, OUTPUTS))
    share, _ = low_rank(OUTPUTS)
    batch = pack([np.zeros(2, np.int32)])
    with pytest.raises(ZeroDivisionError), adapted(batch, [Lora("d", {layer: share})]):
        1 / 0  # noqa: B018
    assert layer.update is None


class Fused(torch.nn.Module):
    """A layer that is three in its checkpoint, of which one has its halves changed over."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = Linear(INPUTS, 10, bias=False)
        self.swapped = Linear(INPUTS, 4, bias=False)


def test_places_follow_renaming_fusing_and_reordering() -> None:
    weights = WeightMap(
        prefixes=("model.",),
        rename={r"^attn\.": "", r"^mlp\.": "swapped."},
        fuse={"qkv": ("q", "k", "v")},
        change={r"swapped\..*weight": lambda w: torch.cat(w.chunk(2)[::-1])},
    )
    shapes = {
        "model.attn.v.weight": (2, INPUTS),
        "model.attn.q.weight": (6, INPUTS),
        "model.attn.k.weight": (2, INPUTS),
        "model.mlp.weight": (4, INPUTS),
        "model.norm.weight": (INPUTS,),
    }
    places = Places([Part(Fused(), weights)], shapes)
    found = {name: places.find(name) for name in ("attn.q", "model.attn.k", "attn.v", "mlp", "x")}
    rows = {name: None if p is None else p.rows.tolist() for name, p in found.items()}
    assert rows == {
        "attn.q": [0, 1, 2, 3, 4, 5],
        "model.attn.k": [6, 7],
        "attn.v": [8, 9],
        "mlp": [2, 3, 0, 1],
        "x": None,
    }
