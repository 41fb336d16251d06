"""Chat on a GPU: tokens/s and first tokens, of the library and of our engine, in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

from benchmarks import chat, chat_checkpoint
from benchmarks.gpu_results import Row, rows_of
from benchmarks.gpu_texts import Encode, in_turn
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.chat.engine import LoopEngine
from stelae.engines.transformers_text.engine import load
from stelae.types import ChatCall, ComputeDtype, Message, Sampling, Speaker, TextPart

FLIGHTS = (1, 8, 32, 128)
ROOM = 128 * 512
"""Tokens whose keys and values are kept: all conversations at once."""


def compared(rounds: int, device: str, flights: Sequence[int] = FLIGHTS) -> list[Row]:
    """Both with as many conversations at once as a row says; a first token is reading them."""
    generate, rows = chat.generator(device), []
    with asyncio.Runner() as runner:
        engine = runner.run(_loaded(device))
        for flight, new in product(flights, (chat.NEW, 1)):
            contenders: dict[str, Encode] = {
                "transformers.generate, one batch": partial(generate, new=new),
                "stelae": lambda texts, n=new: runner.run(_answers(engine, texts, n)),
            }
            taken = in_turn(contenders, chat.conversations(flight, flight), rounds, device)
            task = f"chat, {flight} in flight" + (", first tokens" if new == 1 else "")
            rows += rows_of(task, "tokens", flight * new, taken, None, None)
        runner.run(engine.aclose())
    return rows


async def _loaded(device: str) -> LoopEngine:
    source = str(chat_checkpoint.folder())
    spec = Catalog([ModelEntry(name="talker", source=source)]).spec("talker")
    options = EngineOptions(
        dtype=ComputeDtype.BFLOAT16, device=Device(device), cache_tokens=ROOM, deterministic=True
    )
    return load(spec, options)


async def _answers(engine: LoopEngine, texts: Sequence[str], new: int) -> None:
    """Write all of them; what others read is not used again (``deterministic``)."""
    written = await asyncio.gather(*(_answer(engine, text, new) for text in texts))
    if sum(written) != new * len(texts):
        raise RuntimeError(f"{sum(written)} tokens were written instead of {new * len(texts)}")


async def _answer(engine: LoopEngine, text: str, new: int) -> int:
    said: list[Any] = [Message(role=Speaker.USER, content=[TextPart(text=text)])]
    how = Sampling(temperature=0, max_tokens=new)
    call = ChatCall(model="talker", messages=said, sampling=how)
    return sum([len(piece.tokens) async for made in engine.stream(call) for piece in made])
