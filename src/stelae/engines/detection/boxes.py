"""From what models give out to boxes with scores, as each was trained.

Source: transformers 5.17, ``post_process_object_detection`` of each family and
``post_process_grounded_object_detection`` of Grounding DINO.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stelae.engines.detection.features import Asked, Boxes

Read = Callable[[Tensor, Tensor, Asked], tuple[Tensor, Tensor, Tensor]]
"""Logits ``(B, Q, C)``, boxes ``(B, Q, 4)`` and what was asked to scores and classes
``(B, N)`` and boxes ``(B, N, 4)``."""


def by_softmax(logits: Tensor, boxes: Tensor, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """Each query is of one class, or of the last, which stands for nothing."""
    del asked
    scores, kinds = logits.softmax(-1)[..., :-1].max(-1)
    return scores, kinds, boxes


def by_sigmoid(logits: Tensor, boxes: Tensor, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """The best of all queries with all classes, as many as there are queries."""
    del asked
    count, classes = logits.shape[1:]
    scores, order = logits.sigmoid().flatten(1).topk(count, dim=-1)
    query = (order // classes)[..., None].expand(-1, -1, 4)
    return scores, order % classes, boxes.gather(1, query)


def by_label(logits: Tensor, boxes: Tensor, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """Each query is of the label that it fits best."""
    del asked
    best, kinds = logits.max(-1)
    return best.sigmoid(), kinds, boxes


def by_token(logits: Tensor, boxes: Tensor, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """Each query is as sure as its best token; its label is the one whose tokens fit best."""
    of_labels = [logits[..., start:stop].amax(-1) for start, stop in asked.spans]
    kinds = torch.stack(of_labels, -1).argmax(-1)
    return logits.amax(-1).sigmoid(), kinds, boxes


READ: dict[str, Read] = {
    "detr": by_softmax,
    "rt-detr": by_sigmoid,
    "owl-vit": by_label,
    "owl-v2": by_label,
    "grounding-dino": by_token,
}
"""By the layout of the checkpoint."""


def read_boxes(layout: str, output: Any, asked: Asked) -> list[Boxes]:
    """What was seen in each picture of a batch.

    Args:
        layout: Of the checkpoint.
        output: What the library's model gave.
        asked: What was looked for.
    """
    logits, middles = output.logits.float(), output.pred_boxes.float()
    scores, kinds, middles = READ[layout](logits, middles, asked)
    centres, sizes = middles[..., :2], middles[..., 2:]
    edges = torch.cat([centres - 0.5 * sizes, centres + 0.5 * sizes], -1)
    columns = (scores.cpu().numpy(), kinds.cpu().numpy(), edges.cpu().numpy())
    return [Boxes(*rows) for rows in zip(*columns, strict=True)]
