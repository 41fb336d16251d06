"""The encoder engine on a GPU against sentence-transformers on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from stelae.catalog.catalog import Catalog
from stelae.engines.base import Device, EngineOptions
from stelae.engines.encoder.engine import load
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

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
