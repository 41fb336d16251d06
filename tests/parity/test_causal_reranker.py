"""Two rows of a language head against sentence-transformers' cross-encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder
from tiny.decoders import qwen3_reranker

from stelae.nn.backbone import backbone_class
from stelae.nn.batch import pack
from stelae.nn.stored import read
from stelae.nn.weights import assign

PAIRS = [
    ("a river", "the stone"),
    ("where is the king", "long text " * 300),
    ("", ""),
    ("two", "中文 ÄÖ 12"),
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zoo") / "qwen3-reranker"
    folder.mkdir()
    qwen3_reranker(folder)
    return folder


def test_scores_equal_the_reference(checkpoint: Path) -> None:
    library = CrossEncoder(str(checkpoint), device="cpu", local_files_only=True)
    expected = library.predict(PAIRS, activation_fn=torch.nn.Identity())
    config = json.loads((checkpoint / "config.json").read_text("utf-8"))
    answers = json.loads((checkpoint / "1_LogitScore/config.json").read_text("utf-8"))
    tensors = read([checkpoint / "model.safetensors"])
    kind = backbone_class(config["architectures"][0])
    trunk = kind.from_config(config)
    assign(trunk, kind.weights.apply(tensors), torch.float32)
    head = trunk.choice(tensors, [answers["true_token_id"], answers["false_token_id"]])
    ids = [library.preprocess([pair])["input_ids"][0].numpy().astype(np.int32) for pair in PAIRS]
    batch = pack(ids)
    with torch.inference_mode():
        scores = batch.restore(head(trunk(batch), batch).numpy())[:, 0]
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * scale)


def test_the_prompt_is_the_published_one(checkpoint: Path) -> None:
    library = CrossEncoder(str(checkpoint), device="cpu", local_files_only=True)
    ids = library.preprocess([("what?", "this")], prompt="Judge it")["input_ids"][0]
    assert library.tokenizer.decode(ids) == (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the "
        'Query and the Instruct provided. Note that the answer can only be "yes" or "no".'
        "<|im_end|>\n<|im_start|>user\n<Instruct>: Judge it\n<Query>: what?\n<Document>: this"
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )
