from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.spec import ModelSpec
from stelae.errors import ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]

SETTINGS = "config_sentence_transformers.json"
SIGMOID = "torch.nn.modules.activation.Sigmoid"
IDENTITY = "torch.nn.modules.linear.Identity"


def scoring(spec: ModelSpec) -> Classify:
    assert isinstance(spec.scoring, Classify)
    return spec.scoring


def test_cross_encoder_scores_and_makes_no_vectors(zoo: Path, read: Read) -> None:
    spec = read(zoo / "cross-encoder-labels")
    assert (spec.tasks, spec.outputs) == ((Task.SCORE, Task.EXTRACT), ())
    assert scoring(spec).labels == ("contradiction", "entailment", "neutral")
    assert spec.prompts[spec.default_prompt or ""] == "does the text follow? "


def test_head_for_classes_without_modules_scores_pairs(zoo: Path, read: Read) -> None:
    spec = read(zoo / "cross-encoder")
    assert scoring(spec) == Classify(labels=("LABEL_0",), activation="Identity")
    assert "CrossEncoder" in spec.notes[0]


def test_head_for_classes_with_a_chat_template_is_refused(edited: Edit, read: Read) -> None:
    folder = edited("cross-encoder", "tokenizer_config.json", chat_template="{{ messages }}")
    with pytest.raises(UnsupportedCheckpoint, match="texts in a prompt"):
        read(folder)


OLD = "sbert_ce_default_activation_function"
ACTIVATIONS: list[tuple[dict[str, Any], str]] = [
    ({OLD: None}, "Sigmoid"),
    ({OLD: SIGMOID}, "Sigmoid"),
    ({OLD: "torch.nn.Softmax"}, "Softmax"),
    ({"sentence_transformers": {"activation_fn": SIGMOID}}, "Sigmoid"),
    ({OLD: None, "id2label": {"0": "no", "1": "yes"}}, "Identity"),
]


@pytest.mark.parametrize(("changes", "expected"), ACTIVATIONS)
def test_activation_is_the_one_that_is_stated_or_the_librarys(
    edited: Edit, read: Read, changes: dict[str, Any], expected: str
) -> None:
    assert scoring(read(edited("cross-encoder", "config.json", **changes))).activation == expected


@pytest.mark.parametrize(("name", "expected"), [(IDENTITY, "Identity"), (None, "Identity")])
def test_settings_go_before_the_transformers_config(
    edited: Edit, read: Read, name: str | None, expected: str
) -> None:
    folder = edited("cross-encoder-labels", SETTINGS, activation_fn=name)
    assert scoring(read(folder)).activation == expected


LABELS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"id2label": None}, ("LABEL_0", "LABEL_1")),
    ({"id2label": None, "num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")),
    ({"id2label": {"1": "b", "0": "a"}}, ("a", "b")),
]


