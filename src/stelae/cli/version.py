"""``stelae version``: which Stelae, Python and torch run here."""

from __future__ import annotations

from stelae.cli import options


def version(json: options.Json = False) -> None:
    """Print the versions of stelae, Python and torch."""
    from stelae.cli.machine import versions
    from stelae.cli.output import Output

    found = versions()
    out = Output(json=json)
    if json:
        out.document(found)
    else:
        out.facts(found)
