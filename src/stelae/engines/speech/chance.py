"""Chance of a call's own, for models that ask for the process's."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

LIKE: dict[Any, Callable[..., Any]] = {
    torch.randn_like: torch.Tensor.normal_,
    torch.rand_like: torch.Tensor.uniform_,
}
"""Functions that draw in a tensor's likeness, and what fills one with the same numbers."""

DRAWING = frozenset({torch.randn, torch.rand, torch.multinomial, torch.normal, torch.bernoulli})
"""Functions that draw and can be told where from."""


class Drawn(TorchFunctionMode):
    """Within it, this thread draws random numbers from generators of its own, one for a device.

    They are those that would come from the process's generators with the same seed, so what
    a library makes after ``manual_seed`` is made here too, whatever other threads draw.

    Args:
        seed: Decides them; ``None`` for chance.
    """

    def __init__(self, seed: int | None) -> None:
        super().__init__()
        self._seed = secrets.randbits(63) if seed is None else seed
        self._chance: dict[torch.device, torch.Generator] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if kwargs.get("generator") is None:
            if func in LIKE:
                made = torch.empty_like(*args, **kwargs)
                return LIKE[func](made, generator=self._generator(made.device))
            if func in DRAWING:
                kwargs = kwargs | {"generator": self._generator(_place(args, kwargs))}
        return func(*args, **kwargs)

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._chance:
            self._chance[device] = torch.Generator(device).manual_seed(self._seed)
        return self._chance[device]


def _place(args: Sequence[Any], kwargs: dict[str, Any]) -> torch.device:
    """Where a function will draw."""
    given = next((arg.device for arg in args if isinstance(arg, torch.Tensor)), None)
    return torch.device(kwargs.get("device") or given or torch.get_default_device())
