"""Kin of the detectors in the zoo: made by the library, saved, and served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from fix_engine import answer
from fix_pictures import blots
from numpy.typing import NDArray
from PIL import Image
from tiny.seeing import DETR, GROUNDING_DINO, OWLV2, RT_DETR, THINGS, names, processing

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import AnyEngine, Device, EngineOptions
from stelae.types import ComputeDtype, ExtractCall, Item

Rows = NDArray[np.float64]
"""Score, left and upper edge, width and height."""

OPTIONS = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
PICTURES = [blots(60, 90), blots(90, 60, 1)]
WIDE = {"shortest_edge": 96, "longest_edge": 160}
SQUARE = {"height": 96, "width": 96}
DEEPER = RT_DETR | {"decoder_layers": 2}
HGNET = {
    "embedding_size": 16,
    "model_type": "hgnet_v2",
    "out_features": ["stage2", "stage3", "stage4"],
    "hidden_sizes": [16, 24, 32, 40],
    "stem_channels": [3, 8, 16],
    "stage_in_channels": [16, 16, 24, 32],
    "stage_mid_channels": [8, 8, 8, 8],
    "stage_out_channels": [16, 24, 32, 40],
    "stage_num_blocks": [1, 1, 1, 1],
    "stage_numb_of_layers": [2, 2, 2, 2],
    "depths": [1, 1, 1, 1],
}
YOLOS = {
    "hidden_size": 32,
    "image_size": [96, 160],
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_detection_tokens": 12,
    "num_hidden_layers": 2,
    "patch_size": 16,
    **names(*THINGS),
}
KIN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "TableTransformerForObjectDetection": (DETR, processing("DetrImageProcessor", WIDE), ""),
    "YolosForObjectDetection": (YOLOS, processing("YolosImageProcessor", WIDE), ""),
    "RTDetrV2ForObjectDetection": (DEEPER, processing("RTDetrImageProcessor", SQUARE), ""),
    "DFineForObjectDetection": (
        {**DEEPER, "backbone_config": HGNET, "decoder_n_points": [2, 2, 2]},
        processing("RTDetrImageProcessor", SQUARE, do_normalize=False),
        "",
    ),
    "OwlViTForObjectDetection": (OWLV2, processing("OwlViTImageProcessor", SQUARE), "owlv2"),
    "MMGroundingDinoForObjectDetection": (
        GROUNDING_DINO,
        processing("GroundingDinoImageProcessor", WIDE),
        "grounding-dino",
    ),
}
"""Configuration and processor of each class, and where its tokenizer is."""


class Kin:
    """One class: the engine of a checkpoint, and the library's own model."""

    def __init__(self, name: str, folder: Path, zoo: Path) -> None:
        config, reading, words = KIN[name]
        (folder / "preprocessor_config.json").write_text(json.dumps(reading))
        if words:
            for file in ("tokenizer.json", "tokenizer_config.json"):
                copyfile(zoo / words / file, folder / file)
            config = json.loads((zoo / words / "config.json").read_text())
        self.model = random_model(name, config)
        self.model.save_pretrained(folder)
        spec = Catalog([ModelEntry(name="kin", source=str(folder))]).spec("kin")
        assert spec.backbone.architecture == name
        self.words = words
        self.labels = ("a cat", "tree") if words else ()
        self.engine: AnyEngine = registry.load(registry.choose(spec).manifest, spec, OPTIONS)
        kind = f"{reading['image_processor_type']}Pil"
        self.reader = getattr(transformers, kind).from_pretrained(folder)
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder) if words else None

    def found(self, picture: Image.Image) -> Rows:
        item = Item(pixels=np.asarray(picture))
        call = ExtractCall(model="kin", items=[item], labels=self.labels, threshold=0.0)
        result = answer(self.engine, call)
        assert not result.errors
        return np.array([(o.score, *o.bbox) for o in result.items[0].objects]).reshape(-1, 5)

    @torch.inference_mode()
    def expected(self, picture: Image.Image) -> Rows:
        """Scores and boxes by the library's own rules, cut to the picture, best first."""
        read = dict(self.reader(images=picture, return_tensors="pt"))
        after = self.reader.post_process_object_detection
        if self.words == "grounding-dino":
            read |= self.tokenizer(". ".join(self.labels) + ".", return_tensors="pt")
            processor = transformers.GroundingDinoProcessor(self.reader, self.tokenizer)
            after = processor.post_process_grounded_object_detection
        elif self.words:
            filled = {"padding": "max_length", "max_length": 16, "return_tensors": "pt"}
            read |= self.tokenizer(list(self.labels), **filled)
        size = [(picture.height, picture.width)]
        found = after(self.model(**read), threshold=0.0, target_sizes=size)[0]
        boxes = found["boxes"].double().numpy().reshape(-1, 2, 2).clip(0, np.array(picture.size))
        rows = np.column_stack([found["scores"], boxes[:, 0], boxes[:, 1] - boxes[:, 0]])
        rows = rows[rows[:, 3:].min(axis=1) > 0]
        ordered: Rows = rows[np.argsort(-rows[:, 0], kind="stable")]
        return ordered


def random_model(name: str, config: dict[str, Any]) -> Any:
    given = {k: v for k, v in config.items() if k not in {"architectures", "model_type"}}
    for part in ("text_config", "vision_config") if name.startswith("Owl") else ():
        given[part] = {k: v for k, v in given[part].items() if k != "model_type"}
    kind = getattr(transformers, name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return kind(kind.config_class(**given)).eval()


@pytest.fixture(scope="module", params=KIN)
def kin(
    request: pytest.FixtureRequest, zoo: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kin]:
    made = Kin(request.param, tmp_path_factory.mktemp(request.param), zoo)
    yield made
    made.engine.close()


def test_objects_are_those_of_the_library(kin: Kin) -> None:
    for picture in PICTURES:
        found, expected = kin.found(picture), kin.expected(picture)
        assert len(expected) > 5
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-5)
