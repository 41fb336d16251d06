"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from stelae.cli.completing import complete_served

# Literals, not the enums of ``stelae.types``: those import NumPy, and every
# ``--help`` would pay for it. A test holds the two together.
DtypeName = Literal["auto", "float32", "bfloat16", "float16", "int8"]
EmbeddingDtypeName = Literal["float32", "float16", "int8", "uint8", "binary", "ubinary"]
OutputTypeName = Literal["dense", "sparse", "multivector"]
RoleName = Literal["query", "document"]
TruncateName = Literal["error", "end", "start"]
CutName = Literal["error", "end"]
ImageFormatName = Literal["png", "jpeg", "webp"]
AudioFormatName = Literal["wav", "mp3", "flac", "opus", "aac", "pcm"]
TranscriptFormatName = Literal["text", "srt", "vtt", "jsonl"]
LogFormatName = Literal["console", "json"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, with stable keys.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors and warnings only.")]
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="Show progress on stderr; by default only in a terminal.",
    ),
]
InputFormat = Annotated[
    Literal["auto", "text", "jsonl", "parquet"],
    typer.Option("--input-format", help="Format of the input; auto goes by the name's end."),
]
Field = Annotated[
    str, typer.Option("--field", metavar="NAME", help="Field or column with the text.")
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        "-s",
        envvar="STELAE_URL",
        metavar="URL",
        help="Address of the server; http://127.0.0.1:8080 if not given.",
    ),
]


def _from_environment(
    ctx: typer.Context, param: typer.CallbackParam, value: str | None
) -> str | None:
    source = ctx.get_parameter_source(param.name or "")
    if source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter(
            "a key on the command line shows in the list of processes; "
            f"set the environment variable {param.envvar} instead"
        )
    return value


Key = Annotated[
    str | None,
    typer.Option("--api-key", envvar="STELAE_API_KEY", hidden=True, callback=_from_environment),
]
ServedKeys = Annotated[
    str | None,
    typer.Option("--api-key", envvar="STELAE_API_KEYS", hidden=True, callback=_from_environment),
]
Local = Annotated[
    bool, typer.Option("--local", help="Run the model in this process, without a server.")
]


def refuse_both(ctx: typer.Context, *, local: bool) -> None:
    """Refuse ``--local`` beside a server that was asked for on the command line."""
    source = ctx.get_parameter_source("server")
    if local and source is not None and source.name == "COMMANDLINE":
        raise typer.BadParameter("--local and --server exclude each other; give one of them")


Instruction = Annotated[
    str | None,
    typer.Option(
        "--instruction",
        metavar="TEXT",
        help="The task in words, for models trained with instructions.",
    ),
]
Lora = Annotated[
    str | None,
    typer.Option("--lora", metavar="NAME", help="One of the model's adapters."),
]
ModelArgument = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="Name of the model.", autocompletion=complete_served),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings as TOML or YAML."),
]
ComputeDtypeOption = Annotated[
    DtypeName | None,
    typer.Option(
        "--dtype",
        help="Number format to compute in; auto takes the fastest faithful one here.",
    ),
]
EngineOption = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help="Use this engine and no other.")
]
