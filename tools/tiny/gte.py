"""GTE of the second generation: a family that checkpoints bring the code for."""

from __future__ import annotations

from pathlib import Path

from tiny.bert import Size
from tiny.classic import ROBERTA_IDS, write_settings, write_trunk, write_unigram
from tiny.layout import OLD, write_modules, write_reading
from tiny.numbers import Numbers, Tensor, merged
from tiny.rotary import sizes

CODE = "Alibaba-NLP/new-impl"
SIZE = Size(positions=512, types=1)


def gte_new(folder: Path) -> None:
    """mGTE: rotary positions slowed eightfold, a gate, the first token, a head for words."""
    vocabulary = write_unigram(folder, ("<s>", "<pad>", "</s>", "<unk>"))
    write_settings(folder, "XLMRobertaTokenizer", model_max_length=512)
    config = sizes(
        SIZE,
        vocabulary,
        "NewModel",
        auto_map={
            "AutoConfig": f"{CODE}--configuration.NewConfig",
            "AutoModel": f"{CODE}--modeling.NewModel",
        },
        hidden_act="gelu",
        layer_norm_eps=1e-12,
        layer_norm_type="layer_norm",
        logn_attention_clip1=False,
        logn_attention_scale=False,
        model_type="new",
        pack_qkv=True,
        pad_token_id=ROBERTA_IDS["pad_token_id"],
        position_embedding_type="rope",
        rope_scaling={"factor": 8.0, "type": "ntk"},
        rope_theta=20000,
        type_vocab_size=SIZE.types,
        unpad_inputs=True,
        use_memory_efficient_attention=True,
    )
    config["architectures"] += ["NewForTokenClassification"]
    write_trunk(folder, config, gte_weights("gte-new", SIZE, vocabulary), mode="cls")
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_reading(folder, 512)


def gte_weights(seed: str, size: Size, vocabulary: int) -> dict[str, Tensor]:
    """Tensors of ``NewForTokenClassification``, whose head weighs words."""
    numbers, width = Numbers(seed), size.width
    embeddings = merged([
        {
            "word_embeddings.weight": numbers.uniform("words", vocabulary, width),
            "token_type_embeddings.weight": numbers.uniform("types", size.types, width),
        },
        numbers.norm("LayerNorm", width),
    ])  # fmt: skip
    return merged([
        {f"new.embeddings.{name}": tensor for name, tensor in embeddings.items()},
        *(gte_layer(numbers, f"new.encoder.layer.{i}", size) for i in range(size.layers)),
        numbers.linear("new.pooler.dense", width, width),
        numbers.linear("classifier", 1, width),
    ])  # fmt: skip


def gte_layer(numbers: Numbers, name: str, size: Size) -> dict[str, Tensor]:
    """Tensors of one layer."""
    width = size.width
    return merged([
        numbers.linear(f"{name}.attention.qkv_proj", 3 * width, width),
        numbers.linear(f"{name}.attention.o_proj", width, width),
        numbers.norm(f"{name}.attn_ln", width),
        numbers.linear(f"{name}.mlp.up_gate_proj", 2 * size.inner, width, bias=False),
        numbers.linear(f"{name}.mlp.down_proj", width, size.inner),
        numbers.norm(f"{name}.mlp_ln", width),
    ])  # fmt: skip


SOUND = (gte_new,)
