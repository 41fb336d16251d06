"""``stelae verify`` on every small checkpoint: all that the catalog lists is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import zoo as checkpoints
from typer.testing import CliRunner

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.cli.app import app

WRITERS = "it writes; which tokens it writes is compared in tests/parity/test_writing_texts.py"
FINDERS = "it finds things; the library that it is compared with elsewhere is the one that runs"

HEARERS = "it writes down what is said; compared in tests/parity/test_hearing.py"
SPEAKERS = "it reads aloud; the sound is compared in tests/parity/test_speech.py"

WITHOUT: dict[str, str] = dict.fromkeys(
    (
        "detr",
        "donut",
        "florence2",
        "gliclass",
        "gliclass-average",
        "gliner-bi",
        "gliner-bi-token",
        "gliner-relations",
        "gliner-span",
        "gliner-token",
        "grounding-dino",
        "owlv2",
        "rt-detr",
    ),
    FINDERS,
) | {
    **dict.fromkeys(("llama-chat", "qwen2-5-vl-chat", "qwen2-vl-chat", "qwen3-chat"), WRITERS),
    **dict.fromkeys(("whisper", "whisper-english", "whisper-full"), HEARERS),
    **dict.fromkeys(("bark", "vits", "vits-roman", "vits-voices"), SPEAKERS),
}
"""Checkpoints of which nothing is compared, and why."""

SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]


def verified(folder: Path) -> tuple[int, dict[str, Any]]:
    """The exit code and the report."""
    command = ["verify", f"mine={folder}", "--samples", "12", "--dtype", "float32", "--json"]
    ended = CliRunner().invoke(app, command, env={"STELAE_URL": None})
    return ended.exit_code, json.loads(ended.stdout or "{}")


def spec_of(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="mine", source=str(folder))]).spec("mine")


def listed(spec: ModelSpec) -> set[tuple[str, bool]]:
    """Kinds of numbers that the catalog lists, and whether they are of pictures."""
    made = {(output.value, kind == "image") for output in spec.outputs for kind in spec.inputs}
    return made | ({("scores", False)} if spec.scoring is not None else set())


@pytest.mark.parametrize("name", [name for name in SOUND if name not in WITHOUT])
def test_everything_that_the_catalog_lists_is_compared_and_agrees(zoo: Path, name: str) -> None:
    code, report = verified(zoo / name)
    assert code == 0, report
    found = {(row["output"], row["side"] == "image") for row in report["rows"]}
    assert listed(spec_of(zoo / name)) <= found
    assert all(row["verdict"] == "ok" and row["compared"] > 0 for row in report["rows"])


@pytest.mark.parametrize("name", WITHOUT)
def test_what_is_not_compared_makes_no_numbers_and_is_no_success(zoo: Path, name: str) -> None:
    spec = spec_of(zoo / name)
    assert listed(spec) == set()
    does = (spec.extraction, spec.generation, spec.hearing, spec.speaking)
    assert any(ability is not None for ability in does)
    assert verified(zoo / name)[0] == 5
