"""The SDK's ``generate`` and ``responses``, over the server's own paths."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from stelae.client import AsyncClient
from stelae.sie import _writing
from stelae.sie._async.texts import AsyncTexts
from stelae.sie.errors import renamed
from stelae.sie.types import GenerateChunk, GenerateResult

OOM_RETRIES = 3
"""Further attempts where the server's memory ran out, unless the caller says otherwise."""


class AsyncWriting:
    """What a client can ask of models that write."""

    _texts: AsyncTexts
    _options: dict[str, Any]
    _gpu: str | None

    def _asked(
        self, wait: bool, seconds: float | None, tries: int
    ) -> tuple[AsyncClient, float | None]:
        raise NotImplementedError

    async def _place(self, gpu: str | None) -> str | None:
        raise NotImplementedError

    async def generate(
        self,
        model: str,
        prompt: str,
        *,
        max_new_tokens: int,
        images: Sequence[Any] | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: list[str] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        grammar: Mapping[str, Any] | None = None,
        seed: int | None = None,
        logit_bias: dict[str, float] | None = None,
        routing_key: str | None = None,
        prompt_cache_key: str | None = None,
        safety_identifier: str | None = None,
        lora_adapter: str | None = None,
        options: dict[str, Any] | None = None,
        gpu: str | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> GenerateResult:
        """Go on with a text as it stands; with pictures, it is what a user says in a chat.

        Args:
            model: Name of the model.
            prompt: The text.
            max_new_tokens: Longest text in tokens.
            images: Pictures: Pillow images, arrays, bytes of files or paths.
            temperature: 0 takes the likeliest token each time.
            top_p: Keep the likeliest tokens that together reach this probability.
            stop: Texts at which the text ends.
            frequency_penalty: Taken off scores of tokens for each time they stand in the text.
            presence_penalty: The same once.
            grammar: The form of the text: ``json_schema``, ``regex`` or ``ebnf``.
            seed: Makes choices repeatable.
            logit_bias: Added to scores of tokens, by id.
            routing_key: Passed over, as are ``prompt_cache_key`` and ``safety_identifier``.
            lora_adapter: One of the model's adapters.
            options: What the text is sampled with beside, as ``top_k``.
            gpu: Kind of device, or ``pool/kind``.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            body = _writing.body_of(
                {"prompt": prompt, "max_new_tokens": max_new_tokens},
                {
                    "images": _writing.images_of(images),
                    "options": {**self._options, **(options or {})} or None,
                    "temperature": temperature,
                    "top_p": top_p,
                    "stop": stop,
                    "frequency_penalty": frequency_penalty,
                    "presence_penalty": presence_penalty,
                    "grammar": grammar,
                    "seed": seed,
                    "logit_bias": logit_bias,
                    "routing_key": routing_key,
                    "prompt_cache_key": prompt_cache_key,
                    "safety_identifier": safety_identifier,
                    "lora_adapter": lora_adapter,
                },
            )
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            path, place = _writing.generate_path(model), await self._place(gpu)
            told = await self._texts.whole(client, path, body, place, timeout)
            return _writing.result_of(told)

    async def stream_generate(
        self,
        model: str,
        prompt: str,
        *,
        max_new_tokens: int,
        images: Sequence[Any] | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        stop: list[str] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        grammar: Mapping[str, Any] | None = None,
        seed: int | None = None,
        logit_bias: dict[str, float] | None = None,
        logprobs: bool = False,
        top_logprobs: int | None = None,
        routing_key: str | None = None,
        prompt_cache_key: str | None = None,
        safety_identifier: str | None = None,
        lora_adapter: str | None = None,
        gpu: str | None = None,
        options: dict[str, Any] | None = None,
        extra_body: dict[str, Any] | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> AsyncGenerator[GenerateChunk]:
        """The same chunk by chunk; leave it, and the model stops.

        Args:
            model: Name of the model.
            prompt: The text.
            max_new_tokens: Longest text in tokens.
            images: Pictures: Pillow images, arrays, bytes of files or paths.
            temperature: 0 takes the likeliest token each time.
            top_p: Keep the likeliest tokens that together reach this probability.
            stop: Texts at which the text ends.
            frequency_penalty: Taken off scores of tokens for each time they stand in the text.
            presence_penalty: The same once.
            grammar: The form of the text: ``json_schema``, ``regex`` or ``ebnf``.
            seed: Makes choices repeatable.
            logit_bias: Added to scores of tokens, by id.
            logprobs: Whether log-probabilities are told.
            top_logprobs: Likeliest tokens told beside each.
            routing_key: Passed over, as are ``prompt_cache_key`` and ``safety_identifier``.
            lora_adapter: One of the model's adapters.
            gpu: Kind of device, or ``pool/kind``.
            options: What the text is sampled with beside, as ``top_k``.
            extra_body: Further fields of the request.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            body = _writing.body_of(
                {"prompt": prompt, "max_new_tokens": max_new_tokens, "stream": True},
                {
                    "images": _writing.images_of(images),
                    "options": {**self._options, **(options or {})} or None,
                    "logprobs": logprobs or None,
                    "top_logprobs": top_logprobs if logprobs else None,
                    "temperature": temperature,
                    "top_p": top_p,
                    "stop": stop,
                    "frequency_penalty": frequency_penalty,
                    "presence_penalty": presence_penalty,
                    "grammar": grammar,
                    "seed": seed,
                    "logit_bias": logit_bias,
                    "routing_key": routing_key,
                    "prompt_cache_key": prompt_cache_key,
                    "safety_identifier": safety_identifier,
                    "lora_adapter": lora_adapter,
                    "extra_body": extra_body,
                },
            )
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            path, place = _writing.generate_path(model), await self._place(gpu)
            made = self._texts.chunks(client, path, body, place, timeout)
            async with aclosing(made) as chunks:
                async for chunk in chunks:
                    yield cast("GenerateChunk", chunk)

    async def responses(
        self,
        model: str,
        input: str | Sequence[Mapping[str, Any]],
        *,
        max_output_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        gpu: str | None = None,
        wait_for_capacity: bool = False,
        provision_timeout_s: float | None = None,
        max_oom_retries: int = OOM_RETRIES,
    ) -> dict[str, Any]:
        """Answer what was said, in OpenAI's form of responses.

        Args:
            model: Name of the model.
            input: A text, or messages.
            max_output_tokens: Longest text in tokens.
            temperature: 0 takes the likeliest token each time.
            top_p: Keep the likeliest tokens that together reach this probability.
            seed: Makes choices repeatable.
            gpu: Kind of device, or ``pool/kind``.
            wait_for_capacity: Whether to wait for a device or a model that is not there.
            provision_timeout_s: How long.
            max_oom_retries: Further attempts where the server's memory ran out.

        Raises:
            SIEError: One of its kinds; see ``stelae.sie.errors``.
        """
        with renamed(model=model, gpu=gpu or self._gpu):
            body = _writing.body_of(
                {"model": model, "input": input},
                {
                    "max_output_tokens": max_output_tokens,
                    "temperature": temperature,
                    "top_p": top_p,
                    "seed": seed,
                },
            )
            client, timeout = self._asked(wait_for_capacity, provision_timeout_s, max_oom_retries)
            place = await self._place(gpu)
            return await self._texts.whole(client, _writing.RESPONSES, body, place, timeout)
