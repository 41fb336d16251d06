from __future__ import annotations

from typing import Any

import pytest

from stelae.service.filling import filled
from stelae.types import (
    EmbeddingDtype,
    EncodeCall,
    ExtractCall,
    Item,
    Muvera,
    OutputType,
    Profile,
    Role,
    ScoreCall,
)

DENSE, SPARSE, MANY = OutputType.DENSE, OutputType.SPARSE, OutputType.MULTIVECTOR
SKETCH = Muvera(repetitions=2, projections=1)


def encode(**fields: Any) -> EncodeCall:
    return EncodeCall(**{"model": "m", "items": [Item(text="a")]} | fields)


def test_without_a_profile_a_call_stays_as_it_is() -> None:
    call = encode()
    assert filled(call, None) is call


def test_what_a_call_leaves_open_is_as_the_profile_says() -> None:
    profile = Profile(
        outputs=(DENSE, MANY), dtype=EmbeddingDtype.INT8, dimensions=64, normalize=False,
        pool_factor=2, instruction="find", lora="law",
    )  # fmt: skip
    assert filled(encode(), profile) == encode(
        outputs=(DENSE, MANY), dtype=EmbeddingDtype.INT8, dimensions=64, normalize=False,
        pool_factor=2, instruction="find", lora="law",
    )  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [
        {"outputs": (DENSE,)},
        {"dtype": EmbeddingDtype.FLOAT32},
        {"dimensions": 128},
        {"normalize": True},
        {"instruction": "caller's"},
        {"lora": "caller's"},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_a_caller_says_counts_more(given: dict[str, Any]) -> None:
    profile = Profile(
        outputs=(MANY, DENSE), dtype=EmbeddingDtype.INT8, dimensions=64, normalize=False,
        instruction="profile's", lora="profile's",
    )  # fmt: skip
    call = filled(encode(**given), profile)
    assert {name: getattr(call, name) for name in given} == given


@pytest.mark.parametrize(
    ("given", "profile", "left"),
    [
        ({"outputs": (MANY,)}, Profile(muvera=SKETCH, dimensions=8), {}),
        ({"dimensions": 8}, Profile(muvera=SKETCH), {}),
        ({"muvera": SKETCH}, Profile(dimensions=8, normalize=True), {}),
        ({"outputs": (MANY,)}, Profile(normalize=True), {}),
        ({"outputs": (SPARSE,)}, Profile(dtype=EmbeddingDtype.INT8), {}),
        (
            {"outputs": (SPARSE,)},
            Profile(dtype=EmbeddingDtype.FLOAT16),
            {"dtype": EmbeddingDtype.FLOAT16},
        ),
        ({}, Profile(pool_factor=2), {}),
        ({"outputs": (MANY,)}, Profile(pool_factor=2), {"pool_factor": 2}),
        ({}, Profile(pool_factor=2, muvera=SKETCH), {"pool_factor": 2, "muvera": SKETCH}),
        ({"prompt": "p: "}, Profile(instruction="find"), {}),
    ],
)
def test_options_that_do_not_go_with_the_callers_are_left_out(
    given: dict[str, Any], profile: Profile, left: dict[str, Any]
) -> None:
    assert filled(encode(**given), profile) == encode(**given, **left)


ASKED = Profile(query_template="{instruction}: {text}!", doc_template="d: {text}", instruction="i")


def texts(call: EncodeCall) -> list[str | None]:
    return [item.text for item in call.items]


def test_texts_are_put_into_the_template_of_their_side() -> None:
    query = filled(encode(role=Role.QUERY), ASKED)
    assert (texts(query), query.prompt, query.instruction) == (["i: a!"], "", None)
    for role in (Role.DOCUMENT, None):
        assert texts(filled(encode(role=role), ASKED)) == ["d: a"]


def test_places_in_texts_and_instructions_are_no_places() -> None:
    items = [Item(text="{instruction}")]
    call = encode(role=Role.QUERY, items=items, instruction="{text}")
    assert texts(filled(call, ASKED)) == ["{text}: {instruction}!"]


def test_a_callers_prompt_or_instruction_counts_more_than_a_template() -> None:
    for given in ({"prompt": ""}, {"prompt_name": "query"}, {"instruction": "other"}):
        call = encode(role=Role.DOCUMENT, **given)
        found = filled(call, Profile(doc_template="d: {text}"))
        assert found == call


def test_what_is_no_text_is_in_no_template() -> None:
    items: list[Any] = [Item(token_ids=[1]), Item(image=b"x"), "no item"]
    assert filled(encode(items=items), ASKED).items == items


def test_scores_take_what_is_theirs() -> None:
    documents = [Item(text="d")]
    profile = Profile(
        by=MANY, instruction="find", normalize=False, lora="law", doc_template="x {text}"
    )
    call = filled(ScoreCall(model="m", query=Item(text="q"), documents=documents), profile)
    assert call == ScoreCall(
        model="m", query=Item(text="q"), documents=documents,
        by=MANY, instruction="find", normalize=False, lora="law",
    )  # fmt: skip


def test_extraction_takes_what_is_its() -> None:
    profile = Profile(
        labels=("person",), threshold=0.0, multi_label=False, hypothesis="It is {}.", beams=2,
        dtype=EmbeddingDtype.INT8,
    )  # fmt: skip
    open_call = ExtractCall(model="m", items=[Item(text="a")])
    call = filled(open_call, profile)
    assert (call.labels, call.threshold, call.multi_label) == (("person",), 0.0, False)
    assert (call.hypothesis, call.beams) == ("It is {}.", 2)
    own = filled(ExtractCall(model="m", items=[], labels=("place",), threshold=0.5), profile)
    assert (own.labels, own.threshold) == (("place",), 0.5)
