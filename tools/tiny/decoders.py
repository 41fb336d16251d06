"""Decoders as embedders and rerankers: one checkpoint per family, laid out as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny.bpe import ANSWERS
from tiny.decoder import Decoder, decoder_config, decoder_weights
from tiny.decoder_tokenizers import (
    token_id,
    write_gemma_tokenizer,
    write_llama_tokenizer,
    write_mistral_tokenizer,
    write_qwen_tokenizer,
)
from tiny.files import write_json, write_tensors
from tiny.layout import (
    NEW,
    OLD,
    pooling_flags,
    pooling_mode,
    write_dense,
    write_modules,
    write_prompts,
    write_reading_new,
)
from tiny.numbers import Numbers, Tensor

IDENTITY = "torch.nn.modules.linear.Identity"
SIGMOID = "torch.nn.modules.activation.Sigmoid"
SCORE = {"LogitScore": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"}

QWEN3 = Decoder(qk_norm=True, head=24)
QWEN2 = Decoder(qkv_bias=True)
LLAMA = Decoder(kv_heads=4)
MISTRAL = Decoder(kv_heads=1)
GEMMA2 = Decoder(four_norms=True)
GEMMA = Decoder(qk_norm=True, four_norms=True, kv_heads=1, layers=3)

TASK = "Given a web search query, retrieve relevant passages that answer the query"
JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".'
)
"""What the published rerankers are told."""

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
)
"""How the language model is chatted with, which an embedder must not be."""


def said_by(role: str) -> str:
    """What a role says, in a chat template."""
    return f'messages | selectattr("role", "eq", "{role}") | map(attribute="content") | first'


ASK = (
    f"<|im_start|>system\n{JUDGE}<|im_end|>\n<|im_start|>user\n"
    f'<Instruct>: {{{{ {said_by("system")} | default("{TASK}") }}}}\n'
    f"<Query>: {{{{ {said_by('query')} }}}}\n"
    f"<Document>: {{{{ {said_by('document')} }}}}<|im_end|>\n"
    '<|im_start|>assistant\n<think>\n\n</think>\n{{ "\\n" }}'
)
"""The rerankers' prompt as a chat template; it ends where the answer would begin."""


def write_trunk(
    folder: Path,
    size: Decoder,
    config: dict[str, Any],
    *,
    prefix: str = "",
    more: dict[str, Tensor] | None = None,
) -> None:
    """Write ``config.json`` and the weights, whose numbers follow from the folder's name."""
    write_json(folder / "config.json", config)
    weights = decoder_weights(folder.name, size, config["vocab_size"], prefix=prefix)
    write_tensors(folder / "model.safetensors", weights | (more or {}))


def qwen3_config(vocabulary: int) -> dict[str, Any]:
    """Content of ``config.json``, in the older form."""
    return decoder_config(
        QWEN3,
        vocabulary,
        "Qwen3ForCausalLM",
        model_type="qwen3",
        max_window_layers=QWEN3.layers,
        rope_scaling=None,
        rope_theta=1000000,
        sliding_window=None,
        tie_word_embeddings=True,
        use_sliding_window=False,
    )


def qwen3_embedding(folder: Path) -> None:
    """Qwen3-Embedding: last token, an instruction before queries, left padding, a chat template."""
    vocabulary = write_qwen_tokenizer(folder, after="<|endoftext|>", chat_template=CHAT)
    write_trunk(folder, QWEN3, qwen3_config(vocabulary))
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(QWEN3.width, "lasttoken"))
    write_prompts(folder, {"query": f"Instruct: {TASK}\nQuery:", "document": ""})


def gte_qwen2(folder: Path) -> None:
    """GTE-Qwen2: a decoder that reads in both directions, saved with its language head."""
    vocabulary = write_qwen_tokenizer(folder, after="<|endoftext|>")
    config = decoder_config(
        QWEN2,
        vocabulary,
        "Qwen2ForCausalLM",
        model_type="qwen2",
        attention_bias=...,
        head_dim=...,
        is_causal=False,
        max_window_layers=QWEN2.layers,
        rope_theta=1000000.0,
        sliding_window=64,
        tie_word_embeddings=False,
        use_sliding_window=False,
    )
    head = Numbers("gte-qwen2/head").linear("lm_head", vocabulary, QWEN2.width, bias=False)
    write_trunk(folder, QWEN2, config, prefix="model.", more=head)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(QWEN2.width, "lasttoken"))
    write_prompts(folder, {"query": f"Instruct: {TASK}\nQuery: "})


def llama_mean(folder: Path) -> None:
    """Llama in both directions, mean pooling, angles slowed as in Llama 3."""
    vocabulary = write_llama_tokenizer(folder)
    rope = {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 64,
        "rope_theta": 500000.0,
        "rope_type": "llama3",
    }
    config = decoder_config(
        LLAMA,
        vocabulary,
        "LlamaModel",
        model_type="llama",
        is_causal=False,
        mlp_bias=False,
        rope_parameters=rope,
        tie_word_embeddings=True,
    )
    write_trunk(folder, LLAMA, config)
    write_modules(folder, ["Transformer", "Pooling"], names=NEW)
    write_json(folder / "1_Pooling/config.json", pooling_mode(LLAMA.width, "mean"))
    write_reading_new(folder)


