"""A server at this moment: a line about it, and a table of what is loaded."""

from __future__ import annotations

import sys
import time
from typing import Any

import msgspec
from rich.console import Group
from rich.live import Live
from rich.text import Text

from stelae.cli import reach
from stelae.cli.output import Output, board, console, size
from stelae.cli.reach import Where
from stelae.errors import ServerUnreachable
from stelae.types import Capacity, ModelLoad, ModelState

SECONDS = 15.0
COLUMNS = ("name", "state", "calls", "tokens", "memory", "device", "engine", "restarts")


def watch(where: Where, out: Output, *, every: float, once: bool) -> None:
    """Show a server again and again in a terminal, or once.

    Args:
        where: The server.
        out: Says things.
        every: Seconds between two looks.
        once: Whether one look is enough.

    Raises:
        ServerUnreachable: No server answers there.
        KeyboardInterrupt: A person has seen enough.
    """
    with reach.connect(*where, timeout=SECONDS) as client:
        seen = client.capacity()
        if out.json:
            out.document(msgspec.to_builtins(seen))
        elif once or not sys.stdout.isatty():
            out.line(summary(seen))
            out.table(rows(seen), COLUMNS)
        else:
            with Live(_picture(seen), console=console(sys.stdout), auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    try:
                        picture = _picture(client.capacity())
                    except ServerUnreachable as error:
                        picture = Group(Text(error.message, style="bold red"))
                    live.update(picture, refresh=True)


def summary(seen: Capacity) -> str:
    """A server in a line."""
    used = sum(worker.memory_used_bytes for worker in seen.workers)
    total = sum(worker.memory_total_bytes for worker in seen.workers)
    calls = sum(worker.queue_calls for worker in seen.workers)
    loaded = len(_loaded(seen))
    return (
        f"{loaded} of {len(seen.models)} models loaded, {calls} calls under way, "
        f"{seen.calls_per_second:.1f} calls/s, memory {size(used)} of {size(total)}"
    )


def rows(seen: Capacity) -> list[dict[str, Any]]:
    """What is loaded, the busiest first."""
    found = sorted(_loaded(seen), key=lambda load: (-load.queue_tokens, load.info.name))
    return [_row(load) for load in found]


def _loaded(seen: Capacity) -> list[ModelLoad]:
    return [load for load in seen.models if load.info.state is not ModelState.AVAILABLE]


def _row(load: ModelLoad) -> dict[str, Any]:
    info = load.info
    return {
        "name": info.name,
        "state": info.state.value,
        "calls": load.queue_calls,
        "tokens": load.queue_tokens,
        "memory": size(info.memory_bytes) if info.memory_bytes else None,
        "device": info.device or None,
        "engine": info.engine or None,
        "restarts": info.restarts,
    }


def _picture(seen: Capacity) -> Group:
    return Group(Text(summary(seen)), board(rows(seen), COLUMNS, terminal=True))
