"""Where the time of one request goes, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stelae.clip import summary
from stelae.clip.answers import Response
from stelae.errors import ProtocolError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.tree import Tree

Profile = dict[str, float]

STEP = 1 / 1024
"""Times are whole numbers of this, in milliseconds, so that sums of them are exact."""


def profile_of(seconds: float, response: Response) -> Profile:
    """How long each part took, in milliseconds.

    ``Roundtrip`` is exactly ``Client-server network`` and ``Server`` together, and ``Server`` is
    exactly ``Gateway-CLIP network`` and ``CLIP model``.

    Args:
        seconds: From before the request to after the answer.
        response: The answer, which has the times of the server.

    Raises:
        ProtocolError: It has not.
    """
    if len(response.routes) < 2:
        raise ProtocolError(f"the answer names {len(response.routes)} stations, 2 were expected")
    roundtrip = _whole(seconds * 1000)
    server, model = (
        _whole((route.end_time.ToNanoseconds() - route.start_time.ToNanoseconds()) / 1e6)
        for route in response.routes[:2]
    )
    server = min(max(server, 0.0), roundtrip)
    model = min(max(model, 0.0), server)
    return {
        "Roundtrip": roundtrip,
        "Client-server network": roundtrip - server,
        "Server": server,
        "Gateway-CLIP network": server - model,
        "CLIP model": model,
    }


def _whole(milliseconds: float) -> float:
    return round(milliseconds / STEP) * STEP


def show(profile: Profile) -> None:
    """Print the parts as a tree, each with its share of the part that it belongs to."""
    summary.show(tree_of(profile))


def tree_of(profile: Profile) -> Tree:
    """The parts as a tree."""
    try:
        from rich.tree import Tree
    except ModuleNotFoundError as error:
        raise summary.missing() from error
    tree = Tree(_row(profile, "Roundtrip", "Roundtrip"))
    tree.add(_row(profile, "Client-server network", "Roundtrip"))
    server = tree.add(_row(profile, "Server", "Roundtrip"))
    server.add(_row(profile, "Gateway-CLIP network", "Server"))
    server.add(_row(profile, "CLIP model", "Server"))
    return tree


def _row(profile: Profile, part: str, whole: str) -> Table:
    from rich.table import Table

    share = profile[part] / profile[whole] if profile[whole] else 0.0
    table = Table(show_header=False, box=None)
    table.add_row(part, f"[b]{profile[part]:.0f}[/b]ms", f"[dim]{share * 100:.0f}%[/dim]")
    return table