def mistral_last(folder: Path) -> None:
    """E5-Mistral: last token, which is always ``</s>``, and a window on what tokens see."""
    vocabulary = write_mistral_tokenizer(folder)
    config = decoder_config(
        MISTRAL,
        vocabulary,
        "MistralModel",
        model_type="mistral",
        attention_bias=...,
        head_dim=...,
        rope_theta=10000.0,
        sliding_window=24,
        tie_word_embeddings=False,
    )
    write_trunk(folder, MISTRAL, config)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(MISTRAL.width, "lasttoken"))
    write_prompts(folder, {"web_search_query": f"Instruct: {TASK}\nQuery: "})


def gemma3_embedding(folder: Path) -> None:
    """EmbeddingGemma: in both directions, local and global layers, mean, two dense layers."""
    vocabulary = write_gemma_tokenizer(folder)
    config = decoder_config(
        GEMMA,
        vocabulary,
        "Gemma3TextModel",
        model_type="gemma3_text",
        _sliding_window_pattern=3,
        attn_logit_softcapping=None,
        final_logit_softcapping=None,
        hidden_act=...,
        hidden_activation="gelu_pytorch_tanh",
        layer_types=["sliding_attention", "sliding_attention", "full_attention"],
        query_pre_attn_scalar=GEMMA.head,
        rope_local_base_freq=10000.0,
        rope_scaling=None,
        rope_theta=1000000.0,
        sliding_window=16,
        use_bidirectional_attention=True,
    )
    write_trunk(folder, GEMMA, config)
    write_modules(folder, ["Transformer", "Pooling", "Dense", "Dense", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(GEMMA.width, "mean"))
    for name, inputs, outputs in (("2_Dense", GEMMA.width, 128), ("3_Dense", 128, GEMMA.width)):
        seed = f"gemma3-embedding/{name}"
        write_dense(folder / name, seed, inputs, outputs, activation=IDENTITY, bias=False)
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    write_prompts(folder, prompts)


def gemma2_last(folder: Path) -> None:
    """BGE-Multilingual-Gemma2: last token, scores capped, a window in every other layer."""
    vocabulary = write_gemma_tokenizer(folder)
    config = decoder_config(
        GEMMA2,
        vocabulary,
        "Gemma2Model",
        model_type="gemma2",
        attn_logit_softcapping=2.0,
        final_logit_softcapping=30.0,
        hidden_activation="gelu_pytorch_tanh",
        query_pre_attn_scalar=GEMMA2.head,
        rope_theta=10000.0,
        sliding_window=24,
    )
    write_trunk(folder, GEMMA2, config)
    write_modules(folder, ["Transformer", "Pooling", "Normalize"], names=OLD)
    write_json(folder / "1_Pooling/config.json", pooling_flags(GEMMA2.width, "lasttoken"))
    write_prompts(folder, {"web_search_query": f"<instruct>{TASK}\n<query>"})


def qwen3_reranker(folder: Path) -> None:
    """Qwen3-Reranker: asked in a prompt, scored by the logits of "yes" and "no"."""
    vocabulary = write_qwen_tokenizer(folder, after="")
    (folder / "chat_template.jinja").write_text(ASK, "utf-8")
    write_trunk(folder, QWEN3, qwen3_config(vocabulary), prefix="model.")
    write_modules(folder, ["Transformer", "LogitScore"], names=NEW | SCORE)
    yes, no = (token_id(folder, answer) for answer in ANSWERS)
    score = {"true_token_id": yes, "false_token_id": no, "module_input_name": "causal_logits"}
    write_json(folder / "1_LogitScore/config.json", score)
    logits = {"method": "forward", "method_output_name": "logits"}
    reading = {
        "transformer_task": "text-generation",
        "modality_config": {"text": logits, "message": logits | {"format": "flat"}},
        "module_output_name": "causal_logits",
    }
    write_json(folder / "sentence_bert_config.json", reading)
    settings = {
        "__version__": {"sentence_transformers": "6.0.1", "transformers": "5.17.0"},
        "activation_fn": SIGMOID,
        "default_prompt_name": None,
        "model_type": "CrossEncoder",
        "prompts": {},
    }
    write_json(folder / "config_sentence_transformers.json", settings)


TALK = (
    "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""How the language models are chatted with, and told of tools."""


def qwen3_chat(folder: Path) -> None:
    """Qwen3 with its language head, a chat template and two tokens that end a text."""
    vocabulary = write_qwen_tokenizer(folder, after="", chat_template=TALK)
    write_trunk(folder, QWEN3, qwen3_config(vocabulary), prefix="model.")
    ends = [token_id(folder, token) for token in ("<|im_end|>", "<|endoftext|>")]
    write_json(folder / "generation_config.json", {"eos_token_id": ends, "do_sample": True})


def llama_chat(folder: Path) -> None:
    """Llama with a head of its own, whose tokenizer opens each text."""
    vocabulary = write_llama_tokenizer(folder)
    config = decoder_config(
        LLAMA,
        vocabulary,
        "LlamaForCausalLM",
        model_type="llama",
        mlp_bias=False,
        rope_theta=10000.0,
        tie_word_embeddings=False,
        eos_token_id=token_id(folder, "<|end_of_text|>"),
    )
    head = Numbers("llama-chat/head").linear("lm_head", vocabulary, LLAMA.width, bias=False)
    write_trunk(folder, LLAMA, config, prefix="model.", more=head)
    template = "{{ bos_token }}" + TALK.replace("<|im_start|>", "[").replace("<|im_end|>", "]")
    (folder / "chat_template.jinja").write_text(template, "utf-8")


SOUND = (
    qwen3_embedding,
    gte_qwen2,
    llama_mean,
    mistral_last,
    gemma2_last,
    gemma3_embedding,
    qwen3_reranker,
    qwen3_chat,
    llama_chat,
)
