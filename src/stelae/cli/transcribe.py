"""``stelae transcribe``: what is said in recordings."""

from __future__ import annotations

from typing import Annotated

import typer

from stelae.cli import options


def transcribe(
    ctx: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Recordings; - is stdin.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="Name of the model; if not given, the server's first that hears.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="Output: a file, or a folder, in which each recording gets a file of its name. "
            "Without it, transcripts go to stdout.",
        ),
    ] = None,
    format: Annotated[
        options.TranscriptFormatName | None,
        typer.Option("--format", help="Format of transcripts; else OUT's name says it, or text."),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="CODE", help="That spoken; found out if not given."),
    ] = None,
    translate: Annotated[
        bool, typer.Option("--translate", help="Write English, whatever is spoken.")
    ] = False,
    prompt: Annotated[
        str | None,
        typer.Option(
            "--prompt", metavar="TEXT", help="What might stand before: names, spelling, style."
        ),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Tell when each word is said (JSON and JSONL).")
    ] = False,
    vad: Annotated[
        bool, typer.Option("--vad", help="Leave out stretches without a voice.")
    ] = False,
    server: options.Server = None,
    local: options.Local = False,
    progress: options.Progress = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    key: options.Key = None,
) -> None:
    """Write down what is said in recordings.

    As text each segment is a line, and is printed as soon as it is known; as JSONL it is an
    object. A recording that fails is told on stderr and the others are done; the exit code is
    then 1. A file that is there is replaced.
    """
    from stelae.cli import hearing
    from stelae.cli.output import Output

    options.refuse_both(ctx, local=local)
    request = hearing.Request(
        files=files,
        model=model,
        output=output,
        format=format,
        options={
            "language": language,
            "translate": translate,
            "prompt": prompt,
            "words": words,
            "vad": vad,
        },
        server=server,
        key=key,
        local=local,
        progress=progress,
    )
    raise typer.Exit(0 if hearing.run(request, Output(json=json, quiet=quiet)) else 1)
