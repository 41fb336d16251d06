"""The modules of a checkpoint, put together on packed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stelae.catalog.spec import Dense, ModelSpec, Normalize, Pool, Static
from stelae.errors import UnsupportedCheckpoint
from stelae.nn.backbone import Backbone, backbone_class
from stelae.nn.batch import Ids, pack
from stelae.nn.heads.dense import ACTIVATIONS, DenseHead, NormalizeHead
from stelae.nn.heads.pooling import PoolingHead
from stelae.nn.layers.linear import Linear
from stelae.nn.weights import assign, read
from stelae.types import OutputType


class TextEncoder(nn.Module):
    """Token ids to vectors, exactly as the checkpoint's modules say.

    The backbone computes in ``dtype``; pooling and all that follows in fp32.

    Args:
        spec: The model.
        dtype: Number format of the backbone.
        device: Where to run.
    """

    def __init__(self, spec: ModelSpec, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.backbone = load_backbone(spec, dtype)
        self.pooling, self.steps = _heads(spec)
        self.to(device)
        for module in self.modules():
            if isinstance(module, Linear):
                module.prepack()
        self.eval()

    @torch.inference_mode()
    def embed(self, sequences: Sequence[Ids], skips: Sequence[int]) -> NDArray[np.float32]:
        """Vectors of token sequences.

        Args:
            sequences: Token ids of each text, none empty.
            skips: Tokens at the start of each text that pooling leaves out.

        Returns:
            Shape ``(B, D)``, in the order given, before a closing ``Normalize``: whether
            vectors get unit length is the call's to say.
        """
        batch = pack(sequences, skips, self.device)
        pooled = self.pooling(self.backbone(batch), batch)
        for step in self.steps:
            pooled = step(pooled)
        rows: NDArray[np.float32] = pooled.float().cpu().numpy()
        return batch.restore(rows)


def load_backbone(spec: ModelSpec, dtype: torch.dtype) -> Backbone:
    """Build the backbone and give it its weights."""
    part = spec.backbone
    if isinstance(part, Static):
        raise UnsupportedCheckpoint(f"model '{spec.name}' has no transformer")
    kind = backbone_class(part.architecture)
    with torch.device("meta"):
        backbone = kind.from_config(part.config)
    folder = Path(spec.folder, part.folder)
    assign(backbone, kind.weights.apply(read(folder / name for name in part.weights)), dtype)
    return backbone


def _heads(spec: ModelSpec) -> tuple[PoolingHead, nn.ModuleList]:
    chain = spec.chain(OutputType.DENSE)
    pools = [step for step in chain if isinstance(step, Pool)]
    steps = chain[1:-1] if spec.normalized else chain[1:]
    if len(pools) != 1 or chain[0] is not pools[0]:
        raise UnsupportedCheckpoint(
            f"model '{spec.name}': one pooling module right after the transformer is implemented, "
            f"the checkpoint has {[type(module).__name__ for module in chain]}"
        )
    return PoolingHead(pools[0].modes), nn.ModuleList(_step(spec, module) for module in steps)


def _step(spec: ModelSpec, module: object) -> nn.Module:
    match module:
        case Normalize():
            return NormalizeHead()
        case Dense() if module.activation in ACTIVATIONS:
            head = DenseHead(
                module.inputs, module.outputs, bias=module.bias, activation=module.activation
            )
            tensors = read([Path(spec.folder, module.folder, module.weights)])
            assign(head, tensors, torch.float32)
            return head
        case _:
            raise UnsupportedCheckpoint(f"model '{spec.name}': module {module} is not implemented")
