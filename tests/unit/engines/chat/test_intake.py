"""Conversations that a model cannot read are refused before it sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fix_guided import tokenizer

from stelae.engines.chat.intake import Intake
from stelae.engines.chat.template import ChatTemplate
from stelae.engines.chat.tokens import FileTokens
from stelae.errors import InvalidInput
from stelae.types import ChatCall


def test_tokens_that_the_model_does_not_have_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    tokenizer().save(str(file))
    intake = Intake(
        template=ChatTemplate("", {}),
        tokens=FileTokens(file),
        vocabulary=tokenizer().token_to_id("<tool_call>"),
        context=100,
        engine="any",
        able=frozenset(),
    )
    assert len(intake.read(ChatCall(model="m", prompt="abc"))) == 3
    with pytest.raises(InvalidInput, match="the model has"):
        intake.read(ChatCall(model="m", prompt="abc<tool_call>"))
