"""BERT's kin: one checkpoint per family, laid out as published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiny import roberta
from tiny.bert import Size, bert_config, bert_weights, embeddings
from tiny.files import write_json, write_tensors
from tiny.layout import (
    NEW,
    OLD,
    pooling_flags,
    pooling_mode,
    write_modules,
    write_prompts,
    write_reading,
    write_reading_new,
)
from tiny.numbers import Numbers, Tensor, merged
from tiny.unigram import framed, precompiled, unigram
from tiny.wordpiece import write_wordpiece

OFFSET = Size(positions=130, types=1)
"""Two positions come before that of the first token."""

NARROW = Size(embedding=32)

SPECIALS = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>"}
MORE_SPECIALS = {"mask_token": "<mask>", "pad_token": "<pad>", "unk_token": "<unk>"}
ROBERTA_IDS = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}


def write_settings(folder: Path, tokenizer: str, **options: Any) -> None:
    """Write ``tokenizer_config.json`` with RoBERTa's special tokens."""
    shared = {
        "clean_up_tokenization_spaces": False,
        "model_max_length": 128,
        "tokenizer_class": tokenizer,
    }
    settings = shared | SPECIALS | MORE_SPECIALS | options
    write_json(folder / "tokenizer_config.json", settings)


def write_trunk(
    folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], *, mode: str = "mean"
) -> None:
    """Write the transformer, and the pooling in its older form."""
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", tensors)
    write_json(folder / "1_Pooling/config.json", pooling_flags(config["hidden_size"], mode))


def write_unigram(folder: Path, before: Sequence[str]) -> int:
    """Write ``tokenizer.json`` with pieces for RoBERTa's frame; the size of the vocabulary."""
    frame = framed(
        ["<s>:0", "A:0", "</s>:0"],
        ["<s>:0", "A:0", "</s>:0", "</s>:0", "B:0", "</s>:0"],
        {token: before.index(token) for token in ("<s>", "</s>")},
    )
    content, vocabulary = unigram(
        before, ("<mask>",), unknown=before.index("<unk>"), normalizer=precompiled(), frame=frame
    )
    write_json(folder / "tokenizer.json", content)
    return vocabulary


