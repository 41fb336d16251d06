"""Models that make pictures, listen and speak, without checkpoints: their folders say what they
can in ``media.json``, and an engine without a model serves them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from stelae.catalog import media
from stelae.catalog.abilities import Hearing, ImageMode, Imaging, Speaking
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Backbone, ModelSpec, Source

FILE = "media.json"

PAINTER = Imaging(pipeline="Fake", modes=tuple(ImageMode), size=(64, 64), longest=8)
"""It makes anything of anything; prompts have 8 words at most."""

SKETCHER = Imaging(pipeline="Fake", modes=(ImageMode.TEXT,), size=(64, 64))
"""It makes pictures of prompts alone."""

LISTENER = Hearing(languages=("en", "de"), translates=True)
SPEAKER = Speaking(voices=("alto", "bass"), rate=16_000)

Ability = Imaging | Hearing | Speaking
_ABILITY: msgspec.json.Decoder[Ability] = msgspec.json.Decoder(Ability)


def settings(root: Path, name: str, ability: Ability) -> dict[str, Any]:
    """Settings of a model that can do something; its folder is made below ``root``."""
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(msgspec.json.encode(ability))
    return {"source": str(folder), "engine": "fake_media"}


def install(patch: pytest.MonkeyPatch) -> None:
    """Make such folders known for the time of a test."""
    patch.setattr(media, "READERS", (read, *media.READERS))


def read(root: Path, entry: ModelEntry, source: Source) -> ModelSpec | None:
    file = root / FILE
    if not file.exists():
        return None
    ability = _ABILITY.decode(file.read_bytes())
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=Backbone(folder="", architecture="Fake", config={}, weights=()),
        inputs=(),
        imaging=ability if isinstance(ability, Imaging) else None,
        hearing=ability if isinstance(ability, Hearing) else None,
        speaking=ability if isinstance(ability, Speaking) else None,
        max_tokens=256,
        tokenizer="",
    )
