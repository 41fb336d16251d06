"""Servers for Xinference's clients: models under the names that people launch, all small."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fix_media
import fix_told
import pytest
from live import FAKE, Live, live


@dataclass(frozen=True, slots=True)
class Served:
    """The servers.

    Attributes:
        open: Stands open.
        locked: Wants the key ``sesame``.
    """

    open: Live
    locked: Live


def models(zoo: Path, root: Path) -> dict[str, dict[str, Any]]:
    """Settings of a small model for each kind; ``root`` is a folder to write into."""
    embedder = {"source": str(zoo / "bert-mean")}
    writer = fix_told.settings(zoo / "qwen3-chat")
    reranker = {"source": str(zoo / "cross-encoder")}
    return {
        "bge-small-en-v1.5": {**embedder, "aliases": ["bge-base-en-v1.5"]},
        "bge-reranker-base": reranker,
        "glm4-chat": {**writer, "aliases": ["qwen3", "chatglm3"]},
        "sd-turbo": fix_media.settings(root, "painter", fix_media.PAINTER),
        "whisper-large-v3": fix_media.settings(root, "listener", fix_media.LISTENER),
        "kokoro": fix_media.settings(root, "speaker", fix_media.SPEAKER),
        "clip": {"source": str(zoo / "clip")},
        "bge-m3": {"source": str(zoo / "bge-m3")},
        "clap": {"source": str(zoo / "clap")},
        "got-ocr2_0": {"source": str(zoo / "florence2")},
        "qwen2-vl-instruct": fix_told.settings(zoo / "qwen2-vl-chat"),
        "detr": {"source": str(zoo / "detr")},
        "fake": FAKE,
    }


@asynccontextmanager
async def serving(zoo: Path, root: Path, **settings: Any) -> AsyncIterator[Served]:
    """An open server with these models, and a locked one with the fake model alone."""
    with pytest.MonkeyPatch.context() as patch:
        fix_told.install(patch)
        fix_media.install(patch)
        async with AsyncExitStack() as stack:
            opened = await stack.enter_async_context(live(models=models(zoo, root), **settings))
            locked = await stack.enter_async_context(live(api_keys=["sesame"]))
            yield Served(opened, locked)
