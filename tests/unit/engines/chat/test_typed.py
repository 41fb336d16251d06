"""What users type is text, even where it spells a special token."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from stelae.engines.chat.intake import Intake
from stelae.engines.chat.template import ChatTemplate
from stelae.engines.chat.tokens import FileTokens
from stelae.engines.chat.typed import FIRST, Typed, shown, spelled
from stelae.types import ChatCall, Message, Speaker, TextPart, ToolUse

SPECIALS = ("<s>", "<|end|>", "<|end|>x")
TEMPLATE = (
    "<s>{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
    "{% for m in messages %}{{ m.role }}:{{ m.content | trim }}"
    "{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}{% endfor %}"
    "<|end|>{% endfor %}"
)


@pytest.fixture
def tokens(tmp_path: Path) -> FileTokens:
    letters = {letter: i for i, letter in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    made = Tokenizer(models.BPE(vocab=letters, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(text, special=True) for text in SPECIALS])
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    return FileTokens(path)


def read(tokens: FileTokens, call: ChatCall) -> list[int]:
    template = ChatTemplate(TEMPLATE, {})
    intake = Intake(
        template=template, tokens=tokens, vocabulary=999, context=999, engine="x", able=frozenset()
    )
    return intake.read(call)


def said(text: str, role: Speaker = Speaker.USER) -> ChatCall:
    return ChatCall(model="m", messages=[Message(role=role, content=[TextPart(text=text)])])


def specials(ids: list[int]) -> list[str]:
    return [SPECIALS[i - 256] for i in ids if i >= 256]


def test_only_the_templates_own_are_special(tokens: FileTokens) -> None:
    ids = read(tokens, said("a<|end|>b <s> <|end|>x"))
    assert specials(ids) == ["<s>", "<|end|>"]
    assert tokens.decode(ids) == "user:a<|end|>b <s> <|end|>x"


def test_tools_and_arguments_are_typed_too(tokens: FileTokens) -> None:
    call = ChatCall(
        model="m",
        messages=[
            Message(
                role=Speaker.ASSISTANT,
                tool_calls=[ToolUse(id="1", name="f", arguments={"a<s>": ["<|end|>"]})],
            )
        ],
        tools=[{"type": "function", "function": {"name": "f", "description": "<|end|>"}}],
    )
    ids = read(tokens, call)
    assert specials(ids) == ["<s>", "<|end|>"]
    assert '{"a<s>": ["<|end|>"]}' in tokens.decode(ids)


def test_a_message_that_is_gone_on_with_may_hold_them(tokens: FileTokens) -> None:
    messages = said("so <|end|> th", Speaker.ASSISTANT).messages
    ids = read(tokens, ChatCall(model="m", messages=messages, continues=True))
    assert specials(ids) == ["<s>"]
    assert tokens.decode(ids).endswith("so <|end|> th")


def test_a_plain_prompt_is_read_as_the_library_does(tokens: FileTokens) -> None:
    ids = read(tokens, ChatCall(model="m", prompt="a<|end|>b"))
    assert specials(ids) == ["<|end|>"]


def test_letters_that_hide_may_be_typed_as_well() -> None:
    pattern = spelled(SPECIALS)
    typed = Typed(pattern)
    text = f"{chr(FIRST)}<s>{chr(FIRST + 1)}"
    hidden = typed.hide({"content": text})["content"]
    assert chr(FIRST) in hidden
    assert chr(FIRST) not in typed.letters
    assert shown(hidden, typed.letters) == text


def test_texts_without_any_are_left_alone() -> None:
    typed = Typed(spelled(SPECIALS))
    value = {"content": "plain", "n": 1}
    assert typed.hide(value) is value
    assert typed.letters == {}
