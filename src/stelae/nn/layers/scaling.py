"""How rotary angles are slowed for texts longer than those of training.

Each kind is named as ``rope_type`` in ``config.json``, with the options that stand
beside it there.

Source: linear: Chen et al. 2023 (arXiv:2306.15595); dynamic: the "NTK-aware" base of
Peng et al. 2023, appendix B.1, there also ``yarn`` (arXiv:2309.00071); ntk: Su 2023,
https://kexue.fm/archives/9706, formulas 6 and 10 to 13; longrope: Ding et al. 2024
(arXiv:2402.13753); llama3: Llama Team 2024 (arXiv:2407.21783). Where they leave a
choice, it is made as in transformers 5.17, ``modeling_rope_utils.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import msgspec
import torch
from torch import Tensor

from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import require

Positive = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True, slots=True)
class Turning:
    """Angles before they are slowed.

    Attributes:
        width: Numbers of each head that are turned.
        base: The longest wavelength is ``2 pi base``.
        positions: ``max_position_embeddings``.
    """

    width: int
    base: float
    positions: int

    def rates(self, divisor: float | Tensor = 1.0, base: float | Tensor | None = None) -> Tensor:
        """Angle per position of each pair of numbers, shape ``(width / 2,)``, fp32.

        Args:
            divisor: One, or one for each pair.
            base: In place of the base of training.
        """
        powers = torch.arange(0, self.width, 2, device="cpu").float() / self.width
        return 1.0 / (divisor * torch.pow(self.base if base is None else base, powers))


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """Angles stay as they are; every other kind changes this."""

    by_length: ClassVar[bool] = False
    """Whether the angles depend on how long a text is."""

    def rates(self, turning: Turning, length: int) -> Tensor:
        """Angle per position in a text of that length, shape ``(width / 2,)``, fp32."""
        return turning.rates()

    def amplitude(self, turning: Turning) -> float:
        """Factor on cosine and sine."""
        return 1.0


class Linear(Scaling, frozen=True, kw_only=True):
    """All angles are divided."""

    factor: Positive

    def rates(self, turning: Turning, length: int) -> Tensor:
        """The same fraction of each, whatever the length."""
        return turning.rates() / self.factor


class Dynamic(Scaling, frozen=True, kw_only=True):
    """The base grows with the part of a text that exceeds those of training."""

    by_length: ClassVar[bool] = True
    factor: Positive

    def rates(self, turning: Turning, length: int) -> Tensor:
        """As trained up to ``max_position_embeddings``; slower the longer a text is."""
        if length <= turning.positions:
            return turning.rates()
        stretch = self.factor * torch.tensor(float(length), device="cpu") / turning.positions
        power = turning.width / (turning.width - 2)
        return turning.rates(base=turning.base * (stretch - (self.factor - 1)) ** power)


class Ntk(Scaling, frozen=True, kw_only=True):
    """The base grows by a fixed factor, or the divisors of the angles from pair to pair."""

    factor: Positive
    mixed_b: Positive | None = None

    def rates(self, turning: Turning, length: int) -> Tensor:
        """Slower the slower they are, whatever the length."""
        if self.factor <= 1:
            return turning.rates()
        if self.mixed_b is None:
            factor: float = self.factor ** (2 / turning.width)
            return turning.rates(base=turning.base * self.factor) / factor
        pairs = turning.width // 2
        growth = torch.tensor(self.factor, device="cpu").log() / pairs**self.mixed_b
        places = torch.arange(1, pairs + 1, device="cpu").float()
        divisors: Tensor = (growth * places**self.mixed_b).exp()
        return turning.rates() / divisors


class Yarn(Scaling, frozen=True, kw_only=True):
    """Slow angles are divided, fast ones stay, those between are blended."""

    factor: Positive | None = None
    original_max_position_embeddings: int | None = None
    attention_factor: float | None = None
    beta_fast: float | None = None
    beta_slow: float | None = None
    mscale: float | None = None
    mscale_all_dim: float | None = None
    truncate: bool = True

    def rates(self, turning: Turning, length: int) -> Tensor:
        """A blend that changes from pair to pair, whatever the length."""
        fast, slow = turning.rates(), turning.rates(self._factor(turning))
        low, high = self._bounds(turning)
        places = torch.arange(turning.width // 2, dtype=torch.float32, device="cpu")
        kept = 1 - ((places - low) / (high - low)).clamp(0, 1)
        return slow * (1 - kept) + fast * kept

    def amplitude(self, turning: Turning) -> float:
        """As stated, else by the logarithm of the factor."""
        factor = self._factor(turning)
        if self.attention_factor is not None:
            return self.attention_factor
        if self.mscale and self.mscale_all_dim:
            return _warmth(factor, self.mscale) / _warmth(factor, self.mscale_all_dim)
        return _warmth(factor, 1.0)

    def _factor(self, turning: Turning) -> float:
        return self.factor or turning.positions / self._trained(turning)

    def _trained(self, turning: Turning) -> int:
        return self.original_max_position_embeddings or turning.positions

    def _bounds(self, turning: Turning) -> tuple[float, float]:
        """Pairs between which angles are blended."""
        low = self._pair(turning, self.beta_fast or 32)
        high = self._pair(turning, self.beta_slow or 1)
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, turning.width - 1)
        return (low, high + 0.001) if low == high else (low, high)

    def _pair(self, turning: Turning, turns: float) -> float:
        """The pair that turns so many times within the texts of training."""
        wavelength = self._trained(turning) / (turns * 2 * math.pi)
        return turning.width * math.log(wavelength) / (2 * math.log(turning.base))


class LongRope(Scaling, frozen=True, kw_only=True):
    """Each angle has its own divisor, one for short texts and one for long."""

    by_length: ClassVar[bool] = True
    short_factor: tuple[Positive, ...]
    long_factor: tuple[Positive, ...]
    factor: Positive | None = None
    original_max_position_embeddings: int | None = None
    attention_factor: float | None = None

    def rates(self, turning: Turning, length: int) -> Tensor:
        """One of two tables: for texts up to the length of training, or beyond."""
        _check_count(self.short_factor, "short_factor", turning)
        _check_count(self.long_factor, "long_factor", turning)
        divisors = self.long_factor if length > self._trained(turning) else self.short_factor
        return turning.rates(torch.tensor(divisors, device="cpu"))

    def amplitude(self, turning: Turning) -> float:
        """As stated, else by the logarithm of the factor."""
        trained = self._trained(turning)
        factor = self.factor or turning.positions / trained
        if self.attention_factor is not None:
            return self.attention_factor
        return 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(trained))

    def _trained(self, turning: Turning) -> int:
        return self.original_max_position_embeddings or turning.positions


class Llama3(Scaling, frozen=True, kw_only=True):
    """Long wavelengths are stretched, short ones stay, those between are blended."""

    factor: Positive
    low_freq_factor: Positive
    high_freq_factor: Positive
    original_max_position_embeddings: int | None = None

    def rates(self, turning: Turning, length: int) -> Tensor:
        """A blend that changes with the wavelength, whatever the length of the text."""
        rates = turning.rates()
        trained = self.original_max_position_embeddings or turning.positions
        waves = trained / (2 * math.pi / rates)
        kept = (waves - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor)
        kept = kept.clamp(0, 1)
        return (1 - kept) * rates / self.factor + kept * rates


KINDS: dict[str, type[Scaling]] = {
    "default": Scaling,
    "linear": Linear,
    "dynamic": Dynamic,
    "ntk": Ntk,
    "yarn": Yarn,
    "longrope": LongRope,
    "llama3": Llama3,
}
"""Kinds by ``rope_type``."""


def scaling_of(options: Mapping[str, Any]) -> Scaling:
    """The kind that ``rope_parameters`` or ``rope_scaling`` name.

    Raises:
        UnsupportedCheckpoint: It is not implemented, or its options are not understood.
    """
    kind = options.get("rope_type") or options.get("type") or "default"
    require(isinstance(kind, str) and kind in KINDS, "rope_type", kind, ", ".join(KINDS))
    try:
        return msgspec.convert(dict(options), KINDS[kind])
    except msgspec.ValidationError as error:
        raise UnsupportedCheckpoint(
            f"config.json: rope_type={kind!r} is not understood: {error}"
        ) from error


def _warmth(factor: float, scale: float) -> float:
    return 1.0 if factor <= 1 else 0.1 * scale * math.log(factor) + 1.0


def _check_count(divisors: tuple[float, ...], option: str, turning: Turning) -> None:
    pairs = turning.width // 2
    require(len(divisors) == pairs, option, f"{len(divisors)} numbers", f"{pairs} numbers")
