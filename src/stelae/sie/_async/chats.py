"""The SDK's chats, over OpenAI's path."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from stelae.sie import _writing
from stelae.sie._async.writing import OOM_RETRIES, AsyncWriting
from stelae.sie.errors import renamed
from stelae.sie.types import ChatCompletion, ChatCompletionChunk, ChatMessage


class AsyncChats(AsyncWriting):
    """What a client can ask of models that chat."""

    async def chat_completions(
        self,
        model: str,
        messages: list[ChatMessage],
        *,
        max_completion_tokens: int | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        stop: str | list[str] | None = None,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: Any | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        n: int | None = None,
        best_of: int | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        logit_bias: dict[str, float] | None = None,
        seed: int | None = None,
        user: str | None = None,
        safety_identifier: str | None = None,
        lora_adapter: str | None = None,
        include_reasoning: bool | None = None,
        gpu: str | None = None,
        extra_body: dict[str, Any] | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> ChatCompletion:
        """Go on with a conversation.

        Args:
            model: Name of the model.
            messages: The conversation.
            max_completion_tokens: Longest text in tokens; ``max_tokens`` is its older name.
            temperature: 0 takes the likeliest token each time.
            top_p: Keep the likeliest tokens that together reach this probability.
            top_k: Keep so many of the likeliest tokens.
            repetition_penalty: Divides scores of tokens that were there before.
            stop: Texts at which the text ends.
            tools: Tools that the model is told of.
            tool_choice: ``auto``, ``none``, ``required``, or a named tool.
            parallel_tool_calls: Whether several may be called at once.
            response_format: The form of the text.
            frequency_penalty: Taken off scores of tokens for each time they stand in the text.
            presence_penalty: The same once.
            n: Texts wanted.
            best_of: Passed over.
            logprobs: Whether log-probabilities are told.
            top_logprobs: Likeliest tokens told beside each.
            logit_bias: Added to scores of tokens, by id.
            seed: Makes choices repeatable.
            user: Passed over, as is ``safety_identifier``.
            lora_adapter: One of the model's adapters.
            include_reasoning: Passed over: thought is told.
            gpu: Kind of device, or ``pool/kind``.
            extra_body: Further fields of the request.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            body = _writing.body_of(
                {"model": model, "messages": messages},
                {
                    "max_completion_tokens": max_completion_tokens,
                    "max_tokens": max_tokens,
                    "temperature": temperature,
                    "top_p": top_p,
                    "top_k": top_k,
                    "repetition_penalty": repetition_penalty,
                    "stop": stop,
                    "tools": tools,
                    "tool_choice": tool_choice,
                    "parallel_tool_calls": parallel_tool_calls,
                    "response_format": response_format,
                    "frequency_penalty": frequency_penalty,
                    "presence_penalty": presence_penalty,
                    "n": n,
                    "best_of": best_of,
                    "logprobs": logprobs,
                    "top_logprobs": top_logprobs,
                    "logit_bias": logit_bias,
                    "seed": seed,
                    "user": user,
                    "safety_identifier": safety_identifier,
                    "lora_adapter": lora_adapter,
                    "include_reasoning": include_reasoning,
                    "extra_body": extra_body,
                },
            )
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            place = await self._place(gpu)
            told = await self._texts.whole(client, _writing.CHATS, body, place, timeout)
            return cast("ChatCompletion", told)

    async def stream_chat_completions(
        self,
        model: str,
        messages: list[ChatMessage],
        *,
        max_completion_tokens: int | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        top_k: int | None = None,
        repetition_penalty: float | None = None,
        stop: str | list[str] | None = None,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: Any | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        n: int | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        logit_bias: dict[str, float] | None = None,
        seed: int | None = None,
        user: str | None = None,
        safety_identifier: str | None = None,
        lora_adapter: str | None = None,
        stream_options: dict[str, Any] | None = None,
        include_reasoning: bool | None = None,
        gpu: str | None = None,
        extra_body: dict[str, Any] | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> AsyncGenerator[ChatCompletionChunk]:
        """The same chunk by chunk; leave it, and the model stops.

        Args:
            model: Name of the model.
            messages: The conversation.
            max_completion_tokens: Longest text in tokens; ``max_tokens`` is its older name.
            temperature: 0 takes the likeliest token each time.
            top_p: Keep the likeliest tokens that together reach this probability.
            top_k: Keep so many of the likeliest tokens.
            repetition_penalty: Divides scores of tokens that were there before.
            stop: Texts at which the text ends.
            tools: Tools that the model is told of.
            tool_choice: ``auto``, ``none``, ``required``, or a named tool.
            parallel_tool_calls: Whether several may be called at once.
            response_format: The form of the text.
            frequency_penalty: Taken off scores of tokens for each time they stand in the text.
            presence_penalty: The same once.
            n: Texts wanted.
            logprobs: Whether log-probabilities are told.
            top_logprobs: Likeliest tokens told beside each.
            logit_bias: Added to scores of tokens, by id.
            seed: Makes choices repeatable.
            user: Passed over, as is ``safety_identifier``.
            lora_adapter: One of the model's adapters.
            stream_options: ``include_usage`` adds a chunk with the tokens.
            include_reasoning: Passed over: thought is told.
            gpu: Kind of device, or ``pool/kind``.
            extra_body: Further fields of the request.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            body = _writing.body_of(
                {"model": model, "messages": messages, "stream": True},
                {
                    "max_completion_tokens": max_completion_tokens,
                    "max_tokens": max_tokens,
                    "temperature": temperature,
                    "top_p": top_p,
                    "top_k": top_k,
                    "repetition_penalty": repetition_penalty,
                    "stop": stop,
                    "tools": tools,
                    "tool_choice": tool_choice,
                    "parallel_tool_calls": parallel_tool_calls,
                    "response_format": response_format,
                    "frequency_penalty": frequency_penalty,
                    "presence_penalty": presence_penalty,
                    "n": n,
                    "logprobs": logprobs,
                    "top_logprobs": top_logprobs,
                    "logit_bias": logit_bias,
                    "seed": seed,
                    "user": user,
                    "safety_identifier": safety_identifier,
                    "lora_adapter": lora_adapter,
                    "stream_options": stream_options,
                    "include_reasoning": include_reasoning,
                    "extra_body": extra_body,
                },
            )
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            place = await self._place(gpu)
            made = self._texts.chunks(client, _writing.CHATS, body, place, timeout)
            async with aclosing(made) as chunks:
                async for chunk in chunks:
                    yield cast("ChatCompletionChunk", chunk)
