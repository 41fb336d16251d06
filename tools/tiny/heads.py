"""Encoders that make more than one pooled vector, laid out as published."""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from tiny import classic, jina, roberta, rotary
from tiny.bert import Size, bert_config, bert_weights, masked_lm_weights
from tiny.files import write_json, write_tensors
from tiny.layout import NEW, OLD, pooling_flags, write_dense, write_modules, write_reading
from tiny.numbers import Numbers, Tensor, merged
from tiny.sound import IDENTITY, SIZE, TANH, write_bert
from tiny.torch_file import write_torch
from tiny.wordpiece import tokenizer, vocabulary, write_wordpiece

SPARSE = {
    "Transformer": NEW["Transformer"],
    "Router": "sentence_transformers.base.modules.router.Router",
    "MLMTransformer": "sentence_transformers.sparse_encoder.models.MLMTransformer",
    "SpladePooling": "sentence_transformers.sparse_encoder.models.SpladePooling",
    "SparseStaticEmbedding": (
        "sentence_transformers.sparse_encoder.modules.sparse_static_embedding.SparseStaticEmbedding"
    ),
    "SparseAutoEncoder": "sentence_transformers.sparse_encoder.models.SparseAutoEncoder",
}
LATE = {
    "MultiVectorMask": (
        "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask"
    ),
}
PYLATE = OLD | {"Dense": "pylate.models.Dense.Dense"}
MORE = OLD | {
    kind: f"sentence_transformers.models.{kind}"
    for kind in ("Asym", "LayerNorm", "StaticEmbedding", "WeightedLayerPooling")
}

LOGITS = {
    "transformer_task": "fill-mask",
    "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
    "module_output_name": "token_embeddings",
}


def write_settings(folder: Path, kind: str, **options: Any) -> None:
    """Write ``config_sentence_transformers.json``."""
    settings = {
        "__version__": {"sentence_transformers": "6.0.1", "transformers": "5.17.0"},
        "default_prompt_name": None,
        "model_type": kind,
        "prompts": {"query": "", "document": ""},
        "similarity_fn_name": None,
    }
    write_json(folder / "config_sentence_transformers.json", settings | options)


def write_masked(folder: Path, seed: str) -> None:
    """Write a transformer with the head for masked words, and its tokenizer."""
    size = write_wordpiece(folder)
    write_json(folder / "config.json", bert_config(SIZE, size, "BertForMaskedLM"))
    write_tensors(folder / "model.safetensors", masked_lm_weights(seed, SIZE, size))


def splade(folder: Path) -> None:
    """SPLADE: logits of masked words, the largest of each counts."""
    write_masked(folder, "splade")
    write_modules(folder, ["MLMTransformer", "SpladePooling"], names=SPARSE)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 96, "do_lower_case": False})
    pooling = {"pooling_strategy": "max", "activation_function": "relu"}
    write_json(folder / "1_SpladePooling/config.json", pooling | {"word_embedding_dimension": None})
    write_settings(folder, "SparseEncoder", similarity_fn_name="dot")


def splade_sum(folder: Path) -> None:
    """SPLADE of the first kind: weights of all tokens are added, twice logarithmic."""
    write_masked(folder, "splade-sum")
    write_modules(folder, ["Transformer", "SpladePooling"], names=NEW | SPARSE)
    write_json(folder / "sentence_bert_config.json", LOGITS)
    pooling = {"pooling_strategy": "sum", "activation_function": "log1p_relu"}
    write_json(folder / "1_SpladePooling/config.json", pooling | {"embedding_dimension": None})
    write_settings(folder, "SparseEncoder")


