"""Keys and values of texts, and the attention to them."""

from __future__ import annotations

from types import SimpleNamespace

import torch
from fix_kernels import kernels, none
from torch import Tensor

from stelae.engines.transformers_text.attention import Memory, Row, attend


def test_a_fork_takes_no_room_until_more_is_kept_and_changes_nobody() -> None:
    first = Memory()
    keys = torch.arange(40.0).reshape(1, 20, 2)
    kept, _ = first.extend(0, keys, keys)
    fork = first.fork(16)
    shared = fork._kept[0][0].untyped_storage().data_ptr()
    assert shared == kept.untyped_storage().data_ptr()
    more = torch.full((1, 3, 2), -1.0)
    made, _ = fork.extend(0, more, more)
    assert made.untyped_storage().data_ptr() != shared
    assert torch.equal(made, torch.cat([keys[:, :16], more], 1))
    again, _ = first.extend(0, more + 2, more + 2)
    assert torch.equal(again, torch.cat([keys, more + 2], 1))
    assert torch.equal(made, torch.cat([keys[:, :16], more], 1))


def test_the_compiled_attention_and_that_of_the_library_are_the_same() -> None:
    torch.manual_seed(2)
    q, k, v = (torch.randn(1, heads, 9, 16) for heads in (4, 2, 2))
    before, lengths = [Memory() for _ in range(3)], (1, 40, 20)
    for memory, length in zip(before, lengths, strict=True):
        kept = torch.randn(2, length, 16)
        memory.extend(0, kept, -kept)
    layer = SimpleNamespace(layer_idx=0)

    def attended(window: int | None, cap: float | None) -> Tensor:
        places = zip(before, lengths, (0, 5, 6), (5, 6, 9), strict=True)
        rows = [Row(start, stop, memory.fork(length)) for memory, length, start, stop in places]
        return attend(layer, q, k, v, None, sliding_window=window, softcap=cap, rows=rows)[0]

    for how in ((None, None), (4, None), (None, 2.0)):
        compiled = attended(*how)
        with kernels(none):
            assert torch.allclose(attended(*how), compiled, atol=1e-5)
