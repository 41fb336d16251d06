"""``stelae bench``: how many, how fast, with so many at once; and how fast it could be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stelae.cli import options

if TYPE_CHECKING:
    from stelae.cli.closed_loop import Request
    from stelae.cli.output import Output


def bench(
    name: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Name of the model, as with --model."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", metavar="MODEL", help="Name of the model.  [default: default]"
        ),
    ] = None,
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
    roofline: Annotated[
        bool,
        typer.Option(
            "--roofline",
            help="Tell what the model reaches of this machine's multiply rate, and where the rest "
            "goes.",
        ),
    ] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Load a server and measure it.

    Each level keeps N requests under way: a new one starts when one is answered. Client and server
    share this machine's processors if both run here.

    With --roofline the model is loaded into this process and runs on one thread, in turn with bare
    multiplies of the shapes of its own linear layers, which are the most that it could reach. It
    must be one that the encoder engine serves on the CPU. If --server is given, the same texts then
    go there, as many at once as the greatest of --concurrency, and it is told where their time
    goes. Each of the two takes --seconds.
    """
    if name is not None and model is not None:
        raise typer.BadParameter("MODEL and --model say the same; give one of them")
    from stelae.cli import closed_loop
    from stelae.cli.output import Output

    request = closed_loop.Request(
        model=name or model or "default",
        server=server,
        key=key,
        texts=closed_loop.texts(texts, lengths),
        levels=closed_loop.levels(concurrency),
        batch_size=batch_size,
        seconds=seconds,
        warm_up=warm_up,
    )
    out = Output(json=json, quiet=quiet)
    run = _roofline if roofline else closed_loop.run
    raise typer.Exit(0 if run(request, out) else 1)


def _roofline(request: Request, out: Output) -> bool:
    from stelae.cli import roofline

    return roofline.run(request, out)
