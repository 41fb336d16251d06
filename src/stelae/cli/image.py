"""``stelae image``: pictures from words, or from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stelae.cli import options


def image(
    ctx: typer.Context,
    model: options.ModelArgument,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="What to show; without it, all of stdin."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Output: .png, .jpg or .webp; of several pictures OUT-1.png and so on. "
            "Without it, the file goes to stdout.",
        ),
    ] = None,
    number: Annotated[
        int, typer.Option("--number", "-n", metavar="N", min=1, help="How many pictures.")
    ] = 1,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Width and height in pixels, as 512x512."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", min=1, help="Steps of denoising.")
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option("--guidance", metavar="X", min=0, help="How closely to follow the prompt."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The same again gives the same.")
    ] = None,
    negative: Annotated[
        str | None, typer.Option("--negative", metavar="TEXT", help="What not to show.")
    ] = None,
    begin: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="FILE", help="A picture to begin with; may be repeated."),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option("--mask", metavar="FILE", help="What is white here is made anew."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength", metavar="X", help="How far a picture is changed: above 0, to 1."
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="NAME", help="How noise is taken away."),
    ] = None,
    lora: options.Lora = None,
    truncate: Annotated[
        options.CutName,
        typer.Option("--truncate", help="What to do with a prompt that is too long."),
    ] = "error",
    format: Annotated[
        options.ImageFormatName | None,
        typer.Option("--format", help="Format of the pictures; else OUT's name says it."),
    ] = None,
    server: options.Server = None,
    local: options.Local = False,
    progress: options.Progress = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Make pictures from a prompt, or from a picture and a prompt.

    In terminals that can show pictures they are shown too, in others in coarse blocks. The seed
    is told on stderr: with it, the same picture comes again. A file that is there is replaced.
    """
    from stelae.cli import drawing
    from stelae.cli.output import Output

    options.refuse_both(ctx, local=local)
    request = drawing.Request(
        model=model,
        prompt=prompt,
        output=output,
        format=format,
        options={
            "n": number,
            "size": size,
            "steps": steps,
            "guidance": guidance,
            "seed": seed,
            "negative_prompt": negative,
            "images": begin,
            "mask": mask,
            "strength": strength,
            "scheduler": scheduler,
            "lora": lora,
            "truncate": truncate,
        },
        server=server,
        key=key,
        local=local,
        progress=progress,
    )
    drawing.run(request, Output(json=json, quiet=quiet))
