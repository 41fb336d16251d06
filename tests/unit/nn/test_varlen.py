"""The attention for many lengths on a GPU, as releases of PyTorch want to be asked for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stelae.nn.kernels import varlen


def newer(*, enable_gqa: bool = False) -> None: ...


def older(*, scale: float | None = None) -> None: ...


def test_shared_keys_are_named_where_a_release_wants_it() -> None:
    assert varlen._grouping(newer, grouped=True) == {"enable_gqa": True}


def test_older_releases_see_shared_keys_by_the_shapes() -> None:
    assert varlen._grouping(older, grouped=True) == {}


def test_nothing_is_said_where_no_keys_are_shared() -> None:
    assert varlen._grouping(newer, grouped=False) == {}


def test_a_release_that_refuses_the_arguments_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(*given: Tensor, **named: object) -> Tensor:
        raise ValueError("other numbers of heads")

    monkeypatch.setattr(varlen, "varlen_attn", refuses)
    assert not varlen._sound.__wrapped__(torch.device("cpu"), torch.bfloat16, 32, True)
