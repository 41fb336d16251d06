"""Calls for pictures, transcripts and speech that no model can answer are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from stelae.errors import InvalidInput
from stelae.service.media import check_image, check_speech, check_transcribe
from stelae.types import ImageCall, SpeechCall, TranscribeCall, Truncate


@pytest.mark.parametrize(
    ("param", "given"),
    [
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": "a" * 40_000}),
        ("prompt", {"prompt": "\ud800"}),
        ("n", {"n": 0}),
        ("n", {"n": 10**6}),
        ("size", {"size": (0, 64)}),
        ("size", {"size": (64, 10**9)}),
        ("steps", {"steps": 0}),
        ("guidance", {"guidance": float("nan")}),
        ("seed", {"seed": -1}),
        ("mask", {"mask": b"x"}),
        ("strength", {"strength": 0.5}),
        ("strength", {"strength": 0.0, "images": [b"x"]}),
        ("images[1]", {"images": [b"x", b""]}),
        ("images", {"images": [b"x"] * 17}),
        ("truncate", {"truncate": Truncate.START}),
    ],
)
def test_wrong_picture_is_refused_by_name(param: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_image(ImageCall(**{"model": "m", "prompt": "an apple", **given}))
    assert caught.value.param == param


def test_larger_pictures_are_expected_to_take_more_memory() -> None:
    small, large = (ImageCall(model="m", prompt="a", size=(s, s)) for s in (64, 128))
    assert check_image(large) == 4 * check_image(small) > 0


@pytest.mark.parametrize(
    ("param", "given"),
    [
        ("audio", {"audio": b""}),
        ("temperatures", {"temperatures": ()}),
        ("temperature", {"temperatures": (float("inf"),)}),
        ("language", {"language": "x" * 1000}),
        ("beams", {"beams": 1000}),
    ],
)
def test_wrong_transcript_is_refused_by_name(param: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_transcribe(TranscribeCall(**{"model": "m", "audio": b"RIFF", **given}))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("param", "given"),
    [
        ("text", {"text": " \n"}),
        ("text", {"text": "a" * 10**6}),
        ("speed", {"speed": 9.0}),
        ("voice", {"voice": "v" * 1000}),
    ],
)
def test_wrong_speech_is_refused_by_name(param: str, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_speech(SpeechCall(**{"model": "m", "text": "Hello", **given}))
    assert caught.value.param == param
