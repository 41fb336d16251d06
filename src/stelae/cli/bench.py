"""``stelae bench``: how many, how fast, with so many at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stelae.cli import options


def bench(
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Name of the model.")
    ] = "default",
    server: options.Server = None,
    texts: Annotated[
        Path | None,
        typer.Option("--texts", metavar="FILE", help="Texts to send, one a line."),
    ] = None,
    lengths: Annotated[
        Literal["short", "passage", "mixed"],
        typer.Option("--lengths", help="Lengths of the built-in texts."),
    ] = "mixed",
    concurrency: Annotated[
        str,
        typer.Option("--concurrency", metavar="N,…", help="Requests under way at once."),
    ] = "1,16",
    batch_size: Annotated[
        int, typer.Option("--batch-size", metavar="N", min=1, help="Texts in each request.")
    ] = 1,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", min=0.1, help="Duration of each level.")
    ] = 10.0,
    warm_up: Annotated[
        float,
        typer.Option("--warm-up", metavar="S", min=0.0, help="Duration of the warm-up."),
    ] = 2.0,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Load a server and measure it.

    Each level keeps N requests under way: a new one starts when one is answered. Client and server
    share this machine's processors if both run here.
    """
    from stelae.cli import closed_loop
    from stelae.cli.output import Output

    request = closed_loop.Request(
        model=model,
        server=server,
        key=key,
        texts=closed_loop.texts(texts, lengths),
        levels=closed_loop.levels(concurrency),
        batch_size=batch_size,
        seconds=seconds,
        warm_up=warm_up,
    )
    out = Output(json=json, quiet=quiet)
    raise typer.Exit(0 if closed_loop.run(request, out) else 1)
