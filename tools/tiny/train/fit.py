"""The loop that all trained fixtures share: rates rise, then fall to the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor


def adamw(parameters: Iterable[Tensor], rate: float) -> torch.optim.Optimizer:
    """The usual way to change weights.

    Args:
        parameters: What changes.
        rate: How fast at the fastest.
    """
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01, betas=(0.9, 0.98))


def fit(
    model: torch.nn.Module,
    loss_of: Callable[[int], Tensor],
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    steps: int,
    warm: int,
    floor: float,
) -> None:
    """Change a model's weights so that the loss falls, and tell of it.

    Args:
        model: What learns.
        loss_of: The loss of a step, by its number from 0.
        optimizers: How the weights change, each with its highest rate.
        steps: How many steps there are.
        warm: Steps in which the rates rise in a line; they fall in a half wave.
        floor: Share of the rates that is left at the end.
    """
    waves = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share(step, steps, warm, floor))
        for optimizer in optimizers
    ]
    for step in range(steps):
        loss = loss_of(step)
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, wave in zip(optimizers, waves, strict=True):
            optimizer.step()
            wave.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"  {step} loss {loss.item():.4f}", flush=True)


def _share(step: int, steps: int, warm: int, floor: float) -> float:
    wave = (1 + math.cos(math.pi * step / steps)) / 2
    return min(1.0, (step + 1) / warm) * (floor + (1 - floor) * wave)
