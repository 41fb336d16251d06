from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.answers import Vectors, check, embeddings
from benchmarks.load import Load, Outcome

AXES = np.eye(3, dtype=np.float32)
TEXTS = ["x", "y", "z"]


def embed(texts: Sequence[str]) -> Vectors:
    return AXES[[TEXTS.index(text) for text in texts]]


def answer(rows: Sequence[object], order: Sequence[int] = (0, 1, 2)) -> bytes:
    data = [{"index": place, "embedding": rows[place]} for place in order if place < len(rows)]
    return json.dumps({"data": data}).encode()


def checked(body: bytes) -> Outcome:
    outcome = Outcome(kept=[(0, body)])
    check(Load("http://nowhere", "bench", TEXTS, per_request=3), outcome, embed)
    return outcome


LISTS = AXES.tolist()
BASE64 = [base64.b64encode(row.tobytes()).decode() for row in AXES]


@pytest.mark.parametrize(
    "body",
    [
        answer(LISTS),
        answer(BASE64),
        answer(LISTS, order=(2, 0, 1)),
        answer((7 * AXES).tolist()),
    ],
    ids=["numbers", "base64", "any order", "any length"],
)
def test_vectors_of_the_texts_are_right(body: bytes) -> None:
    outcome = checked(body)
    assert (outcome.wrong, outcome.failed, outcome.checked) == (0, 0, 1)
    assert outcome.worst == pytest.approx(1.0)


@pytest.mark.parametrize(
    "body",
    [
        answer(LISTS[::-1]),
        answer(LISTS[:2]),
        answer([[float("nan")] * 3] * 3),
        answer([[0.0] * 3] * 3),
        answer([[1.0, 0.0]] * 3),
        b'{"data": 5}',
        b'{"error": "busy"}',
        b"not JSON",
    ],
    ids=["swapped", "too few", "nan", "zeros", "narrow", "a number", "an error", "no JSON"],
)
def test_anything_else_is_wrong_and_a_failure(body: bytes) -> None:
    outcome = checked(body)
    assert (outcome.wrong, outcome.failed, outcome.checked) == (1, 1, 1)


def test_one_wrong_vector_among_right_ones_is_found() -> None:
    outcome = checked(answer([LISTS[0], [0.2, 0.9, 0.0], LISTS[2]]))
    assert outcome.wrong == 1
    assert outcome.worst == pytest.approx(0.9 / np.hypot(0.2, 0.9))


def test_base64_is_read_to_the_bit() -> None:
    row = np.random.default_rng(3).standard_normal(5).astype("<f4")
    body = answer([base64.b64encode(row.tobytes()).decode()])
    assert np.array_equal(embeddings(body)[0], row)


def test_checked_answers_are_forgotten() -> None:
    assert checked(answer(LISTS)).kept == []
