"""Older GLiNER repositories: weights alone, and the name of an encoder that lies elsewhere."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gliner.model
import pytest
import sentencepiece
import torch
import transformers
from fix_engine import answer
from fix_hub import Hub, repo_of, running_hub
from gliner import GLiNER
from tiny.wordpiece import TEXT

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.hub import HubOptions
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.errors import ModelNotFound, UnsupportedCheckpoint
from stelae.types import ComputeDtype, ExtractCall, Item

OLD, ENCODER = "tiny/gliner-old", "tiny/mdeberta"
MARKS = {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]"}
PIECES = 125
"""Of the tokenizer; a checkpoint adds three marks, the second before each label."""

LABELS = ("person", "place")
TEXTS = ("Anna was in Berlin and London.", "Stone", "Zürich: 城市 & the ﬁrst  house\tof 12.")
TOLERANCE = 2e-5


def write_encoder(folder: Path) -> None:
    """The encoder's own repository: a model of sentencepiece alone, and weights of no use."""
    folder.mkdir()
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.split("\n") * 3),
        model_writer=made,
        vocab_size=200,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **{f"{name}_id": i for i, name in enumerate(MARKS)},
        **{f"{name}_piece": piece for name, piece in MARKS.items()},
    )
    (folder / "spm.model").write_bytes(made.getvalue())
    settings = {"do_lower_case": False, "vocab_type": "spm"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    config = transformers.DebertaV2Config(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        relative_attention=True,
        position_buckets=16,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        type_vocab_size=0,
    )
    config.save_pretrained(folder)
    (folder / "pytorch_model.bin").write_bytes(b"not to be fetched")


def write_old(folder: Path, encoder: Path, **options: Any) -> None:
    """A checkpoint as trained by releases before 0.2: no tokenizer, no configuration within."""
    folder.mkdir()
    config = {
        "lr_encoder": "1e-5",
        "train_batch_size": 8,
        "max_width": 4,
        "max_len": 32,
        "model_name": str(encoder),
        "fine_tune": True,
        "subtoken_pooling": "first",
        "hidden_size": 24,
        "span_mode": "markerV0",
        "dropout": 0.4,
        **options,
    }
    kind = gliner.model.UniEncoderSpanGLiNER
    if "labels_encoder" in options:
        kind = gliner.model.BiEncoderSpanGLiNER
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = kind.load_from_config(dict(config), backbone_from_pretrained=False)
    torch.save(made.model.state_dict(), folder / "pytorch_model.bin")
    names = {key: ENCODER for key in ("model_name", "labels_encoder") if key in config}
    (folder / "gliner_config.json").write_text(json.dumps(config | names), "utf-8")


def renamed(folder: Path, name: str) -> None:
    """Let a checkpoint name another encoder."""
    file = folder / "gliner_config.json"
    config = json.loads(file.read_text("utf-8"))
    names = {key: name for key in ("model_name", "labels_encoder") if key in config}
    file.write_text(json.dumps(config | names), "utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the encoder, and checkpoints that name it."""
    root = tmp_path_factory.mktemp("old")
    write_encoder(root / "encoder")
    write_old(root / "plain", root / "encoder")
    labels = {"labels_encoder": str(root / "encoder"), "vocab_size": PIECES, "class_token_index": 0}
    write_old(root / "apart", root / "encoder", **labels)
    return root


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@pytest.fixture
def options(hub: Hub, tmp_path: Path, made: Path) -> HubOptions:
    hub.repos |= {ENCODER: repo_of(made / "encoder")}
    return HubOptions(cache=str(tmp_path / "cache"), endpoint=hub.url)


def catalog(options: HubOptions) -> Catalog:
    return Catalog([ModelEntry(name="old", source=OLD)], hub=options)


def load(models: Catalog) -> AnyEngine:
    spec = models.spec("old")
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    return registry.load(registry.choose(spec).manifest, spec, options)


@pytest.mark.parametrize("name", ["plain", "apart"])
def test_names_are_those_of_the_library(
    hub: Hub, options: HubOptions, made: Path, tmp_path: Path, name: str
) -> None:
    hub.repos[OLD] = repo_of(made / name)
    engine = load(catalog(options))
    renamed(made / name, str(made / "encoder"))
    theirs = GLiNER.from_pretrained(str(made / name), local_files_only=True)
    renamed(made / name, ENCODER)
    call = ExtractCall(
        model="old", items=[Item(text=t) for t in TEXTS], labels=LABELS, threshold=0.4
    )
    result = answer(engine, call)
    assert not result.errors
    assert any(item.entities for item in result.items)
    for item, text in zip(result.items, TEXTS, strict=True):
        expected = theirs.predict_entities(text, list(LABELS), threshold=0.4)
        assert [(e.start, e.end, e.label) for e in item.entities] == [
            (e["start"], e["end"], e["label"]) for e in expected
        ]
        for ours, its in zip(item.entities, expected, strict=True):
            assert ours.score == pytest.approx(its["score"], abs=TOLERANCE)


@pytest.mark.parametrize("place", [PIECES + 1, 90])
def test_marks_get_the_places_that_the_checkpoint_states(
    hub: Hub, options: HubOptions, made: Path, place: int
) -> None:
    hub.repos[OLD] = repo_of(made / "plain")
    config = json.loads(hub.repos[OLD].files["gliner_config.json"])
    plain = load(catalog(options))
    sized = {**config, "vocab_size": PIECES + 3, "class_token_index": place}
    hub.repos[OLD] = repo_of(made / "plain", commit="f" * 40)
    hub.repos[OLD].files["gliner_config.json"] = json.dumps(sized).encode()
    if place == 90:
        with pytest.raises(UnsupportedCheckpoint, match="class_token_index=90"):
            load(catalog(options))
        return
    call = ExtractCall(model="old", items=[Item(text=TEXTS[0])], labels=LABELS, threshold=0.4)
    assert answer(load(catalog(options)), call).items == answer(plain, call).items


def test_small_files_of_the_encoder_are_fetched_and_no_weights(
    hub: Hub, options: HubOptions, made: Path
) -> None:
    hub.repos[OLD] = repo_of(made / "plain")
    catalog(options).spec("old")
    fetched = sorted(hub.fetched())
    assert fetched == [
        "config.json",
        "gliner_config.json",
        "pytorch_model.bin",  # of the checkpoint
        "spm.model",
        "tokenizer_config.json",
    ]


def test_what_is_in_the_cache_needs_no_hub(hub: Hub, options: HubOptions, made: Path) -> None:
    hub.repos[OLD] = repo_of(made / "plain")
    plain = catalog(options).spec("old")
    hub.seen.clear()
    offline = HubOptions(offline=True, cache=options.cache, endpoint=options.endpoint)
    assert catalog(offline).spec("old") == plain
    assert hub.seen == []


def test_encoder_that_is_not_in_the_cache_is_named_with_the_command(
    hub: Hub, options: HubOptions, made: Path
) -> None:
    hub.repos[OLD] = repo_of(made / "plain")
    del hub.repos[ENCODER]
    with pytest.raises(ModelNotFound, match=f"{OLD} needs"):
        catalog(options).spec("old")
    offline = HubOptions(offline=True, cache=options.cache, endpoint=options.endpoint)
    with pytest.raises(ModelNotFound, match=f"{OLD} needs .* of {ENCODER}") as caught:
        catalog(offline).spec("old")
    assert f"stelae pull {OLD}" in str(caught.value.hint)


def test_folder_says_which_repository_is_missing_and_how_it_comes(
    made: Path, tmp_path: Path
) -> None:
    folder = made / "plain"
    entry = ModelEntry(name="old", source=str(folder))
    with pytest.raises(UnsupportedCheckpoint, match=ENCODER) as caught:
        Catalog([entry]).spec("old")
    hint = str(caught.value.hint)
    assert hint.startswith(f"hf download {ENCODER} config.json")
    assert f"--local-dir {folder / 'encoder'}" in hint


def test_folder_may_hold_the_encoders_files_which_are_part_of_what_is_served(
    made: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "whole"
    folder.mkdir()
    for file in (made / "plain").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "encoder").mkdir()
    for name in ("config.json", "tokenizer_config.json", "spm.model"):
        (folder / "encoder" / name).write_bytes((made / "encoder" / name).read_bytes())
    plain = fingerprint_of(folder)
    file = folder / "encoder" / "spm.model"
    file.write_bytes(file.read_bytes().replace("\u2581in".encode(), "\u2581ix".encode(), 1))
    assert fingerprint_of(folder) != plain


def fingerprint_of(folder: Path) -> str:
    return load(Catalog([ModelEntry(name="old", source=str(folder))])).info.fingerprint
