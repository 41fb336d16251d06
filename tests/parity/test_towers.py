"""Served models of texts and pictures against the reference library, file to vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file
from tiny.vision import clip_config, clip_weights

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.scheduler.queue import Limits
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item, ScoreCall

Vectors = NDArray[np.float32]

TEXTS = [
    "the river stone",
    "a",
    "",
    "A Letter, about MUSIC!  by the king of Berlin's house",
    "one two three " * 20,
    "clay tablet <|endoftext|> of words",
    "城市 äéñ",
]


def picture(height: int, width: int) -> Image.Image:
    rng = np.random.default_rng(height * 1000 + width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


PICTURES = [picture(*size) for size in ((32, 32), (40, 90), (91, 17), (5, 5), (200, 133))]


def as_file(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="tiny", source=str(folder))]).spec("tiny")


def serve(
    folder: Path, dtype: ComputeDtype = ComputeDtype.FLOAT32, **limits: int
) -> tuple[Runner, ModelSpec]:
    spec = spec_of(folder)
    choice = registry.choose(spec)
    assert choice.manifest.name == "encoder"
    options = EngineOptions(dtype=dtype, device=Device.CPU, threads=1)
    return Runner(registry.load(choice.manifest, spec, options), Limits(**limits)), spec


def encoded(runner: Runner, items: Sequence[Item], **options: Any) -> EncodeResult:
    call = EncodeCall(model="tiny", items=list(items), **options)
    result: EncodeResult = runner.submit(call).result(60)
    return result


def vectors(runner: Runner, items: Sequence[Item]) -> Vectors:
    result = encoded(runner, items)
    assert result.errors == {}
    assert result.dense is not None
    return result.dense


@torch.inference_mode()
def clip_texts(model: Any, folder: Path, texts: Sequence[str], **options: Any) -> Vectors:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    length = model.config.text_config.max_position_embeddings
    read = {"padding": True, "truncation": True, "max_length": length, "return_tensors": "pt"}
    answer = model.get_text_features(**tokenizer(list(texts), **(read | options)))
    return np.float32(answer.pooler_output)


@torch.inference_mode()
def clip_pictures(model: Any, folder: Path, kind: str, images: Sequence[Image.Image]) -> Vectors:
    processor = getattr(transformers, f"{kind}Pil").from_pretrained(folder)
    rows = [model.get_image_features(**processor(i, return_tensors="pt")) for i in images]
    return np.float32(torch.cat([row.pooler_output for row in rows]))


def clip(folder: Path) -> tuple[Vectors, Vectors]:
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    images = clip_pictures(model, folder, "CLIPImageProcessor", PICTURES)
    return clip_texts(model, folder, TEXTS), images


def clip_legacy(folder: Path) -> tuple[Vectors, Vectors]:
    return clip(folder / "0_CLIPModel")


def open_clip(folder: Path) -> tuple[Vectors, Vectors]:
    """The same numbers in the library's own model; a text ends at its largest id."""
    names = load_file(folder / "open_clip_model.safetensors")
    vocabulary = len(names["token_embedding.weight"])
    config = clip_config(vocabulary)
    config["text_config"]["eos_token_id"] = 2
    model = transformers.CLIPModel(transformers.CLIPConfig(**config)).eval()
    weights = clip_weights("open-clip", vocabulary)
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.items()})
    processor = transformers.CLIPImageProcessorPil(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    even = [image for image in PICTURES if _crops_alike(image)]
    with torch.inference_mode():
        rows = [model.get_image_features(**processor(i, return_tensors="pt")) for i in even]
    images = np.float32(torch.cat([row.pooler_output for row in rows]))
    return clip_texts(model, folder, TEXTS), images


def _crops_alike(image: Image.Image) -> bool:
    """Whether both libraries find the same middle: the spare length is even."""
    long, short = max(image.size), min(image.size)
    return (int(32 * long / short) - 32) % 2 == 0


def chinese_clip(folder: Path) -> tuple[Vectors, Vectors]:
    model = transformers.ChineseCLIPModel.from_pretrained(folder).eval()
    images = clip_pictures(model, folder, "ChineseCLIPImageProcessor", PICTURES)
    return clip_texts(model, folder, TEXTS), images


def siglip(folder: Path) -> tuple[Vectors, Vectors]:
    model = transformers.SiglipModel.from_pretrained(folder).eval()
    images = clip_pictures(model, folder, "SiglipImageProcessor", PICTURES)
    return clip_texts(model, folder, TEXTS, padding="max_length"), images


def siglip2(folder: Path) -> tuple[Vectors, Vectors]:
    model = transformers.Siglip2Model.from_pretrained(folder).eval()
    images = clip_pictures(model, folder, "Siglip2ImageProcessor", PICTURES)
    return clip_texts(model, folder, TEXTS, padding="max_length"), images


REFERENCES: dict[str, Callable[[Path], tuple[Vectors, Vectors]]] = {
    "clip": clip,
    "clip-legacy": clip_legacy,
    "open-clip": open_clip,
    "chinese-clip": chinese_clip,
    "siglip": siglip,
    "siglip2": siglip2,
}


def assert_equal(found: Vectors, expected: Vectors) -> None:
    assert found.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("name", REFERENCES)
def test_texts_and_pictures_equal_the_reference(zoo: Path, name: str) -> None:
    texts, images = REFERENCES[name](zoo / name)
    shown = [i for i in PICTURES if name != "open-clip" or _crops_alike(i)]
    runner, spec = serve(zoo / name, batch_tokens=100)
    items = [Item(text=text) for text in TEXTS] + [Item(image=as_file(i)) for i in shown]
    order = np.random.default_rng(1).permutation(len(items))
    mixed = vectors(runner, [items[i] for i in order])
    found = np.empty_like(mixed)
    found[order] = mixed
    assert found.shape[1] == spec.dimensions
    assert_equal(found[: len(TEXTS)], texts)
    assert_equal(found[len(TEXTS) :], images)
    runner.close()


@pytest.mark.parametrize("name", REFERENCES)
def test_vectors_in_bfloat16_point_the_same_way(zoo: Path, name: str) -> None:
    texts, images = REFERENCES[name](zoo / name)
    shown = [i for i in PICTURES if name != "open-clip" or _crops_alike(i)]
    runner, _ = serve(zoo / name, ComputeDtype.BFLOAT16)
    items = [Item(text=text) for text in TEXTS] + [Item(image=as_file(i)) for i in shown]
    found, expected = vectors(runner, items), np.concatenate([texts, images])
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((found * expected).sum(1) / lengths).min() >= 0.999
    runner.close()


@pytest.mark.parametrize("name", REFERENCES)
def test_company_changes_nothing(zoo: Path, name: str) -> None:
    runner, _ = serve(zoo / name)
    items = [Item(text=text) for text in TEXTS] + [Item(image=as_file(i)) for i in PICTURES]
    together = vectors(runner, items)
    for index, item in enumerate(items):
        alone = vectors(runner, [item])[0]
        scale = max(1.0, float(np.abs(alone).max()))
        np.testing.assert_allclose(together[index], alone, rtol=0, atol=1e-6 * scale)
    runner.close()


def test_a_tower_for_texts_alone_equals_the_reference(zoo: Path) -> None:
    folder = zoo / "clip-text"
    model = transformers.CLIPTextModelWithProjection.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    read = tokenizer(TEXTS, padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.inference_mode():
        expected = np.float32(model(**read).text_embeds)
    runner, _ = serve(folder)
    assert_equal(vectors(runner, [Item(text=text) for text in TEXTS]), expected)
    refused = encoded(runner, [Item(image=as_file(PICTURES[0]))]).errors[0]
    assert "either text or token_ids" in refused.message
    runner.close()


def test_a_tower_for_pictures_alone_equals_the_reference(zoo: Path) -> None:
    folder = zoo / "clip-vision"
    model = transformers.CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    with torch.inference_mode():
        expected = np.float32(model(**processor(PICTURES, return_tensors="pt")).image_embeds)
    runner, _ = serve(folder)
    assert_equal(vectors(runner, [Item(pixels=np.asarray(i)) for i in PICTURES]), expected)
    refused = encoded(runner, [Item(text="stone")]).errors[0]
    assert "either image or pixels" in refused.message
    runner.close()


def test_a_multilingual_text_tower_equals_its_formula(zoo: Path) -> None:
    """The mean of the encoder's vectors, then a linear layer (``pt_multilingual_clip.py``)."""
    folder = zoo / "m-clip"
    tensors = {n: torch.from_numpy(t) for n, t in load_file(folder / "model.safetensors").items()}
    config = transformers.XLMRobertaConfig.from_pretrained(folder)
    model = transformers.XLMRobertaModel(config).eval()
    model.load_state_dict(
        {n.removeprefix("transformer."): t for n, t in tensors.items() if n[0] == "t"}
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, config=transformers.XLMRobertaConfig()
    )
    read = tokenizer(TEXTS, padding=True, truncation=True, max_length=128, return_tensors="pt")
    mask = read["attention_mask"][..., None]
    with torch.inference_mode():
        states = model(**read).last_hidden_state
        mean = (states * mask).sum(1) / mask.sum(1)
        weight, bias = (tensors[f"LinearTransformation.{part}"] for part in ("weight", "bias"))
        expected = np.float32(mean @ weight.T + bias)
    runner, _ = serve(folder)
    assert_equal(vectors(runner, [Item(text=text) for text in TEXTS]), expected)
    runner.close()


def test_files_and_arrays_of_one_picture_give_one_vector(zoo: Path) -> None:
    runner, _ = serve(zoo / "clip")
    image = PICTURES[1]
    forms = [Item(image=as_file(image)), Item(pixels=np.asarray(image))]
    first, second = vectors(runner, forms)
    np.testing.assert_array_equal(first, second)
    runner.close()


def test_a_broken_picture_fails_alone(zoo: Path) -> None:
    runner, _ = serve(zoo / "clip")
    whole = as_file(PICTURES[0])
    items = [Item(text="stone"), Item(image=whole[:100]), Item(image=whole), Item(image=b"")]
    result = encoded(runner, items)
    assert list(result.errors) == [1, 3]
    assert "cut off or broken" in result.errors[1].message
    assert "0 bytes" in result.errors[3].message
    assert (result.tokens > 0).tolist() == [True, False, True, False]
    runner.close()


def test_texts_and_pictures_are_scored_by_their_cosine(zoo: Path) -> None:
    folder = zoo / "clip"
    texts, images = clip(folder)
    runner, _ = serve(folder)
    documents = [Item(image=as_file(image)) for image in PICTURES] + [Item(text=TEXTS[0])]
    call = ScoreCall(model="tiny", query=Item(text=TEXTS[1]), documents=documents)
    scores = runner.submit(call).result(60).scores
    rows = np.concatenate([texts[1:2], images, texts[:1]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(scores, rows[1:] @ rows[0], atol=1e-5)
    runner.close()


def test_the_factor_on_cosines_is_that_of_the_reference(zoo: Path) -> None:
    model = transformers.CLIPModel.from_pretrained(zoo / "clip")
    contrast = spec_of(zoo / "clip").contrast
    assert contrast is not None
    assert contrast.scale == pytest.approx(float(model.logit_scale.detach().exp()), rel=1e-6)
    sigmoid = transformers.SiglipModel.from_pretrained(zoo / "siglip")
    both = spec_of(zoo / "siglip").contrast
    assert both is not None
    assert both.scale == pytest.approx(float(sigmoid.logit_scale.detach().exp()), rel=1e-6)
    assert both.bias == pytest.approx(float(sigmoid.logit_bias.detach()), rel=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers_makes_the_same_vectors(zoo: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(zoo / "clip"), device="cpu")
    runner, _ = serve(zoo / "clip")
    texts = TEXTS[:4]
    found = vectors(runner, [Item(text=text) for text in texts])
    assert_equal(found, np.float32(model.encode(texts)))
    found = vectors(runner, [Item(image=as_file(image)) for image in PICTURES])
    assert_equal(found, np.float32(model.encode(PICTURES)))
    runner.close()
