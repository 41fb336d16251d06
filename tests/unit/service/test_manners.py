from __future__ import annotations

from pathlib import Path

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.service.manners import mannered
from stelae.types import ChatCall, Message, Sampling, Speaker, TextPart

CHAT = Path(__file__).parents[2] / "data" / "chat"


def call(**more: object) -> ChatCall:
    said = [Message(role=Speaker.USER, content=[TextPart(text="Hello")])]
    return ChatCall(**{"model": "m", "messages": said, **more})


def test_a_model_reasons_as_its_owner_says_where_a_call_does_not() -> None:
    entry = ModelEntry(name="m", source="x", thinking=False)
    assert mannered(call(), entry).reasoning is False
    assert mannered(call(reasoning=True), entry).reasoning is True
    assert mannered(call(), ModelEntry(name="m", source="x")).reasoning is None


def test_texts_that_end_it_come_to_those_of_the_call() -> None:
    entry = ModelEntry(name="m", source="x", stops=("END", "STOP"))
    assert mannered(call(sampling=Sampling(stop=["STOP"])), entry).sampling.stop == ["STOP", "END"]


def test_a_checkpoint_is_read_with_the_template_of_its_entry() -> None:
    entry = ModelEntry(name="m", source=str(CHAT), chat_template="{{ messages }}")
    spec = Catalog([entry]).spec("m")
    assert spec.generation is not None
    assert spec.generation.template == "{{ messages }}"
