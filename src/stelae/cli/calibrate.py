"""``stelae calibrate``: learn what int8 needs to know of a model, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stelae.cli import options


def calibrate(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="A known name, a hub id, a folder or NAME=FOLDER."),
    ],
    texts: Annotated[
        str,
        typer.Option(
            "--texts", metavar="FILE", help="Texts such as the model will read; - is stdin."
        ),
    ],
    input_format: options.InputFormat = "auto",
    field: options.Field = "text",
    cosine: Annotated[
        float,
        typer.Option(
            "--cosine",
            metavar="C",
            min=0.0,
            max=1.0,
            help="Mean cosine to float32 to aim at; layers that cost the most are left out of "
            "int8 until it is reached.",
        ),
    ] = 0.995,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="File to write, such as stelae-int8.safetensors in the model's folder; by "
            "default one in the user's folder for states.",
        ),
    ] = None,
    config: options.ConfigFile = None,
    progress: options.Progress = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Calibrate a model for --dtype int8, and tell its accuracy.

    The model runs in float32 over half of the texts, from which the ranges of what comes into each
    linear layer are learnt; nothing is trained. On the other half its vectors are compared with
    those of float32: the mean and the least cosine, and how many of the ten nearest neighbours of a
    text are the same. Then int8 and the model's usual number format run in turn, and their rates
    are told.

    At least 64 different texts are needed; of more than 1024, so many are used. What was learnt
    holds for these weights only and is found by --dtype int8 from then on. int8 runs on
    CPUs with AVX512-VNNI, where a C++ compiler is installed.
    """
    from stelae.cli import calibrating
    from stelae.cli.output import Output

    request = calibrating.Request(
        model=model,
        texts=texts,
        input_format=input_format,
        field=field,
        cosine=cosine,
        output=output,
        config=config,
        progress=progress,
    )
    calibrating.run(request, Output(json=json, quiet=quiet))
