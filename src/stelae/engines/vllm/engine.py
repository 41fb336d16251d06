"""The engine: conversations to tokens here, tokens to tokens in vLLM, and texts here again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import httpx
import msgspec
from msgspec.structs import replace

from stelae.catalog.adapters import adapter_folder
from stelae.catalog.fingerprint import fingerprint, weights_digest
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import EngineInfo, EngineOptions, StreamStats
from stelae.engines.chat.abilities import ALL, Ability
from stelae.engines.chat.formats.shapes import forced
from stelae.engines.chat.formats.table import marks_of
from stelae.engines.chat.intake import Intake
from stelae.engines.chat.template import template_of
from stelae.engines.chat.tokens import FileTokens
from stelae.engines.vllm import PYTHON
from stelae.engines.vllm.answer import Answer
from stelae.engines.vllm.child import Child
from stelae.engines.vllm.wire import PIECE, Fault, Piece, request_of
from stelae.errors import EngineFailed, InvalidInput, MissingDependency, UnsupportedCheckpoint
from stelae.types import ChatCall, ChatUsage, ComputeDtype, Delta
from stelae.wire.lines import Lines

ABLE = ALL - {Ability.IMAGES}
"""What this engine can be asked for."""

CONNECT_SECONDS = 10.0


class Vllm:
    """A chat model; see ``StreamEngine``.

    Args:
        intake: Reads calls.
        child: Computes.
        ends: Tokens that end a text.
        info: What it says of itself.
    """

    def __init__(
        self, intake: Intake, child: Child, ends: tuple[int, ...], info: EngineInfo
    ) -> None:
        self._intake, self._child, self._ends, self._info = intake, child, ends, info
        self._client = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(child.socket), limits=httpx.Limits()),
            base_url="http://vllm",
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        )
        self._stats = StreamStats()

    @property
    def info(self) -> EngineInfo:
        """What is loaded, and how."""
        return self._info

    @property
    def stats(self) -> StreamStats:
        """Its counters; steps are pieces that came."""
        return self._stats

    async def stream(self, call: ChatCall) -> AsyncGenerator[list[Delta]]:
        """Answer a call; see ``StreamEngine``."""
        if forced(call):
            raise InvalidInput(
                "tool_choice: vLLM cannot be made to call a tool; choose 'auto' or 'none'",
                param="tool_choice",
            )
        prompt, _ = await asyncio.to_thread(self._intake.take, call)
        if call.count_only:
            yield [Delta(usage=ChatUsage(prompt_tokens=len(prompt)))]
            return
        limit = self._intake.limit(call, len(prompt))
        body = request_of(call, prompt, limit, self._ends)
        answer = Answer(call, prompt, self._ends, self._intake.tokens.decode)
        async with aclosing(self._pieces(body)) as pieces:
            async for piece in pieces:
                if made := answer.add(piece):
                    yield made
        yield [Delta(usage=answer.usage)]

    async def aclose(self) -> None:
        """End what is under way and free what the engine holds."""
        await self._client.aclose()
        await asyncio.to_thread(self._child.close)

    async def _pieces(self, body: bytes) -> AsyncGenerator[Piece]:
        """The events of an answer.

        Raises:
            InvalidInput: The server refuses the request.
            EngineFailed: It failed, or is gone.
        """
        headers = {"Content-Type": "application/json"}
        try:
            async with self._client.stream(
                "POST", "/v1/completions", content=body, headers=headers
            ) as response:
                if not response.is_success:
                    raise _refusal(response.status_code, await response.aread())
                whole, lines = False, Lines()
                async for data in response.aiter_bytes():
                    for line in lines.add(data):
                        if line.startswith(b"data: {"):
                            yield self._piece(line)
                        whole = whole or line == b"data: [DONE]"
        except httpx.TransportError as error:
            raise EngineFailed(f"vLLM is gone: {error}; it said:\n{self._child.said}") from error
        if not whole:
            raise EngineFailed("the answer of vLLM broke off")

    def _piece(self, line: bytes) -> Piece:
        try:
            piece = PIECE.decode(line[6:])
        except msgspec.DecodeError as error:
            raise EngineFailed(f"an event of vLLM is not understood: {error}") from error
        if piece.error is not None:
            raise EngineFailed(f"vLLM failed: {piece.error.message}")
        tokens = sum(len(choice.token_ids or ()) for choice in piece.choices)
        before = self._stats
        self._stats = replace(
            before,
            steps=before.steps + 1,
            sequences=before.sequences + len(piece.choices),
            tokens=before.tokens + tokens,
        )
        return piece


class _Refused(msgspec.Struct, frozen=True):
    error: Fault


def _refusal(status: int, body: bytes) -> InvalidInput | EngineFailed:
    try:
        message = msgspec.json.decode(body, type=_Refused).error.message
    except msgspec.DecodeError:
        message = body[:500].decode("utf-8", "replace")
    if 400 <= status < 500:
        return InvalidInput(f"vLLM refuses the call: {message}")
    return EngineFailed(f"vLLM failed with status {status}: {message}")


def load(spec: ModelSpec, options: EngineOptions) -> Vllm:
    """Start a server for a checkpoint; blocks until it answers.

    Raises:
        MissingDependency: No interpreter with vLLM is named.
        ModelLoadFailed: The server does not start.
    """
    if spec.generation is None:
        raise UnsupportedCheckpoint(f"model {spec.name!r} goes on with no conversation")
    python = os.environ.get(PYTHON)
    if not python:
        raise MissingDependency(f"{PYTHON} names no interpreter of an environment with vLLM")
    dtype = "auto" if options.dtype is ComputeDtype.AUTO else str(options.dtype)
    intake = Intake(
        template=template_of(spec.generation),
        tokens=FileTokens(Path(spec.folder, spec.tokenizer), marks_of(spec.generation)),
        vocabulary=2**31,  # the server looks at them
        context=spec.max_tokens,
        engine="vllm",
        able=ABLE,
    )
    info = EngineInfo(
        fingerprint=fingerprint(spec, f"vllm/{dtype}", weights_digest(spec)),
        dtype=dtype,
        device="cuda",
        notes=(f"vLLM of {python}",),
    )
    child = Child(python, _arguments(spec, options, dtype))
    return Vllm(intake, child, spec.generation.ends, info)


def _arguments(spec: ModelSpec, options: EngineOptions, dtype: str) -> list[str]:
    """Options of the server's command line."""
    made = ["--model", spec.folder, "--served-model-name", spec.name, "--dtype", dtype]
    made += ["--max-model-len", str(spec.max_tokens), "--disable-uvicorn-access-log"]
    if adapters := options.adapters.sources:
        hub = options.adapters.hub
        made += ["--enable-lora", "--lora-modules"]
        made += [f"{name}={adapter_folder(source, hub)}" for name, source in adapters.items()]
    return made