def roberta_mean(folder: Path) -> None:
    """RoBERTa: byte-level BPE, positions from 2, one segment."""
    vocabulary = roberta.write_bytes(folder)
    write_settings(folder, "RobertaTokenizer", add_prefix_space=False, trim_offsets=True)
    options = {**ROBERTA_IDS, "model_type": "roberta", "layer_norm_eps": 1e-5}
    config = bert_config(OFFSET, vocabulary, "RobertaModel") | options
    write_trunk(folder, config, bert_weights("roberta-mean", OFFSET, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 128)


def xlm_roberta_mean(folder: Path) -> None:
    """XLM-RoBERTa: unigram pieces, characters replaced first, prompts as in E5."""
    vocabulary = write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    write_settings(folder, "XLMRobertaTokenizer")
    options = {**ROBERTA_IDS, "model_type": "xlm-roberta", "layer_norm_eps": 1e-5}
    config = bert_config(OFFSET, vocabulary, "XLMRobertaModel") | options
    write_trunk(folder, config, bert_weights("xlm-roberta-mean", OFFSET, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 128)
    write_prompts(folder, {"query": "query: ", "passage": "passage: "})


def camembert_mean(folder: Path) -> None:
    """CamemBERT: a vocabulary whose first tokens stand twice, saved with its language head."""
    before = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>")
    vocabulary = write_unigram(folder, before)
    unused = ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"]
    write_settings(folder, "CamembertTokenizer", additional_special_tokens=unused)
    ids = {"bos_token_id": 5, "eos_token_id": 6, "pad_token_id": 1}
    options = {**ids, "model_type": "camembert", "layer_norm_eps": 1e-5}
    config = bert_config(OFFSET, vocabulary, "CamembertForMaskedLM") | options
    trunk = bert_weights("camembert-mean", OFFSET, vocabulary)
    numbers, width = Numbers("camembert-mean/head"), OFFSET.width
    tensors = merged([
        {f"roberta.{name}": tensor for name, tensor in trunk.items() if "pooler" not in name},
        {"lm_head.bias": numbers.uniform("bias", vocabulary)},
        numbers.linear("lm_head.dense", width, width),
        numbers.norm("lm_head.layer_norm", width),
    ])  # fmt: skip
    write_trunk(folder, config, tensors)
    write_modules(folder, ["Transformer", "Pooling"], names=OLD)
    settings = {"max_seq_length": 100, "do_lower_case": False}
    write_json(folder / "sentence_camembert_config.json", settings)


def mpnet_mean(folder: Path) -> None:
    """MPNet: numbers for distances, a BERT vocabulary between RoBERTa's special tokens."""
    vocabulary = roberta.write_words(folder)
    reading = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
    write_settings(folder, "MPNetTokenizer", unk_token="[UNK]", **reading)
    size = replace(OFFSET, types=0)
    config = bert_config(size, vocabulary, "MPNetForMaskedLM") | ROBERTA_IDS
    for surplus in ("type_vocab_size", "position_embedding_type", "use_cache"):
        del config[surplus]
    config |= {"model_type": "mpnet", "relative_attention_num_buckets": 32}
    write_trunk(folder, config, mpnet_weights("mpnet-mean", size, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 128)


def mpnet_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``MPNetModel``: its own names in attention, and the table of distances."""
    names = {"self.query": "attn.q", "self.key": "attn.k", "self.value": "attn.v"}
    names |= {"output.dense": "attn.o", "output.LayerNorm": "LayerNorm"}
    tensors = {}
    for name, tensor in bert_weights(seed, size, vocabulary).items():
        for theirs, ours in names.items():
            name = name.replace(f"attention.{theirs}", f"attention.{ours}")
        tensors[name] = tensor
    distances = Numbers(f"{seed}/distances").uniform("table", 32, size.heads, spread=2.0)
    return tensors | {"encoder.relative_attention_bias.weight": distances}


def albert_mean(folder: Path) -> None:
    """ALBERT: narrow embeddings, one layer that runs three times, accents dropped."""
    before = ("<pad>", "<unk>", "[CLS]", "[SEP]")
    frame = framed(
        ["[CLS]:0", "A:0", "[SEP]:0"],
        ["[CLS]:0", "A:0", "[SEP]:0", "B:1", "[SEP]:1"],
        {"[CLS]": 2, "[SEP]": 3},
    )
    steps = [
        {"type": "Replace", "pattern": {"String": "``"}, "content": '"'},
        {"type": "Replace", "pattern": {"String": "''"}, "content": '"'},
        {"type": "NFKD"},
        {"type": "StripAccents"},
        {"type": "Lowercase"},
        precompiled(),
    ]
    content, vocabulary = unigram(
        before,
        ("[MASK]",),
        unknown=1,
        normalizer={"type": "Sequence", "normalizers": steps},
        frame=frame,
    )
    write_json(folder / "tokenizer.json", content)
    specials = {"bos_token": "[CLS]", "cls_token": "[CLS]", "eos_token": "[SEP]"}
    more = {"sep_token": "[SEP]", "mask_token": "[MASK]", "do_lower_case": True}
    write_settings(folder, "AlbertTokenizer", **specials, **more, keep_accents=False)
    options = {"model_type": "albert", "hidden_act": "gelu_new", "num_hidden_layers": 3}
    groups = {"embedding_size": NARROW.embedding, "inner_group_num": 1, "num_hidden_groups": 1}
    ids = {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    config = bert_config(NARROW, vocabulary, "AlbertModel") | options | groups | ids
    write_trunk(folder, config, albert_weights("albert-mean", NARROW, vocabulary))
    write_modules(folder, ["Transformer", "Pooling"], names=NEW)
    write_reading(folder, 100)


def albert_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``AlbertModel``: one layer for all."""
    numbers, width, narrow = Numbers(seed), size.width, size.embedding or size.width
    layer = "encoder.albert_layer_groups.0.albert_layers.0"
    return merged([
        embeddings(numbers, size, vocabulary),
        numbers.linear("encoder.embedding_hidden_mapping_in", width, narrow),
        *(
            numbers.linear(f"{layer}.attention.{part}", width, width)
            for part in ("query", "key", "value", "dense")
        ),
        numbers.norm(f"{layer}.attention.LayerNorm", width),
        numbers.linear(f"{layer}.ffn", size.inner, width),
        numbers.linear(f"{layer}.ffn_output", width, size.inner),
        numbers.norm(f"{layer}.full_layer_layer_norm", width),
        numbers.linear("pooler", width, width),
    ])  # fmt: skip


def electra_cls(folder: Path) -> None:
    """ELECTRA: narrow embeddings, widened before the layers; saved from pre-training."""
    vocabulary = write_wordpiece(folder)
    options = {"model_type": "electra", "embedding_size": NARROW.embedding}
    config = bert_config(NARROW, vocabulary, "ElectraForPreTraining") | options
    write_trunk(folder, config, electra_weights("electra-cls", NARROW, vocabulary))
    write_modules(folder, ["Transformer", "Pooling"], names=NEW)
    write_json(folder / "1_Pooling/config.json", pooling_mode(NARROW.width, "cls"))
    write_reading_new(folder)


def electra_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``ElectraForPreTraining``, with the head that tells replaced words."""
    numbers, width = Numbers(f"{seed}/head"), size.width
    trunk = bert_weights(seed, size, vocabulary)
    return merged([
        {f"electra.{name}": tensor for name, tensor in trunk.items() if "pooler" not in name},
        numbers.linear("electra.embeddings_project", width, size.embedding or width),
        numbers.linear("discriminator_predictions.dense", width, width),
        numbers.linear("discriminator_predictions.dense_prediction", 1, width),
    ])  # fmt: skip


SOUND = (roberta_mean, xlm_roberta_mean, camembert_mean, mpnet_mean, albert_mean, electra_cls)
