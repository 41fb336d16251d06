"""What the readers of layouts hand back, before a model gets its name."""

from __future__ import annotations

from dataclasses import dataclass

from stelae.catalog.abilities import Classify, YesNo
from stelae.catalog.operations import Module
from stelae.catalog.reading import Reading
from stelae.catalog.settings import Settings
from stelae.catalog.spec import Backbone, Chain, Static

NO_SETTINGS = Settings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A model, read.

    Attributes:
        trunk: Token ids to token vectors.
        reading: How its texts are read.
        settings: What its files say of it as a whole.
        chains: Token vectors to representations.
        scoring: How it scores pairs, if it reads both texts together.
        scorer: Token vectors to these scores, if the transformer's class does not give them.
        width: Width of its dense vectors; 0 if it makes none.
        token_width: Width of its token vectors; 0 if it gives none out.
        limit: Longest text in tokens; ``None`` if that is not stated.
        notes: What was decided while reading, for people.
    """

    trunk: Backbone | Static
    reading: Reading
    settings: Settings = NO_SETTINGS
    chains: tuple[Chain, ...] = ()
    scoring: Classify | YesNo | None = None
    scorer: tuple[Module, ...] = ()
    width: int = 0
    token_width: int = 0
    limit: int | None = None
    notes: tuple[str, ...] = ()
