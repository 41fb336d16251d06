"""Models that read both texts of a pair together, saved by sentence-transformers.

Source: sentence-transformers 6.0.1, ``cross_encoder/model.py``.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.asking import read_answers, read_prompt
from stelae.catalog.found import Found
from stelae.catalog.modules import READERS, read_modules
from stelae.catalog.place import Place
from stelae.catalog.reading import Use
from stelae.catalog.rows import ROUTERS, kind_of, read_rows
from stelae.catalog.scoring import activation_of, headed, read_scoring
from stelae.catalog.settings import Settings
from stelae.catalog.spec import Backbone
from stelae.catalog.steps import Stage, Start
from stelae.catalog.transformer import read_transformer
from stelae.errors import UnsupportedCheckpoint


def read_pairs(root: Path, settings: Settings) -> Found:
    """A cross-encoder, with its transformer's head or one of its own, or a model that is asked.

    Raises:
        UnsupportedCheckpoint: A module or an option is not implemented.
        ModelLoadFailed: A file is missing, broken or contradicts another.
    """
    rows = read_rows(root)
    kinds = [kind_of(root, row, (*READERS, *ROUTERS, "LogitScore")) for row in rows]
    if kinds not in (["Transformer"], ["Transformer", "LogitScore"]):
        return _with_head(root, settings)
    asks = len(rows) == 2
    use = Use.NEXT if asks else Use.SCORES
    start = read_transformer(Place(root, rows[0].folder, "Transformer"), use=use)
    if not isinstance(start.trunk, Backbone):
        raise TypeError("a transformer without a trunk")
    _check_use(root, start, Stage.NEXT if asks else Stage.SCORES)
    scoring: Classify | YesNo = (
        _ask(root, start, settings, Place(root, rows[1].folder, "LogitScore"))
        if asks
        else read_scoring(root, start.trunk, settings)
    )
    return Found(
        trunk=start.trunk,
        reading=start.reading,
        settings=settings,
        scoring=scoring,
        limit=start.reading.limit,
    )


def _with_head(root: Path, settings: Settings) -> Found:
    """A cross-encoder whose scores come of further modules: poolings, layers and the like."""
    sides = read_modules(root, settings)
    side = sides.get(None)
    if side is None or len(sides) > 1:
        raise UnsupportedCheckpoint(
            f"modules.json in {root} has a router, which is not implemented for a CrossEncoder"
        )
    trunk = side.start.trunk
    if side.gives is not Stage.SCORES or not isinstance(trunk, Backbone):
        raise UnsupportedCheckpoint(
            f"modules.json in {root} ends with {side.gives.value}; a CrossEncoder begins with a "
            "Transformer and ends with scores"
        )
    return Found(
        trunk=trunk,
        reading=side.start.reading,
        settings=settings,
        scoring=headed(root, trunk, settings, side.width),
        scorer=side.modules,
        limit=side.start.reading.limit,
    )


def _check_use(root: Path, start: Start, wanted: Stage) -> None:
    if start.gives is not wanted:
        raise UnsupportedCheckpoint(
            f"the transformer in {root} gives {start.gives.value}; a CrossEncoder of these modules "
            f"needs {wanted.value}"
        )


def _ask(root: Path, start: Start, settings: Settings, place: Place) -> YesNo:
    default = None if settings.default is None else settings.prompts[settings.default]
    prompt = read_prompt(root, start.reading, read_answers(place), default)
    return msgspec.structs.replace(prompt, activation=activation_of(root, settings))
