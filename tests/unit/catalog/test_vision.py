"""Checkpoints of pictures and texts: what is read of them, and what is refused, by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stelae.catalog.checkpoint import read_spec
from stelae.catalog.entry import ModelEntry
from stelae.catalog.operations import Dense, Normalize, OwnPool
from stelae.catalog.spec import ModelSpec, Source
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.images.processing import Exact, PatchBudget, ShortestEdge
from stelae.types import Modality, OutputType, Similarity

BOTH = (Modality.TEXT, Modality.IMAGE)


def read(folder: Path, **options: Any) -> ModelSpec:
    entry = ModelEntry(name="tiny", source=str(folder), **options)
    return read_spec(folder, entry, Source(kind="folder", location=str(folder)))


@pytest.fixture
def copy(zoo: Path, tmp_path: Path) -> Any:
    def copied(name: str) -> Path:
        return Path(shutil.copytree(zoo / name, tmp_path / name))

    return copied


def edit(file: Path, *path: str, **changes: Any) -> None:
    """Change options of a JSON file; ``...`` drops one."""
    content = json.loads(file.read_text("utf-8"))
    part = content
    for key in path:
        part = part[key]
    for key, value in changes.items():
        part.pop(key, None)
        if value is not ...:
            part[key] = value
    file.write_text(json.dumps(content), "utf-8")


def test_a_clip_has_two_towers_that_end_in_one_space(zoo: Path) -> None:
    spec = read(zoo / "clip")
    assert spec.inputs == BOTH
    assert spec.outputs == (OutputType.DENSE,)
    assert spec.similarity is Similarity.COSINE
    assert (spec.dimensions, spec.max_tokens, spec.normalized) == (40, 32, False)
    assert spec.backbone.architecture == "CLIPTextModel"
    assert spec.vision is not None
    assert spec.vision.backbone.architecture == "CLIPVisionModel"
    for steps in (spec.chains[0].steps, spec.vision.steps):
        assert [type(step) for step in steps] == [OwnPool, Dense]
    assert spec.vision.processing.resize == ShortestEdge(32)


def test_the_older_form_of_the_options_counts_first(zoo: Path) -> None:
    spec = read(zoo / "clip-legacy")
    assert spec.vision is not None
    assert spec.vision.backbone.folder == "0_CLIPModel"
    assert spec.vision.backbone.config["hidden_size"] == 56


def test_open_clip_states_the_same_in_other_words(zoo: Path) -> None:
    spec = read(zoo / "open-clip")
    assert spec.vision is not None
    text, vision = spec.backbone.config, spec.vision.backbone.config
    assert (text["hidden_size"], text["intermediate_size"], text["vocab_size"] > 500) == (
        48, 96, True,
    )  # fmt: skip
    assert (vision["num_attention_heads"], vision["hidden_act"]) == (4, "quick_gelu")
    assert spec.vision.processing.even


def test_siglip_fills_its_texts(zoo: Path) -> None:
    first, second = read(zoo / "siglip"), read(zoo / "siglip2")
    assert first.fill is not None
    assert second.fill is not None
    assert (first.fill.token, first.fill.seen, first.lowercase) == (0, True, False)
    assert (second.fill.token, second.fill.seen, second.lowercase) == (0, False, True)
    assert first.vision is not None
    assert second.vision is not None
    assert first.vision.processing.resize == Exact(32, 32)
    assert second.vision.processing.resize == PatchBudget(8, 16)


def test_one_tower_alone_reads_what_it_reads(zoo: Path) -> None:
    assert read(zoo / "clip-text").inputs == (Modality.TEXT,)
    assert read(zoo / "m-clip").inputs == (Modality.TEXT,)
    pictures = read(zoo / "clip-vision")
    assert (pictures.inputs, pictures.tokenizer) == ((Modality.IMAGE,), "")


def test_a_closing_normalize_counts_for_both(copy: Any) -> None:
    folder = copy("clip-legacy")
    kind = "sentence_transformers.models.Normalize"
    rows = json.loads((folder / "modules.json").read_text("utf-8"))
    rows.append({"idx": 1, "name": "1", "path": "1_Normalize", "type": kind})
    (folder / "modules.json").write_text(json.dumps(rows), "utf-8")
    spec = read(folder)
    assert spec.normalized
    assert spec.vision is not None
    assert isinstance(spec.vision.steps[-1], Normalize)


REFUSED: list[tuple[str, str, tuple[str, ...], dict[str, Any], str]] = [
    ("clip", "preprocessor_config.json", (), {"image_processor_type": "BitImageProcessor"},
     "BitImageProcessor"),
    ("clip", "preprocessor_config.json", (), {"do_pad": True}, "do_pad=True"),
    ("clip", "preprocessor_config.json", (), {"do_thumbnail": True}, "do_thumbnail"),
    ("clip", "preprocessor_config.json", (), {"size": {"longest_edge": 32}}, "longest_edge"),
    ("clip", "preprocessor_config.json", (), {"resample": 9}, "resample=9"),
    ("clip", "preprocessor_config.json", (), {"crop_size": 24}, "24 x 24"),
    ("clip", "preprocessor_config.json", (), {"do_center_crop": False}, "of many sizes"),
    ("siglip2", "preprocessor_config.json", (), {"patch_size": 16}, "patches of 8 pixels"),
    ("siglip2", "tokenizer_config.json", (), {"padding_side": "left"}, "on the left"),
    ("open-clip", "open_clip_config.json", ("model_cfg", "vision_cfg"), {"layers": [3, 4, 6, 3]},
     "ResNet"),
    ("open-clip", "open_clip_config.json", ("model_cfg", "vision_cfg"),
     {"timm_model_name": "vit_base_patch16_siglip_224"}, "timm_model_name"),
    ("open-clip", "open_clip_config.json", ("model_cfg", "vision_cfg"), {"pool_type": "avg"},
     "pool_type='avg'"),
    ("open-clip", "open_clip_config.json", ("model_cfg", "text_cfg"),
     {"hf_model_name": "roberta-base"}, "hf_model_name"),
    ("open-clip", "open_clip_config.json", ("model_cfg",), {"multimodal_cfg": {}},
     "multimodal_cfg"),
    ("open-clip", "open_clip_config.json", ("preprocess_cfg",), {"resize_mode": "longest"},
     "resize_mode='longest'"),
    ("open-clip", "open_clip_config.json", ("preprocess_cfg",), {"interpolation": "random"},
     "interpolation='random'"),
    ("m-clip", "config.json", (), {"modelBase": "bert-base-arabic"}, "bert-base-arabic"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "path", "changes", "said"), REFUSED)
def test_what_is_not_implemented_is_refused_by_name(
    copy: Any, name: str, file: str, path: tuple[str, ...], changes: dict[str, Any], said: str
) -> None:
    folder = copy(name)
    edit(folder / file, *path, **changes)
    with pytest.raises(UnsupportedCheckpoint, match=said):
        read(folder)


BAD_NUMBERS = [
    ("clip", "projection_dim", -1, "projection_dim=-1; a number >= 1"),
    ("clip", "projection_dim", 7, "projection_dim=7, .* makes vectors of 40"),
    ("clip-text", "projection_dim", 7, "projection_dim=7, .* makes vectors of 40"),
    ("chinese-clip", "projection_dim", True, "projection_dim=True"),
    ("clip", "logit_scale_init_value", "x", "logit_scale_init_value='x'; a finite number"),
    ("siglip", "logit_scale_init_value", True, "logit_scale_init_value=True; a finite number"),
    ("clip", "text_config", None, "text_config=null; a tower's options"),
    ("siglip2", "vision_config", None, "vision_config=null; a tower's options"),
    ("clip-vision", "patch_size", 0, "patch_size=0; a number >= 1"),
    ("clip-vision", "image_size", None, "lacks the option 'image_size'"),
]


@pytest.mark.parametrize(("name", "option", "value", "reason"), BAD_NUMBERS, ids=str)
def test_an_option_that_means_nothing_is_refused_by_name(
    copy: Any, name: str, option: str, value: Any, reason: str
) -> None:
    folder = copy(name)
    edit(folder / "config.json", **{option: value})
    with pytest.raises(ModelLoadFailed, match=reason):
        read(folder)


def test_a_checkpoint_without_its_processing_is_refused(copy: Any) -> None:
    folder = copy("clip")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelLoadFailed, match=r"no preprocessor_config\.json"):
        read(folder)


def test_a_checkpoint_without_a_fast_tokenizer_is_refused(copy: Any) -> None:
    folder = copy("clip")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UnsupportedCheckpoint, match=r"no tokenizer\.json"):
        read(folder)


def without(kind: str) -> list[dict[str, Any]]:
    """CLIP's normalizers but one."""
    spaces = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    steps = [{"type": "NFC"}, spaces, {"type": "Lowercase"}]
    return [step for step in steps if step["type"] != kind]


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        (("normalizer",), {"normalizers": without("Lowercase")}, "normalizer"),
        (("pre_tokenizer",), {"pretokenizers": []}, "pre_tokenizer"),
        (("post_processor",), {"cls": ["<|endoftext|>", 1]}, "post_processor"),
    ],
)
def test_a_tokenizer_that_would_be_built_otherwise_is_refused(
    copy: Any, path: tuple[str, ...], changes: dict[str, Any], said: str
) -> None:
    folder = copy("clip")
    edit(folder / "tokenizer.json", *path, **changes)
    with pytest.raises(UnsupportedCheckpoint, match=said):
        read(folder)


