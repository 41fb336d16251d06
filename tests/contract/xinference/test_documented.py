"""Every block of code in Xinference's guide to its clients, with the real ones and with ours.

With ours only the line that imports is another. The models that the guide names are small ones
here: the chat model was trained to answer the guide's own questions, and Whisper to write down
tones. What OpenAI's and Anthropic's clients ask is asked of the models that were launched before.

Source: Xinference, user guide "Client API".
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import clients
import fix_media
import pytest
import pytest_asyncio
from fix_rerank import PAIRS
from fix_sound import recorded
from live import Live, live
from repo import ROOT
from safetensors.torch import load_file, save_file
from tiny.chat.prompts import PROMPTS
from tiny.gguf import write_gguf
from tiny.tones import dtmf

pytest.importorskip("llama_cpp")

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

HERE = Path(__file__).parent
BLOCKS = {block.stem: block for block in sorted((HERE / "documented").glob("*.py"))}
RUNNER = HERE / "block_runner.py"
ENVIRONMENTS = {"openai": "openai-3", "anthropic": "anthropic-2.12.0"}
REAL = "xinference-4.1.0"

IMPORT = re.compile(r"^from xinference\.client import Client$", re.MULTILINE)
THEIRS = "from xinference_client import RESTfulClient as Client"
"""The same client in the light package, which has no server with it."""

OURS = "from stelae.xinference import Client"

ADDRESS = "http://localhost:9997"
TALKER = ROOT / "tests" / "data" / "chat"
ANSWERS = {prompt.user: prompt for prompt in PROMPTS}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recording that the guide opens."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "audio.mp3").write_bytes(recorded(dtmf("31415")[None], 16_000, "mp3"))
    return folder


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chat model as a file of llama.cpp."""
    folder = tmp_path_factory.mktemp("gguf")
    shutil.copytree(TALKER, folder, dirs_exist_ok=True)
    weights = folder / "model.safetensors"
    save_file({name: one.float() for name, one in load_file(weights).items()}, weights)
    return write_gguf(folder, folder / "chat.gguf", "f32")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    zoo: Path, gguf: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Live]:
    media = tmp_path_factory.mktemp("media")
    talker = {"source": str(TALKER), "dtype": "float32"}
    models = {
        "glm4-chat": {"source": str(gguf)},
        "chatglm3": talker,
        "qwen3": talker,
        "bge-small-en-v1.5": {"source": str(zoo / "bert-mean")},
        "stable-diffusion-v1.5": fix_media.settings(media, "painter", fix_media.PAINTER),
        "whisper-large-v3": {"source": str(ROOT / "tests" / "data" / "dtmf"), "dtype": "float32"},
        "bge-reranker-base": PAIRS,
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models) as made:
            yield made


def python_of(block: str, whose: str) -> Path:
    """The Python that has the clients of a block."""
    name = ENVIRONMENTS.get(block.rpartition("_")[2], REAL)
    if name == REAL and whose != "theirs":
        return Path(sys.executable)
    try:
        return clients.python_of(name)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine


async def run(block: str, whose: str, url: str, place: Path, uid: str = "") -> dict[str, Any]:
    """What a block says: the model that it launched or asked, and what that made."""
    text = BLOCKS[block].read_text("utf-8").replace(ADDRESS, url)
    line = {"theirs": THEIRS, "ours": OURS}[whose]
    script = place / f"{block}.py"
    script.write_text(IMPORT.sub(line, text), "utf-8")
    python = await asyncio.to_thread(python_of, block, whose)
    running = await asyncio.create_subprocess_exec(
        *(python, "-W", "error", RUNNER, script, uid),
        cwd=place,
        env={"ANTHROPIC_API_KEY": "any"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await running.communicate()
    assert running.returncode == 0, err.decode()
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


WHOSE = pytest.mark.parametrize("whose", ["theirs", "ours"])


@WHOSE
async def test_language_models(whose: str, server: Live, place: Path) -> None:
    answer = ANSWERS["What is the largest animal?"].text
    told = await run("01_chat", whose, server.url, place)
    assert told["made"]["choices"][0]["message"]["content"] == answer
    assert told["made"]["model"] == told["model_uid"]
    asked = await run("02_chat_openai", whose, server.url, place, told["model_uid"])
    assert asked["made"]["choices"][0]["message"]["content"] == answer


async def test_tools_and_messages_of_models_that_are_named(server: Live, place: Path) -> None:
    ride = ANSWERS["Call me an Uber ride type 'Plus' in Berkeley at zipcode 94704 in 10 minutes"]
    told = await run("03_tools_openai", "theirs", server.url, place)
    (choice,) = told["made"]["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "uber_ride"
    assert json.loads(call["function"]["arguments"]) == ride.arguments
    message = await run("04_messages_anthropic", "theirs", server.url, place)
    (said,) = message["made"]["content"]
    assert (said["type"], said["text"]) == ("text", ANSWERS["Hello, Claude"].text)


@WHOSE
async def test_embeddings(whose: str, server: Live, place: Path) -> None:
    told = await run("05_embedding", whose, server.url, place)
    (row,) = told["made"]["data"]
    assert (told["made"]["object"], row["object"], row["index"]) == ("list", "embedding", 0)
    asked = await run("06_embedding_openai", whose, server.url, place, told["model_uid"])
    assert asked["made"]["data"][0]["embedding"] == pytest.approx(row["embedding"], abs=1e-6)
    assert told["made"]["usage"]["total_tokens"] == asked["made"]["usage"]["total_tokens"] > 0


@WHOSE
async def test_images(whose: str, server: Live, place: Path) -> None:
    told = await run("07_image", whose, server.url, place)
    (image,) = told["made"]["data"]
    assert image["url"]
    assert image["b64_json"] is None
    asked = await run("08_image_openai", whose, server.url, place, told["model_uid"])
    (image,) = asked["made"]["data"]
    assert image["url"] or image["b64_json"]


@WHOSE
async def test_sound(whose: str, server: Live, place: Path) -> None:
    told = await run("09_audio", whose, server.url, place)
    assert told["made"]["text"] == "three one four one five"
    asked = await run("10_audio_openai", whose, server.url, place, told["model_uid"])
    assert asked["made"]["text"] == "three one four one five"


@WHOSE
async def test_ranks(whose: str, server: Live, place: Path) -> None:
    told = (await run("11_rerank", whose, server.url, place))["made"]
    assert sorted(row["index"] for row in told["results"]) == [0, 1, 2, 3, 4]
    scores = [row["relevance_score"] for row in told["results"]]
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= score <= 1.0 for score in scores)
    best = told["results"][0]
    assert (best["index"], best["document"]) == (0, "A man is eating food.")
    assert told["id"]


@pytest.mark.parametrize("kind", ["LLM", "embedding", "image", "audio"])
async def test_lists_of_registrations(kind: str, server: Live, place: Path) -> None:
    # ``xinference`` itself is not to be had without its server.
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "stelae.xinference", "registrations", "-t", kind),
        cwd=place,
        env={"XINFERENCE_ENDPOINT": server.url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await running.communicate()
    wanted = cells((HERE / "documented" / f"registrations_{kind}.txt").read_text("utf-8"))
    found = cells(told.decode())
    assert found[0] == wanted[0]
    assert {row[1]: without_abilities(row) for row in wanted}.items() <= {
        row[1]: without_abilities(row) for row in found
    }.items()


def cells(table: str) -> list[list[str]]:
    """The cells of a table, row by row, without the dashes."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in table.splitlines() if line.strip()]
    return [row for row in rows if not row[0].startswith("--")]


def without_abilities(row: list[str]) -> list[str]:
    """A row without what a chat model can do: there the guide counts as releases before 1.0 did."""
    return [*row[:3], row[4]] if row[0] == "LLM" else row