@pytest.mark.parametrize(("changes", "expected"), LABELS)
def test_labels_are_in_the_order_of_their_numbers(
    edited: Edit, read: Read, changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert scoring(read(edited("cross-encoder", "config.json", **changes))).labels == expected


REFUSED: list[tuple[str, str, dict[str, Any], type[StelaeError], str]] = [
    ("cross-encoder", "config.json", {OLD: "os.system"}, UnsupportedCheckpoint, "'os.system'"),
    ("cross-encoder", "config.json", {"num_labels": 7}, ModelLoadFailed, "num_labels=7"),
    ("cross-encoder", "config.json", {"id2label": {"a": "b"}}, ModelLoadFailed, "numbered a"),
    (
        "cross-encoder-labels", "sentence_bert_config.json", {"transformer_task": "fill-mask"},
        UnsupportedCheckpoint, "module_output_name='scores'",
    ),
    (
        "cross-encoder-labels", "config.json", {"architectures": ["BertModel"]},
        UnsupportedCheckpoint, "no head for sequence-classification",
    ),
    (
        "qwen3-reranker", "1_LogitScore/config.json", {"module_input_name": "logits"},
        UnsupportedCheckpoint, "module_input_name='logits'",
    ),
    (
        "qwen3-reranker", "1_LogitScore/config.json", {"true_token_id": None},
        ModelLoadFailed, "true_token_id=None",
    ),
    (
        "qwen3-reranker", "1_LogitScore/config.json", {"false_token_id": -1},
        ModelLoadFailed, "false_token_id=-1",
    ),
    (
        "qwen3-reranker", "sentence_bert_config.json",
        {"modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}},
        UnsupportedCheckpoint, "modality_config",
    ),
    (
        "qwen3-reranker", "config.json", {"architectures": ["Qwen3Model"]},
        UnsupportedCheckpoint, "no head for text-generation",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "file", "changes", "error", "part"), REFUSED)
def test_wrong_option_is_refused_by_name(
    edited: Edit,
    read: Read,
    name: str,
    file: str,
    changes: dict[str, Any],
    error: type[StelaeError],
    part: str,
) -> None:
    with pytest.raises(error) as caught:
        read(edited(name, file, **changes))
    assert part in str(caught.value)


def with_module(folder: Path, kind: str) -> Path:
    """The same checkpoint with a further module, an empty pooling."""
    rows = json.loads((folder / "modules.json").read_text("utf-8"))
    rows.append({"type": kind, "path": "1_Pooling", "idx": 1, "name": "1"})
    (folder / "modules.json").write_text(json.dumps(rows))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")
    return folder


def test_pooled_scores_are_refused(edited: Edit, read: Read) -> None:
    kind = "sentence_transformers.sentence_transformer.modules.pooling.Pooling"
    folder = with_module(edited("cross-encoder-labels", SETTINGS), kind)
    with pytest.raises(UnsupportedCheckpoint, match="Transformer gives scores"):
        read(folder)


def test_module_of_the_checkpoints_own_is_said_to_be_never_run(edited: Edit, read: Read) -> None:
    folder = with_module(edited("cross-encoder-labels", SETTINGS), "own_code.Pooling")
    with pytest.raises(UnsupportedCheckpoint, match=r"'own_code.Pooling', which is code .* never"):
        read(folder)


def question(spec: ModelSpec) -> YesNo:
    assert isinstance(spec.scoring, YesNo)
    return spec.scoring


def test_prompt_of_a_reranker_is_that_of_its_chat_template(zoo: Path, read: Read) -> None:
    asked = question(read(zoo / "qwen3-reranker"))
    tokenizer = AutoTokenizer.from_pretrained(zoo / "qwen3-reranker")
    texts = {"instruction": "Find it.", "query": "what is\nthe river?", "document": "A river. <x>"}
    messages = [
        {"role": "system", "content": texts["instruction"]},
        {"role": "query", "content": texts["query"]},
        {"role": "document", "content": texts["document"]},
    ]
    middle = asked.pair
    for name, text in texts.items():
        middle = middle.replace("{" + name + "}", text)
    whole = asked.prefix + middle + asked.suffix
    assert whole == tokenizer.apply_chat_template(messages, tokenize=False)
    own = tokenizer.apply_chat_template(messages[1:], tokenize=False)
    assert asked.instruction in own
    assert asked.activation == "Sigmoid"


def test_prompt_is_cut_up_at_special_tokens(zoo: Path, read: Read) -> None:
    asked = question(read(zoo / "qwen3-reranker"))
    tokenizer = Tokenizer.from_file(str(zoo / "qwen3-reranker/tokenizer.json"))
    parts = [tokenizer.encode(part).ids for part in (asked.prefix, asked.pair, asked.suffix)]
    whole = tokenizer.encode(asked.prefix + asked.pair + asked.suffix).ids
    assert whole == [token for part in parts for token in part]
    assert asked.prefix.endswith("<|im_start|>")
    assert asked.suffix.startswith("<|im_end|>")


def test_default_prompt_is_the_instruction(edited: Edit, read: Read) -> None:
    prompts = {"judge": "Is it so?"}
    folder = edited("qwen3-reranker", SETTINGS, prompts=prompts, default_prompt_name="judge")
    assert question(read(folder)).instruction == "Is it so?"


def test_one_answer_may_be_enough(edited: Edit, read: Read) -> None:
    folder = edited("qwen3-reranker", "1_LogitScore/config.json", false_token_id=None)
    assert question(read(folder)).no is None


def template(edited: Edit, text: str, **settings: Any) -> Path:
    folder = edited("qwen3-reranker", SETTINGS, **settings)
    (folder / "chat_template.jinja").write_text(text, "utf-8")
    return folder


BOTH = (
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m['role'] }}: "
    "{{ m.content }}<|im_end|>{% endfor %}"
)


