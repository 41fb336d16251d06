"""Between the SDK's ``generate`` and the calls and pieces of the house."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.schema import GenerateAnswer, GenerateChunk, GenerateRequest, SieGrammar
from stelae.dialects.writing import Gathered, base64_picture, biases
from stelae.errors import InvalidInput, StelaeError
from stelae.security.fetch import Fetcher
from stelae.types import (
    ChatCall,
    ChatUsage,
    Delta,
    Finish,
    ImagePart,
    Message,
    Part,
    Sampling,
    Speaker,
    Structure,
    TextPart,
    TokenLogprob,
)
from stelae.wire.sie.codes import code_of

SAMPLED = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty", "seed",
)  # fmt: skip
"""Options that a text is sampled with; others are told back in ``X-Stelae-Ignored``."""


def generate_call(request: GenerateRequest, model: str, fetcher: Fetcher) -> Asked[ChatCall]:
    """The call that a request means.

    Args:
        request: What was sent.
        model: The model's name here.
        fetcher: Bounds the size of pictures.

    Raises:
        InvalidInput: Something in it cannot be read.
    """
    options = request.options or {}
    said: dict[str, Any] = {"prompt": request.prompt}
    if request.images:
        said = {"messages": [_turn(request, fetcher)]}
    call = ChatCall(
        model=model,
        sampling=_sampling(request, options),
        structure=_structure(request.grammar),
        lora=request.lora_adapter,
        **said,
    )
    unused = tuple(sorted(name for name in options if name not in SAMPLED))
    return Asked(call, [], unused)


def _turn(request: GenerateRequest, fetcher: Fetcher) -> Message:
    images: list[Part] = [
        ImagePart(image=base64_picture(fetcher, image.data, f"images[{index}].data"))
        for index, image in enumerate(request.images)
    ]
    return Message(role=Speaker.USER, content=[*images, TextPart(text=request.prompt)])


def _sampling(request: GenerateRequest, options: dict[str, Any]) -> Sampling:
    named = {name: getattr(request, name, None) for name in SAMPLED}
    chosen = {name: options.get(name) if value is None else value for name, value in named.items()}
    given = {name: value for name, value in chosen.items() if value is not None}
    told = {
        **given,
        "max_tokens": request.max_new_tokens,
        "stop": request.stop or [],
        "logit_bias": biases(request.logit_bias),
        "logprobs": request.logprobs,
        "top_logprobs": (request.top_logprobs or 0) if request.logprobs else 0,
    }
    try:
        return msgspec.convert(told, Sampling)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"options: {error}", param="options") from error


def _structure(grammar: SieGrammar | None) -> Structure | None:
    if grammar is None:
        return None
    return Structure(json_schema=grammar.json_schema, regex=grammar.regex, grammar=grammar.ebnf)


class Meter:
    """Times of one text, from when it is made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._first: float | None = None

    def tick(self) -> None:
        """A piece has come."""
        self._first = self._first or time.perf_counter()

    @property
    def first_ms(self) -> float:
        """Milliseconds until the first piece."""
        return round(((self._first or time.perf_counter()) - self._started) * 1000, 3)

    def each_ms(self, tokens: int) -> float | None:
        """Milliseconds for each token after the first, if it ends now."""
        if tokens < 2 or self._first is None:
            return None
        return round((time.perf_counter() - self._first) * 1000 / (tokens - 1), 3)


def generated(gathered: Gathered, model: str, request_id: str, meter: Meter) -> GenerateAnswer:
    """A text as the answer."""
    text = gathered.texts[0]
    return GenerateAnswer(
        model=model,
        text=text.reasoning + text.text,
        finish_reason=reason(text.finish),
        usage=usage_of(gathered.usage),
        attempt_id=request_id,
        ttft_ms=meter.first_ms,
        tpot_ms=meter.each_ms(gathered.usage.completion_tokens),
    )


def reason(finish: Finish) -> str:
    """Why a text ends, in one of the words that the SDK knows."""
    return "length" if finish is Finish.LENGTH else "stop"


def usage_of(usage: ChatUsage) -> dict[str, Any]:
    """Tokens of a text."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


class Chunks:
    """Makes the chunks of one text.

    Args:
        request_id: The request's id.
        meter: Made with the request.
    """

    def __init__(self, request_id: str, meter: Meter) -> None:
        self._id, self._meter = request_id, meter
        self._seq = 0
        self._finish = Finish.STOP
        self._usage = ChatUsage()

    def of(self, pieces: Iterable[Delta]) -> list[GenerateChunk]:
        """What these pieces add to the text."""
        self._meter.tick()
        made = []
        for piece in pieces:
            self._finish = piece.finish or self._finish
            self._usage = piece.usage or self._usage
            if (text := piece.reasoning + piece.text) or piece.logprobs:
                made.append(self._chunk(text, logprobs=list(map(_logprob, piece.logprobs))))
        return made

    def last(self) -> GenerateChunk:
        """The chunk that ends the text."""
        return self._chunk(
            "",
            done=True,
            finish_reason=reason(self._finish),
            usage=usage_of(self._usage),
            ttft_ms=self._meter.first_ms,
        )

    def broken(self, error: StelaeError) -> GenerateChunk:
        """The chunk that says why the text breaks off."""
        told = {"code": code_of(error), "message": str(error), "param": error.param}
        return self._chunk("", done=True, finish_reason="error", error=told)

    def _chunk(self, text: str, *, done: bool = False, **more: Any) -> GenerateChunk:
        number, self._seq = self._seq, self._seq + 1
        return GenerateChunk(request_id=self._id, seq=number, text_delta=text, done=done, **more)


def _logprob(token: TokenLogprob) -> dict[str, Any]:
    top = [{"token": other.token, "logprob": other.logprob} for other in token.top]
    return {"token": token.token, "logprob": token.logprob, "top_logprobs": top}
