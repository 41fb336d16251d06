"""What is asked for pictures and sound, and what is made of the answers; no server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stelae.client._hearing import Position, Transcript, recording, transcribe_call
from stelae.client._imaging import Picture, Pictures, Steps, image_call, numbered, size_of
from stelae.client._speaking import Speech, speech_call
from stelae.errors import InvalidInput
from stelae.types import (
    AudioFormat,
    ImageCall,
    ImagePiece,
    ImageUsage,
    Segment,
    TranscribeCall,
    TranscribePiece,
    TranscribeUsage,
)


@pytest.mark.parametrize("text", ["640x480", " 640 x 480 ", "640×480"])  # noqa: RUF001
def test_size_is_width_and_height(text: str) -> None:
    assert size_of(text) == (640, 480)
    assert image_call("a", "m", {"size": text}).size == (640, 480)
    assert image_call("a", "m", {"size": (640, 480)}).size == (640, 480)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": "big"}, "size='big'.*'512x512'"),
        ({"size": (1, 2, 3)}, "image: .*size"),
        ({"steps": "many"}, "image: .*steps"),
        ({"colour": "red"}, "unknown field `colour`"),
        ({"images": [b"", 3]}, r"images\[1\] is of type int"),
        ({"images": "/no/such/file.png"}, "cannot be read"),
        ({"mask": 3.5}, "mask is of type float"),
        ({"images": "data:text/plain,hello"}, "images is of type str"),
        ({"format": "gif"}, "image: .*gif"),
    ],
    ids=str,
)
def test_options_that_are_none_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        image_call("a", "m", options)


def test_call_says_only_what_was_said() -> None:
    assert image_call("a", "m", {"seed": None, "mask": None}) == ImageCall(model="m", prompt="a")
    assert transcribe_call(b"x", "m", {"language": None}) == TranscribeCall(model="m", audio=b"x")
    assert speech_call("a", "m", {"voice": None}).format is AudioFormat.MP3


def test_pixels_are_sent_as_a_file() -> None:
    call = image_call("a", "m", {"images": np.zeros((4, 6, 3), np.uint8)})
    [file] = call.images
    assert Picture(image=file).format == "png"


def test_one_temperature_is_a_list_of_one() -> None:
    assert transcribe_call(b"x", "m", {"temperatures": 0}).temperatures == (0.0,)
    assert transcribe_call(b"x", "m", {"temperatures": [0, 0.5]}).temperatures == (0.0, 0.5)


def test_recording_is_a_path_or_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"RIFF")
    for audio in (file, str(file), b"RIFF", bytearray(b"RIFF"), "data:audio/wav;base64,UklGRg=="):
        assert recording(audio) == b"RIFF"


@pytest.mark.parametrize(
    ("audio", "message"), [(3, "of type int"), ("/no/such.wav", "No such file"), ("\0", "read")]
)
def test_recording_that_is_none_is_refused(audio: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        transcribe_call(audio, "m", {})
    assert caught.value.param == "audio"


def test_bytes_are_not_shown() -> None:
    assert "xxxx" not in repr(Picture(image=b"x" * 100, seed=1))
    assert "xxxx" not in repr(Speech(audio=b"x" * 100, format=AudioFormat.WAV))


def test_bare_samples_have_no_player() -> None:
    assert Speech(audio=b"", format=AudioFormat.PCM)._repr_html_() is None


def test_files_of_several_are_numbered() -> None:
    assert numbered(Path("a/b.png"), 1) == [Path("a/b.png")]
    assert numbered(Path("a/b.png"), 2) == [Path("a/b-1.png"), Path("a/b-2.png")]


def test_pictures_that_came_are_in_order() -> None:
    pieces = [
        ImagePiece(index=1, image=b"b", seed=2),
        ImagePiece(index=0, image=b"a", seed=1, size=(8, 8)),
    ]
    made = Pictures.of(pieces)
    assert (made.image, made.seed, made.size, len(made)) == (b"a", 1, (8, 8), 2)
    assert [picture.image for picture in made[:]] == [b"a", b"b"]
    assert made.usage == ImageUsage()


def test_steps_of_pictures_made_side_by_side_are_counted() -> None:
    steps = Steps(2)
    pieces = [ImagePiece(index=i, step=s, steps=3) for s in (1, 2, 3) for i in (0, 1)]
    assert [steps.add(piece) for piece in pieces] == [(done, 6) for done in range(1, 7)]
    assert Steps(1).add(ImagePiece()) == (0, None)


def test_position_ends_at_the_end() -> None:
    position = Position()
    assert position.add(TranscribePiece(language="en")) == (0, None)
    assert position.add(TranscribePiece(duration=9.5)) == (0, 10)
    assert position.add(TranscribePiece(position=4.9)) == (4, 10)
    assert position.add(TranscribePiece(usage=TranscribeUsage())) == (10, 10)


def test_text_is_that_of_all_segments() -> None:
    pieces = [
        TranscribePiece(segment=Segment(id=0, start=0, end=1, text=" One,")),
        TranscribePiece(segment=Segment(id=1, start=1, end=2, text=" two.")),
    ]
    assert Transcript.of(pieces).text == "One, two."
    assert Transcript().text == ""
