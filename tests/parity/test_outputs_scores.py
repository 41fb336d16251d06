"""Scores of cross-encoders through the engine against ``CrossEncoder.predict``."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_outputs import (
    FAMILIES,
    LIMIT,
    Family,
    assert_close,
    engine_of,
    saved,
    saved_with,
    score,
    spec_of,
)
from sentence_transformers import CrossEncoder
from tiny.unigram import pieces, scored
from transformers import DebertaV2Tokenizer

from stelae.engines.text.intake import Intake
from stelae.engines.text.score import score_job
from stelae.engines.text.tokenizer import tokenizer_of
from stelae.errors import UnsupportedCheckpoint
from stelae.types import ComputeDtype, Item, ScoreCall, Truncate

QUERIES = ["where is the stone?", "", "a long river " * 30]
DOCUMENTS = [
    "The stone tablet of Ur.",
    "",
    "one two three " * 60,
    "a",
    "stone " * 16,
    "naïve 中文 Σ 12.5% [SEP] </s> x",
]
"""Short and empty texts, texts over the limit, and such that are so only together."""


def library_of(folder: Path) -> Any:
    return CrossEncoder(str(folder), device="cpu", local_files_only=True)


def assert_equal(folder: Path, **options: Any) -> None:
    """All pairs have the library's scores, logits, token counts and cuts."""
    library, engine = library_of(folder), engine_of(folder)
    for query in QUERIES:
        pairs = [(query, document) for document in DOCUMENTS]
        ours = score(engine, query, DOCUMENTS)
        assert_close(ours.scores, library.predict(pairs))
        logits = library.predict(pairs, activation_fn=torch.nn.Identity())
        assert_close(score(engine, query, DOCUMENTS, normalize=False).scores, logits)
        read = [library.preprocess([pair])["input_ids"].numel() for pair in pairs]
        assert ours.tokens.tolist() == read
        whole = [len(library.tokenizer(*pair)["input_ids"]) for pair in pairs]
        assert ours.truncated.tolist() == [count > LIMIT for count in whole]
        assert max(read) == LIMIT


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_equal_the_library(zoo: Path, tmp_path: Path, family: str, labels: int) -> None:
    kind = FAMILIES[family]
    folder = saved(zoo, tmp_path, kind, "ForSequenceClassification", num_labels=labels)
    assert_equal(folder)


TOLD = [
    ("albert", {"model_input_names": ["input_ids", "attention_mask", "token_type_ids"]}),
    ("bert", {"model_input_names": ["input_ids", "attention_mask"]}),
    ("bert", {"tokenizer_class": "PreTrainedTokenizerFast"}),
    ("electra", {"tokenizer_class": None}),
]
"""What decides whether the second text has a token type of its own."""


@pytest.mark.parametrize(("family", "settings"), TOLD)
def test_token_types_count_where_the_tokenizer_gives_them_out(
    zoo: Path, tmp_path: Path, family: str, settings: dict[str, Any]
) -> None:
    kind = FAMILIES[family]
    options = {"num_labels": 1, "type_vocab_size": 2}
    assert_equal(told(saved(zoo, tmp_path, kind, "ForSequenceClassification", **options), settings))


def told(folder: Path, settings: dict[str, Any]) -> Path:
    """The same checkpoint with other settings of its tokenizer."""
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text("utf-8")) | settings
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}), "utf-8")
    return folder


def test_deberta_with_a_tokenizer_of_its_own_class_has_the_librarys_scores(tmp_path: Path) -> None:
    before = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    vocabulary = [
        *((token, 0.0) for token in before),
        *map(tuple, scored(pieces())),
        ("[MASK]", 0.0),
    ]
    tokenizer = DebertaV2Tokenizer(vocab=vocabulary, unk_id=3)
    options = {"num_labels": 1, "type_vocab_size": 2}
    kind, task = FAMILIES["deberta"], "ForSequenceClassification"
    assert_equal(saved_with(tokenizer, tmp_path, kind, task, **options))


IMPLICIT = pytest.mark.filterwarnings("ignore:Implicit dimension choice for softmax")


@IMPLICIT
@pytest.mark.parametrize(
    "activation",
    ["Sigmoid", "Identity", "Softmax", "Tanh", "ReLU", "Softplus", "LogSigmoid"],
)
@pytest.mark.parametrize("labels", [1, 3])
def test_activation_that_the_checkpoint_names_is_applied(
    zoo: Path, tmp_path: Path, activation: str, labels: int
) -> None:
    task = "ForSequenceClassification"
    source = saved(zoo, tmp_path / "trunk", FAMILIES["bert"], task, num_labels=labels)
    function = getattr(torch.nn, activation)()
    library = CrossEncoder(str(source), activation_fn=function, device="cpu")
    folder = tmp_path / "made"
    library.save_pretrained(str(folder), create_model_card=False)
    assert_equal(folder)


DECODERS = {
    "qwen3": Family("Qwen3", "gte-qwen2", {}),
    "llama": Family("Llama", "llama-mean", {}),
}
SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": LIMIT,
    "initializer_range": 0.2,
}  # fmt: skip