def splade_inference_free(folder: Path) -> None:
    """SPLADE for documents, a fixed weight for each term of a query."""
    document, query = folder / "document_0_Transformer", folder / "query_0_SparseStaticEmbedding"
    write_masked(document, "splade-inference-free")
    write_json(document / "sentence_bert_config.json", LOGITS)
    pooling = {"pooling_strategy": "max", "activation_function": "log1p_relu"}
    write_json(folder / "document_1_SpladePooling/config.json", pooling)
    size = write_wordpiece(query)
    write_json(query / "config.json", {"frozen": True})
    weights = Numbers("splade-inference-free/idf").uniform("weight", size, middle=1.0, spread=0.9)
    write_tensors(query / "model.safetensors", {"weight": weights})
    structure = {
        "query": ["query_0_SparseStaticEmbedding"],
        "document": ["document_0_Transformer", "document_1_SpladePooling"],
    }
    write_routes(folder, structure, SPARSE, default="document")
    write_modules(folder, ["Router"], names=SPARSE)
    write_settings(folder, "SparseEncoder", similarity_fn_name="dot")


def write_routes(
    folder: Path,
    structure: dict[str, list[str]],
    names: dict[str, str],
    *,
    default: str | None,
    file: str = "router_config.json",
) -> None:
    """Write a router's file; a module's class stands at the end of its name."""
    modules = [module for route in structure.values() for module in route]
    table = {
        "types": {module: names[module.rpartition("_")[2]] for module in modules},
        "structure": structure,
        "parameters": {"default_route": default, "allow_empty_key": True},
    }
    write_json(folder / file, table)


def sparse_features(folder: Path) -> None:
    """CSR: a pooled vector as a few of many learned features."""
    write_bert(folder, "sparse-features")
    kinds = ["Transformer", "Pooling", "SparseAutoEncoder"]
    write_modules(folder, kinds, names=OLD | SPARSE)
    write_json(folder / "1_Pooling/config.json", pooling_flags(SIZE.width, "mean"))
    write_reading(folder, 128)
    options = {"input_dim": SIZE.width, "hidden_dim": 256, "k": 16, "k_aux": 32}
    home, numbers = folder / "2_SparseAutoEncoder", Numbers("sparse-features/encoder")
    write_json(home / "config.json", options | {"normalize": True, "dead_threshold": 30})
    tensors = {
        "decoder.linear.weight": numbers.uniform("features", 256, SIZE.width),
        "pre_bias": numbers.uniform("pre_bias", SIZE.width),
        "latent_bias": numbers.uniform("latent_bias", 256),
        "stats_last_nonzero": numbers.uniform("stats", 256, spread=0.0).astype("int64"),
    }
    write_tensors(home / "model.safetensors", tensors)
    write_settings(folder, "SparseEncoder")


MIDDLE = 3.5
"""About minus the mean of what the weights of BGE-M3's sparse head make of a token."""


def bge_m3(folder: Path) -> None:
    """BGE-M3: XLM-RoBERTa with a dense, a sparse and a late-interaction head."""
    vocabulary = classic.write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    classic.write_settings(folder, "XLMRobertaTokenizer")
    options = {**classic.ROBERTA_IDS, "model_type": "xlm-roberta", "layer_norm_eps": 1e-5}
    config = bert_config(classic.OFFSET, vocabulary, "XLMRobertaModel") | options
    weights = bert_weights("bge-m3", classic.OFFSET, vocabulary)
    classic.write_trunk(folder, config, weights, mode="cls")
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 128)
    width, numbers = classic.OFFSET.width, Numbers("bge-m3/heads")
    for name, outputs in (("sparse_linear", 1), ("colbert_linear", width)):
        head = numbers.linear(name, outputs, width)
        if outputs == 1:  # so that some weights are positive, and some are not
            head[f"{name}.bias"] = numbers.uniform(f"{name}.bias", 1, middle=MIDDLE)
        write_torch(folder / f"{name}.pt", {n.rpartition(".")[2]: t for n, t in head.items()})


def write_marked(folder: Path, extra: Sequence[str], *, added: bool) -> int:
    """Write a tokenizer with markers, in its vocabulary or added to it.

    Returns:
        Size of the vocabulary.
    """
    write_wordpiece(folder)
    tokens = vocabulary(cased=False)
    table = tokenizer(tokens if added else [*tokens, *extra], cased=False)
    if added:
        plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "special"), False)
        table["added_tokens"] += [
            {"id": len(tokens) + i, "content": token, **plain, "normalized": True}
            for i, token in enumerate(extra)
        ]
    write_json(folder / "tokenizer.json", table)
    if not added:
        (folder / "vocab.txt").write_text("\n".join([*tokens, *extra]) + "\n", "utf-8")
    return len(tokens) + len(extra)


