"""``stelae speak``: a text read aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stelae.cli import options


def speak(
    ctx: typer.Context,
    model: options.ModelArgument,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to read; without it, all of stdin."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Output: .mp3, .wav, .flac, .opus, .aac or .pcm. Without it, the sound goes to "
            "stdout as it is made.",
        ),
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", metavar="NAME", help="One of the model's voices.")
    ] = None,
    speed: Annotated[
        float,
        typer.Option("--speed", metavar="X", min=0.25, max=4, help="How fast; 1 as the model."),
    ] = 1.0,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="CODE", help="That of the text, for models that read several."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The same again gives the same.")
    ] = None,
    format: Annotated[
        options.AudioFormatName | None,
        typer.Option("--format", help="Format of the sound; else OUT's name says it, or mp3."),
    ] = None,
    server: options.Server = None,
    local: options.Local = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Read a text aloud.

    A file that is there is replaced when the sound is whole. On stdout it can be heard while it
    is made: stelae speak MODEL "good day" | ffplay -
    """
    from stelae.cli import speaking
    from stelae.cli.output import Output

    options.refuse_both(ctx, local=local)
    request = speaking.Request(
        model=model,
        text=text,
        output=output,
        format=format,
        options={"voice": voice, "speed": speed, "language": language, "seed": seed},
        server=server,
        key=key,
        local=local,
    )
    speaking.run(request, Output(json=json, quiet=quiet))
