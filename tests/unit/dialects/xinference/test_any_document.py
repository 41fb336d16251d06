"""Whatever JSON is sent as a document: it is registered and told again, or refused by name."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.catalog.registered import card_of, check_registration
from stelae.dialects.xinference.documents import Paper, Spec, registration_of
from stelae.dialects.xinference.families import document_of
from stelae.dialects.xinference.kinds import KINDS
from stelae.errors import InvalidInput

WORDS = st.sampled_from([
    "a", "org/repo", "org/{quantization}", "/srv/model", "file:///srv/m", "..", "/../x", "",
    "ggufv2", "pytorch", "gptq", "m-{quantization}.gguf", "{part}.gguf", "Q4_0", "none", "4-bit",
    "huggingface", "modelscope", "1_8", "7", "-1", "chat", "text2image", "\0", "x" * 300,
])  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=5)
)
FIELDS = st.sampled_from([*Paper.__struct_fields__, "virtualenv", "other"])


def inside(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4)


ANY = st.recursive(SCALARS, inside, max_leaves=12)
SPECS = st.lists(
    st.dictionaries(st.sampled_from(Spec.__struct_fields__), WORDS | st.lists(WORDS), max_size=5),
    max_size=3,
)
LIKELY = st.fixed_dictionaries(
    {"model_name": st.just("a"), "model_id": st.just("org/repo") | WORDS},
    optional={"model_specs": SPECS},
)


@settings(max_examples=200)
@given(st.sampled_from([*KINDS]), LIKELY, st.dictionaries(FIELDS, ANY, max_size=4))
def test_document_is_taken_and_told_again_or_refused(
    model_type: str, likely: dict[str, Any], more: dict[str, Any]
) -> None:
    with suppress(InvalidInput):
        registration = registration_of(model_type, json.dumps(likely | more))
        check_registration(registration)
        told = document_of(card_of(registration), registration)
        again = registration_of(model_type, json.dumps(told))
        assert (again.name, again.weights) == (registration.name, registration.weights)


@settings(max_examples=100)
@given(st.text(max_size=40) | ANY.map(json.dumps))
def test_text_that_is_no_document_is_refused(text: str) -> None:
    with suppress(InvalidInput):
        check_registration(registration_of("LLM", text))