def colbert_pylate(folder: Path) -> None:
    """ColBERT as PyLate saves it: markers are added tokens, the last modules are not listed."""
    size = write_marked(folder, ("[Q] ", "[D] "), added=True)
    write_json(folder / "config.json", bert_config(SIZE, size))
    write_tensors(folder / "model.safetensors", bert_weights("colbert-pylate", SIZE, size))
    write_modules(folder, ["Transformer", "Dense"], names=PYLATE)
    write_reading(folder, 63)
    write_dense(
        folder / "1_Dense", "colbert-pylate", SIZE.width, 32, activation=IDENTITY, bias=False
    )
    write_settings(
        folder,
        "ColBERT",
        prompts={},
        similarity_fn_name="MaxSim",
        query_prefix="[Q] ",
        document_prefix="[D] ",
        query_length=24,
        document_length=64,
        attend_to_expansion_tokens=False,
        skiplist_words=list(string.punctuation),
    )


def colbert_stanford(folder: Path) -> None:
    """ColBERT as Stanford's own code saves it: a projection beside the transformer."""
    size = write_marked(folder, ("[unused0]", "[unused1]"), added=False)
    write_json(folder / "config.json", bert_config(SIZE, size, "HF_ColBERT"))
    trunk = bert_weights("colbert-stanford", SIZE, size)
    linear = Numbers("colbert-stanford/linear").uniform("weight", 32, SIZE.width)
    named = {f"bert.{name}": tensor for name, tensor in trunk.items()}
    write_tensors(folder / "model.safetensors", {**named, "linear.weight": linear})
    facts = {
        "query_token_id": "[unused0]",
        "doc_token_id": "[unused1]",
        "query_maxlen": 24,
        "doc_maxlen": 80,
        "attend_to_mask_tokens": False,
        "mask_punctuation": True,
        "dim": 32,
        "similarity": "cosine",
        "checkpoint": "bert-base-uncased",
    }
    (folder / "artifact.metadata").write_text(json.dumps(facts), "utf-8")


def modernbert_colbert(folder: Path) -> None:
    """ModernBERT for late interaction, as PyLate saves it: byte-level BPE with markers added."""
    plain = roberta.write_bytes(folder)
    table = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "special"), False)
    table["added_tokens"] += [
        {"id": plain + i, "content": token, **flags, "normalized": True}
        for i, token in enumerate(("[Q] ", "[D] "))
    ]
    write_json(folder / "tokenizer.json", table)
    settings = rotary.FAST | classic.SPECIALS | rotary.PADS
    write_json(folder / "tokenizer_config.json", settings)
    size = Size(layers=3, positions=512)
    config = rotary.modernbert_config(size, plain + 2, "ModernBertModel")
    weights = rotary.modernbert_weights("modernbert-colbert", size, plain + 2)
    named = {n.removeprefix("model."): t for n, t in weights.items() if n.startswith("model.")}
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", named)
    write_modules(folder, ["Transformer", "Dense"], names=PYLATE)
    write_reading(folder, 299)
    home = folder / "1_Dense"
    write_dense(home, "modernbert-colbert", size.width, 32, activation=IDENTITY, bias=False)
    options = {"query_prefix": "[Q] ", "document_prefix": "[D] ", "similarity_fn_name": "MaxSim"}
    lengths = {"query_length": 32, "document_length": 300, "attend_to_expansion_tokens": False}
    words = {"skiplist_words": list(string.punctuation), "prompts": {}}
    write_settings(folder, "ColBERT", **options, **lengths, **words)


