"""Checkpoints that look like others but hold more: refused by the name of what is in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.spec import ModelSpec
from stelae.errors import UnsupportedCheckpoint

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

TIMM = {
    "timm_model_name": "convnext_base", "timm_model_pretrained": False, "timm_pool": "",
    "timm_proj": "linear", "timm_drop": 0.0, "timm_drop_path": 0.1, "image_size": 32,
}  # fmt: skip
HF = {
    "hf_model_name": "xlm-roberta-base", "hf_tokenizer_name": "xlm-roberta-base",
    "hf_proj_type": "mlp", "hf_pooler_type": "mean_pooler",
}  # fmt: skip
EXPERTS = {
    "moe_every_n_layers": 2, "num_experts": 8, "moe_top_k": 2, "num_shared_experts": 0,
    "moe_impl": "megablocks", "expert_choice_router": False, "ffn_div": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("tower", "config", "said"),
    [
        ("vision_cfg", TIMM, "timm_model_name='convnext_base', which is not implemented"),
        ("text_cfg", HF, "hf_model_name='xlm-roberta-base', which is not implemented"),
    ],
)
def test_towers_of_other_libraries_are_named(
    edited: Edit, read: Read, zoo: Path, tower: str, config: dict[str, Any], said: str
) -> None:
    known = json.loads((zoo / "open-clip/open_clip_config.json").read_text("utf-8"))["model_cfg"]
    folder = edited("open-clip", "open_clip_config.json", model_cfg=known | {tower: config})
    with pytest.raises(UnsupportedCheckpoint, match=said):
        read(folder)


def test_experts_are_named_before_any_engine_looks_for_their_weights(
    edited: Edit, read: Read
) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="moe_every_n_layers=2, which is not implem"):
        read(edited("nomic-mean", "config.json", **EXPERTS))


def test_layers_without_experts_may_say_so(edited: Edit, read: Read) -> None:
    spec = read(edited("nomic-mean", "config.json", moe_every_n_layers=0, num_experts=0))
    assert spec.dimensions == 64


def test_pieces_without_a_fast_tokenizer_are_named(zoo: Path, tmp_path: Path, read: Read) -> None:
    folder = Path(shutil.copytree(zoo / "siglip", tmp_path / "siglip"))
    (folder / "tokenizer.json").rename(folder / "spiece.model")
    settings = {"tokenizer_class": "SiglipTokenizer", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    with pytest.raises(UnsupportedCheckpoint, match=r"only spiece\.model of a SiglipTokenizer"):
        read(folder)


PUNCTUATION = {
    "type": "Replace", "pattern": {"Regex": r"[!-/:-@\[-`{-~]"}, "content": "",
}  # fmt: skip
SPACES: list[dict[str, Any]] = [
    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
]


@pytest.mark.parametrize(
    ("steps", "lowered", "fits"),
    [
        ([{"type": "Lowercase"}, PUNCTUATION, *SPACES], True, True),
        ([PUNCTUATION, *SPACES], False, True),
        ([PUNCTUATION, *SPACES], True, False),
        ([{"type": "Lowercase"}, *SPACES], True, False),
    ],
)
def test_words_of_siglip_stand_without_capitals_and_punctuation(
    edited: Edit, read: Read, steps: list[dict[str, Any]], lowered: bool, fits: bool
) -> None:
    kind = {"tokenizer_class": "SiglipTokenizer", "do_lower_case": lowered}
    edited("siglip", "tokenizer_config.json", **kind)
    reading = {"type": "Sequence", "normalizers": steps}
    folder = edited("siglip", "tokenizer.json", normalizer=reading)
    if fits:
        assert read(folder).fill is not None
        return
    with pytest.raises(UnsupportedCheckpoint, match=r"has normalizer\('Aé, \(b\)-C!'\)"):
        read(folder)
