"""A conversation as the text that a model was trained to read: its chat template, run in bounds.

Source: transformers 5.17, ``utils/chat_template_utils.py`` (names that templates may use).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

import msgspec
from jinja2 import TemplateError, meta
from jinja2.exceptions import SecurityError
from jinja2.ext import loopcontrols

from stelae.catalog.spec import Generation
from stelae.engines.chat.bounds import bounded, joined
from stelae.engines.chat.formats.format import Format
from stelae.engines.chat.formats.hermes import HERMES
from stelae.engines.chat.formats.table import format_of
from stelae.engines.chat.sandbox import BoundedEnvironment, Counting
from stelae.engines.chat.telling import as_texts, short_ids, tell, wants_short_ids
from stelae.engines.chat.typed import Typed
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.types import ChatCall, Message, ReasoningPart, Speaker, TextPart

FAULTS = (
    TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What a template may raise."""


THOUGHT = ("enable_thinking", "thinking")
"""Names by which templates ask whether the model thinks first."""


CALLS = "tool_calls"
"""Stands in templates that show calls of tools."""

SIGN = "\ue000"
"""Stands for what the system says while a template is looked at, and where a message goes on."""


Hide = Callable[[Any], Any]
"""Hides special tokens in the texts of a value."""


def _as_it_is(value: Any) -> Any:
    return value


class Refusal(TemplateError):
    """The template itself refuses a conversation."""


class ChatTemplate:
    """The chat template of a checkpoint.

    Args:
        text: In the language of Jinja.
        specials: Special tokens by their part, which templates may name.
        format: How the model calls tools; a template that knows no tools tells of them in
            words of ours.

    Raises:
        UnsupportedCheckpoint: It is no template, or uses what is not allowed.
    """

    def __init__(self, text: str, specials: dict[str, str], format: Format = HERMES) -> None:
        self._specials, self._format = specials, format
        self._short_ids, self._shows_calls = wants_short_ids(text), CALLS in text
        try:
            self._compile(text)
        except FAULTS as error:
            raise UnsupportedCheckpoint(f"the chat template is not understood: {error}") from error
        self._heeds_system = self._has_place_for_system()

    def write(self, call: ChatCall, typed: Typed | None = None) -> str:
        """The conversation of a call, up to where the model goes on.

        Args:
            call: What is asked.
            typed: Hides special tokens in what was typed; those of the template stay.

        Raises:
            InvalidInput: The template refuses it, or fails on it.
        """
        try:
            hide = _as_it_is if typed is None else typed.hide
            written, messages = self._written(call, hide)
            return _open(written, messages[-1]["content"]) if call.continues else written
        except FAULTS as error:
            raise InvalidInput(
                f"the chat template of the model refuses the conversation: {error}",
                param="messages",
            ) from error

    def _written(self, call: ChatCall, hide: Hide) -> tuple[str, list[dict[str, Any]]]:
        """The conversation, and its messages as the template saw them."""
        tools = call.tools if call.tools and call.tool_choice != "none" else None
        told = call.messages
        if tools and not self._knows_tools:
            told = tell(
                call,
                self._format,
                shows_calls=self._shows_calls,
                heeds_system=self._heeds_system,
            )
        messages = [_plain(message) for message in told]
        if self._short_ids:
            short_ids(messages)
        messages, tools = hide([messages, tools])
        if call.continues:
            messages[-1]["content"] = messages[-1]["content"].rstrip() + SIGN
        context: dict[str, Any] = {
            **_switches(call),
            **self._specials,
            "messages": messages,
            "tools": tools,
            "documents": None,
            "add_generation_prompt": not call.continues,
        }
        try:
            return self._run(context), messages
        except TypeError:
            if not as_texts(messages):
                raise
            return self._run(context), messages

    def _run(self, context: dict[str, Any]) -> str:
        with bounded():
            return joined(self._template.generate(context))

    def _has_place_for_system(self) -> bool:
        """Whether what the system says is shown to the model; some templates refuse it."""
        said = [{"role": "system", "content": SIGN}, {"role": "user", "content": "x"}]
        context = {**self._specials, "messages": said, "add_generation_prompt": True}
        try:
            return SIGN in self._run(context)
        except FAULTS:
            return False

    def _compile(self, text: str) -> None:
        environment = BoundedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = _now
        tree = environment.parse(text)
        self._knows_tools = "tools" in meta.find_undeclared_variables(tree)
        self._template = environment.from_string(Counting().visit(tree))


def template_of(generation: Generation) -> ChatTemplate:
    """The chat template of a model.

    Raises:
        UnsupportedCheckpoint: It is no template, or uses what is not allowed.
    """
    return ChatTemplate(generation.template, generation.specials, format_of(generation))


def _switches(call: ChatCall) -> dict[str, Any]:
    """What a call sets of a template; the names of the switch for thought are those in use."""
    switches = {} if call.reasoning is None else dict.fromkeys(THOUGHT, call.reasoning)
    return {**switches, **call.template_options}


def _open(written: str, last: str) -> str:
    """A conversation cut after its last message, which is not over yet and ends with the sign.

    Raises:
        Refusal: The template does not show that message as it is.
    """
    before, sign, _ = written.rpartition(SIGN)
    if not sign or not before.endswith(last.removesuffix(SIGN).lstrip()):
        raise Refusal("its last message is not shown as it is, so it cannot be gone on with")
    return before


def _plain(message: Message) -> dict[str, Any]:
    role = Speaker.SYSTEM if message.role is Speaker.DEVELOPER else message.role
    made: dict[str, Any] = {"role": role.value, "content": _content(message)}
    if message.name is not None:
        made["name"] = message.name
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    if message.reasoning:
        made["reasoning_content"] = message.reasoning
    if message.tool_calls:
        made["tool_calls"] = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": use.name, "arguments": use.arguments},
            }
            for use in message.tool_calls
        ]
    return made


def _content(message: Message) -> str | list[dict[str, str]]:
    """What is said, as templates take it: in parts only where there are pictures."""
    if not message.images:
        return message.text
    return [
        {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": "image"}
        for part in message.content
        if not isinstance(part, ReasoningPart)
    ]


def _json(value: Any, indent: int | None = None, **options: Any) -> str:
    """JSON as templates expect it: spaces after signs, letters as they are."""
    del options
    made = msgspec.json.encode(value)
    spaced = msgspec.json.format(made, indent=indent or 0) if indent else _spaced(value)
    return spaced.decode() if isinstance(spaced, bytes) else spaced


def _spaced(value: Any) -> str:
    match value:
        case dict():
            inner = (f"{_spaced(str(key))}: {_spaced(v)}" for key, v in value.items())
            return "{" + ", ".join(inner) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_spaced, value)) + "]"
    return msgspec.json.encode(value).decode()


def _refuse(message: str) -> NoReturn:
    raise Refusal(str(message)[:500])


def _now(form: str) -> str:
    if len(form) > 64:
        raise SecurityError("it writes the time at length")
    return datetime.now().astimezone().strftime(form)
