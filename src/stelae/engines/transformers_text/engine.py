"""The engine: conversations to tokens, tokens through the loop, pieces out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from stelae.catalog.asking import SPECIALS
from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.catalog.vocabulary import Vocabulary
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.engines.chat.template import ChatTemplate
from stelae.engines.chat.writing import Writer
from stelae.engines.runtime import device_of, dtype_of, name_of
from stelae.engines.transformers_text.attention import BLOCK
from stelae.engines.transformers_text.loop import TokenLoop
from stelae.engines.transformers_text.model import PackedModel, load_model
from stelae.engines.transformers_text.sampling import Sampler
from stelae.engines.transformers_text.sequence import Request
from stelae.engines.transformers_text.sequence import Sequence as Text
from stelae.errors import InputTooLong, InvalidInput, UnsupportedCheckpoint
from stelae.types import ChatCall, Delta

LETTERS_PER_TOKEN = 64
"""A conversation with more letters than so many for each token that is read is too long."""


class TransformersText:
    """A chat model; see ``StreamEngine``.

    Args:
        spec: The model.
        model: What computes.
        info: What it says of itself.
        room: Tokens whose keys and values are kept at once.
    """

    def __init__(self, spec: ModelSpec, model: PackedModel, info: EngineInfo, room: int) -> None:
        if spec.generation is None:
            raise UnsupportedCheckpoint(f"model {spec.name!r} goes on with no conversation")
        vocabulary = Vocabulary(Path(spec.folder), spec.tokenizer)
        specials = {part: token for part in SPECIALS if (token := vocabulary.special(part))}
        self._template = ChatTemplate(spec.generation.template, specials)
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(Path(spec.folder, spec.tokenizer)))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._vocabulary = model.vocabulary
        self._context = min(spec.max_tokens, room // BLOCK * BLOCK)
        self._info = info
        ends = frozenset(spec.generation.ends)
        self._loop = TokenLoop(model, ends, self._decode, room)

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def stats(self) -> StreamStats:
        return self._loop.stats

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        prompt = await asyncio.to_thread(self._read, call)
        limit = self._limit(call, len(prompt))
        request = Request(prompt, call.n)
        self._loop.add([self._text(call, request, index, limit) for index in range(call.n)])
        try:
            while True:
                made = await request.take()
                self._loop.stir()
                yield made
                if made[-1].usage is not None:
                    return
        finally:
            request.dropped = True
            self._loop.stir()

    async def aclose(self) -> None:
        await asyncio.to_thread(self._loop.close)

    def _read(self, call: ChatCall) -> list[int]:
        """Tokens of a conversation, as its template writes it, or of a text as it stands."""
        plain = call.prompt is not None
        text = call.prompt if call.prompt is not None else self._template.write(call)
        if len(text) > LETTERS_PER_TOKEN * self._context:
            raise InputTooLong(
                f"the conversation has {len(text)} letters, far more than the {self._context} "
                "tokens that the model reads",
                param="messages",
            )
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=plain).ids
        if not ids:
            raise InvalidInput("the conversation is empty: it has no token", param="messages")
        wrong = [i for i in call.sampling.logit_bias if not 0 <= i < self._vocabulary]
        if wrong:
            raise InvalidInput(
                f"logit_bias names the token {wrong[0]}; the model has 0..{self._vocabulary - 1}",
                param="logit_bias",
            )
        return ids

    def _limit(self, call: ChatCall, prompt: int) -> int:
        """Most tokens of the text.

        Raises:
            InputTooLong: There is no room for them.
        """
        room = self._context - prompt
        wanted = call.sampling.max_tokens
        if room < 1 or (wanted is not None and wanted > room):
            asked = "" if wanted is None else f" and {wanted} more are asked for"
            raise InputTooLong(
                f"the conversation has {prompt} tokens{asked}; the model reads and writes "
                f"{self._context} in all",
                param="messages" if room < 1 else "max_tokens",
                hint="shorten the conversation or lower max_tokens",
                details={"prompt_tokens": prompt, "max_tokens": self._context},
            )
        return room if wanted is None else wanted

    def _text(self, call: ChatCall, request: Request, index: int, limit: int) -> Text:
        return Text(
            request=request,
            index=index,
            ids=list(request.prompt),
            limit=limit,
            sampler=Sampler(call.sampling, request.prompt, index),
            writer=Writer(self._decode, call.sampling.stop),
            call=call,
        )

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text


def load(spec: ModelSpec, options: EngineOptions) -> TransformersText:
    """Load a checkpoint.

    Raises:
        UnsupportedCheckpoint: Part of it is not implemented.
        ModelLoadFailed: The library cannot read it.
    """
    device = device_of(options)
    dtype, note = dtype_of(options, device)
    model = load_model(spec, dtype, device)
    info = EngineInfo(
        fingerprint=fingerprint(spec, name_of(dtype), weights_digest(spec)),
        dtype=name_of(dtype),
        device=str(device),
        notes=(note, f"keys and values of {options.cache_tokens} tokens are kept at once"),
    )
    return TransformersText(spec, model, info, options.cache_tokens)
