"""Checkpoints of full size with random weights for the GPU, and texts; nothing is downloaded.

The tokenizer is trained on the words that the texts are made of, so that a machine needs neither
the embedded model nor a network.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModel,
    BertConfig,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    Qwen3Config,
    XLMRobertaConfig,
)

from benchmarks.texts import LENGTHS, words

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from tiny.clip_bpe import write_clip_bpe  # beside the benchmarks, no package

CACHE = Path(__file__).parent.parent / ".cache" / "gpu"

SPECIAL = ("[CLS]", "[PAD]", "[SEP]", "[UNK]")
"""In the places that XLM-R has them."""

VOCABULARY = 30_522

COMMON = {"vocab_size": VOCABULARY, "max_position_embeddings": 514, "pad_token_id": 1}

SMOKE = {
    "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 2,
}  # fmt: skip

LARGE = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
    "num_hidden_layers": 24,
}  # fmt: skip

QWEN = {
    "hidden_size": 1024, "intermediate_size": 3072, "num_attention_heads": 16,
    "num_key_value_heads": 8, "head_dim": 128, "num_hidden_layers": 28,
}  # fmt: skip

SAID = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
SEEN = {"image_size": 224, "patch_size": 14}


def configs(smoke: bool) -> dict[str, PretrainedConfig]:
    """Encoders of texts; ``smoke`` keeps the kinds and shrinks the sizes, to try the script."""
    heads = {"num_key_value_heads": 2, "head_dim": 16} if smoke else {}
    sizes = SMOKE if smoke else {}
    return {
        "BERT-base": BertConfig(**COMMON | sizes),
        "XLM-R-large": XLMRobertaConfig(**COMMON | LARGE | sizes, type_vocab_size=1),
        "Qwen3-0.6B": Qwen3Config(**COMMON | QWEN | sizes | heads),
    }


@cache
def tokenizer() -> Tokenizer:
    """Pieces of the words of the texts."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=list(SPECIAL))
    made.train_from_iterator(words(), trainer)
    around = [(token, made.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=around
    )
    return made


def text_model(name: str, config: PretrainedConfig) -> Path:
    """An encoder as sentence-transformers keeps it, with mean pooling."""
    folder = CACHE / f"{name}-{config.hidden_size}-{config.num_hidden_layers}"
    if not (folder / "modules.json").exists():
        base = folder.with_name(f"{folder.name}-base")
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(base)
        named = dict(
            zip(("cls_token", "pad_token", "sep_token", "unk_token"), SPECIAL, strict=True)
        )
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer(), model_max_length=512, **named)
        fast.save_pretrained(base)
        transformer = Transformer(str(base), max_seq_length=512)
        pooling = Pooling(config.hidden_size, pooling_mode="mean")
        SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder))
    return folder


def clip_model(smoke: bool) -> Path:
    """CLIP with the towers of ViT-L/14, as transformers keeps it."""
    folder = CACHE / f"ViT-L-14{'-smoke' if smoke else ''}"
    if not (folder / "preprocessor_config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        size = write_clip_bpe(
            folder, sorted({w.lower() for w in words() if w.isascii() and w.isalpha()}), 77
        )
        config = clip_config(smoke, size)
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
        CLIPImageProcessor().save_pretrained(folder)
    return folder


def clip_config(smoke: bool, vocabulary: int) -> CLIPConfig:
    """The sizes of ViT-L/14; the last two tokens are the start and the end of a text."""
    ends = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1}
    sizes: dict[str, Any] = SMOKE if smoke else {}
    text = SAID | {"num_hidden_layers": 12, "vocab_size": vocabulary} | ends | sizes
    vision = LARGE | SEEN | sizes | {"projection_dim": 768}
    text["projection_dim"] = 768
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=768)


def samples(kind: str, count: int) -> list[str]:
    """Texts of the lengths of a kind, in words; all of 126 (``equal``), or of 8 (``captions``)."""
    rng, said = random.Random(1), words()
    known = {"equal": 126, "captions": 8}
    texts = []
    for _ in range(count):
        length = known.get(kind) or LENGTHS[kind](rng)
        start = rng.randrange(len(said) - length)
        texts.append(" ".join(said[start : start + length]))
    return texts


def pictures(count: int) -> list[NDArray[np.uint8]]:
    """Pixels of pictures of 640 x 480: soft colours, as photographs have them."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (count, 15, 20, 3), np.uint8)
    return [np.kron(one, np.ones((32, 32, 1), np.uint8)) for one in coarse]
