"""The log of a running server, and what is added to it."""

from __future__ import annotations

import sys
import time

import msgspec

from stelae.cli import exits, reach
from stelae.cli.output import Output, printable
from stelae.cli.reach import Where
from stelae.client._sync._http import HttpBackend
from stelae.errors import ServerUnreachable

SECONDS = 15.0
POLL_SECONDS = 0.5
"""Time between two looks."""

MANY = 10_000
"""Lines of one look."""


class Part(msgspec.Struct, frozen=True):
    """A part of a log; see ``LogsResponse`` of the server."""

    lines: list[str]
    next: int
    lost: int
    started: float


class Log(HttpBackend):
    """The log of a server."""

    def part(self, first: int | None, lines: int) -> Part:
        """So many lines from a number on; the last ones if that is ``None``."""
        asked = f"logs?lines={lines}" + ("" if first is None else f"&from={first}")
        return self._ask("GET", asked, Part, SECONDS)


def show(where: Where, lines: int, out: Output, *, follow: bool) -> None:
    """Print the latest lines, and go on with what comes if that is wanted.

    Raises:
        ServerUnreachable: No server answers there.
        KeyboardInterrupt: A person has seen enough.
    """
    server, key = where
    log = Log(server or reach.DEFAULT_SERVER, key, None)
    try:
        part = log.part(None, lines)
        _print(part, out)
        while follow:
            time.sleep(POLL_SECONDS)
            added = following(log, part)
            if added is not None:
                part = added
                if part.lines or part.lost:
                    _print(part, out)
    finally:
        log.close()


def following(log: Log, seen: Part) -> Part | None:
    """What has been added since; all of it, if the server began anew, ``None`` if it is away."""
    try:
        part = log.part(seen.next, MANY)
        return part if part.started == seen.started else log.part(0, MANY)
    except ServerUnreachable as error:
        exits.tell(f"{error.message}; waiting for it")
        return None


def _print(part: Part, out: Output) -> None:
    if out.json:
        out.document({"lines": part.lines, "lost": part.lost})
        return
    if part.lost:
        exits.tell(f"{part.lost} lines came too fast and are lost")
    for line in part.lines:
        sys.stdout.write(printable(line) + "\n")
    sys.stdout.flush()
