"""What the shell offers for a word that was begun: names of models, from here and the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from stelae.client import Client

SECONDS = 1.0
"""Time for a server to answer; a person waits for the list."""


def complete_known(incomplete: str) -> list[str]:
    """Names of models that the catalog of this machine knows."""
    from stelae.catalog.families import cards

    return _beginning(incomplete, sorted({card.name for card in cards().values()}))


def complete_served(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of models that the server serves; none if it does not answer."""
    return _asked(ctx, incomplete, lambda client: [info.name for info in client.models()])


def complete_launched(ctx: typer.Context, incomplete: str) -> list[str]:
    """Uids of launched models; none if the server does not answer."""
    return _asked(ctx, incomplete, lambda client: [info.uid for info in client.list_models()])


def _asked(
    ctx: typer.Context, incomplete: str, names: Callable[[Client], Iterable[str]]
) -> list[str]:
    from stelae.cli import reach
    from stelae.errors import StelaeError

    # While a line is completed, options that were not typed are not read from the environment.
    server = ctx.params.get("server") or os.environ.get("STELAE_URL")
    try:
        with reach.connect(server, os.environ.get("STELAE_API_KEY"), timeout=SECONDS) as client:
            return _beginning(incomplete, names(client))
    except StelaeError:
        return []


def _beginning(text: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(text)]
