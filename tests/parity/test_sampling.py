"""The choice of tokens, compared with the library's own processors of scores."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from stelae.engines.chat.sampling import Sampler, candidates
from stelae.types import Sampling

HOWS = [
    Sampling(temperature=0.7),
    Sampling(top_k=5),
    Sampling(top_k=40, top_p=0.8),
    Sampling(top_p=0.6, temperature=1.7),
    Sampling(top_p=0.999, temperature=3.0),
    Sampling(min_p=0.1),
    Sampling(top_k=50, top_p=0.95, min_p=0.05, temperature=0.8),
    Sampling(top_p=1e-9),
]


def warped(scores: torch.Tensor, how: Sampling) -> torch.Tensor:
    """Probabilities as the library makes them, its steps in the same order."""
    none = torch.zeros(1, 1, dtype=torch.long)
    made = TemperatureLogitsWarper(how.temperature)(none, scores[None])
    if how.top_k:
        made = TopKLogitsWarper(how.top_k)(none, made)
    if how.top_p < 1:
        made = TopPLogitsWarper(how.top_p)(none, made)
    if how.min_p:
        made = MinPLogitsWarper(how.min_p)(none, made)
    return torch.softmax(made[0].double(), 0)


@pytest.mark.parametrize("how", HOWS, ids=str)
@pytest.mark.parametrize("size", [64, 5000])
def test_tokens_that_may_be_drawn_are_those_of_the_library(how: Sampling, size: int) -> None:
    for seed in range(5):
        scores = 4 * torch.randn(size, generator=torch.Generator().manual_seed(seed))
        wanted = warped(scores, how)
        ids, values = candidates(scores / how.temperature, how)
        found = torch.zeros(size, dtype=torch.float64)
        found[ids] = torch.softmax(values.double(), 0)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-7)


def test_repetition_penalty_is_that_of_the_library() -> None:
    scores = torch.randn(32, generator=torch.Generator().manual_seed(1))
    prompt = [3, 5, 5, 9]
    wanted = RepetitionPenaltyLogitsProcessor(1.7)(torch.tensor([prompt]), scores[None])[0]
    found = Sampler(Sampling(repetition_penalty=1.7), prompt, 0)._changed(scores)
    torch.testing.assert_close(found, wanted)


def test_penalties_and_biases_are_the_published_formula() -> None:
    """Source: OpenAI's API reference: ``mu[j] - c[j] * frequency - (c[j] > 0) * presence``."""
    how = Sampling(
        temperature=0.0, presence_penalty=0.5, frequency_penalty=0.25, logit_bias={2: 3.0}
    )
    sampler = Sampler(how, [], 0)
    scores = torch.tensor([1.0, 0.5, -2.0, 0.9])
    chosen = [sampler.choose(scores) for _ in range(4)]
    counts, expected = Counter[int](), []
    for _ in range(4):
        changed = [
            s - 0.25 * counts[i] - 0.5 * (counts[i] > 0) + (3.0 if i == 2 else 0.0)
            for i, s in enumerate(scores.tolist())
        ]
        expected.append(max(range(4), key=lambda i: changed[i]))
        counts[expected[-1]] += 1
    assert chosen == expected
    assert scores.tolist() == pytest.approx([1.0, 0.5, -2.0, 0.9])


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    """Each share of 20,000 draws lies within five standard deviations of its probability."""
    scores = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    sampler = Sampler(Sampling(seed=3), [], 0)
    drawn = Counter(sampler.choose(scores) for _ in range(20_000))
    for token, chance in enumerate((0.5, 0.3, 0.15, 0.05)):
        assert abs(drawn[token] / 20_000 - chance) < 5 * (chance * (1 - chance) / 20_000) ** 0.5


def test_seeds_repeat_and_texts_of_one_seed_differ() -> None:
    scores = torch.zeros(1000)

    def draws(seed: int, index: int) -> list[int]:
        sampler = Sampler(Sampling(seed=seed), [], index)
        return [sampler.choose(scores) for _ in range(8)]

    assert draws(5, 0) == draws(5, 0)
    assert draws(5, 0) != draws(5, 1)
    assert draws(5, 0) != draws(6, 0)
    assert draws(-1, 0) == draws(-1, 0)