def test_template_may_be_a_loop_over_messages(edited: Edit, read: Read) -> None:
    text = "{{ (messages | first).content if messages[0].role == 'system' else 'none' }}" + BOTH
    asked = question(read(template(edited, text)))
    assert asked.pair.startswith("{instruction}<|im_start|>query: {query}<|im_end|>")
    assert asked.instruction == "none"


def test_template_without_a_place_for_instructions_takes_none(edited: Edit, read: Read) -> None:
    asked = question(read(template(edited, BOTH)))
    assert (asked.instructed, asked.instruction) == (False, "")


def test_template_in_the_tokenizers_config_counts_too(edited: Edit, read: Read) -> None:
    folder = edited("qwen3-reranker", "tokenizer_config.json", chat_template="{{ 1 }}")
    text = (folder / "chat_template.jinja").read_text("utf-8")
    before = question(read(folder))
    (folder / "chat_template.jinja").unlink()
    edited("qwen3-reranker", "tokenizer_config.json", chat_template=text)
    assert question(read(folder)) == before


HOSTILE = [
    ("{{ 'a' * 10 ** 10 }}", "Mul"),
    ("{% for a in range(10 ** 9) %}x{% endfor %}", "Call"),
    ("{% set x = 'a' %}{% set x = x + x %}", "Assign"),
    ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "Macro"),
    ("{{ messages | join('x') }}", "filter 'join'"),
    ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ("{{ messages[0].content.upper() }}", "Call"),
    ("{% include 'x' %}", "Include"),
    ("{% import 'os' as os %}", "Import"),
    ("{{ 'a' ~ namespace(x=1) }}", "Call"),
    ("{% for a in messages %}{% for b in messages %}{% for c in messages %}{% endfor %}"
     "{% endfor %}{% endfor %}", "loops within loops"),
    ("{{ 1 // 0 }}", "FloorDiv"),
    ("{% if %}", "not understood"),
    ("{{ 5 | nothing }}", "filter 'nothing'"),
    ("nothing of the pair", "0 times"),
    (BOTH + BOTH, "2 times"),
    (BOTH.replace("m.content", "m.content | first"), "changes the texts"),
    ("{{ messages.content + 1 }}", "fails on a pair"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "part"), HOSTILE, ids=range(len(HOSTILE)))
def test_template_that_does_more_than_place_texts_is_refused(
    edited: Edit, read: Read, text: str, part: str
) -> None:
    with pytest.raises(UnsupportedCheckpoint) as caught:
        read(template(edited, text))
    assert part in str(caught.value)


def test_template_that_trims_is_refused(edited: Edit, read: Read) -> None:
    text = "{{ messages[0].content }}" + BOTH
    trimmed = text.replace("m.content", "(m.content | list | last)")
    with pytest.raises(UnsupportedCheckpoint, match=r"changes the texts|times"):
        read(template(edited, trimmed))


def test_question_that_differs_without_an_instruction_needs_a_default(
    edited: Edit, read: Read
) -> None:
    text = "{% if messages[0].role == 'system' %}<s>{{ messages[0].content }}!{% endif %}" + BOTH
    with pytest.raises(UnsupportedCheckpoint, match="asks differently"):
        read(template(edited, text))
    told = {"prompts": {"judge": "So?"}, "default_prompt_name": "judge"}
    assert question(read(template(edited, text, **told))).instruction == "So?"


def test_prompt_that_cannot_be_cut_up_is_refused(edited: Edit, read: Read) -> None:
    """The end follows the document without a special token, and melts into it."""
    text = BOTH.replace("<|im_end|>", "nd")
    told = {"prompts": {"judge": "So?"}, "default_prompt_name": "judge"}
    with pytest.raises(UnsupportedCheckpoint, match="cut up"):
        read(template(edited, "{{ messages[0].content }}" + text, **told))


def test_missing_template_is_named(edited: Edit, read: Read) -> None:
    folder = template(edited, "")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelLoadFailed, match=r"no chat_template\.jinja"):
        read(folder)
    edited("qwen3-reranker", "tokenizer_config.json", chat_template=[{"name": "a"}])
    with pytest.raises(UnsupportedCheckpoint, match="more than one chat_template"):
        read(folder)
