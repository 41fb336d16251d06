"""Checkpoints that write down what is said: Whisper, by transformers or converted for ctranslate2.

Source: transformers 5.17, ``models/whisper``; ctranslate2 4.8, ``specs/whisper_spec.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from stelae.catalog.abilities import Hearing
from stelae.catalog.ct2_table import kind_of, shapes_of
from stelae.catalog.detection import backbone_of, class_of
from stelae.catalog.entry import ModelEntry
from stelae.catalog.files import Json, exists, inside, read_json, read_object
from stelae.catalog.options import positive, require, take
from stelae.catalog.spec import Backbone, ModelSpec, Source
from stelae.errors import InvalidInput, ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Modality

ARCHITECTURE = "WhisperForConditionalGeneration"

CONVERTED = "Whisper (ctranslate2)"
"""What stands for the architecture of a converted checkpoint, whose files name none."""

LAYOUTS = frozenset({ARCHITECTURE, CONVERTED})

NUMBERS, VOCABULARIES = "model.bin", ("vocabulary.json", "vocabulary.txt")
"""Files of a converted checkpoint."""

KIND = "WhisperSpec"
"""The kind of model, as ``model.bin`` states it."""

HEARD, PLACES = "encoder/conv1/weight", "decoder/position_encodings/encodings"
"""Tensors whose shapes tell how much a converted model hears in a spectrum, and writes."""

SPECTRUM: Json = {"feature_size": 80, "hop_length": 160, "n_fft": 400, "sampling_rate": 16_000}
"""How sound is read where no file says."""

CHUNK = 30
"""Seconds that are heard at once where no file says."""

WRITTEN = 448
"""Tokens of a window where no file says."""

ENGLISH = ("en",)

ENGLISH_TOKENS = 51_864
"""Tokens of the published models of English alone, which name languages nevertheless."""

MARKS = ("<|", "|>")
TOKENIZER = "tokenizer.json"


class Known(NamedTuple):
    """What a checkpoint says of languages: their codes, and whether it translates."""

    languages: tuple[str, ...]
    translates: bool


def read_hearing(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    """The model in a folder, if it is one that writes down what is said.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented; the message names it.
        ModelLoadFailed: A file is missing, broken or contradicts another.
        InvalidInput: The entry asks for what the checkpoint does not have.
    """
    config = read_object(root, "config.json") or {}
    if class_of(config) == ARCHITECTURE:
        return _published(root, entry, source, config)
    if _is_converted(root):
        return _converted(root, entry, source, config)
    return None


def _published(root: Path, entry: ModelEntry, source: Source, config: Json) -> ModelSpec:
    file = f"config.json in {root}"
    require(config, {"activation_function": ("gelu",), "scale_embedding": (False, None)}, file)
    generation = read_object(root, "generation_config.json") or {}
    spectrum = _spectrum(root, config.get("num_mel_bins"))
    positions = positive(config, "max_source_positions", file) or _positions(spectrum)
    if positions != _positions(spectrum):
        raise ModelLoadFailed(
            f"preprocessor_config.json in {root} makes {_positions(spectrum)} positions of a "
            f"window, {file} has {positions}"
        )
    parts = {"generation": generation, "spectrum": spectrum}
    return _spec(
        root,
        entry,
        source,
        backbone_of(root, ARCHITECTURE, {**config, **parts}),
        _known(generation, f"generation_config.json in {root}"),
        positive(config, "max_target_positions", file) or WRITTEN,
    )


def _converted(root: Path, entry: ModelEntry, source: Source, config: Json) -> ModelSpec:
    known = _named(_vocabulary(root), take(config, "lang_ids", list, f"config.json in {root}"))
    shapes = shapes_of(inside(root, NUMBERS))
    bins, places = (_side(shapes, *place, root) for place in ((HEARD, 1), (PLACES, 0)))
    backbone = Backbone(
        folder="",
        architecture=CONVERTED,
        config={**config, "spectrum": _spectrum(root, bins)},
        weights=(NUMBERS,),
    )
    return _spec(root, entry, source, backbone, known, places)


def _side(shapes: dict[str, tuple[int, ...]], name: str, axis: int, root: Path) -> int:
    shape = shapes.get(name, ())
    if len(shape) <= axis or shape[axis] < 1:
        raise ModelLoadFailed(f"{NUMBERS} in {root} lacks the tensor {name!r}, or it is empty")
    return shape[axis]


def _spec(
    root: Path, entry: ModelEntry, source: Source, backbone: Backbone, known: Known, written: int
) -> ModelSpec:
    if entry.max_tokens is not None:
        raise InvalidInput(
            f"max_tokens={entry.max_tokens}: the model in {root} hears windows of a size of its "
            "own; leave it out",
            param="max_tokens",
        )
    if not exists(root, TOKENIZER):
        raise UnsupportedCheckpoint(
            f"no {TOKENIZER} in {root}, so no text can be written",
            hint="fetch it from the same repository, or from that of the model it was made from",
        )
    spectrum = backbone.config["spectrum"]
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=backbone,
        inputs=(Modality.AUDIO,),
        hearing=Hearing(
            languages=known.languages,
            translates=known.translates,
            rate=spectrum["sampling_rate"],
            window=float(spectrum["chunk_length"]),
        ),
        max_tokens=written,
        tokenizer=TOKENIZER,
    )


def _is_converted(root: Path) -> bool:
    return exists(root, NUMBERS) and kind_of(inside(root, NUMBERS)) == KIND


def _spectrum(root: Path, bins: object) -> Json:
    """How sound becomes what the model hears.

    Raises:
        UnsupportedCheckpoint: In another way than Whisper's.
        ModelLoadFailed: The file is broken.
    """
    name = "preprocessor_config.json"
    given, file = read_object(root, name) or {}, f"{name} in {root}"
    kind = take(given, "feature_extractor_type", str, file) or "WhisperFeatureExtractor"
    if kind != "WhisperFeatureExtractor":
        raise UnsupportedCheckpoint(f"{file} reads sound with {kind}, which is not implemented")
    require(given, {"dither": (0.0, 0, None), "padding_value": (0.0, 0, None)}, file)
    require(
        given, {key: (SPECTRUM[key],) for key in ("hop_length", "n_fft", "sampling_rate")}, file
    )
    stated = {"feature_size": bins} if isinstance(bins, int) else {}
    read = {key: positive(given, key, file) for key in (*SPECTRUM, "chunk_length")}
    found = {key: value for key, value in read.items() if value is not None}
    return {**SPECTRUM, "chunk_length": CHUNK, **stated, **found}


def _positions(spectrum: Json) -> int:
    """Vectors that a window becomes: one for two spectra."""
    samples: int = spectrum["chunk_length"] * spectrum["sampling_rate"]
    hop: int = spectrum["hop_length"]
    return samples // hop // 2


def _known(generation: Json, file: str) -> Known:
    """What ``generation_config.json`` says; a model that it names no languages for has one."""
    table = take(generation, "lang_to_id", dict, file) or {}
    tasks = take(generation, "task_to_id", dict, file) or {}
    if not table:
        return Known(ENGLISH, translates=False)
    return Known(tuple(map(_bare, table)), translates="translate" in tasks)


def _named(vocabulary: list[str], ids: list[int] | None) -> Known:
    """What the tokens say: those of languages stand between these two."""
    start, end = (_place(vocabulary, name) for name in ("startoftranscript", "translate"))
    stated = ids if ids is not None else range(start + 1, end)
    codes = [_bare(vocabulary[i]) for i in stated if start < i < end]
    if len(codes) < 2 or len(vocabulary) == ENGLISH_TOKENS:
        return Known(ENGLISH, translates=False)
    return Known(tuple(codes), translates=True)


def _place(vocabulary: list[str], name: str) -> int:
    token = name.join(MARKS)
    if token not in vocabulary:
        raise ModelLoadFailed(f"the vocabulary of a Whisper model lacks {token}")
    return vocabulary.index(token)


def _vocabulary(root: Path) -> list[str]:
    """Tokens in order of id.

    Raises:
        ModelLoadFailed: There is no vocabulary, or it holds something else.
    """
    name = next((name for name in VOCABULARIES if exists(root, name)), None)
    if name is None:
        raise ModelLoadFailed(f"{NUMBERS} in {root} has no {VOCABULARIES[0]} beside it")
    if name.endswith(".txt"):
        return inside(root, name).read_text("utf-8").splitlines()
    found = read_json(root, name)
    if not isinstance(found, list) or not all(isinstance(token, str) for token in found):
        raise ModelLoadFailed(f"{name} in {root} holds something else than a list of tokens")
    return found


def _bare(token: str) -> str:
    return token.removeprefix(MARKS[0]).removesuffix(MARKS[1])
