"""Anthropic's list of models, in pages."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from stelae.dialects.anthropic.models import page
from stelae.errors import InvalidInput
from stelae.types import ModelInfo, Task

MODELS = [ModelInfo(name=f"m{i}", source="", tasks=(Task.CHAT,), max_tokens=9) for i in range(5)]
VECTORS = ModelInfo(name="vectors", source="")


def asked(**params: str) -> tuple[list[str], bool]:
    made = page([VECTORS, *MODELS], QueryParams(params), 1_700_000_000.5)
    names = [model.id for model in made.data]
    assert (made.first_id, made.last_id) == ((names[0], names[-1]) if names else (None, None))
    return names, made.has_more


def test_models_that_chat_are_listed() -> None:
    assert asked() == (["m0", "m1", "m2", "m3", "m4"], False)
    (first, *_) = page(MODELS, QueryParams(), 1_700_000_000.5).data
    assert (first.type, first.display_name, first.max_tokens) == ("model", "m0", 9)
    assert first.created_at == "2023-11-14T22:13:20Z"


def test_pages_lead_through_all_models_in_both_directions() -> None:
    assert asked(limit="2") == (["m0", "m1"], True)
    assert asked(limit="2", after_id="m1") == (["m2", "m3"], True)
    assert asked(limit="2", after_id="m3") == (["m4"], False)
    assert asked(after_id="m4") == ([], False)
    assert asked(limit="2", before_id="m4") == (["m2", "m3"], True)
    assert asked(limit="2", before_id="m2") == (["m0", "m1"], False)
    assert asked(before_id="m0") == ([], False)


@pytest.mark.parametrize(
    "params",
    [{"limit": v} for v in ("0", "-1", "1001", "x", "")]
    + [{"after_id": "nobody"}, {"before_id": "vectors"}],
)
def test_pages_that_are_none_are_refused(params: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked(**params)
    assert caught.value.param == next(iter(params))
