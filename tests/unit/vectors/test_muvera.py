from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stelae.errors import InvalidInput
from stelae.types import Muvera, Ragged, Role
from stelae.vectors.maxsim import maxsim_batch
from stelae.vectors.muvera import encode, width

Floats = NDArray[np.float32]
WHOLE = Muvera(repetitions=4, projections=3, dimensions=None, seed=3)


def texts(*lengths: int, dimensions: int = 16, seed: int = 0) -> list[Floats]:
    """One matrix of unit vectors per length."""
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(length, dimensions)) for length in lengths]
    return [(row / np.linalg.norm(row, axis=1, keepdims=True)).astype(np.float32) for row in rows]


def by_definition(tokens: Floats, role: Role, parameters: Muvera) -> NDArray[np.float64]:
    """Section 2 of the paper, token by token, with planes drawn from the seed."""
    random = np.random.RandomState(parameters.seed)
    count, cells = parameters.projections, 2**parameters.projections
    shape = parameters.repetitions, count, tokens.shape[1]
    blocks = []
    for planes in random.standard_normal(shape):
        codes = [sum(1 << i for i in range(count) if planes[i] @ token > 0) for token in tokens]
        for cell in range(cells):
            own = [token for token, code in zip(tokens, codes, strict=True) if code == cell]
            if role is Role.QUERY:
                blocks.append(np.sum(own, axis=0) if own else np.zeros(tokens.shape[1]))
            else:
                far = [(code ^ cell).bit_count() for code in codes]
                blocks.append(np.mean(own, axis=0) if own else tokens[int(np.argmin(far))])
    return np.concatenate(blocks) / np.sqrt(parameters.repetitions)


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("projections", [0, 1, 4])
def test_vectors_are_those_of_the_definition(role: Role, projections: int) -> None:
    parameters = Muvera(repetitions=3, projections=projections, dimensions=None)
    asked = texts(1, 2, 9, 40)
    expected = [by_definition(tokens, role, parameters) for tokens in asked]
    np.testing.assert_allclose(encode(asked, role, parameters), expected, atol=1e-5)


@given(st.integers(0, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_products_never_exceed_late_interaction(
    projections: int, repetitions: int, seed: int
) -> None:
    parameters = Muvera(
        repetitions=repetitions, projections=projections, dimensions=None, seed=seed
    )
    queries, documents = texts(1, 5, 20, seed=seed), texts(1, 3, 30, seed=seed + 1)
    products = (
        encode(queries, Role.QUERY, parameters) @ encode(documents, Role.DOCUMENT, parameters).T
    )
    assert (products <= maxsim_batch(queries, documents) + 1e-4).all()


def test_documents_of_one_token_give_late_interaction_exactly() -> None:
    queries, documents = texts(1, 5, 20), texts(1, 1, 1, seed=1)
    products = encode(queries, Role.QUERY, WHOLE) @ encode(documents, Role.DOCUMENT, WHOLE).T
    np.testing.assert_allclose(products, maxsim_batch(queries, documents), atol=1e-5)


def test_tokens_in_cells_of_their_own_give_late_interaction_exactly() -> None:
    [token] = texts(1)
    both = [np.vstack([token, -token])]  # opposite vectors are on opposite sides of each plane
    product = encode(both, Role.QUERY, WHOLE) @ encode(both, Role.DOCUMENT, WHOLE).T
    np.testing.assert_allclose(product, [[2.0]], atol=1e-5)


def test_a_sketch_changes_products_by_chance_only() -> None:
    asked, held = texts(8), texts(8, seed=1)
    errors = []
    for seed in range(200):
        whole = msgspec.structs.replace(WHOLE, seed=seed)
        short = msgspec.structs.replace(WHOLE, seed=seed, dimensions=64)
        exact, sketched = (
            float((encode(asked, Role.QUERY, p) @ encode(held, Role.DOCUMENT, p).T)[0, 0])
            for p in (whole, short)
        )
        errors.append(sketched - exact)
    assert np.std(errors) > 0
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors))


def test_the_text_a_query_was_taken_from_comes_first() -> None:
    documents = texts(*range(30, 80), dimensions=64)
    queries = [document[::3] for document in documents]
    parameters = Muvera()
    products = (
        encode(queries, Role.QUERY, parameters) @ encode(documents, Role.DOCUMENT, parameters).T
    )
    assert (products.argmax(axis=1) == np.arange(50)).all()


def test_vectors_depend_on_the_seed_and_on_nothing_else() -> None:
    one, other = texts(5, 9)
    parameters = Muvera(repetitions=2, projections=2, dimensions=50)
    both = encode([one, other], Role.DOCUMENT, parameters)
    np.testing.assert_array_equal(encode([other], Role.DOCUMENT, parameters), both[1:])
    packed = Ragged(values=np.concatenate([one, other]), offsets=np.array([0, 5, 14]))
    np.testing.assert_array_equal(encode(packed, Role.DOCUMENT, parameters), both)
    elsewhere = msgspec.structs.replace(parameters, seed=43)
    assert (encode([one], Role.DOCUMENT, elsewhere) != both[:1]).any()


def test_planes_are_drawn_from_the_stream_that_numpy_keeps() -> None:
    # The first normal numbers of seed 42, as printed in countless places.
    stream = np.random.RandomState(42).standard_normal(3)
    np.testing.assert_allclose(stream, [0.49671415, -0.1382643, 0.64768854], atol=1e-8)


@pytest.mark.parametrize(
    ("dimensions", "expected"), [(None, 2 * 8 * 16), (100, 100), (256, 256), (9999, 256)]
)
def test_width_is_known_beforehand(dimensions: int | None, expected: int) -> None:
    parameters = Muvera(repetitions=2, projections=3, dimensions=dimensions)
    assert width(parameters, 16) == expected
    assert encode(texts(3), Role.QUERY, parameters).shape == (1, expected)


def test_no_texts_give_no_vectors() -> None:
    assert len(encode([], Role.QUERY, Muvera())) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"repetitions": 0}, "muvera.repetitions=0: it must be from 1"),
        ({"projections": -1}, "muvera.projections=-1: it must be from 0"),
        ({"projections": 17}, "muvera.projections=17"),
        ({"dimensions": 0}, "muvera.dimensions=0"),
        ({"seed": -1}, "muvera.seed=-1"),
        ({"projections": 16, "repetitions": 999}, "more than 16,777,216"),
    ],
)
def test_parameters_out_of_range_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        encode(texts(2), Role.QUERY, msgspec.structs.replace(Muvera(), **change))


def test_bad_texts_are_named() -> None:
    good = texts(2)[0]
    with pytest.raises(InvalidInput, match=r"texts\[1\] is empty"):
        encode([good, good[:0]], Role.QUERY, WHOLE)
    with pytest.raises(InvalidInput, match=r"texts\[1\] holds NaN"):
        encode([good, good * np.nan], Role.QUERY, WHOLE)
