"""The choice of the next token from a model's scores, in fp32.

Source: Keskar et al. 2019 (arXiv:1909.05858), section 4.1 (repetition penalty); Fan et al. 2018
(arXiv:1805.04833, top-k); Holtzman et al. 2020 (arXiv:1904.09751, top-p); Nguyen et al. 2024
(arXiv:2407.01082, min-p).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from stelae.engines.chat.structure.guide import Guide
from stelae.types import Sampling

FEW = 1024
"""Likeliest tokens that are looked at before all are sorted."""

COLD = 1e-6
"""Temperatures below take the likeliest token: scores divided by them may have no number."""


class Sampler:
    """Chooses the tokens of one text.

    Args:
        sampling: How.
        prompt: Tokens of the conversation.
        index: Which of several texts it is; each has numbers of its own from one seed.
        guide: The form that the text must have, if one is asked for.
    """

    def __init__(
        self, sampling: Sampling, prompt: Iterable[int], index: int, guide: Guide | None = None
    ) -> None:
        self.index, self._how, self._guide = index, sampling, guide
        self._written: Counter[int] = Counter()
        self._seen = set(prompt) if sampling.repetition_penalty != 1 else set[int]()
        seed = secrets.randbits(64) if sampling.seed is None else sampling.seed % 2**64
        self._draws = np.random.default_rng([seed, index])

    @property
    def over(self) -> bool:
        """Whether the text has its form, and nothing can follow."""
        return self._guide is not None and self._guide.over

    def choose(self, scores: Tensor) -> int:
        """The next token, from its scores of shape ``(V,)``; the choice is remembered.

        Raises:
            InvalidInput: To hold the text to its form takes too much work.
        """
        token = self._guided(self._guide, self._changed(scores))
        self._written[token] += 1
        if self._how.repetition_penalty != 1:
            self._seen.add(token)
        return token

    def _guided(self, guide: Guide | None, scores: Tensor) -> int:
        if guide is None:
            return self._picked(scores)
        ids = guide.allowed()
        token = int(ids[self._picked(scores.index_select(0, ids))])
        guide.accept(token)
        return token

    def _picked(self, scores: Tensor) -> int:
        """Place of the one that is taken of some scores."""
        if self._how.temperature < COLD:
            return int(scores.numpy().argmax())  # a third of the time that PyTorch takes
        return self._drawn(candidates(scores / self._how.temperature, self._how))

    def _changed(self, scores: Tensor) -> Tensor:
        """Scores after penalties and biases; the model's own are left as they are."""
        how = self._how
        if self._seen:
            seen = torch.tensor(sorted(self._seen), dtype=torch.long)
            scores = scores.clone()
            old = scores[seen]
            factor = how.repetition_penalty
            scores[seen] = torch.where(old < 0, old * factor, old / factor)
        if self._written and (how.presence_penalty or how.frequency_penalty):
            scores = scores.clone()
            ids = torch.tensor(list(self._written), dtype=torch.long)
            times = torch.tensor(list(self._written.values()), dtype=scores.dtype)
            scores[ids] -= how.presence_penalty + how.frequency_penalty * times
        if how.logit_bias:
            scores = scores.clone()
            ids = torch.tensor(list(how.logit_bias), dtype=torch.long)
            scores[ids] += torch.tensor(list(how.logit_bias.values()), dtype=scores.dtype)
        return scores

    def _drawn(self, choice: tuple[Tensor, Tensor]) -> int:
        ids, scores = choice
        chances = torch.softmax(scores.double(), 0).cumsum(0)
        place = torch.searchsorted(chances, self._draws.random() * float(chances[-1]), right=True)
        return int(ids[min(int(place), len(ids) - 1)])


def candidates(scores: Tensor, how: Sampling) -> tuple[Tensor, Tensor]:
    """Tokens that may be drawn, likeliest first, and their scores.

    Args:
        scores: Divided by the temperature, shape ``(V,)``.
        how: ``top_k``, then ``top_p`` of what it leaves, then ``min_p`` of that.

    Returns:
        Ids and scores, each of shape ``(N,)``, ``N >= 1``.
    """
    most = min(how.top_k or len(scores), len(scores))
    if how.top_p >= 1 and how.min_p == 0 and most == len(scores):
        return torch.arange(most), scores
    total = torch.logsumexp(scores, 0) if not how.top_k else None
    values, ids = torch.topk(scores, min(most, FEW) if total is not None else most)
    if total is not None and not _enough(values, total, how):
        values, ids = torch.sort(scores, descending=True, stable=True)
        total = torch.logsumexp(values, 0)
    total = torch.logsumexp(values, 0) if total is None else total
    chances = torch.exp(values - total)
    before = chances.cumsum(0) - chances
    kept = before < how.top_p
    kept &= chances >= how.min_p * chances[0]
    kept[0] = True
    return ids[kept], values[kept]


def _enough(values: Tensor, total: Tensor, how: Sampling) -> bool:
    """Whether no token beyond the likeliest few could be kept."""
    chances = torch.exp(values - total)
    if how.top_p < 1 and float(chances.sum()) >= how.top_p:
        return True
    return how.min_p > 0 and float(chances[-1]) < how.min_p * float(chances[0])