@pytest.mark.parametrize("family", DECODERS)
def test_scores_of_a_decoders_last_token_equal_the_library(
    zoo: Path, tmp_path: Path, family: str
) -> None:
    options = SMALL | {"num_labels": 1}
    assert_equal(saved(zoo, tmp_path, DECODERS[family], "ForSequenceClassification", **options))


@pytest.mark.parametrize("name", ["cross-encoder", "cross-encoder-labels"])
def test_the_longer_of_two_long_texts_keeps_the_odd_token(zoo: Path, name: str) -> None:
    """Also where neither is read to its end at first: what counts is how long they are."""
    engine, library = engine_of(zoo / name), library_of(zoo / name)
    draw = random.Random(7)
    words = ["the", "stone", "river", "of", "one", "two", "three", "long", "12", "a"]
    lengths = [(n, n + draw.choice((-1, 0, 1))) for n in (40, 300, 2000)] + [
        (draw.randrange(30, 3000), draw.randrange(30, 3000)) for _ in range(24)
    ]
    pairs = [tuple(" ".join(draw.choices(words, k=n)) for n in both) for both in lengths]
    theirs = library.predict(pairs, activation_fn=torch.nn.Identity())
    ours = [score(engine, pair[0], [pair[1]], normalize=False).scores[0] for pair in pairs]
    assert_close(np.array(ours), theirs)


@pytest.mark.parametrize("family", ["bert", "modernbert", "xlm-roberta"])
def test_scores_in_bf16_stay_close(zoo: Path, tmp_path: Path, family: str) -> None:
    """All logits together point the same way (cosine >= 0.999)."""
    options = {"num_labels": 3, "initializer_range": 0.1}
    folder = saved(zoo, tmp_path, FAMILIES[family], "ForSequenceClassification", **options)
    engine, library = engine_of(folder, ComputeDtype.BFLOAT16), library_of(folder)
    pairs = [(query, document) for query in QUERIES for document in DOCUMENTS]
    theirs = library.predict(pairs, activation_fn=torch.nn.Identity()).ravel()
    ours = [score(engine, query, DOCUMENTS, normalize=False).scores for query in QUERIES]
    found = np.concatenate(ours).ravel()
    cosine = found @ theirs / (np.linalg.norm(found) * np.linalg.norm(theirs))
    assert cosine >= 0.999


class Counting:
    """A tokenizer that remembers what it was given to read."""

    def __init__(self, inner: Any) -> None:
        self.vocabulary, self.typed = inner.vocabulary, inner.typed
        self.prefix, self.middle, self.suffix = inner.prefix, inner.middle, inner.suffix
        self.surplus = inner.surplus
        self.texts: list[str] = []
        self._inner = inner

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> Sequence[Sequence[int]]:
        self.texts += texts
        found: Sequence[Sequence[int]] = self._inner.read(texts, room, truncate)
        return found


@pytest.mark.parametrize("name", ["cross-encoder", "bert-mean", "splade", "colbert-pylate"])
def test_each_text_is_tokenised_once(zoo: Path, name: str) -> None:
    """The query too, whatever reads it: a cross-encoder, or an encoder of single texts."""
    spec = spec_of(zoo / name)
    tokenizer = Counting(tokenizer_of(spec))
    documents = [f"stone {i}" for i in range(40)]
    items = [Item(text=text) for text in documents]
    call = ScoreCall(model="m", query=Item(text="who?"), documents=items)
    job = score_job(call, Intake(spec, tokenizer), "")
    for start in range(0, job.size, 16):
        job.prepare(start, min(job.size, start + 16))
    read = [text.removeprefix("[Q] ").removeprefix("[D] ") for text in tokenizer.texts]
    assert sorted(text for text in read if text) == sorted(["who?", *documents])


def test_template_that_frames_pairs_in_another_way_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder = saved(zoo, tmp_path, FAMILIES["bert"], "ForSequenceClassification", num_labels=1)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text("utf-8"))
    pair = content["post_processor"]["pair"]
    content["post_processor"]["pair"] = [*pair, pair[-1]]
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UnsupportedCheckpoint, match="around two texts than around one"):
        engine_of(folder)


def test_token_types_in_another_order_are_refused(zoo: Path, tmp_path: Path) -> None:
    folder = saved(zoo, tmp_path, FAMILIES["bert"], "ForSequenceClassification", num_labels=1)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text("utf-8"))
    content["post_processor"]["pair"][0]["SpecialToken"]["type_id"] = 2
    file.write_text(json.dumps(content), "utf-8")
    with pytest.raises(UnsupportedCheckpoint, match=r"token types \[2, 0"):
        engine_of(folder)


@pytest.mark.parametrize("truncate", [Truncate.END, Truncate.START])
def test_question_of_a_causal_reranker_is_never_cut(zoo: Path, truncate: Truncate) -> None:
    """Whatever is asked: of a document too long, however long, the library reads the beginning."""
    folder = zoo / "qwen3-reranker"
    engine, library = engine_of(folder), library_of(folder)
    documents = [" ".join(f"stone {n} river" for n in range(words)) for words in (400, 8000)]
    theirs = library.predict([("a river", document) for document in documents])
    assert_close(score(engine, "a river", documents, truncate=truncate).scores, theirs)
