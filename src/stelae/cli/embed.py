"""``stelae embed``: vectors for every item of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stelae.cli import options


def embed(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Input; - (the default) is stdin.")
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Output, in the format that its name ends with: .npy, .jsonl or .parquet. "
            "Without it, JSONL goes to stdout.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="MODEL", help="Name of the model.")
    ] = "default",
    server: options.Server = None,
    local: options.Local = False,
    input_format: options.InputFormat = "auto",
    output_format: Annotated[
        Literal["auto", "npy", "jsonl", "parquet"],
        typer.Option("--output-format", help="Format of the output; auto goes by its name's end."),
    ] = "auto",
    field: options.Field = "text",
    id_field: Annotated[
        str,
        typer.Option("--id-field", metavar="NAME", help="Field or column with the id, if any."),
    ] = "id",
    role: Annotated[
        options.RoleName | None,
        typer.Option("--role", help="Side of the search; selects the model's prompt."),
    ] = None,
    prompt_name: Annotated[
        str | None,
        typer.Option("--prompt-name", metavar="NAME", help="One of the model's prompts."),
    ] = None,
    instruction: options.Instruction = None,
    lora: options.Lora = None,
    output_type: Annotated[
        options.OutputTypeName,
        typer.Option(
            "--output-type",
            help="Kind of representation; .npy holds dense vectors only.",
        ),
    ] = "dense",
    dimensions: Annotated[
        int | None,
        typer.Option(
            "--dimensions", metavar="N", min=1, help="Cut vectors to N numbers (Matryoshka)."
        ),
    ] = None,
    dtype: Annotated[
        options.EmbeddingDtypeName,
        typer.Option(
            "--dtype",
            help="Number format of the vectors; those in whole numbers are read with "
            "x = q * scale + zero, which stand beside them.",
        ),
    ] = "float32",
    truncate: Annotated[
        options.TruncateName,
        typer.Option("--truncate", help="What to do with texts that are too long."),
    ] = "end",
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", metavar="N", min=1, help="Most items in one request."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Go on with an unfinished OUT; --no-resume starts anew and replaces it.",
        ),
    ] = True,
    progress: options.Progress = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Embed every item of a file, in constant memory.

    Text input has one item per line; JSONL and Parquet have one per object or row. Rows of the
    output are in the order of the input. Interrupt it, or let it be killed: the same command goes
    on where it was, with no row lost or doubled (OUT.state.json keeps the place).

    An item that fails gets a row of NaN in .npy (and a line in OUT.errors.jsonl), or null and its
    error in JSONL and Parquet; the exit code is then 1.

    With --dtype int8, uint8, binary or ubinary each vector has a scale and a zero: columns of
    these names, or those of OUT.scales.npy beside a .npy, whose failed rows are 0 with NaN there.

    In JSONL the embedding is a list of numbers; with --output-type sparse it has the indices and
    the values of the terms, with multivector it is a list of vectors, one for each token. Parquet
    has columns of lists for the same.
    """
    from stelae.cli.bulk import command
    from stelae.cli.bulk.state import Options

    options.refuse_both(ctx, local=local)
    asked = Options(
        model=model,
        role=role,
        prompt_name=prompt_name,
        instruction=instruction,
        lora=lora,
        output_type=output_type,
        dimensions=dimensions,
        dtype=dtype,
        truncate=truncate,
        input_format=input_format,
        output_format=output_format,
        field=field,
        id_field=id_field,
    )
    command.run(
        command.Request(
            file=file,
            output=None if output is None or str(output) == "-" else output,
            options=asked,
            server=server,
            key=key,
            local=local,
            batch_size=batch_size,
            resume=resume,
            progress=progress,
            json=json,
            quiet=quiet,
        )
    )
