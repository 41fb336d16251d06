"""The code of the client's own reference, with its client and with ours: only imports change.

What the reference leaves open (which pictures, which addresses) is filled in.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import http.server
import json
import os
import re
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import clients
import pytest
import pytest_asyncio
from live import Live, live
from PIL import Image
from repo import ROOT

pytest.importorskip("stelae.engines.encoder.engine")  # torch, before threads import it

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

HERE = Path(__file__).parent / "documented"
RUNNER = Path(__file__).parents[1] / "sie" / "script_runner.py"
BLOCKS = sorted(HERE.glob("*.py"))
COMMANDS = sorted(HERE.glob("*.sh"))
SHAPES = ROOT / "tests" / "data" / "clip-shapes"
REAL = "clip-0.8.3"

IMPORT = re.compile(r"^from (clip_client|docarray) import", re.MULTILINE)
SERVER = re.compile(r"(grpcs?|http)://0\.0\.0\.0:51000")
COLUMNS = 40
"""Numbers in a vector of this model."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Gives files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures that the code names."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "images").mkdir()
    picture = Image.new("RGB", (64, 48), (200, 30, 30))
    for name in ("apple.png", "favicon.png", "rerank.png", "images/a.png", "images/b.png"):
        picture.save(folder / name)
    picture.save(folder / "test-1.jpeg")
    return folder


@pytest.fixture(scope="module")
def files(place: Path) -> Iterator[str]:
    """An address where those pictures are."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(place))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(files: str) -> AsyncIterator[Live]:
    models = {"clip": {"source": str(SHAPES)}}
    hosts = [files.removeprefix("http://")]
    at = ("http://127.0.0.1:0", "grpc://127.0.0.1:0")
    async with live(at=at, models=models, fetch={"hosts": hosts}) as made:
        await made.house.fleet.load("clip")
        yield made


def real() -> Path:
    try:
        return clients.python_of(REAL)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine


@pytest.mark.parametrize("protocol", ["grpc", "http", "ws"])
@pytest.mark.parametrize("whose", ["theirs", "ours"])
async def test_documented_code_runs(
    whose: str, protocol: str, server: Live, place: Path, files: str
) -> None:
    said = await outputs(whose, address(server, protocol), place, files)
    assert said["01_construct"] == ""
    width = 64 if (whose, protocol) == ("theirs", "http") else 32
    assert said["02_encode_strings"] == f"(4, {COLUMNS}) float{width}\n"
    assert said["03_encode_documents"].startswith("DocumentArray")
    assert said["04_encode_array"].endswith(f"(3, {COLUMNS})\n")
    assert summary_of(said["04_encode_array"]) == {
        *("Documents Summary", "Attributes Summary", "embedding", "mime_type", "text", "uri")
    }
    assert said["05_batch_size_and_progress"].count(f"(3, {COLUMNS})") == 2
    assert f"(100, {COLUMNS})\n" in said["06_generator"]
    assert said["07_iglob"] == "2\n"
    assert said["08_one_at_a_time"] == f"[({COLUMNS},), ({COLUMNS},)]\n"
    assert said["09_async"] == f"(100, {COLUMNS})\n"
    check_ranking(said["10_rank"], 5)
    check_ranking(said["11_rank_pictures"], 2)
    assert said["12_profile"].count("Client-server network") == 2


def address(server: Live, protocol: str) -> str:
    """Where the server speaks a protocol; WebSockets are where HTTP is."""
    http, grpc = server.urls
    return {"http": http, "grpc": grpc, "ws": http.replace("http", "ws", 1)}[protocol]


def summary_of(shown: str) -> set[str]:
    words = ("Documents Summary", "Attributes Summary", "embedding", "mime_type", "text", "uri")
    return {word for word in words if word in shown}


def check_ranking(shown: str, matches: int) -> None:
    """What was compared, best first, and its shares of 1."""
    named, scores = ast.literal_eval(shown)
    assert len(named) == len(scores) == matches
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-5)


async def outputs(whose: str, url: str, place: Path, files: str) -> dict[str, str]:
    """What each block prints, by its name."""
    python = Path(sys.executable) if whose == "ours" else await asyncio.to_thread(real)
    scripts = [written(block, whose, url, place, files) for block in BLOCKS]
    quiet = {"NO_VERSION_CHECK": "1", "JINA_OPTOUT_TELEMETRY": "1", "JINA_LOG_LEVEL": "CRITICAL"}
    runner = await asyncio.create_subprocess_exec(
        *(python, RUNNER, *scripts),
        cwd=place,
        env={**os.environ, **quiet},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await runner.communicate()
    told = [json.loads(line) for line in out.splitlines() if line.startswith(b'{"file')]
    assert len(told) == len(scripts), errors.decode()
    assert not [row["fault"] for row in told if row["fault"]]
    return {Path(row["file"]).stem: row["said"] for row in told}


def filled(block: Path, url: str, files: str) -> str:
    """The block with addresses that are here."""
    text = SERVER.sub(url, block.read_text("utf-8"))
    return text.replace("http://0.0.0.0:8000", files)


def written(block: Path, whose: str, url: str, place: Path, files: str) -> Path:
    """The block as a script for one of the clients."""
    text = filled(block, url, files)
    if whose == "ours":
        text, changed = IMPORT.subn("from stelae.clip import", text)
        assert changed
    script = place / whose / block.name
    script.parent.mkdir(exist_ok=True)
    script.write_text(text, "utf-8")
    return script


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.stem)
async def test_documented_commands_run(
    command: Path, server: Live, place: Path, files: str
) -> None:
    text = filled(command, server.url, files)
    done = await asyncio.create_subprocess_shell(text, cwd=place, stdout=asyncio.subprocess.PIPE)
    out, _ = await done.communicate()
    if "jq" in text:
        rows = [json.loads(line) for line in out.splitlines()]
    else:
        answer = json.loads(out)
        assert answer["header"]["execEndpoint"] == "/"
        rows = [document["embedding"] for document in answer["data"]]
    assert [len(row) for row in rows] == [COLUMNS] * text.count('{"text"') + [COLUMNS] * (
        ("blob" in text) + ('"uri"' in text)
    )
