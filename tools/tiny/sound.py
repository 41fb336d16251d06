"""Checkpoints that work: one file of each kind that a server meets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tiny.bert import (
    Size,
    bert_config,
    bert_weights,
    distilbert_config,
    distilbert_weights,
    masked_lm_weights,
)
from tiny.files import write_json, write_shards, write_tensors
from tiny.layout import (
    NEW,
    OLD,
    pooling_flags,
    pooling_mode,
    write_dense,
    write_modules,
    write_prompts,
    write_reading,
    write_reading_new,
)
from tiny.wordpiece import write_wordpiece

SIZE = Size()
TANH = "torch.nn.modules.activation.Tanh"
IDENTITY = "torch.nn.modules.linear.Identity"

WEB_PROMPTS = {"query": "search query: ", "document": "passage: "}


def write_bert(folder: Path, seed: str, size: Size = SIZE, *, cased: bool = False) -> None:
    """Write the transformer and its tokenizer."""
    vocabulary = write_wordpiece(folder, cased=cased, max_length=size.positions)
    write_json(folder / "config.json", bert_config(size, vocabulary))
    write_tensors(folder / "model.safetensors", bert_weights(seed, size, vocabulary))


def write_pooling(folder: Path, *modes: str) -> None:
    """Write the older form of the pooling."""
    write_json(folder / "1_Pooling/config.json", pooling_flags(SIZE.width, *modes))


def bert_mean(folder: Path) -> None:
    """Mean pooling and nothing else, in the older form of every file."""
    write_bert(folder, "bert-mean")
    write_modules(folder, ["Transformer", "Pooling"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128)


def bert_cls(folder: Path) -> None:
    """First token and unit length, in the newer form of every file."""
    write_bert(folder, "bert-cls")
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=NEW)
    write_json(folder / "1_Pooling/config.json", pooling_mode(SIZE.width, "cls"))
    write_json(folder / "2_Normalize/config.json", {})
    write_reading_new(folder)
    write_prompts(folder, {"query": "", "document": ""})


def bert_max(folder: Path) -> None:
    """Largest number per column."""
    write_bert(folder, "bert-max")
    write_modules(folder, ["Transformer", "Pooling"], names=OLD)
    write_pooling(folder, "max")
    write_reading(folder, 64)


def bert_last(folder: Path) -> None:
    """Weighted mean and last token side by side, then a narrow layer without bias."""
    write_bert(folder, "bert-last")
    write_modules(folder, ["Transformer", "Pooling", "Dense"], names=NEW)
    write_json(
        folder / "1_Pooling/config.json", pooling_mode(SIZE.width, "weightedmean", "lasttoken")
    )
    write_dense(
        folder / "2_Dense", "bert-last/dense", 2 * SIZE.width, 24, activation=IDENTITY, bias=False
    )
    write_reading_new(folder)


def bert_concat(folder: Path) -> None:
    """Four poolings side by side."""
    write_bert(folder, "bert-concat")
    write_modules(folder, ["Transformer", "Pooling", "Dropout"], names=OLD)
    write_pooling(folder, "cls", "max", "mean", "mean_sqrt_len_tokens")
    write_json(folder / "2_Dropout/config.json", {"dropout": 0.1})
    write_reading(folder, 128)


def bert_dense(folder: Path) -> None:
    """Mean, a tanh layer that narrows, unit length; prompts, one of them the default."""
    write_bert(folder, "bert-dense")
    write_modules(folder, ["Transformer", "Pooling", "Dense", "Normalize"], names=OLD)
    write_pooling(folder, "mean")
    write_dense(folder / "2_Dense", "bert-dense/dense", SIZE.width, 48, activation=TANH)
    write_reading(folder, 128)
    write_prompts(folder, WEB_PROMPTS, default="document")


def bert_matryoshka(folder: Path) -> None:
    """Trained, let us say, for the widths in ``MATRYOSHKA``; the files do not record it."""
    write_bert(folder, "bert-matryoshka")
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128)
    write_prompts(folder, WEB_PROMPTS)


def bert_instruct(folder: Path) -> None:
    """A prompt that is read but not pooled."""
    write_bert(folder, "bert-instruct")
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=NEW)
    pooling = pooling_mode(SIZE.width, "mean", include_prompt=False)
    write_json(folder / "1_Pooling/config.json", pooling)
    write_reading(folder, 128)
    write_prompts(folder, {"query": "find the text about this: "}, default="query")


def bert_long(folder: Path) -> None:
    """Reads 2,048 tokens; the widest gap between a short and a long text."""
    write_bert(folder, "bert-long", replace(SIZE, positions=2048))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 2048)


def bert_cased(folder: Path) -> None:
    """Keeps capital letters."""
    write_bert(folder, "bert-cased", cased=True)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128)


def bert_lowered(folder: Path) -> None:
    """A cased tokenizer behind ``do_lower_case``."""
    write_bert(folder, "bert-lowered", cased=True)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128, lowercase=True)


def bert_plain(folder: Path) -> None:
    """A plain transformer: no modules.json, so its pooling is not stated."""
    write_bert(folder, "bert-plain")


def bert_nested(folder: Path) -> None:
    """The transformer in its own folder, as the oldest checkpoints have it."""
    home = folder / "0_Transformer"
    write_bert(home, "bert-nested")
    write_reading(home, 96)
    write_modules(folder, ["Transformer", "Pooling"], names=OLD, home="0_Transformer")
    write_pooling(folder, "mean")


def bert_sharded(folder: Path) -> None:
    """Weights in two files with an index."""
    vocabulary = write_wordpiece(folder)
    write_json(folder / "config.json", bert_config(SIZE, vocabulary))
    write_shards(folder, bert_weights("bert-mean", SIZE, vocabulary), 2)
    write_modules(folder, ["Transformer", "Pooling"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128)


def bert_masked(folder: Path) -> None:
    """Saved from pre-training: ``BertForMaskedLM``, a prefix on every name."""
    vocabulary = write_wordpiece(folder)
    write_json(folder / "config.json", bert_config(SIZE, vocabulary, "BertForMaskedLM"))
    weights = masked_lm_weights("bert-masked", SIZE, vocabulary)
    write_tensors(folder / "model.safetensors", weights)
    write_modules(folder, ["Transformer", "Pooling"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128)


def distilbert_mean(folder: Path) -> None:
    """Another architecture, with other names in ``config.json``."""
    vocabulary = write_wordpiece(folder)
    write_json(folder / "config.json", distilbert_config(SIZE, vocabulary))
    weights = distilbert_weights("distilbert-mean", SIZE, vocabulary)
    write_tensors(folder / "model.safetensors", weights)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_pooling(folder, "mean")
    write_reading(folder, 128)


SOUND = (
    bert_mean,
    bert_cls,
    bert_max,
    bert_last,
    bert_concat,
    bert_dense,
    bert_matryoshka,
    bert_instruct,
    bert_long,
    bert_cased,
    bert_lowered,
    bert_plain,
    bert_nested,
    bert_sharded,
    bert_masked,
    distilbert_mean,
)

MATRYOSHKA = {"bert-matryoshka": (8, 16, 32, 64)}
"""Widths to register a checkpoint with."""
