"""What the documentation says is so: its blocks run, its commands, links and paths exist."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fix_media
import msgspec
import pytest
import typer
from live import live
from reference.markdown import anchor
from repo import PAGES, ROOT, SOURCE, Block, blocks, name

import docs
from stelae.catalog.family import Family
from stelae.cli.app import app
from stelae.client import EncodeOptions, ScoreOptions
from stelae.config import load_settings
from stelae.errors import BY_CODE

WRITTEN = "http://127.0.0.1:8080"
"""The address in the documentation, in place of which blocks get that of a live server."""

SMALL = {
    "bge-m3": "bge-m3",
    "ms-marco-MiniLM-L6-v2": "cross-encoder",
    "ViT-B-32::openai": "clip",
    "names": "gliner-span",
    "judge": "cross-encoder-labels",
    "seer": "owlv2",
    "reader": "florence2",
    "listener": str(ROOT / "tests" / "data" / "dtmf"),
    "speaker": "vits",
    "sounds": "clap",
    "talker": str(ROOT / "tests" / "data" / "chat"),
}
"""Models that examples ask for, and the small checkpoint of the same kind that answers here."""

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:[^\n]|\n(?!\s*\n))+?)(?<!`)\1(?!`)")
"""Code in running text; a paragraph ends it."""
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
MADE_LATER = ("ORG/", "NAME", "OUT", "SLUG")
"""Words that stand for something else."""


def of(language: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, language)]


@pytest.mark.slow
@pytest.mark.timeout(240)  # a page loads several models in a process of its own
@pytest.mark.parametrize("page", of("python"), ids=name)
async def test_python_blocks_run_one_after_the_other(
    page: Path, zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix_media.install(monkeypatch)
    text = "\n".join(block.text for block in blocks(page, "python"))
    script = tmp_path / "blocks.py"
    async with live(models=served(zoo, tmp_path)) as server:
        script.write_text(text.replace(WRITTEN, server.url))
        code, said = await run(sys.executable, "-W", "error", str(script), folder=tmp_path)
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.timeout(240)  # all pages' calls, and the models that they load
async def test_calls_with_curl_are_answered(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix_media.install(monkeypatch)
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [line for line in shell_lines() if line[1].startswith("curl ")]
    assert lines
    async with live(models=served(zoo, tmp_path)) as server:
        for block, line in lines:
            words = shlex.split(line.replace(WRITTEN, server.url))
            code, said = await run(*words, "--fail-with-body", folder=tmp_path)
            assert code == 0, f"{name(block.page)}: {said}"


def served(zoo: Path, folder: Path) -> dict[str, dict[str, str]]:
    """Settings of the models that examples ask for; one that paints is played."""
    small = {name: {"source": str(zoo / small)} for name, small in SMALL.items()}
    return {**small, "painter": fix_media.settings(folder, "painter", fix_media.PAINTER)}


async def run(*words: str, folder: Path) -> tuple[int, str]:
    """Run a program; its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def shell_lines() -> Iterator[tuple[Block, str]]:
    """Lines of shell blocks; continued ones are put together, comments dropped."""
    for page in PAGES:
        for block in blocks(page, "sh"):
            for line in block.text.replace("\\\n", " ").splitlines():
                if line.strip():
                    yield block, line


def calls(program: str) -> Iterator[tuple[Block, list[str]]]:
    """Every call of a program in a shell block, as its arguments."""
    for block, line in shell_lines():
        for part in re.split(r"\s[|&;]+\s", line):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0].rpartition("/")[2] == program:
                yield block, words[1:]


def test_commands_and_their_options_exist() -> None:
    faults = [f"{name(block.page)}: {fault}" for block, w in calls("stelae") if (fault := wrong(w))]
    assert faults == []
    assert len(list(calls("stelae"))) > 20


def wrong(words: list[str]) -> str | None:
    """What is wrong with a call of ``stelae``, if anything is."""
    command: Any = typer.main.get_command(app)
    path = "stelae"
    while words and words[0] in getattr(command, "commands", {}):
        path += f" {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    if hasattr(command, "commands") and words and not words[0].startswith("-"):
        return f"{path} has no command {words[0]!r}"
    known = {"--help"} | {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    unknown = [w for w in words if re.match(r"--?[a-z]", w) and w.partition("=")[0] not in known]
    return f"{path} has no option {unknown[0]!r}" if unknown else None


def test_commands_in_running_text_exist() -> None:
    named = {
        (name(page), match[1])
        for page in PAGES
        for match in re.finditer(r"`stelae ([a-z]+)[ `]", page.read_text(encoding="utf-8"))
    }
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [(page, command) for page, command in named if command not in known] == []


def test_make_targets_exist() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    asked = [words[0] for _, words in calls("make")]
    assert asked
    assert set(asked) <= targets


@pytest.mark.parametrize("page", [*of("toml"), *of("yaml")], ids=name)
def test_settings_can_be_loaded(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "toml", "yaml"):
        if block.text.startswith("family:"):
            msgspec.yaml.decode(block.text, type=Family)
            continue
        file = tmp_path / f"settings.{block.language}"
        file.write_text(block.text)
        load_settings(file)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        place, _, part = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        if part and target.suffix == ".md":
            titles = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert f"#{part}" in map(anchor, titles), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_in_running_text_stays_on_its_line(page: Path) -> None:
    """So it can be found, and copied from the page as it is."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    assert [match[0] for match in SPAN.finditer(text) if "\n" in match[2]] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_paths_exist(page: Path) -> None:
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    named = {p for p in PATH.findall(text) if p.endswith(("/", ".py", ".yaml", ".toml"))}
    places = (ROOT, SOURCE, page.parent)
    missing = [
        path
        for path in sorted(named)
        if not any(word in path for word in MADE_LATER)
        and not any((place / path).exists() for place in places)
    ]
    assert missing == []


def test_reference_pages_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("options", [EncodeOptions, ScoreOptions])
def test_every_option_of_the_client_has_a_row(options: Any) -> None:
    page = (ROOT / "docs/client.md").read_text(encoding="utf-8")
    section = page.split("## Scoring")[options is ScoreOptions]
    named = {
        word
        for row in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
        for word in re.findall(r"`(\w+)`", row)
    }
    assert set(options.__annotations__) - named == set()


def test_every_error_has_a_row() -> None:
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    assert [code for code in BY_CODE if f"| `{code}` |" not in page] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150
