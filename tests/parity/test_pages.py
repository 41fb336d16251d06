"""Models of pages, served through the library, against the library used by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item, OutputType, ScoreCall
from stelae.vectors.maxsim import maxsim

READERS = {"ColPali": "SiglipImageProcessorPil", "ColQwen2": "Qwen2VLImageProcessorPil"}
TEXTS = ["where is the clay tablet?", "a", "the king of Berlin <|endoftext|> and music", "城市"]

Matrix = NDArray[np.float32]


def page(height: int, width: int) -> Image.Image:
    rng = np.random.default_rng(height + width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


PAGES = [page(40, 30), page(90, 60), page(40, 30), page(60, 200)]


class Served:
    """A served model and the library's own, of one checkpoint."""

    def __init__(self, folder: Path, name: str) -> None:
        spec = Catalog([ModelEntry(name="pages", source=str(folder))]).spec("pages")
        choice = registry.choose(spec)
        assert choice.manifest.name == "transformers"
        assert "it has no architecture" in choice.reason
        options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
        self.runner = Runner(registry.load(choice.manifest, spec, options))
        reader = getattr(transformers, READERS[name]).from_pretrained(folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.processor = getattr(transformers, f"{name}Processor")(reader, tokenizer)
        self.model = getattr(transformers, f"{name}ForRetrieval").from_pretrained(folder).eval()

    def vectors(self, items: Sequence[Item]) -> list[Matrix]:
        call = EncodeCall(model="pages", items=list(items), outputs=(OutputType.MULTIVECTOR,))
        result = self.runner.submit(call).result(60)
        assert result.errors == {}
        values, offsets = result.multivector.values, result.multivector.offsets
        return [values[a:b] for a, b in pairwise(offsets)]

    @torch.inference_mode()
    def expected(self, read: Any) -> list[Matrix]:
        """The library's vectors of a padded batch, without those of the padding."""
        read.pop("labels", None)
        vectors = self.model(**read).embeddings
        kept = read["attention_mask"].bool()
        return [np.float32(rows[keep]) for rows, keep in zip(vectors, kept, strict=True)]


@pytest.fixture(scope="module", params=READERS)
def served(request: pytest.FixtureRequest, zoo: Path) -> Iterator[Served]:
    model = Served(zoo / request.param.lower(), request.param)
    yield model
    model.runner.close()


def assert_same(found: list[Matrix], expected: list[Matrix]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_questions_equal_the_library(served: Served) -> None:
    expected = served.expected(served.processor.process_queries(TEXTS))
    assert_same(served.vectors([Item(text=text) for text in TEXTS]), expected)


def test_pages_equal_the_library(served: Served) -> None:
    expected = [served.expected(served.processor.process_images([image]))[0] for image in PAGES]
    assert_same(served.vectors([Item(pixels=np.asarray(image)) for image in PAGES]), expected)


def test_questions_and_pages_may_be_mixed(served: Served) -> None:
    items = [Item(text=TEXTS[0]), Item(pixels=np.asarray(PAGES[1])), Item(text=TEXTS[1])]
    mixed, alone = served.vectors(items), [served.vectors([item])[0] for item in items]
    assert_same(mixed, alone)


def test_pages_are_ranked_by_late_interaction(served: Served) -> None:
    items = [Item(text=TEXTS[0]), *(Item(pixels=np.asarray(image)) for image in PAGES)]
    vectors = served.vectors(items)
    call = ScoreCall(model="pages", query=items[0], documents=items[1:])
    scores = served.runner.submit(call).result(60).scores
    np.testing.assert_allclose(scores, maxsim(vectors[0], vectors[1:]), rtol=1e-5)


def test_a_broken_page_fails_alone(served: Served) -> None:
    items = [Item(image=b"no picture"), Item(text="stone")]
    call = EncodeCall(model="pages", items=items, outputs=(OutputType.MULTIVECTOR,))
    assert list(served.runner.submit(call).result(60).errors) == [0]
