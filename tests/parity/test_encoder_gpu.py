"""The encoder engine on a GPU against the library, and against itself on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import zoo as checkpoints
from fix_engine import answer
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines import encoder
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, EncodeResult, Item, Modality

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]
TEXTS = ["", "a", "Vectors are numbers.", "word " * 40, "long text " * 300, "Zürich 東京 🚀"] * 5


@pytest.mark.parametrize(
    ("dtype", "cosine", "difference"),
    [(ComputeDtype.FLOAT32, 0.999999, 1e-5), (ComputeDtype.BFLOAT16, 0.9995, 1e-2)],
)
def test_vectors_on_a_gpu_equal_the_reference(
    dtype: ComputeDtype, cosine: float, difference: float
) -> None:
    spec = Catalog().spec("default")
    reference = SentenceTransformer(spec.folder, device="cpu").encode(TEXTS)
    runner = Runner(load(spec, EngineOptions(dtype=dtype, device=Device.CUDA)))
    call = EncodeCall(model="default", items=[Item(text=text) for text in TEXTS])
    vectors = runner.submit(call).result().dense
    runner.close()
    assert (vectors * reference).sum(axis=1).min() >= cosine
    assert np.abs(vectors - reference).max() <= difference


@pytest.mark.parametrize("dtype", [ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16])
@pytest.mark.parametrize("name", SOUND)
def test_every_small_model_gives_on_a_gpu_what_it_gives_on_the_cpu(
    zoo: Path, name: str, dtype: ComputeDtype
) -> None:
    spec = Catalog([ModelEntry(name="m", source=str(zoo / name))]).spec("m")
    if not spec.outputs or Modality.TEXT not in spec.inputs or encoder.refuses(spec) is not None:
        pytest.skip("the encoder makes no representations of texts with it")
    call = EncodeCall(model="m", items=[Item(text=t) for t in TEXTS], outputs=spec.outputs[:1])
    exact = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU)
    near = EngineOptions(dtype=dtype, device=Device.CUDA)
    one, other = (numbers(answer(load(spec, options), call)) for options in (near, exact))
    assert float(one @ other) >= 0.999 * np.linalg.norm(one) * np.linalg.norm(other)
    if dtype is ComputeDtype.FLOAT32:
        np.testing.assert_allclose(one, other, atol=1e-4 * max(1.0, np.abs(other).max()), rtol=0)


def numbers(result: EncodeResult) -> NDArray[np.float64]:
    """All numbers of a result in one row; terms by their place in the vocabulary."""
    if result.dense is not None:
        return result.dense.ravel().astype(np.float64)
    if result.multivector is not None:
        return result.multivector.values.ravel().astype(np.float64)
    assert result.sparse is not None
    grid = np.zeros((len(TEXTS), 300_000))
    rows = np.repeat(np.arange(len(TEXTS)), np.diff(result.sparse.offsets))
    grid[rows, result.sparse.indices] = result.sparse.values
    return grid.ravel()