@pytest.mark.parametrize("name", ["text_projection.weight", "visual_projection.weight"])
def test_a_missing_projection_is_named(copy: Any, name: str) -> None:
    folder = copy("clip")
    tensors = load_file(folder / "model.safetensors")
    del tensors[name]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelLoadFailed, match=name):
        read(folder)


def test_tensors_that_nothing_reads_are_named(copy: Any) -> None:
    folder = copy("clip")
    tensors = load_file(folder / "model.safetensors")
    tensors["segmentation_head.weight"] = np.zeros((2, 2), np.float32)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(UnsupportedCheckpoint, match=r"segmentation_head\.weight"):
        read(folder)


def test_texts_and_pictures_of_other_widths_are_refused(copy: Any) -> None:
    folder = copy("clip")
    tensors = load_file(folder / "model.safetensors")
    tensors["visual_projection.weight"] = np.zeros((12, 56), np.float32)
    save_file(tensors, folder / "model.safetensors")
    edit(folder / "config.json", projection_dim=...)
    with pytest.raises(ModelLoadFailed, match="40 and 12"):
        read(folder)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_the_factor_on_cosines_is_read_in_any_precision(copy: Any, kind: Any) -> None:
    folder = copy("clip")
    tensors = load_file(folder / "model.safetensors")
    tensors["logit_scale"] = np.array(2.5, kind)
    save_file(tensors, folder / "model.safetensors")
    contrast = read(folder).contrast
    assert contrast is not None
    assert contrast.scale == pytest.approx(np.exp(2.5))


def test_texts_may_be_read_shorter(zoo: Path) -> None:
    assert read(zoo / "clip", max_tokens=12).max_tokens == 12
