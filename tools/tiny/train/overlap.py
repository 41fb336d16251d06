"""Train a small cross-encoder that knows overlap, and save it in the layout of transformers.

    PYTHONPATH=tools python -m tiny.train.overlap tests/data/overlap-reranker

It scores a document the higher the more words of the query it has, wherever they stand.
Takes about two minutes on one core. The numbers depend on the processor and the version
of PyTorch, so the result is kept beside the tests instead of being made for them.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

from tiny.bert import Size, bert_config
from tiny.files import write_json
from tiny.overlap import Group, group
from tiny.train.fit import adamw, fit
from tiny.wordpiece import write_wordpiece

SIZE = Size(width=64, layers=2, heads=4, inner=128, positions=64)
STEPS = 4500
WARM = 100
RATE = 1e-3
GROUPS = 24
"""Queries in a step, each with its documents."""

SPREAD = 4.0
"""How far apart the logits of nothing and of all shared are to be."""


class Reader:
    """Groups as the model reads them.

    Args:
        folder: The checkpoint's tokenizer.
    """

    def __init__(self, folder: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_padding()

    def pairs(self, groups: list[Group]) -> dict[str, Tensor]:
        """All queries with their documents, shape ``(N, T)`` each."""
        texts = [(one.query, document) for one in groups for document in one.documents]
        rows = self.tokenizer.encode_batch(texts)
        return {
            "input_ids": torch.tensor([row.ids for row in rows]),
            "token_type_ids": torch.tensor([row.type_ids for row in rows]),
            "attention_mask": torch.tensor([row.attention_mask for row in rows]),
        }


def train(model: BertForSequenceClassification, reader: Reader, rng: random.Random) -> None:
    """Bring each logit near the share of the query that the document has."""

    def loss(_: int) -> Tensor:
        groups = [group(rng) for _ in range(GROUPS)]
        wanted = torch.tensor([share for one in groups for share in one.shares])
        logits = model(**reader.pairs(groups)).logits[:, 0]
        return torch.nn.functional.mse_loss(logits, SPREAD * (wanted - 0.5))

    fit(model, loss, [adamw(model.parameters(), RATE)], steps=STEPS, warm=WARM, floor=0.02)


@torch.no_grad()
def right(model: BertForSequenceClassification, reader: Reader, rng: random.Random) -> float:
    """Share of new groups whose best document comes first."""
    groups = [group(rng) for _ in range(200)]
    logits = model(**reader.pairs(groups)).logits.view(len(groups), -1)
    best = [max(range(len(one.shares)), key=one.shares.__getitem__) for one in groups]
    return float((logits.argmax(1) == torch.tensor(best)).float().mean())


def main(folder: Path) -> None:
    """Train, tell how well it went, and write the checkpoint."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    vocabulary = write_wordpiece(folder, max_length=SIZE.positions)
    config = bert_config(SIZE, vocabulary, "BertForSequenceClassification")
    config |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    write_json(folder / "config.json", config)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = random.Random(1)
    quiet = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    kind: Any = BertForSequenceClassification
    model, reader = kind(BertConfig(**config | quiet)), Reader(folder)
    train(model, reader, rng)
    print(f"  right first document: {right(model.eval(), reader, rng):.3f}")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
