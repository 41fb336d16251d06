"""The application as a whole: help, versions, usage, what is imported when."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import get_args

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from stelae import __version__
from stelae.cli import options
from stelae.cli.app import app
from stelae.cli.transcripts import Form
from stelae.types import (
    AudioFormat,
    ComputeDtype,
    EmbeddingDtype,
    ImageFormat,
    OutputType,
    Role,
    Truncate,
)

RUN = CliRunner()

COMMANDS = ("serve", "embed", "score", "extract", "verify", "bench", "models", "ps", "load")
COMMANDS += ("unload", "pull", "doctor", "version", "config", "image", "transcribe", "speak")


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_help_lists_every_command_and_the_exit_codes() -> None:
    shown = RUN.invoke(app, ["--help"])
    assert shown.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in shown.output
    assert "3 server unreachable" in " ".join(shown.output.split())


def test_help_imports_nothing_heavy() -> None:
    heavy = {"numpy", "httpx", "rich", "pydantic", "torch", "starlette", "asyncio"}
    ended = python(
        "import sys; from stelae.cli.app import run; sys.argv = ['stelae', '--help']\n"
        "try: run()\n"
        f"finally: sys.stderr.write(' '.join(sorted({heavy!r} & set(sys.modules))))"
    )
    assert "Usage: stelae" in ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"serve", "config"}])
def test_every_command_speaks_json(name: str) -> None:
    shown = RUN.invoke(app, [name, "--help"])
    assert shown.exit_code == 0
    assert "--json" in shown.output


def test_without_the_packages_it_says_what_to_install() -> None:
    ended = python("import sys; sys.modules['typer'] = None; import stelae.cli as c; c.main()")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: the command line needs the packages typer\n")
    assert "pip install 'stelae[cli]'" in ended.stderr


def test_version_as_json() -> None:
    shown = RUN.invoke(app, ["version", "--json"])
    found = json.loads(shown.stdout)
    assert (found["stelae"], found["python"]) == (__version__, sys.version.split()[0])


def test_version_flag() -> None:
    assert RUN.invoke(app, ["--version"]).output == f"stelae {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["models", "--nonsense"], ["load"], ["load", "m", "--dtype", "int4"]],
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert RUN.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("command", [["serve"], ["models"], ["embed"]])
def test_key_on_the_command_line_is_refused(command: list[str]) -> None:
    shown = RUN.invoke(app, [*command, "--api-key", "secret"])
    assert shown.exit_code == 2
    assert "STELAE_API_KEY" in shown.output
    assert "secret" not in shown.output


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        (options.DtypeName, ComputeDtype),
        (options.EmbeddingDtypeName, EmbeddingDtype),
        (options.OutputTypeName, OutputType),
        (options.RoleName, Role),
        (options.TruncateName, Truncate),
        (options.ImageFormatName, ImageFormat),
        (options.AudioFormatName, AudioFormat),
        (options.TranscriptFormatName, Form),
    ],
)
def test_choices_are_those_of_the_types(spelled: object, meant: type) -> None:
    assert set(get_args(spelled)) == {member.value for member in meant}  # type: ignore[attr-defined]


def test_no_help_text_is_cut_in_the_list() -> None:
    shown = RUN.invoke(app, ["--help"], env={"COLUMNS": "80"})
    assert "..." not in shown.output.replace("[ARGS]...", "")


def test_every_option_is_explained() -> None:
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for param in getattr(command, "params", []):
            assert param.hidden or param.help, f"{name} {param.name}"
