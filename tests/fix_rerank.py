"""Servers for clients that rank and embed: one stands open, the other wants a key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from live import FAKE, Live, live
from repo import ROOT

PAIRS = {"source": str(ROOT / "tests" / "data" / "overlap-reranker"), "dtype": "float32"}
"""A small trained reranker, which knows how many words two texts share."""

PROMPTS = {"query": "find: ", "document": "read: "}


@asynccontextmanager
async def serving(zoo: Path) -> AsyncIterator[tuple[Live, Live]]:
    """Both, the open one first."""
    plain = {"source": str(zoo / "bert-mean"), "dtype": "float32"}
    models = {
        "pairs": PAIRS,
        "plain": plain,
        "prompted": {**plain, "prompts": PROMPTS},
        "nested": {"source": "embedded", "matryoshka": [16, 32]},
        "seeing": {"source": str(zoo / "clip"), "dtype": "float32"},
    }
    keyed = live(models={"mortal": FAKE}, api_keys=["sesame"])
    async with live(models=models) as opened, keyed as locked:
        yield opened, locked
