"""Messages of Ollama's API.

Unknown fields are ignored and an explicit ``null`` means the default, because clients of this
protocol send both. Times are nanoseconds.

Source: the API reference of Ollama, and the types of the package ``ollama`` 0.6.3.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.types import Speaker

Think = bool | str
KeepAlive = float | str


class ToolFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as it was called.

    Attributes:
        name: The tool.
        arguments: What with, as an object; some clients write it as JSON text.
    """

    name: str
    arguments: dict[str, Any] | str = {}


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a tool.

    Attributes:
        function: What is called.
        id: Its name in the conversation; most clients of this protocol drop it.
    """

    function: ToolFunction
    id: str | None = None


class OllamaMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the conversation.

    Attributes:
        role: Who says it.
        content: What is said.
        thinking: What the assistant thought before.
        images: Pictures as base64.
        tool_calls: Calls of tools that the assistant made.
        tool_name: The tool that a message of a tool is from.
        tool_call_id: The call that it answers, if the client kept its name.
    """

    role: Speaker
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class RuntimeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What ``options`` may hold; others are told back in the header ``X-Stelae-Ignored``.

    Attributes:
        temperature: 0 takes the likeliest token each time.
        top_k: Keep so many of the likeliest tokens.
        top_p: Keep the likeliest tokens that together reach this probability.
        min_p: Keep tokens at least so likely, measured by the likeliest.
        seed: Makes choices repeatable; below zero it does not.
        num_predict: Longest text in tokens; zero or less for as far as the model reads.
        stop: Texts at which the text ends.
        repeat_penalty: Divides scores of tokens that were there before.
        presence_penalty: Taken off scores of tokens that stand in the text.
        frequency_penalty: The same for each time they do.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int | None = None
    num_predict: int | None = None
    stop: str | list[str] | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class _Writing(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    think: Think | None = None
    keep_alive: KeepAlive | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class OllamaChatRequest(_Writing, frozen=True, kw_only=True):
    """What ``POST /api/chat`` takes.

    Attributes:
        model: Name of the model.
        messages: The conversation; without any, the model is loaded.
        tools: Tools that the model is told of.
        stream: Whether the answer is told line by line; it is unless this is false.
        format: ``json``, or a JSON Schema that the text fits.
        options: See ``RuntimeOptions``.
        think: Whether the model thinks first, or how much: ``low``, ``medium`` or ``high``.
        keep_alive: 0 without messages unloads the model; else passed over.
        logprobs: Whether log-probabilities are told.
        top_logprobs: Likeliest tokens told beside each.
    """

    messages: list[OllamaMessage] | None = None
    tools: list[dict[str, Any]] | None = None


class OllamaGenerateRequest(_Writing, frozen=True, kw_only=True):
    """What ``POST /api/generate`` takes.

    Attributes:
        model: Name of the model.
        prompt: What the user says; without it, the model is loaded.
        system: What the model is told first.
        template: In place of the model's own: text with ``{{ .System }}`` and ``{{ .Prompt }}``,
            up to ``{{ .Response }}``; nothing else of its language is read.
        raw: Whether the prompt is gone on with as it stands.
        suffix: Refused.
        context: Refused: nothing is kept between requests.
        images: Pictures as base64.
        stream: Whether the answer is told line by line; it is unless this is false.
        format: ``json``, or a JSON Schema that the text fits.
        options: See ``RuntimeOptions``.
        think: Whether the model thinks first, or how much: ``low``, ``medium`` or ``high``.
        keep_alive: 0 without a prompt unloads the model; else passed over.
        logprobs: Whether log-probabilities are told.
        top_logprobs: Likeliest tokens told beside each.
    """

    prompt: str | None = None
    system: str | None = None
    template: str | None = None
    raw: bool | None = None
    suffix: str | None = None
    context: list[int] | None = None
    images: list[str] | None = None


class OllamaEmbedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /api/embed`` takes.

    Attributes:
        model: Name of the model.
        input: A text or several; without any, the model is loaded.
        truncate: Whether texts that are too long are cut; they are unless this is false.
        dimensions: Width to cut vectors to; only for models trained for it.
        options: Passed over.
        keep_alive: Passed over.
    """

    model: str
    input: str | list[str] = ""
    truncate: bool | None = None
    dimensions: int | None = None
    options: dict[str, Any] | None = None
    keep_alive: KeepAlive | None = None


class OllamaEmbeddingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /api/embeddings`` takes; ``/api/embed`` is its successor.

    Attributes:
        model: Name of the model.
        prompt: The text; without it, the model is loaded.
    """

    model: str
    prompt: str | None = None


class OllamaNamed(msgspec.Struct, frozen=True, kw_only=True):
    """A request about one model.

    Attributes:
        model: Its name.
        name: The same in older clients.
        stream: Whether progress is told line by line; it is unless this is false.
    """

    model: str | None = None
    name: str | None = None
    stream: bool | None = None


class OllamaAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``/api/chat`` and ``/api/generate`` answer, whole or in lines; the last one is ``done``.

    Attributes:
        model: The name that was asked for.
        created_at: When this was written.
        message: What is said, for chats.
        response: The same, otherwise.
        thinking: What was thought before; of chats it stands in ``message``.
        tool_calls: Tools that are called; of chats they stand in ``message``.
        logprobs: Log-probabilities of the tokens.
        done_reason: Why it ends: ``stop``, ``length``, ``load`` or ``unload``.
        total_duration: Time from the request to the end.
        load_duration: Time until the first piece, if the model was not loaded before.
        prompt_eval_count: Tokens of the prompt.
        prompt_eval_duration: Time until the first piece, if the model was loaded before.
        eval_count: Tokens written.
        eval_duration: Time from the first piece to the end.
    """

    model: str
    created_at: str
    done: bool
    message: dict[str, Any] | None = None
    response: str | None = None
    thinking: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What kind of model it is.

    Attributes:
        parent_model: Always empty.
        format: Of its weights.
        family: Its architecture.
        families: The same in a list.
        parameter_size: Always empty: not counted.
        quantization_level: Number format that it computes in, once loaded.
    """

    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class OllamaModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model of this server.

    Attributes:
        name: The name to ask for.
        model: The same.
        modified_at: When this server learnt of it.
        size: Bytes of memory that it takes; 0 if it is not loaded.
        digest: Identifies its checkpoint: SHA-256 of where it comes from.
        details: What kind it is.
        expires_at: When it is unloaded: not in our time. Of loaded models.
        size_vram: Bytes of ``size`` on a GPU. Of loaded models.
        context_length: Longest input in tokens. Of loaded models.
    """

    name: str
    model: str
    size: int
    digest: str
    details: ModelDetails
    modified_at: str | None = None
    expires_at: str | None = None
    size_vram: int | None = None
    context_length: int | None = None


class OllamaModels(msgspec.Struct, frozen=True, kw_only=True):
    """A list of models."""

    models: list[OllamaModel]


class OllamaShown(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /api/show`` answers.

    Attributes:
        modelfile: Always empty: models here have none.
        parameters: Always empty.
        template: Always empty: chat templates are those of checkpoints.
        details: What kind of model it is.
        model_info: Its architecture and sizes.
        capabilities: What it can be asked for.
        modified_at: When this server learnt of it.
    """

    modelfile: str
    parameters: str
    template: str
    details: ModelDetails
    model_info: dict[str, Any]
    capabilities: list[str]
    modified_at: str


class OllamaEmbedded(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /api/embed`` answers; vectors have unit length."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class OllamaEmbedding(msgspec.Struct, frozen=True, kw_only=True):
    """What ``POST /api/embeddings`` answers: the vector as the model makes it."""

    embedding: list[float]


class OllamaProgress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a model is fetched.

    Attributes:
        status: What is done; ``success`` at the end.
        digest: What is fetched.
        total: Its bytes, as far as known.
        completed: Those that are here.
    """

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


class OllamaVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the protocol that is spoken, and that of Stelae."""

    version: str
    stelae: str
