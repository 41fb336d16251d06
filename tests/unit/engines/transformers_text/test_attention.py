"""Keys and values of texts that begin alike."""

from __future__ import annotations

import torch

from stelae.engines.transformers_text.attention import Memory


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
