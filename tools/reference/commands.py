"""The command line: what ``--help`` says, of every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from reference.markdown import block, joined, table
from stelae.cli import exits
from stelae.cli.app import app

WIDTH = 100
"""Columns of the help, whatever terminal this runs in."""

CODES = {
    exits.OK: "success",
    exits.FAILURE: "failure",
    exits.USAGE: "wrong usage",
    exits.UNREACHABLE: "server unreachable",
    exits.MODEL_MISSING: "no such model",
    exits.INTERRUPTED: "interrupted",
}

INTRODUCTION = """
Data goes to standard output, everything else to standard error. `--json` prints JSON with stable
keys. Commands that talk to a server read its address from `--server` or `STELAE_URL`, and the key
from `STELAE_API_KEY`; a key is never taken from the command line. How to use them is told in
[the guide](../command-line.md).
"""


def page() -> str:
    """Exit codes and the help of every command."""
    return joined(
        "# Commands",
        INTRODUCTION,
        table(("exit code", "meaning"), ((str(code), said) for code, said in CODES.items())),
        *(f"## {path}\n\n{block(text)}" for path, text in helps(typer.main.get_command(app))),
    )


def helps(command: Any, path: str = "stelae", parent: Any = None) -> Iterator[tuple[str, str]]:
    """A command and all below it, each with its help."""
    context = typer.Context(
        command,
        parent=parent,
        info_name=path.rpartition(" ")[2],
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        **command.context_settings,
    )
    yield path, command.get_help(context)
    for child in getattr(command, "commands", {}).values():
        if not child.hidden:
            yield from helps(child, f"{path} {child.name}", context)
