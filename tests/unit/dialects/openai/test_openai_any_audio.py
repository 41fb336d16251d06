"""Whatever a request for a transcript or for speech holds, it is read or refused by name."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.dialects.decode import fit
from stelae.dialects.openai.audio_read import granularities, speech_call, transcribe_call
from stelae.dialects.openai.audio_schema import SpeechRequest, TranscriptionRequest
from stelae.dialects.uploads import Form, stated
from stelae.errors import InvalidInput
from stelae.service.media import check_speech, check_transcribe

TEXTS = st.text(max_size=8) | st.sampled_from(
    ["0", "1", "nan", "-inf", "1e400", "true", "word", "segment", "verbose_json", "srt", "mp3",
     "sse", "{}", '{"id": "x"}', '{"temperature": []}', "[]", "null",
     r'{"response_format": "\ud800"}']
)  # fmt: skip
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
MORE = ["kwargs", "extra_body"]
HEARD = [*TranscriptionRequest.__struct_encode_fields__, *MORE]
SPOKEN = [*SpeechRequest.__struct_encode_fields__, *MORE]


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(HEARD), TEXTS | st.lists(TEXTS, max_size=3), max_size=5))
def test_forms_for_transcripts(fields: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        request = fit(TranscriptionRequest, stated({"model": "m", **fields}), lax=True)
        assert granularities(request) is not None
        check_transcribe(transcribe_call(request, b"RIFF", translate=False))


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(SPOKEN), ANY, max_size=5))
def test_requests_for_speech(fields: dict[str, Any]) -> None:
    with suppress(InvalidInput):
        request = fit(SpeechRequest, stated({"model": "m", "input": "x", **fields}))
        check_speech(speech_call(request, Form()))
