"""``python -m stelae.xinference``: Xinference's commands against a server in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from live import FAKE, live
from typer.testing import CliRunner, Result

from stelae.cli.xinference import launching, listing, registry, talking
from stelae.cli.xinference.app import app, joined
from stelae.client import _login
from stelae.errors import InvalidInput

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(zoo: Path) -> AsyncIterator[str]:
    writer = {"source": str(zoo / "qwen3-chat"), "engine": "fake_text"}
    async with live(models={"fake": FAKE, "writer": writer}) as made:
        yield made.url


async def run(server: str, *words: str, check: int = 0, typed: str = "") -> Result:
    def invoke() -> Result:
        env = {"XINFERENCE_ENDPOINT": server}
        return CliRunner().invoke(app, joined(words), env=env, input=typed)

    ended = await asyncio.to_thread(invoke)
    assert ended.exit_code == check, ended.output
    return ended


async def test_a_model_is_launched_listed_and_terminated(server: str) -> None:
    words = ["launch", "--model-name", "fake", "-t", "embedding", "--model-uid", "mine"]
    assert (await run(server, *words)).stderr.endswith("Model uid: mine\n")
    lines = (await run(server, "list")).stderr.splitlines()
    assert ["UID", "Type", "Name", "Dimensions"] in [line.split() for line in lines]
    assert ["mine", "embedding", "fake", "384"] in [line.split() for line in lines]
    assert (await run(server, "terminate", "--model-uid", "mine")).output == ""
    await run(server, "terminate", "--model-uid", "mine", check=1)


async def test_memory_of_a_model_is_estimated_from_its_measures(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("STELAE_HUB__CACHE", str(tmp_path))
    known = ["cal-model-mem", "-f", "pytorch", "-c", "4096"]
    guessed = await run(server, *known, "-s", "6.7")
    facts = dict(
        line.strip().split(": ", 1) for line in guessed.stdout.splitlines() if ": " in line
    )
    assert facts["model mem"] == "12780 MB"  # 6.7e9 weights of two bytes
    assert facts["context"] == "4096"
    assert guessed.stderr.startswith("an estimate, with its number of parameters")
    away = await run(server, *known, "-s", "0_6", "-n", "qwen3")
    assert "cannot be looked at" in away.stderr
    wrong = await run(server, *known, "-s", "9", "-n", "qwen3", check=2)
    assert "0.6, 1.7, 4" in wrong.stderr
    for odd in (["-s", "big"], ["-s", "1", "-f", "zip"], ["-s", "1", "--kv-cache-dtype", "7"]):
        await run(server, *known, *odd, check=2)


async def test_places_of_replicas_are_read_as_json() -> None:
    places = [{"devices": [{"gpu_idx": [0]}]}, {"devices": [{"gpu_idx": [1]}]}]
    assert launching.replicas(1, json.dumps(places)) == {"replica": 2, "replica_config": places}
    assert launching.replicas(3, None) == {"replica": 3}
    for odd in ("", "{}", "[1]", "[" * 5000):
        with pytest.raises(InvalidInput):
            launching.replicas(1, odd)


async def test_what_is_refused_is_told(server: str) -> None:
    ended = await run(server, "launch", "-n", "no-such-model", check=1)
    assert ended.stderr.startswith("error: Failed to launch model, detail: ")
    away = await run("http://127.0.0.1:9", "list", check=3)
    assert away.stderr.startswith("error: ")


async def test_registrations_are_the_documented_table_on_stderr(server: str) -> None:
    shown = await run(server, "registrations", "-t", "audio")
    lines = shown.stderr.splitlines()
    assert shown.stdout == ""
    assert lines[0].split() == ["Type", "Name", "Family", "Multilingual", "Is-built-in"]
    assert ["audio", "whisper-tiny.en", "whisper", "False", "True"] in [x.split() for x in lines]


async def test_models_are_registered_and_taken_out(server: str, tmp_path: Path) -> None:
    document = {
        "model_name": "my-embedder",
        "dimensions": 384,
        "max_tokens": 256,
        "language": ["en"],
        "model_specs": [{"model_format": "pytorch", "model_id": "acme/a", "quantization": "none"}],
    }
    file = tmp_path / "model.json"
    file.write_text(json.dumps(document))
    assert (await run(server, "register", "-t", "embedding", "-f", str(file))).output == ""
    lines = (await run(server, "registrations", "-t", "embedding")).stderr.splitlines()
    row = next(line.split() for line in lines if "my-embedder" in line)
    assert row == ["embedding", "my-embedder", "['en']", "384", "False"]
    shown = (await run(server, "engine", "-n", "my-embedder", "-t", "embedding")).stderr
    assert shown.split("\n", 1)[0].split()[:3] == ["Name", "Engine", "Format"]
    await run(server, "unregister", "-t", "embedding", "-n", "my-embedder")
    await run(server, "unregister", "-t", "embedding", "-n", "my-embedder", check=1)


@pytest.mark.parametrize("stream", ["True", "False"])
async def test_texts_are_gone_on_with_until_an_empty_line(server: str, stream: str) -> None:
    words = ["--model-uid", "writer", "--stream", stream, "--max_tokens", "5"]
    ended = await run(server, "generate", *words, typed="one\n\n")
    assert ended.stdout.startswith("Prompt: ")
    assert "Completion: " in ended.stdout
    talk = await run(server, "chat", *words, typed="hello\nagain\n\n")
    assert talk.stdout.count("Assistant: ") == 2


async def test_nothing_in_the_cache_is_said(server: str) -> None:
    shown = await run(server, "cached", "-n", "no-such-model")
    assert shown.stdout == "There is no cache of no-such-model.\n"


async def test_a_login_is_kept_for_its_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    async with live(api_keys=["sesame"]) as made:
        await run(made.url, "list", check=1)
        await run(made.url, "list", "-ak", "sesame")
        await run(made.url, "login", "--username", "ann", "--password", "sesame")
        assert _login.key_of(made.url)
        await run(made.url, "list")
        await run(made.url, "login", "--username", "ann", "--password", "wrong", check=1)


TELLS = [
    (["-lm", "a", "b c", "-n", "x"], ["-lm", "a\0b c", "-n", "x"]),
    (["-ev", "A", "1", "-ev", "B", "2"], ["-ev", "A\0001", "-ev", "B\0002"]),
    (["-ev", "A"], ["-ev", "A"]),
]


@pytest.mark.parametrize(("words", "one"), TELLS)
async def test_options_of_two_words_are_one(words: list[str], one: list[str]) -> None:
    assert joined(words) == one


async def test_further_options_are_handed_on_as_what_they_stand_for() -> None:
    words = ["--max-model-len", "8", "--cpu_offload", "0.5", "--flag", "true", "--name", "x y"]
    told = {"max_model_len": 8, "cpu_offload": 0.5, "flag": True, "name": "x y"}
    assert launching.further(words, None) == told
    config = {"quantization_config": {"bits": 4, "kind": "none"}}
    assert launching.further([], ["bits\0004", "kind\0none "]) == {
        "quantization_config": config["quantization_config"] | {"kind": "none "}
    }
    for odd in (["stray"], ["--a", "1", "--b"]):
        with pytest.raises(InvalidInput, match="--key value"):
            launching.further(odd, None)


@pytest.mark.parametrize(("text", "count"), [("auto", "auto"), ("None", None), ("2", 2), ("0", 0)])
async def test_gpus_are_a_number_or_a_word(text: str, count: Any) -> None:
    assert launching.gpu_count(text) == count


async def test_words_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(InvalidInput, match="n-gpu"):
        launching.gpu_count("-1")
    with pytest.raises(InvalidInput, match="gpu-idx"):
        launching.numbers("0,x")
    assert launching.numbers("0,1") == [0, 1]
    assert (launching.size_of("7"), launching.size_of("1_8")) == (7, "1_8")


async def test_adapters_are_named_with_their_places() -> None:
    assert launching.adapters(None, None, None) is None
    assert launching.adapters(["law\0/models/law"], ["scale\0001"], None) == {
        "lora_list": [{"lora_name": "law", "local_path": "/models/law"}],
        "image_lora_load_kwargs": {"scale": "1"},
        "image_lora_fuse_kwargs": {},
    }


async def test_each_type_has_its_table() -> None:
    models: dict[str, dict[str, Any]] = {
        "b": {"model_type": "image", "model_name": "sd-turbo", "controlnet": None},
        "a": {
            "model_type": "LLM",
            "model_name": "qwen3",
            "model_format": "ggufv2",
            "model_size_in_billions": 8,
            "quantization": "Q4_K_M",
        },
    }
    assert [line.split() for line in listing.tables(models) if "-" not in line] == [
        ["UID", "Type", "Name", "Format", "Size", "(in", "billions)", "Quantization"],
        ["a", "LLM", "qwen3", "ggufv2", "8", "Q4_K_M"],
        [],
        ["UID", "Type", "Name", "Controlnet"],
        [],
    ]


async def test_engines_are_cut_down_to_what_is_asked_for() -> None:
    found = {
        "llama.cpp": [
            {"model_format": "ggufv2", "model_size_in_billions": "1_8", "quantizations": ["q4"]}
        ],
        "vLLM": "is not installed",
    }
    rows = list(registry._combinations("m", found))
    assert rows == [["m", "llama.cpp", "ggufv2", "1_8", "q4"]]
    assert registry._takes(rows[0], {"size": "1.8", "engine": "LLAMA.CPP", "format": None})
    assert not registry._takes(rows[0], {"quantization": "q8"})


@pytest.mark.parametrize(("word", "stream"), [("True", True), ("false", False), ("1", True)])
async def test_streaming_is_a_truth(word: str, stream: bool) -> None:
    assert talking.config(5, word) == {"max_tokens": 5, "stream": stream}


@pytest.mark.parametrize("words", [["-lm", "law"], ["-ev", "A"], ["-qc", "bits"]])
async def test_an_option_of_two_words_is_refused_with_one(server: str, words: list[str]) -> None:
    ended = await run(server, "launch", "--model-name", "fake", *words, check=2)
    assert "two words were expected" in ended.stderr
