"""``stelae launch``, ``list`` and ``terminate`` against a server in this process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from live import live
from typer.testing import CliRunner, Result

from stelae.cli import launched, launching
from stelae.cli.app import app
from stelae.errors import InvalidInput
from stelae.types import FileProgress, LaunchCall, LaunchInfo, Stage


async def run(server: str, *arguments: str, check: int = 0) -> Result:
    def invoke() -> Result:
        return CliRunner().invoke(app, list(arguments), env={"STELAE_URL": server})

    ended = await asyncio.to_thread(invoke)
    assert ended.exit_code == check, ended.output
    return ended


@pytest.mark.asyncio
async def test_a_model_is_launched_listed_and_taken_down() -> None:
    async with live() as server:
        begun = await run(server.url, "launch", "fake", "--uid", "mine")
        assert begun.stdout == "mine\n"
        assert "fake is ready" in begun.stderr
        shown = (await run(server.url, "list")).stdout.splitlines()
        assert shown[0].split() == ["UID", "Type", "Name", "Dimensions", "Stage"]
        assert shown[2].split() == ["mine", "embedding", "fake", "384", "ready"]
        told = json.loads((await run(server.url, "list", "--json")).stdout)
        assert [(info["uid"], info["stage"]) for info in told] == [("mine", "ready")]
        await run(server.url, "terminate", "mine")
        assert (await run(server.url, "list", "-q")).stdout == ""
        await run(server.url, "terminate", "mine", check=4)


@pytest.mark.asyncio
async def test_what_cannot_be_launched_is_told_with_its_exit_code() -> None:
    async with live() as server:
        missing = await run(server.url, "launch", "no-such-model", check=4)
        assert "no-such-model" in missing.stderr
        await run(server.url, "launch", "fake", "--uid", "mine", "--no-wait")
        taken = await run(server.url, "launch", "fake", "--uid", "mine", check=1)
        assert taken.stderr.startswith("error: ")
        wrong = await run(server.url, "launch", "fake", "-t", "LLM", "--uid", "b", check=2)
        assert "kind" in wrong.stderr


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ({"kind": "LLM"}, {"kind": "llm"}),
        ({"gpus": ["0, 1", "cpu"]}, {"gpus": [[0, 1], []]}),
        ({"loras": ["a=b=c"]}, {"loras": {"a": "b=c"}}),
        ({"environment": ["A="]}, {"environment": {"A": ""}}),
        ({"size": None, "replicas": 2}, {"replicas": 2}),
    ],
)
def test_words_become_options(given: dict[str, Any], asked: dict[str, Any]) -> None:
    words = {"kind": None, "gpus": None, "loras": None, "environment": None, **given}
    assert launching.options_of(**words) == asked


@pytest.mark.parametrize(
    "given", [{"gpus": ["0-3"]}, {"gpus": [""]}, {"loras": ["a"]}, {"environment": ["=b"]}]
)
def test_words_that_cannot_be_read_are_refused(given: dict[str, Any]) -> None:
    words = {"kind": None, "gpus": None, "loras": None, "environment": None, **given}
    with pytest.raises(InvalidInput):
        launching.options_of(**words)


def info(model: str, stage: Stage = Stage.READY, **call: Any) -> LaunchInfo:
    asked = LaunchCall(model=model, uid=f"my-{model}", **call)
    return LaunchInfo(uid=f"my-{model}", call=asked, stage=stage)


def test_each_type_has_a_table_with_the_variant_that_was_launched() -> None:
    found = [
        info("bge-reranker-base"),
        info("glm4-chat", format="ggufv2", size=9, quantization="q4_k"),
    ]
    assert [line.split() for line in launched.tables(found, {})] == [
        ["UID", "Type", "Name", "Format", "Size", "(in", "billions)", "Quantization", "Stage"],
        ["------------", "------", "---------", "--------", "--------------------",
         "--------------", "-------"],
        ["my-glm4-chat", "LLM", "glm4-chat", "ggufv2", "9", "Q4_K", "ready"],
        [],
        ["UID", "Type", "Name", "Stage"],
        ["--------------------", "------", "-----------------", "-------"],
        ["my-bge-reranker-base", "rerank", "bge-reranker-base", "ready"],
    ]  # fmt: skip


def test_downloads_are_told_in_bytes() -> None:
    files = (
        FileProgress(name="a/b", done=1 << 20, total=3 << 20),
        FileProgress(name="a/c", done=0, total=1 << 20),
    )
    under_way = LaunchInfo(
        uid="m", call=LaunchCall(model="m"), stage=Stage.DOWNLOADING, files=files
    )
    assert launching.told(under_way) == "downloading 1.0 MiB of 4.0 MiB"
    assert launching.told(info("m", Stage.LOADING)) == "loading"
