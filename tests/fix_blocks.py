"""What is asked of blocks that run as one, whatever they are like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from fix_kernels import ROUNDING, batch_of, threads
from torch import Tensor, nn

from stelae.nn.batch import TokenBatch
from stelae.nn.layers.linear import GatedLinear, Linear
from stelae.nn.layers.norm import LayerNorm, RmsNorm

Run = Callable[[Tensor, TokenBatch], Tensor]
"""Token vectors after all blocks; those given are kept."""


def spread(blocks: nn.Module) -> None:
    """Give blocks numbers that all matter: scores and sums of ordinary size."""
    for module in blocks.modules():
        if isinstance(module, Linear | GatedLinear):
            module.weight.normal_(std=module.weight.shape[1] ** -0.5)
        if isinstance(module, LayerNorm | RmsNorm):
            module.weight.uniform_(0.5, 1.5)
        bias = getattr(module, "bias", None)
        if bias is not None:
            bias.normal_(std=0.3)


def size(x: Tensor) -> float:
    """The root of the mean square."""
    return float(x.square().mean().sqrt())


def roundings(longest: int, dtype: torch.dtype) -> float:
    """How often blocks may err by what they do in float64 when they round what is handed on.

    Three times, for the weights of attention, which a kernel rounds too, and for chance. Sums of
    n products err by about the square root of n roundings of float32 besides (Higham and Mary
    2019, theorem 2.4), of which twice as many are granted.

    Args:
        longest: Numbers of the longest sum.
        dtype: Of what is handed on.
    """
    return 3 + 2 * longest**0.5 * ROUNDING[torch.float32] / ROUNDING[dtype]


def are_the_same_alone(run: Run, x: Tensor, lengths: Sequence[int], count: int) -> None:
    """See that neighbours and threads change no bit of a sequence."""
    with threads(count):
        found = run(x, batch_of(lengths))
    start = 0
    for length in lengths:
        alone = run(x[start : start + length], batch_of([length]))
        assert torch.equal(found[start : start + length], alone)
        start += length


def keeps_to_the_second(
    run: Run, x: Tensor, lengths: Sequence[int], special: float, count: int
) -> None:
    """See that what is no number shows in all of the second sequence, and in no other."""
    batch, start, end = batch_of(lengths), lengths[0], lengths[0] + lengths[1]
    with threads(count):
        before = run(x, batch)
        x[start + 3, 7] = special
        after = run(x, batch)
    assert after[start:end].isnan().all()
    assert torch.equal(after[:start], before[:start])
    assert torch.equal(after[end:], before[end:])


def do_not_meet(run: Run, xs: Sequence[Tensor], batch: TokenBatch) -> None:
    """See that calls that run at once give what they give one by one."""
    known = [run(x, batch) for x in xs] * 3
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: run(x, batch), [*xs] * 3))
    assert all(torch.equal(one, other) for one, other in zip(found, known, strict=True))
