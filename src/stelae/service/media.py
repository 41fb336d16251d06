"""What can be said of calls for pictures, transcripts and speech without knowing the model."""

from __future__ import annotations

import math

from stelae.errors import InvalidInput
from stelae.types import ImageCall, SpeechCall, TranscribeCall, Truncate

IMAGES = 16
"""Most pictures that one call may ask for, or begin with."""

LONGEST_SIDE = 16_384
"""Pixels; models make far smaller ones and say which."""

STEPS = 1000
SEEDS = 2**63
PROMPT_LETTERS = 32_768
TEXT_LETTERS = 65_536
NAME_LETTERS = 256
TEMPERATURES = 16
BEAMS = 16
SPEEDS = (0.25, 4.0)

PIXEL_BYTES = 8
"""Assumed memory of the server for a pixel: its file, as it came from the worker and as sent."""

SIDE = 1024
"""Assumed side of a picture whose size the model decides."""

SPEECH_BYTES = 16 << 10
"""Assumed size of the sound of one letter."""

_HELD = 3
"""Copies of what is given that are held at once: as it came, as sent on, as decoded."""


def check_image(call: ImageCall) -> int:
    """Refuse a call for pictures that no model can answer.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, and where.
    """
    _between("n", call.n, 1, IMAGES)
    if not call.prompt and not call.images:
        raise _wrong("prompt", "is empty: say what the picture shall show")
    _short("prompt", call.prompt, PROMPT_LETTERS)
    _short("negative_prompt", call.negative_prompt, PROMPT_LETTERS)
    _short("scheduler", call.scheduler, NAME_LETTERS)
    _check_given(call)
    if call.size is not None:
        for side in call.size:
            _between("size", side, 1, LONGEST_SIDE)
    _between("steps", call.steps, 1, STEPS)
    _between("guidance", call.guidance, 0.0, 100.0)
    _between("strength", call.strength, 0.0, 1.0)
    _between("seed", call.seed, 0, SEEDS - 1)
    if call.strength == 0:
        raise _wrong("strength", "is 0, which would change nothing; choose more than 0, to 1")
    if call.truncate is Truncate.START:
        raise _wrong("truncate", "is 'start'; prompts are cut at their end ('end') or refused")
    width, height = call.size or (SIDE, SIDE)
    given = sum(map(len, call.images)) + len(call.mask or b"")
    return _HELD * given + call.n * width * height * PIXEL_BYTES


def _check_given(call: ImageCall) -> None:
    if len(call.images) > IMAGES:
        raise _wrong("images", f"has {len(call.images)} pictures, at most {IMAGES} are taken")
    for index, image in enumerate(call.images):
        if not image:
            raise _wrong(f"images[{index}]", "is empty: give the bytes of a picture's file")
    if call.mask is not None and not call.images:
        raise _wrong("mask", "is given without a picture that it lies upon")
    if call.mask is not None and not call.mask:
        raise _wrong("mask", "is empty: give the bytes of a picture's file")
    if call.strength is not None and not call.images:
        raise _wrong("strength", "is given without a picture that could be changed")


def check_transcribe(call: TranscribeCall) -> int:
    """Refuse a call for a transcript that no model can answer.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, and where.
    """
    if not call.audio:
        raise _wrong("audio", "is empty: give the bytes of a recording's file")
    _short("prompt", call.prompt, PROMPT_LETTERS)
    _short("language", call.language, NAME_LETTERS)
    if not 1 <= len(call.temperatures) <= TEMPERATURES:
        raise _wrong("temperatures", f"has {len(call.temperatures)}; give 1 to {TEMPERATURES}")
    for temperature in call.temperatures:
        _between("temperature", temperature, 0.0, 2.0)
    _between("beams", call.beams, 1, BEAMS)
    return _HELD * len(call.audio)


def check_speech(call: SpeechCall) -> int:
    """Refuse a call for speech that no model can answer.

    Returns:
        Bytes that the call and its answer are expected to take.

    Raises:
        InvalidInput: What is wrong, and where.
    """
    if not call.text.strip():
        raise _wrong("text", "is empty: give what shall be read aloud")
    _short("text", call.text, TEXT_LETTERS)
    _short("voice", call.voice, NAME_LETTERS)
    _short("language", call.language, NAME_LETTERS)
    _between("speed", call.speed, *SPEEDS)
    _between("seed", call.seed, 0, SEEDS - 1)
    return len(call.text) * SPEECH_BYTES


def _short(param: str, text: str | None, most: int) -> None:
    if text is None:
        return
    if len(text) > most:
        raise _wrong(param, f"has {len(text)} characters, at most {most} are taken")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _wrong(param, "is not valid Unicode: it has lone surrogates")


def _between(param: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not (math.isfinite(value) and least <= value <= most):
        raise _wrong(param, f"is {value}; choose {least} to {most}")


def _wrong(param: str, fault: str) -> InvalidInput:
    return InvalidInput(f"{param} {fault}", param=param)