def colbert_native(folder: Path) -> None:
    """ColBERT as sentence-transformers saves it: queries are filled up to a floor, and seen."""
    write_bert(folder, "colbert-native")
    kinds = ["Transformer", "Dense", "MultiVectorMask", "Normalize"]
    write_modules(folder, kinds, names=NEW | LATE)
    reading = {
        "transformer_task": "feature-extraction",
        "modality_config": {
            "text": {"method": "forward", "method_output_name": "last_hidden_state"}
        },
        "module_output_name": "token_embeddings",
        "query_length": 40,
        "document_length": 100,
        "query_expansion": {"strategy": "min", "attend": True, "token": "[PAD]", "length": 16},
    }
    write_json(folder / "sentence_bert_config.json", reading)
    write_dense(
        folder / "1_Dense", "colbert-native", SIZE.width, SIZE.width, activation=TANH, bias=True
    )
    tokens = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
    path = folder / "1_Dense/config.json"
    write_json(path, json.loads(path.read_text("utf-8")) | tokens | {"use_residual": True})
    mask = {"skiplist_words": [".", ",", "the"], "skiplist_tasks": ["query", "document"]}
    write_json(folder / "2_MultiVectorMask/config.json", mask | {"keep_only_token_ids": None})
    write_json(folder / "3_Normalize/config.json", tokens)
    prompts = {"query": "search for: ", "document": "text: "}
    write_settings(folder, "MultiVectorEncoder", prompts=prompts, similarity_fn_name="maxsim")


def write_table(folder: Path, seed: str, name: str, rows: int) -> None:
    """Write a table of vectors and its tokenizer."""
    size = write_wordpiece(folder)
    (folder / "tokenizer_config.json").unlink()
    table = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    write_json(folder / "tokenizer.json", table | {"truncation": None, "padding": None})
    tensors: dict[str, Any] = {name: Numbers(seed).uniform(name, rows or size, 48)}
    if rows:
        numbers = Numbers(f"{seed}/mapping")
        tensors["weights"] = numbers.uniform("weights", size, middle=1.0, spread=0.5)
        places = numbers.uniform("mapping", size, middle=rows / 2, spread=rows / 2)
        tensors["mapping"] = places.astype("int64") % rows
    write_tensors(folder / "model.safetensors", tensors)


def static(folder: Path) -> None:
    """StaticEmbedding: a table of vectors in a folder of its own, and their mean."""
    write_table(folder / "0_StaticEmbedding", "static", "embedding.weight", 0)
    names = MORE | {"Normalize": NEW["Normalize"]}
    write_modules(folder, ["StaticEmbedding", "Normalize"], names=names, home="0_StaticEmbedding")
    write_settings(folder, "SentenceTransformer", similarity_fn_name="cosine")


def model2vec(folder: Path) -> None:
    """model2vec: tokens share rows, and each has a factor of its own."""
    write_table(folder, "model2vec", "embeddings", 100)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "tokenizer_name": "bert-base-uncased",
        "apply_pca": 48,
        "sif_coefficient": 1e-4,
        "hidden_dim": 48,
        "seq_length": 1000000,
        "normalize": True,
        "embedding_dtype": "float32",
        "vocabulary_quantization": 100,
    }
    write_json(folder / "config.json", config)
    write_modules(folder, ["StaticEmbedding", "Normalize"], names=MORE, home=".")


def write_pairs(folder: Path, seed: str, labels: Sequence[str], **options: Any) -> None:
    """Write a transformer with a head for classes."""
    size = write_wordpiece(folder)
    named = {"id2label": dict(enumerate(labels)), "label2id": {n: i for i, n in enumerate(labels)}}
    config = bert_config(SIZE, size, "BertForSequenceClassification") | named | options
    write_json(folder / "config.json", config)
    trunk = {f"bert.{name}": t for name, t in bert_weights(seed, SIZE, size).items()}
    head = Numbers(f"{seed}/head").linear("classifier", len(labels), SIZE.width)
    write_tensors(folder / "model.safetensors", merged([trunk, head]))


def cross_encoder(folder: Path) -> None:
    """A cross-encoder without modules.json: one label, plain logits by its old option."""
    old = {"sbert_ce_default_activation_function": IDENTITY}
    write_pairs(folder, "cross-encoder", ["LABEL_0"], **old)


