"""Late interaction as Jina ColBERT has it: Stanford's layout, several scripts, own markers."""

from __future__ import annotations

import json
from pathlib import Path

from tiny import classic, rotary
from tiny.bert import bert_config, bert_weights
from tiny.files import write_json, write_tensors
from tiny.numbers import Numbers, Tensor
from tiny.unigram import framed, precompiled, unigram

MARKERS = ("[QueryMarker]", "[DocumentMarker]")
"""What Jina ColBERT puts before texts."""


def write_marked_pieces(folder: Path) -> int:
    """Write XLM-RoBERTa's tokenizer with the markers of Jina ColBERT; returns its size."""
    before = ("<s>", "<pad>", "</s>", "<unk>")
    frame = framed(
        ["<s>:0", "A:0", "</s>:0"],
        ["<s>:0", "A:0", "</s>:0", "</s>:0", "B:0", "</s>:0"],
        {token: before.index(token) for token in ("<s>", "</s>")},
    )
    content, size = unigram(
        before, (*MARKERS, "<mask>"), unknown=3, normalizer=precompiled(), frame=frame
    )
    write_json(folder / "tokenizer.json", content)
    more = {"additional_special_tokens": list(MARKERS)}
    classic.write_settings(folder, "XLMRobertaTokenizer", **more)
    return size


def write_stanford(folder: Path, trunk: dict[str, Tensor], width: int) -> None:
    """Write the weights of Stanford's layout, with a projection, and its facts."""
    named = {f"roberta.{name}": tensor for name, tensor in trunk.items()}
    linear = Numbers(f"{folder.name}/linear").uniform("weight", 32, width)
    write_tensors(folder / "model.safetensors", {**named, "linear.weight": linear})
    facts = {
        "query_token_id": MARKERS[0],
        "doc_token_id": MARKERS[1],
        "query_maxlen": 24,
        "doc_maxlen": 100,
        "attend_to_mask_tokens": True,
        "mask_punctuation": True,
        "dim": 32,
    }
    (folder / "artifact.metadata").write_text(json.dumps(facts), "utf-8")


def colbert_xlm(folder: Path) -> None:
    """Stanford's layout with XLM-RoBERTa: markers of its own, masks are seen."""
    size = write_marked_pieces(folder)
    options = {**classic.ROBERTA_IDS, "model_type": "xlm-roberta", "layer_norm_eps": 1e-5}
    config = bert_config(classic.OFFSET, size, "HF_ColBERT") | options
    write_json(folder / "config.json", config)
    trunk = bert_weights("colbert-xlm", classic.OFFSET, size)
    write_stanford(folder, trunk, classic.OFFSET.width)


def colbert_rotary(folder: Path) -> None:
    """Jina ColBERT 2: Stanford's layout, positions are angles, tensors as in Jina Embeddings 3."""
    vocabulary, size = write_marked_pieces(folder), rotary.SIZE
    config = rotary.sizes(
        size,
        vocabulary,
        "HF_ColBERT",
        hidden_act="gelu",
        layer_norm_eps=1e-5,
        load_trained_adapters=False,
        lora_adaptations=None,
        model_type="xlm-roberta",
        position_embedding_type="rotary",
        rotary_emb_base=10000.0,
        truncate_dim=None,
        type_vocab_size=1,
        use_flash_attn=True,
        **rotary.IDS,
    )
    write_json(folder / "config.json", config)
    write_stanford(folder, rotary.jina_weights("colbert-rotary", size, vocabulary), size.width)
