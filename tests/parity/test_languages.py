"""Languages as the tokenizer of Whisper in ``transformers`` has them."""

from __future__ import annotations

from transformers.models.whisper import tokenization_whisper as reference

from stelae.wire.languages import CODES, NAMES


def test_names_and_codes_are_those_of_the_tokenizer() -> None:
    assert NAMES == reference.LANGUAGES
    assert CODES == reference.TO_LANGUAGE_CODE
