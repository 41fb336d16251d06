"""Write an encoder as an ONNX graph, its blocks fused; runs in infinity's environment.

    python runtimes_export.py FOLDER FILE.onnx

ONNX Runtime's own optimiser for transformers puts attention, GELU and residual norms of a BERT into
one operator each, as everybody does who serves BERTs on it.
"""

from __future__ import annotations

import sys

import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from transformers import AutoModel

NAMES = ["input_ids", "attention_mask"]


class Encoder(torch.nn.Module):
    """The trunk with two inputs, and one output."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.trunk = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Token vectors."""
        return self.trunk(input_ids=ids, attention_mask=mask)[0]


def main(folder: str, file: str) -> None:
    """Write FILE.onnx as it is exported, and FILE.fused.onnx."""
    model = Encoder(folder)
    ids = torch.ones(2, 8, dtype=torch.long)
    grid = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        model,
        (ids, ids),
        file,
        input_names=NAMES,
        output_names=["states"],
        dynamic_axes=dict.fromkeys((*NAMES, "states"), grid),
        opset_version=17,
        dynamo=False,
    )
    config = model.trunk.config
    fused = optimizer.optimize_model(
        file,
        "bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        optimization_options=FusionOptions("bert"),
    )
    print(fused.get_fused_operator_statistics())
    fused.save_model_to_file(file.replace(".onnx", ".fused.onnx"))


if __name__ == "__main__":
    main(*sys.argv[1:])
