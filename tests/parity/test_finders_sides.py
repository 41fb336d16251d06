"""GLiClass that reads texts and labels apart, beside the library's own pipelines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gliclass.pipeline as theirs
import pytest
import torch
import transformers
from fix_engine import answer, prepared_of
from gliclass.config import GLiClassModelConfig
from gliclass.model import GLiClassModel
from tiny.finders import write_marked
from tiny.wordpiece import write_wordpiece

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.types import ComputeDtype, ExtractCall, Item

LABELS = ("music", "water and stone", "the house of a king", "people")
TEXTS = (
    "The king made a tablet of stone for his people.",
    "Water",
    "She read the letter to him at the house of music, over the road, before the sun was up.",
)
MARKS = ("<<LABEL>>", "<<SEP>>", "<<EXAMPLE>>")
KINDS = ("bi-encoder", "encoder-decoder", "encoder-decoder-cls")
LONG = 64


def bert(vocabulary: int) -> dict[str, Any]:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = transformers.BertConfig(
        vocab_size=vocabulary, intermediate_size=48, max_position_embeddings=LONG, **sizes
    )
    return config.to_dict()


def t5(vocabulary: int) -> dict[str, Any]:
    config = transformers.T5Config(
        vocab_size=vocabulary, d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4
    )
    return config.to_dict()


def write(folder: Path, kind: str) -> Any:
    """A small checkpoint of a kind, saved by the library; gives the model that was saved."""
    folder.mkdir()
    vocabulary = write_marked(folder, MARKS, max_length=LONG)
    options: dict[str, Any] = {"encoder_config": t5(vocabulary)}
    if kind == "bi-encoder":
        labels = write_wordpiece(folder / "label_encoder", max_length=LONG)
        options = {
            "encoder_config": bert(vocabulary),
            "label_model_name": "nobody/no-such-labels",
            "label_model_config": bert(labels),
        }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        settings = GLiClassModelConfig(
            architecture_type=kind,
            class_token_index=vocabulary - 3,
            text_token_index=vocabulary - 2,
            example_token_index=vocabulary - 1,
            max_num_classes=6,
            pad_token_id=0,
            pooling_strategy="first",
            **options,
        )
        model = GLiClassModel(settings).eval()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.mul_(4)  # else all scores are 0.5
    model.save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sides")


@pytest.fixture(scope="module")
def models(home: Path) -> dict[str, Any]:
    """The library's models as they were saved: it loads those with a decoder with random vectors
    of tokens, which are missing from the file because they are tied.
    """
    return {kind: write(home / kind, kind) for kind in KINDS}


@pytest.fixture(scope="module")
def made(home: Path, models: dict[str, Any]) -> Path:
    assert models
    return home


def load(folder: Path) -> AnyEngine:
    spec = Catalog([ModelEntry(name="sides", source=str(folder))]).spec("sides")
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    return registry.load(registry.choose(spec).manifest, spec, options)


def asked(*texts: str, labels: tuple[str, ...] = LABELS) -> ExtractCall:
    items = [Item(text=text) for text in texts]
    return ExtractCall(model="sides", items=items, labels=labels, threshold=0.0)


def library(folder: Path, kind: str, model: Any) -> Callable[[str], dict[str, float]]:
    model.config.label_model_name = str(folder / "label_encoder")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    name = "BiEncoder" if kind == "bi-encoder" else "EncoderDecoder"
    pipeline = partial(
        getattr(theirs, f"{name}ZeroShotClassificationPipeline")(
            model, tokenizer, device="cpu", progress_bar=False
        ),
        labels=list(LABELS),
        threshold=0.0,
    )
    return lambda text: {row["label"]: row["score"] for row in pipeline([text])[0]}


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_those_of_the_library(made: Path, models: dict[str, Any], kind: str) -> None:
    result = answer(load(made / kind), asked(*TEXTS))
    assert not result.errors
    expected = library(made / kind, kind, models[kind])
    for text, item in zip(TEXTS, result.items, strict=True):
        found = {one.label: one.score for one in item.classifications}
        assert found == pytest.approx(expected(text), abs=5e-6)
        assert len({round(score, 5) for score in found.values()}) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_long_texts_are_read_in_windows_of_text_alone(made: Path, kind: str) -> None:
    engine = load(made / kind)
    long = " ".join(TEXTS * 8)
    windows = [p for p in prepared_of(engine, asked(long)) if p.features is not None]
    longest = max(len(window.features.ids) for window in windows)
    assert len(windows) > 1
    assert longest <= LONG
    assert not answer(engine, asked(long)).errors


@pytest.mark.parametrize(
    ("kind", "labels", "said"),
    [
        ("bi-encoder", ("stone " * 70,), "a label is 72 tokens, .* reads 64"),
        ("encoder-decoder", tuple(f"kind {i}" for i in range(7)), "at most 6 at a time"),
        ("encoder-decoder-cls", ("a <<LABEL>>",), "holds '<<LABEL>>'"),
    ],
)
def test_labels_that_would_be_cut_are_refused(
    made: Path, kind: str, labels: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        load(made / kind).open(asked("stone", labels=labels))


def test_tokenizer_of_labels_that_is_missing_is_named(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "lacking"
    folder.mkdir()
    for file in (made / "bi-encoder").iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UnsupportedCheckpoint, match=r"label_encoder/tokenizer\.json"):
        load(folder)
