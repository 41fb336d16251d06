"""Tensors under the names that the reference library saves, which are not always its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from fix_arch import assert_same, backbone_of, reference_of, rows_of, texts_of
from fix_relative import deberta, eurobert, jina, modernbert, mt5, nomic, t5, umt5
from safetensors.torch import load_file

from stelae.nn.batch import pack

CASES = [
    ("DebertaV2Model", deberta(conv_kernel_size=3)),
    ("DebertaV2ForMaskedLM", deberta()),
    ("EuroBertForMaskedLM", eurobert()),
    ("EuroBertModel", eurobert()),
    ("JinaEmbeddingsV3ForMaskedLM", jina()),
    ("JinaEmbeddingsV3Model", jina()),
    ("ModernBertForMaskedLM", modernbert()),
    ("ModernBertModel", modernbert()),
    ("MT5EncoderModel", mt5()),
    ("NomicBertForMaskedLM", nomic()),
    ("NomicBertModel", nomic()),
    ("T5ForConditionalGeneration", t5()),
    ("T5EncoderModel", t5()),
    ("UMT5EncoderModel", umt5()),
]


@pytest.mark.parametrize(("name", "config"), CASES)
def test_saved_tensors_are_read(name: str, config: Any, tmp_path: Path) -> None:
    theirs = reference_of(getattr(transformers, name), config)
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    ours, batch = backbone_of(name, config.to_dict(), tensors), pack(texts_of())
    reader = theirs.encoder if "T5" in name else getattr(theirs, theirs.base_model_prefix, theirs)
    with torch.inference_mode():
        expected = [
            reader(input_ids=torch.from_numpy(ids).long()[None]).last_hidden_state[0]
            for ids in texts_of()
        ]
        assert_same(rows_of(ours(batch), batch), expected)
