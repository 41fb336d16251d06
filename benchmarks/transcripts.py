"""Recordings/s: eight in flight over HTTP beside a loop around ctranslate2 in process.

A Whisper of the size of ``base`` with random numbers, made so that it writes the same 60 tokens of
any window: all sides do equal work. Each takes its turn in every round.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import checkpoint
from benchmarks.report import CONSOLE, machine, ratio, table
from benchmarks.servers import Contender, Running, running

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from tiny import hearing, tones  # beside the benchmarks, no package
from tiny.bpe import byte_letters

from stelae import Client
from stelae.audio.decode import decode
from stelae.audio.encode import encode
from stelae.types import AudioFormat

SIZE = hearing.Ears(
    languages=("en", "de"), seconds=30, width=512, heads=8, encoder=6, decoder=6, written=448
)
MERGES = 50_000
TOKENS = 60
FOLDER = checkpoint.CACHE / "whisper-base-shape"
SECONDS = 28.0
IN_FLIGHT = 8
RATE = 16_000
WINDOW = 30 * RATE
HOUR = 3600
TRAINED = Path(__file__).parent.parent / "tests" / "data" / "dtmf"

Measure = Callable[[Sequence[bytes]], float]
"""Writes down recordings; tells the seconds."""


def folder() -> Path:
    """The checkpoint; written the first time."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    if not (FOLDER / "ready").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        letters = list(byte_letters())
        vocabulary = hearing.write_all_but_weights(
            FOLDER, SIZE, list(islice(product(letters, letters), MERGES))
        )
        config: Any = WhisperConfig.from_pretrained(FOLDER)
        config.encoder_ffn_dim = config.decoder_ffn_dim = 4 * SIZE.width
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config).eval()
        _plant(model, vocabulary)
        model.save_pretrained(FOLDER)
        (FOLDER / "ready").touch()
    return FOLDER


def _plant(model: Any, vocabulary: int) -> None:
    """Make it write the same of any window: every position wants a token of its own."""
    import torch

    times = vocabulary - len(SIZE.times)
    ends = times + int(50 * SECONDS)
    said = [times, *range(300, 300 + TOKENS - 3), ends, model.config.eos_token_id]
    table = model.model.decoder.embed_tokens.weight
    with torch.no_grad():
        table[model.config.eos_token_id].normal_(0, 0.02)  # zeros otherwise, as it pads too
        for place, token in enumerate(said, 2):  # start, language and task stand before
            row = table[token]
            model.model.decoder.embed_positions.weight[place] = 100 * row / row.norm()


def recordings(count: int, seed: int, seconds: float = SECONDS) -> list[bytes]:
    """Noise, as WAV files."""
    draw = np.random.default_rng(seed)
    return [_wav(draw.normal(0, 0.05, int(seconds * RATE))) for _ in range(count)]


def _wav(samples: Any) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes((samples * 32767).astype(np.int16).tobytes())
    return file.getvalue()


def hour(seed: int) -> bytes:
    """An hour of telephone tones, as an MP3 file: a minute of them again and again."""
    digits = np.random.default_rng(seed).integers(0, 10, (24, 3))
    minute = tones.dtmf(" ".join("".join(map(str, group)) for group in digits), seed)
    samples = np.tile(minute, round(HOUR * RATE / len(minute)))
    return encode(samples, RATE, AudioFormat.MP3)


def stelae(source: Path, dtype: str) -> Contender:
    """This project."""
    return Contender(
        "stelae",
        (
            *(str(Path(sys.executable).parent / "stelae"), "serve"),
            *("--listen", "http://127.0.0.1:{port}", "--log-level", "warning"),
            *("--dtype", dtype, "--engine", "whisper_ct2"),
        ),
        "",
        "/readyz",
        (f"bench={source}",),
    )


def asked(server: Running, callers: int, least: int) -> Measure:
    """All recordings, by so many callers at once."""
    client = Client(server.url, model="bench", timeout=600)

    def one(audio: bytes) -> int:
        made = client.transcribe(audio, language="en", temperatures=(0.0,))
        return sum(len(segment.tokens) for segment in made.segments)

    def measure(audio: Sequence[bytes]) -> float:
        started = time.perf_counter()
        with ThreadPoolExecutor(callers) as at_once:
            told = list(at_once.map(one, audio))
        if min(told) < least:
            sys.exit(f"the model wrote {told} tokens, {least} were expected")
        return time.perf_counter() - started

    return measure


def library(source: Path, dtype: str, least: int) -> Measure:
    """ctranslate2 in this process, one window of 30 seconds after the other."""
    from ctranslate2 import StorageView
    from ctranslate2.converters import TransformersConverter
    from ctranslate2.models import Whisper
    from transformers import WhisperFeatureExtractor

    made = checkpoint.CACHE / f"{source.name}-ct2"
    if not made.exists():
        TransformersConverter(str(source)).convert(str(made))
    model = Whisper(str(made), device="cpu", compute_type=dtype, intra_threads=2)
    extractor = WhisperFeatureExtractor.from_pretrained(source)
    ids = _ids(source)

    def measure(audio: Sequence[bytes]) -> float:
        started = time.perf_counter()
        for recording in audio:
            samples, written = decode(recording, RATE), 0
            for begin in range(0, len(samples), WINDOW):
                heard = samples[begin : begin + WINDOW]
                given = extractor(heard, sampling_rate=RATE, return_tensors="np").input_features
                view = StorageView.from_array(np.ascontiguousarray(given))
                (found,) = model.generate(view, [ids], beam_size=1)
                written += len(found.sequences_ids[0])
            if written < least:
                sys.exit(f"ctranslate2 wrote {written} tokens, {least} were expected")
        return time.perf_counter() - started

    return measure


def _ids(source: Path) -> list[int]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    return [tokenizer.token_to_id(t) for t in (hearing.START, "<|en|>", hearing.TASKS[1])]


def main(arguments: Sequence[str]) -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks transcripts", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32", choices=("float32", "int8"))
    parser.add_argument("--hour", action="store_true", help="one long recording, not many")
    options = parser.parse_args(arguments)
    machine("stelae", "ctranslate2")
    if options.hour:
        _hour(options.dtype, options.rounds)
        return
    source, least = folder(), TOKENS - 5
    with running([stelae(source, options.dtype)]) as (server,):
        sides = {
            f"stelae, {IN_FLIGHT} in flight": asked(server, IN_FLIGHT, least),
            "stelae, one by one": asked(server, 1, least),
            "ctranslate2, one by one": library(source, options.dtype, least),
        }
        taken = _rounds(sides, options.rounds, lambda number: recordings(IN_FLIGHT, number))
    _show("recordings of 28 s, 60 tokens each", taken, IN_FLIGHT)


def _hour(dtype: str, rounds: int) -> None:
    with running([stelae(TRAINED, dtype)]) as (server,):
        before = server.memory_mb()[1]
        sides = {
            "stelae": asked(server, 1, 1000),
            "ctranslate2, window by window": library(TRAINED, dtype, 1000),
        }
        taken = _rounds(sides, rounds, lambda number: [hour(number)])
        CONSOLE.print(f"memory of all processes: {before:.0f} MB, then {server.memory_mb()[1]:.0f}")
    _show("an hour of telephone tones", taken, 1)


def _rounds(
    sides: dict[str, Measure], rounds: int, made: Callable[[int], list[bytes]]
) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for place, (name, measure) in enumerate(sides.items()):
            seconds = measure(made(10 * number + place))
            if number:  # the first warms up
                taken[name].append(seconds)
        CONSOLE.print(f"round {number} of {rounds}")
    return taken


def _show(title: str, taken: dict[str, list[float]], count: int) -> None:
    *_, last = taken.values()
    rows = [
        [name, *(count / each for each in (median(own), max(own), min(own))), ratio(last, own)]
        for name, own in taken.items()
    ]
    table(title, ["", "recordings/s", "least", "most", "beside ctranslate2"], rows)
