"""Chance of a call's own, for models that ask for the process's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Drawn(TorchFunctionMode):
    """Within it, this thread draws random numbers from one generator.

    They are those that would come from the process's own generator with the same seed, so what
    a library makes after ``manual_seed`` is made here too, whatever other threads draw.

    Args:
        device: Where the numbers are drawn.
        seed: Decides them; ``None`` for chance.
    """

    def __init__(self, device: torch.device, seed: int | None) -> None:
        super().__init__()
        self._chance = torch.Generator(device)
        if seed is None:
            self._chance.seed()
        else:
            self._chance.manual_seed(seed)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if func is torch.randn_like:
            return torch.empty_like(*args, **kwargs).normal_(generator=self._chance)
        if func is torch.rand_like:
            return torch.empty_like(*args, **kwargs).uniform_(generator=self._chance)
        if func in DRAWING:
            kwargs = kwargs | {"generator": self._chance}
        return func(*args, **kwargs)


DRAWING = frozenset({torch.randn, torch.rand, torch.multinomial, torch.normal, torch.bernoulli})
"""Functions that draw and can be told where from."""
