"""Encoders whose positions are angles or distances: one checkpoint per family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tiny import roberta
from tiny.bert import Size, bert_weights
from tiny.classic import SPECIALS, write_trunk, write_unigram
from tiny.decoder import Decoder, decoder_config, decoder_weights
from tiny.decoder_tokenizers import write_llama_tokenizer
from tiny.files import write_json, write_tensors
from tiny.layout import (
    NEW,
    OLD,
    pooling_flags,
    write_dense,
    write_modules,
    write_prompts,
    write_reading,
)
from tiny.numbers import Numbers, Tensor, merged
from tiny.unigram import framed, precompiled, unigram
from tiny.wordpiece import write_wordpiece

SIZE = Size(positions=512)
EURO = Decoder(kv_heads=4)
IDENTITY = "torch.nn.modules.linear.Identity"
FAST = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512}
IDS = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
PADS = {"pad_token": "<pad>", "unk_token": "<unk>", "mask_token": "<mask>"}


def sizes(size: Size, vocabulary: int, architecture: str, **options: Any) -> dict[str, Any]:
    """Content of ``config.json`` under the usual names."""
    shared = {
        "architectures": [architecture],
        "hidden_size": size.width,
        "initializer_range": 0.2,
        "intermediate_size": size.inner,
        "max_position_embeddings": size.positions,
        "num_attention_heads": size.heads,
        "num_hidden_layers": size.layers,
        "vocab_size": vocabulary,
    }
    return shared | options


def modernbert_mean(folder: Path) -> None:
    """ModernBERT: byte-level BPE, a window of 16 in two layers of three, tied masked head."""
    vocabulary = roberta.write_bytes(folder)
    write_json(folder / "tokenizer_config.json", FAST | SPECIALS | PADS)
    size = Size(layers=4, positions=512)
    config = modernbert_config(size, vocabulary, "ModernBertForMaskedLM")
    write_trunk(folder, config, modernbert_weights("modernbert-mean", size, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=NEW)
    write_reading(folder, 512)
    write_prompts(folder, {"query": "search_query: ", "document": "search_document: "})


def modernbert_config(size: Size, vocabulary: int, architecture: str) -> dict[str, Any]:
    """Content of ``config.json``."""
    return sizes(
        size,
        vocabulary,
        architecture,
        cls_token_id=0,
        sep_token_id=2,
        global_attn_every_n_layers=3,
        global_rope_theta=160000.0,
        hidden_activation="gelu",
        local_attention=16,
        local_rope_theta=10000.0,
        model_type="modernbert",
        norm_eps=1e-5,
        tie_word_embeddings=True,
        **IDS,
    )


def modernbert_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``ModernBertForMaskedLM``; the decoder is the embeddings."""
    numbers, width = Numbers(seed), size.width
    words = numbers.uniform("words", vocabulary, width)
    return merged([
        {"model.embeddings.tok_embeddings.weight": words},
        scale(numbers, "model.embeddings.norm", width),
        *(
            modernbert_layer(numbers, f"model.layers.{i}", size, first=i == 0)
            for i in range(size.layers)
        ),
        scale(numbers, "model.final_norm", width),
        numbers.linear("head.dense", width, width, bias=False),
        scale(numbers, "head.norm", width),
        {"decoder.bias": numbers.uniform("decoder.bias", vocabulary)},
    ])  # fmt: skip


def modernbert_layer(numbers: Numbers, name: str, size: Size, *, first: bool) -> dict[str, Tensor]:
    """Tensors of one layer; the first has no norm before attention."""
    width = size.width
    return merged([
        {} if first else scale(numbers, f"{name}.attn_norm", width),
        numbers.linear(f"{name}.attn.Wqkv", 3 * width, width, bias=False),
        numbers.linear(f"{name}.attn.Wo", width, width, bias=False),
        scale(numbers, f"{name}.mlp_norm", width),
        numbers.linear(f"{name}.mlp.Wi", 2 * size.inner, width, bias=False),
        numbers.linear(f"{name}.mlp.Wo", width, size.inner, bias=False),
    ])  # fmt: skip


def scale(numbers: Numbers, name: str, width: int) -> dict[str, Tensor]:
    """Weight of a norm without bias."""
    weight = f"{name}.weight"
    return {weight: numbers.norm(name, width)[weight]}