def cross_encoder_labels(folder: Path) -> None:
    """A cross-encoder of three labels, a prompt before queries."""
    write_pairs(folder, "cross-encoder-labels", ["contradiction", "entailment", "neutral"])
    write_modules(folder, ["Transformer"], names=NEW)
    reading = {
        "transformer_task": "sequence-classification",
        "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
        "module_output_name": "scores",
    }
    write_json(folder / "sentence_bert_config.json", reading)
    settings = {
        "__version__": {"sentence_transformers": "6.0.1", "transformers": "5.17.0"},
        "activation_fn": "torch.nn.modules.activation.Sigmoid",
        "default_prompt_name": "judge",
        "model_type": "CrossEncoder",
        "prompts": {"judge": "does the text follow? "},
    }
    write_json(folder / "config_sentence_transformers.json", settings)


def bert_layers(folder: Path) -> None:
    """Token vectors of several layers by learned weights, then a norm on the vector."""
    size = write_wordpiece(folder)
    config = bert_config(SIZE, size) | {"output_hidden_states": True}
    write_json(folder / "config.json", config)
    write_tensors(folder / "model.safetensors", bert_weights("bert-layers", SIZE, size))
    kinds = ["Transformer", "WeightedLayerPooling", "Pooling", "LayerNorm"]
    write_modules(folder, kinds, names=MORE)
    choice = {"word_embedding_dimension": SIZE.width, "layer_start": 1, "num_hidden_layers": 2}
    write_json(folder / "1_WeightedLayerPooling/config.json", choice)
    weights = Numbers("bert-layers/weights").uniform("layer_weights", 2, middle=1.0, spread=0.5)
    write_tensors(folder / "1_WeightedLayerPooling/model.safetensors", {"layer_weights": weights})
    write_json(folder / "2_Pooling/config.json", pooling_flags(SIZE.width, "mean", "max"))
    width = 2 * SIZE.width
    write_json(folder / "3_LayerNorm/config.json", {"dimension": width})
    norm: dict[str, Tensor] = Numbers("bert-layers/norm").norm("norm", width)
    write_tensors(folder / "3_LayerNorm/model.safetensors", norm)
    write_reading(folder, 128)


def bert_asym(folder: Path) -> None:
    """One transformer, a dense layer for each side, vectors cut to their first numbers."""
    write_bert(folder, "bert-asym")
    write_modules(folder, ["Transformer", "Pooling", "Asym", "Normalize"], names=MORE)
    write_json(folder / "1_Pooling/config.json", pooling_flags(SIZE.width, "cls"))
    write_reading(folder, 128)
    structure = {"query": ["query_0_Dense"], "document": ["document_0_Dense"]}
    write_routes(folder / "2_Asym", structure, MORE, default=None, file="config.json")
    for side in structure:
        home = folder / "2_Asym" / f"{side}_0_Dense"
        write_dense(home, f"bert-asym/{side}", SIZE.width, 48, activation=TANH)
    settings = {"similarity_fn_name": "dot", "truncate_dim": 32}
    write_settings(folder, "SentenceTransformer", **settings)


def bert_torch(folder: Path) -> None:
    """Weights in torch's own files, as older checkpoints have them."""
    size = write_wordpiece(folder)
    write_json(folder / "config.json", bert_config(SIZE, size))
    write_torch(folder / "pytorch_model.bin", bert_weights("bert-torch", SIZE, size))
    write_modules(folder, ["Transformer", "Pooling", "Dense"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(SIZE.width, "mean"))
    write_reading(folder, 128)
    write_dense(folder / "2_Dense", "bert-torch", SIZE.width, 48, activation=TANH)
    weights = folder / "2_Dense/model.safetensors"
    write_torch(folder / "2_Dense/pytorch_model.bin", load_file(weights))
    weights.unlink()


SOUND = (
    bert_torch,
    splade,
    splade_sum,
    splade_inference_free,
    sparse_features,
    bge_m3,
    colbert_pylate,
    colbert_stanford,
    jina.colbert_xlm,
    jina.colbert_rotary,
    colbert_native,
    modernbert_colbert,
    static,
    model2vec,
    cross_encoder,
    cross_encoder_labels,
    bert_layers,
    bert_asym,
)
