"""Messages of OpenAI's chat and completions API; see ``schema`` on unknown fields and ``null``."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.dialects.openai.schema import TokenId


class ImageUrl(msgspec.Struct, frozen=True, kw_only=True):
    """Where a picture is: a data URI, or an ``http(s)`` address that the server may fetch.

    Attributes:
        url: The address.
        detail: Accepted and not used: models see pictures as they were trained to.
    """

    url: str
    detail: str | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message: ``type`` is ``text`` or ``image_url``.

    Attributes:
        type: Its kind.
        text: What is said.
        image_url: What is shown, for models that see.
    """

    type: str
    text: str | None = None
    image_url: ImageUrl | str | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it was called: its name, and its arguments as JSON text."""

    name: str
    arguments: str | None = "{}"


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool."""

    id: str
    function: Function
    type: str | None = "function"


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the conversation.

    Attributes:
        role: Who says it: ``system``, ``developer``, ``user``, ``assistant`` or ``tool``.
        content: What is said.
        name: The speaker's own name.
        reasoning_content: What the assistant thought before it spoke.
        tool_calls: Calls of tools that the assistant made.
        tool_call_id: The call that a message of a tool answers.
        function_call: The older form of a call.
    """

    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Function | None = None


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer is streamed; ``include_usage`` adds an event with the tokens used."""

    include_usage: bool | None = None


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """What chats and completions have in common; described there."""

    model: str
    temperature: float | None = None
    top_p: float | None = None
    n: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    stop_token_ids: list[TokenId] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    repeat_penalty: float | None = None
    response_format: dict[str, Any] | None = None
    guided_json: dict[str, Any] | str | None = None
    guided_regex: str | None = None
    guided_choice: list[str] | None = None
    guided_grammar: str | None = None
    guided_json_object: bool | None = None
    lora_name: str | None = None
    lora_adapter: str | None = None
    request_id: str | None = None
    user: str | None = None


class ChatRequest(Sampled, frozen=True, kw_only=True):
    """What ``POST /v1/chat/completions`` takes.

    An object ``extra_body`` is read as if its fields stood beside it.

    Attributes:
        model: Name of the model.
        messages: The conversation.
        temperature: 0 takes the likeliest token each time.
        top_p: Keep the likeliest tokens that together reach this probability.
        n: Texts wanted.
        max_tokens: Longest text, in tokens.
        max_completion_tokens: The same by its newer name, which counts more.
        stop: Texts at which the text ends.
        seed: Makes choices repeatable.
        presence_penalty: Taken off scores of tokens that stand in the text.
        frequency_penalty: The same for each time they do.
        logit_bias: Added to scores of tokens, by id.
        stream: Whether the answer is told as it is made.
        stream_options: How.
        logprobs: Whether log-probabilities are told.
        top_logprobs: Likeliest tokens told beside each.
        tools: Functions that the model may call.
        tool_choice: ``auto``, ``none``, ``required``, one function by its name, or
            ``allowed_tools``.
        parallel_tool_calls: Whether it may call several at once.
        response_format: ``text``, ``json_object`` or ``json_schema``.
        reasoning_effort: ``none`` for no thought; any other is told to the template too.
        functions: The older form of ``tools``; answered in the older form.
        function_call: The older form of ``tool_choice``.
        modalities: Only ``["text"]``.
        audio: Not accepted.
        web_search_options: Not accepted.
        top_k: (Stelae) Keep so many of the likeliest tokens; 0 or -1 for all.
        min_p: (Stelae) Keep tokens at least so likely, measured by the likeliest.
        repetition_penalty: (Stelae) Divides scores of tokens that were there before.
        repeat_penalty: The same by another name.
        stop_token_ids: (Stelae) Tokens at which the text ends, by id.
        guided_json: (Stelae) A JSON Schema that the text fits.
        guided_regex: (Stelae) A regular expression that the text matches.
        guided_choice: (Stelae) Texts of which it is one.
        guided_grammar: (Stelae) A grammar that it follows.
        guided_json_object: (Stelae) Whether it is a JSON object.
        enable_thinking: (Stelae) Whether the model thinks before it speaks.
        chat_template_kwargs: (Stelae) Further variables of the chat template.
        continue_final_message: (Stelae) Whether the last message is gone on with.
        chat_template: Not accepted: the model's own is used.
        lora_name: (Stelae) One of the model's adapters.
        lora_adapter: The same, as SIE's SDK says it.
        request_id: (Xinference) A name to follow or end the request by.
        user: Accepted and not used.
    """

    messages: list[ChatMessage]
    max_completion_tokens: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    functions: list[dict[str, Any]] | None = None
    function_call: str | dict[str, Any] | None = None
    modalities: list[str] | None = None
    audio: Any = None
    web_search_options: Any = None
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] | str | None = None
    continue_final_message: bool | None = None
    chat_template: str | None = None


class CompletionRequest(Sampled, frozen=True, kw_only=True):
    """What ``POST /v1/completions`` takes; fields not named here are those of a chat.

    Attributes:
        prompt: The text to go on with, or its tokens by id; or several of either.
        logprobs: Likeliest tokens told beside each.
        echo: Whether the prompt is told again, before the text.
        best_of: Only the value of ``n``.
        suffix: Not accepted.
    """

    prompt: str | list[str | TokenId | list[TokenId]]
    logprobs: int | None = None
    echo: bool | None = None
    best_of: int | None = None
    suffix: str | None = None