def eurobert_mean(folder: Path) -> None:
    """EuroBERT: Llama's layers in both directions, mean pooling."""
    vocabulary = write_llama_tokenizer(folder)
    config = decoder_config(
        EURO,
        vocabulary,
        "EuroBertModel",
        classifier_pooling="late",
        mask_token_id=0,
        mlp_bias=False,
        model_type="eurobert",
        pad_token_id=0,
        rms_norm_eps=1e-5,
        rope_theta=250000,
    )
    write_trunk(folder, config, decoder_weights("eurobert-mean", EURO, vocabulary))
    write_modules(folder, ["Transformer", "Pooling"], names=NEW)
    write_reading(folder, 256)


def nomic_mean(folder: Path) -> None:
    """NomicBERT: tensors named as in its first checkpoints, prompts by task."""
    vocabulary = write_wordpiece(folder, max_length=512)
    config = sizes(
        SIZE,
        vocabulary,
        "NomicBertModel",
        hidden_act="silu",
        layer_norm_eps=1e-12,
        model_type="nomic_bert",
        pad_token_id=0,
        rope_parameters={"rope_theta": 1000.0, "rope_type": "default"},
        type_vocab_size=2,
    )
    write_trunk(folder, config, nomic_weights("nomic-mean", SIZE, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 512)
    write_prompts(folder, {"query": "search_query: ", "document": "search_document: "})


def nomic_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of NomicBERT as it was published."""
    numbers, width = Numbers(seed), size.width
    return merged([
        {
            "embeddings.word_embeddings.weight": numbers.uniform("words", vocabulary, width),
            "embeddings.token_type_embeddings.weight": numbers.uniform("types", 2, width),
        },
        numbers.norm("emb_ln", width),
        *(nomic_layer(numbers, f"encoder.layers.{i}", size) for i in range(size.layers)),
    ])  # fmt: skip


def nomic_layer(numbers: Numbers, name: str, size: Size) -> dict[str, Tensor]:
    """Tensors of one layer."""
    width = size.width
    return merged([
        numbers.linear(f"{name}.attn.Wqkv", 3 * width, width, bias=False),
        numbers.linear(f"{name}.attn.out_proj", width, width, bias=False),
        numbers.norm(f"{name}.norm1", width),
        numbers.linear(f"{name}.mlp.fc11", size.inner, width, bias=False),
        numbers.linear(f"{name}.mlp.fc12", size.inner, width, bias=False),
        numbers.linear(f"{name}.mlp.fc2", width, size.inner, bias=False),
        numbers.norm(f"{name}.norm2", width),
    ])  # fmt: skip


def deberta_mean(folder: Path) -> None:
    """DeBERTa v3: distances in buckets, products shared with the contents, no positions."""
    vocabulary = write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    write_json(folder / "tokenizer_config.json", FAST | SPECIALS | PADS)
    config = sizes(
        SIZE,
        vocabulary,
        "DebertaV2Model",
        hidden_act="gelu",
        layer_norm_eps=1e-7,
        max_relative_positions=-1,
        model_type="deberta-v2",
        norm_rel_ebd="layer_norm",
        pad_token_id=1,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        position_buckets=32,
        relative_attention=True,
        share_att_key=True,
        type_vocab_size=0,
    )
    write_trunk(folder, config, deberta_weights("deberta-mean", SIZE, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 256)


def deberta_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``DebertaV2Model``: BERT's layers with other names, and a table of distances."""
    numbers, width = Numbers(f"{seed}/distances"), size.width
    unused = ("position_embeddings", "token_type_embeddings", "pooler")
    tensors = {}
    for name, tensor in bert_weights(seed, size, vocabulary).items():
        if not any(part in name for part in unused):
            for part in ("query", "key", "value"):
                name = name.replace(f"self.{part}.", f"self.{part}_proj.")
            tensors[name] = tensor
    table = {"encoder.rel_embeddings.weight": numbers.uniform("table", 64, width)}
    return tensors | table | numbers.norm("encoder.LayerNorm", width)


def sentence_t5(folder: Path) -> None:
    """The encoder of T5 as Sentence-T5 has it: mean, a layer without bias, unit length."""
    before = ("<pad>", "</s>", "<unk>")
    frame = framed(["A:0", "</s>:0"], ["A:0", "</s>:0", "B:0", "</s>:0"], {"</s>": 1})
    content, vocabulary = unigram(before, (), unknown=2, normalizer=precompiled(), frame=frame)
    write_json(folder / "tokenizer.json", content)
    specials = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    write_json(folder / "tokenizer_config.json", FAST | specials)
    config = {
        "architectures": ["T5EncoderModel"],
        "d_ff": SIZE.inner,
        "d_kv": SIZE.width // SIZE.heads,
        "d_model": SIZE.width,
        "dropout_rate": 0.1,
        "eos_token_id": 1,
        "feed_forward_proj": "gated-gelu",
        "is_encoder_decoder": True,
        "layer_norm_epsilon": 1e-6,
        "model_type": "t5",
        "num_heads": SIZE.heads,
        "num_layers": SIZE.layers,
        "pad_token_id": 0,
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32,
        "vocab_size": vocabulary,
    }
    write_json(folder / "config.json", config)
    tensors = t5_weights("sentence-t5", SIZE, vocabulary)
    write_tensors(folder / "model.safetensors", tensors)
    write_json(folder / "1_Pooling/config.json", pooling_flags(SIZE.width, "mean"))
    write_dense(
        folder / "2_Dense", "sentence-t5/dense", SIZE.width, 48, activation=IDENTITY, bias=False
    )
    write_modules(folder, ["Transformer", "Pooling", "Dense", "Normalize"], names=OLD)
    write_reading(folder, 256)


def t5_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``T5EncoderModel``; scores are not scaled, so queries are small."""
    numbers, width = Numbers(seed), size.width
    table = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    return merged([
        {
            "shared.weight": numbers.uniform("words", vocabulary, width),
            table: numbers.uniform("table", 32, size.heads),
        },
        *(t5_layer(numbers, f"encoder.block.{i}", size) for i in range(size.layers)),
        scale(numbers, "encoder.final_layer_norm", width),
    ])  # fmt: skip


def t5_layer(numbers: Numbers, name: str, size: Size) -> dict[str, Tensor]:
    """Tensors of one layer."""
    width, attention, feed = size.width, f"{name}.layer.0", f"{name}.layer.1"
    query = numbers.linear(f"{attention}.SelfAttention.q", width, width, bias=False)
    return merged([
        {key: tensor * np.float32(0.125) for key, tensor in query.items()},
        *(
            numbers.linear(f"{attention}.SelfAttention.{part}", width, width, bias=False)
            for part in "kvo"
        ),
        scale(numbers, f"{attention}.layer_norm", width),
        numbers.linear(f"{feed}.DenseReluDense.wi_0", size.inner, width, bias=False),
        numbers.linear(f"{feed}.DenseReluDense.wi_1", size.inner, width, bias=False),
        numbers.linear(f"{feed}.DenseReluDense.wo", width, size.inner, bias=False),
        scale(numbers, f"{feed}.layer_norm", width),
    ])  # fmt: skip


def jina_v3_mean(folder: Path) -> None:
    """Jina Embeddings 3: XLM-RoBERTa's pieces and rotary positions, prompts by task."""
    vocabulary = write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    write_json(folder / "tokenizer_config.json", FAST | SPECIALS | PADS)
    config = sizes(
        SIZE,
        vocabulary,
        "JinaEmbeddingsV3Model",
        hidden_act="gelu",
        layer_norm_eps=1e-5,
        model_type="jina_embeddings_v3",
        rope_parameters={"rope_theta": 20000.0, "rope_type": "default"},
        type_vocab_size=1,
        **IDS,
    )
    write_trunk(folder, config, jina_weights("jina-v3-mean", SIZE, vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=NEW)
    write_reading(folder, 512)
    query = "Represent the query for retrieving evidence documents: "
    passage = "Represent the document for retrieval: "
    write_prompts(folder, {"retrieval.query": query, "retrieval.passage": passage})


def jina_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``JinaEmbeddingsV3Model`` under the names that it is saved with."""
    numbers, width = Numbers(seed), size.width
    return merged([
        {
            "embeddings.word_embeddings.weight": numbers.uniform("words", vocabulary, width),
            "embeddings.token_type_embeddings.weight": numbers.uniform("types", 1, width),
        },
        numbers.norm("emb_ln", width),
        *(jina_layer(numbers, f"encoder.layers.{i}", size) for i in range(size.layers)),
        numbers.linear("pooler.dense", width, width),
    ])  # fmt: skip


def jina_layer(numbers: Numbers, name: str, size: Size) -> dict[str, Tensor]:
    """Tensors of one layer."""
    width = size.width
    return merged([
        numbers.linear(f"{name}.mixer.Wqkv", 3 * width, width),
        numbers.linear(f"{name}.mixer.out_proj", width, width),
        numbers.norm(f"{name}.norm1", width),
        numbers.linear(f"{name}.mlp.fc1", size.inner, width),
        numbers.linear(f"{name}.mlp.fc2", width, size.inner),
        numbers.norm(f"{name}.norm2", width),
    ])  # fmt: skip


SOUND = (modernbert_mean, eurobert_mean, nomic_mean, jina_v3_mean, deberta_mean, sentence_t5)
