"""``stelae registrations``, ``register``, ``engine``, ``cached`` and ``rm`` against a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fix_hub import repo_of, running_hub
from live import live
from typer.testing import CliRunner, Result

from stelae.cli.app import app
from stelae.cli.registering import registration_in
from stelae.cli.shelving import Only, cut, rows
from stelae.errors import InvalidInput
from stelae.types import EngineFit, Variant

OURS = {
    "name": "my-embedder",
    "kind": "embedding",
    "weights": [{"source": "tiny/bert"}],
    "languages": ["de"],
    "dimensions": 32,
}
THEIRS = {
    "version": 2,
    "model_name": "my-chat",
    "model_lang": ["en"],
    "model_ability": ["chat"],
    "context_length": 2048,
    "model_family": "other",
    "model_specs": [
        {
            "model_format": "pytorch",
            "model_size_in_billions": 7,
            "quantization": "none",
            "model_id": "acme/chat",
        }
    ],
}


@pytest_asyncio.fixture
async def server(zoo: Path, tmp_path: Path) -> AsyncIterator[str]:
    with running_hub() as hub:
        hub.repos["tiny/bert"] = repo_of(zoo / "bert-dense")
        place = {"cache": str(tmp_path / "cache"), "endpoint": hub.url}
        async with live(hub=place) as made:
            yield made.url


async def run(server: str, *arguments: str, check: int = 0) -> Result:
    def invoke() -> Result:
        return CliRunner().invoke(app, list(arguments), env={"STELAE_URL": server})

    ended = await asyncio.to_thread(invoke)
    assert ended.exit_code == check, ended.output
    return ended


def written(folder: Path, document: dict[str, Any]) -> str:
    file = folder / "model.json"
    file.write_text(json.dumps(document))
    return str(file)


@pytest.mark.asyncio
async def test_a_registered_model_is_listed_loaded_and_removed(server: str, tmp_path: Path) -> None:
    noted = await run(server, "register", written(tmp_path, OURS), "--no-persist")
    assert "my-embedder is registered" in noted.stderr
    listed = (await run(server, "registrations", "-t", "embedding")).stdout.splitlines()
    row = next(line.split() for line in listed if "my-embedder" in line)
    assert row == ["embedding", "my-embedder", "['de']", "32", "False"]
    engines = (await run(server, "engine", "my-embedder")).stdout.splitlines()
    assert engines[0].split() == ["Name", "Engine", "Format", "Size", "(in", "billions)",
                                  "Quantization"]  # fmt: skip
    assert ["my-embedder", "encoder", "pytorch", "none"] in [line.split() for line in engines]
    assert "no files" in (await run(server, "cached")).stderr

    await run(server, "load", "my-embedder")
    (there,) = json.loads((await run(server, "cached", "--json")).stdout)
    assert (await run(server, "cached")).stdout.split()[:3] == ["NAME", "FORMAT", "SIZE"]
    assert "is ready" in (await run(server, "rm", "my-embedder", "--yes", check=1)).stderr
    await run(server, "unload", "my-embedder")
    assert "--yes" in (await run(server, "rm", "my-embedder", check=2)).stderr
    gone = await run(server, "rm", there["version"], "--yes")
    assert "is removed" in gone.stderr
    assert json.loads((await run(server, "cached", "--json")).stdout) == []
    await run(server, "rm", there["version"], "--yes", check=1)

    await run(server, "unregister", "my-embedder")
    await run(server, "unregister", "my-embedder", check=4)


@pytest.mark.asyncio
async def test_documents_of_xinference_are_taken_with_their_type(
    server: str, tmp_path: Path
) -> None:
    file = written(tmp_path, THEIRS)
    assert "--type" in (await run(server, "register", file, check=2)).stderr
    await run(server, "register", file, "-t", "LLM")
    listed = (await run(server, "registrations")).stdout.splitlines()
    assert ["LLM", "my-chat", "['en']", "['chat']", "False"] in [line.split() for line in listed]
    assert (await run(server, "register", file, "-t", "LLM", check=1)).stderr.startswith("error")


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"\xff", b'{"name": "x"}', b'{"name": "x", "kind": "video"}', b"3"]
)
def test_what_is_no_registration_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="the file is no"):
        registration_in(data, None)


def test_the_type_may_be_told_beside_the_file() -> None:
    data = json.dumps({name: value for name, value in OURS.items() if name != "kind"}).encode()
    assert registration_in(data, "EMBEDDING").kind == "embedding"


def variant(form: str, size: float, *quantizations: str) -> Variant:
    return Variant(
        format=form, size=size, hub="a/b", revision=None, quantizations=quantizations, files=()
    )


FITS = [
    EngineFit(engine="transformers_text", variants=(variant("pytorch", 0.5, "none"),)),
    EngineFit(engine="llama_cpp", variants=(variant("ggufv2", 7.0, "Q4_K", "Q8_0"),)),
]


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        (Only(), [("pytorch", 0.5, "none"), ("ggufv2", 7, "Q4_K"), ("ggufv2", 7, "Q8_0")]),
        (Only(engine="LLAMA_CPP", quantization="q8_0"), [("ggufv2", 7, "Q8_0")]),
        (Only(size="0_5"), [("pytorch", 0.5, "none")]),
        (Only(size="many"), []),
        (Only(format="GGUFv2", quantization="Q4_K"), [("ggufv2", 7, "Q4_K")]),
    ],
)
def test_only_what_was_asked_for_is_left_of_engines(
    only: Only, kept: list[tuple[Any, ...]]
) -> None:
    left = [(fit.engine, fit.variants) for fit in cut(FITS, only)]
    assert [
        (variant.format, variant.size, quantization)
        for _, variants in left
        for variant in variants
        for quantization in variant.quantizations
    ] == kept
    assert only.engine is None or [engine for engine, _ in left] == [only.engine.lower()]


@pytest.mark.asyncio
async def test_variants_that_no_engine_serves_are_refused_with_those_that_there_are(
    server: str,
) -> None:
    told = await run(server, "engine", "qwen3", "--size", "0.7", "--format", "pytorch", check=2)
    assert "size 0.6, 1.7" in told.stderr
    assert told.stdout == ""


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        (Only(), [("pytorch", 0.5, "none"), ("ggufv2", 7, "Q4_K"), ("ggufv2", 7, "Q8_0")]),
        (Only(engine="LLAMA_CPP", quantization="q8_0"), [("ggufv2", 7, "Q8_0")]),
    ],
)
def test_engines_are_told_line_by_line(only: Only, kept: list[tuple[Any, ...]]) -> None:
    assert [tuple(row[2:]) for row in rows("m", FITS, only)] == kept
