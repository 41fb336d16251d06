"""The server as a process: how it starts, tells where it is, and stops."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import psutil
import pytest
from live import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

WAIT = 45.0
"""Seconds after which a process hangs: starting one takes one, or twenty on a busy machine."""

FAKE = """
[models.fake]
source = "embedded"
engine = "fake"
"""

START = "import sys; from stelae.cli import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Started:
    """A server in a process of its own.

    Attributes:
        process: The process; its standard error is a pipe.
        url: Where it listens.
        ready: What its ready file says.
    """

    process: asyncio.subprocess.Process
    url: str
    ready: dict[str, object]

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; exit code and standard error."""
        self.process.send_signal(number)
        return await ended(self.process)


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(WAIT):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@asynccontextmanager
async def run(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """``stelae serve`` with the fake model; killed in the end if it still runs."""
    config = folder / "stelae.toml"
    config.write_text(FAKE)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, "serve", "--config", str(config), *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def served(folder: Path, *arguments: str) -> AsyncIterator[Started]:
    file = folder / "ready.json"
    listen = ("--listen", "http://127.0.0.1:0")
    async with run(folder, *listen, "--ready-file", str(file), *arguments) as process:
        await until(lambda: file.exists() or process.returncode is not None, WAIT)
        assert process.returncode is None, (await ended(process))[1]
        ready = json.loads(file.read_bytes())
        yield Started(process, ready["listen"][0], ready)


def embedding(text: str, model: str = "fake") -> dict[str, str]:
    return {"model": model, "input": text}


async def test_ready_file_and_log_tell_where_the_server_is(tmp_path: Path) -> None:
    listen = ("--listen", "http://localhost:0", "--listen", "grpc://localhost:0")
    async with served(tmp_path, "fake", *listen) as started:
        assert started.ready["pid"] == started.process.pid
        assert started.ready["models"] == ["fake", "all-MiniLM-L6-v2"]
        urls = started.ready["listen"]
        async with httpx.AsyncClient() as http:
            for url in urls[:2]:
                assert (await http.get(f"{url}/readyz")).json()["ready"] is True
        async with grpc.aio.insecure_channel(urls[2].removeprefix("grpc://")) as channel:
            assert await channel.unary_unary("/grpc.health.v1.Health/Check")(b"") == b"\x08\x01"
        code, errors = await started.stop()
    assert code == 0
    assert [url.split(":")[0] for url in urls] == ["http", "http", "grpc"]
    for url in urls:
        assert f"Endpoint: {url}" in errors
    assert not (tmp_path / "ready.json").exists()


async def test_interrupt_stops_as_orderly_as_terminate(tmp_path: Path) -> None:
    async with served(tmp_path, "fake") as started:
        assert (await started.stop(signal.SIGINT))[0] == 0


async def test_every_line_is_json_if_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path, "fake", "--log-format", "json") as started:
        async with httpx.AsyncClient() as http:
            await http.post(f"{started.url}/v1/embeddings", json=embedding("hello"))
        _, errors = await started.stop()
    events = [json.loads(line) for line in errors.splitlines()]
    request = next(event for event in events if event["event"] == "request")
    assert (request["route"], request["status"], request["model"]) == (
        "/v1/embeddings",
        200,
        "fake",
    )


async def test_launches_outlive_a_server_that_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STELAE_STORE__FOLDER", str(tmp_path / "store"))
    asked = {"model": "fake", "uid": "mine", "replicas": 2, "wait": True}
    async with served(tmp_path) as started, httpx.AsyncClient(timeout=WAIT) as http:
        made = await http.post(f"{started.url}/stelae/v1/launches", json=asked)
        assert made.json()["stage"] == "ready"
        await started.stop(signal.SIGKILL)
    (tmp_path / "ready.json").unlink()
    async with served(tmp_path) as started, httpx.AsyncClient(timeout=WAIT) as http:
        again = (await http.get(f"{started.url}/stelae/v1/launches/mine")).json()
        assert (again["call"], again["created"]) == (made.json()["call"], made.json()["created"])
        answer = await http.post(f"{started.url}/v1/embeddings", json=embedding("a", "mine"))
        assert answer.status_code == 200
        await started.stop()


async def test_accepted_requests_are_answered_when_the_server_stops(tmp_path: Path) -> None:
    async with served(tmp_path, "fake") as started, httpx.AsyncClient(base_url=started.url) as http:
        await http.post("/v1/embeddings", json=embedding("warm"))
        asked = [
            asyncio.create_task(http.post("/v1/embeddings", json=embedding(f"!sleep 0.2 {n}")))
            for n in range(12)
        ]
        await worked_on(http, len(asked))
        code, _ = await started.stop()
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * len(asked)
    assert {answer.headers["connection"] for answer in answers} == {"close"}
    assert code == 0


async def test_load_from_many_clients_sees_no_failure_when_the_server_stops(
    tmp_path: Path,
) -> None:
    failures: list[httpx.Response | httpx.HTTPError] = []

    async def keep_asking(url: str) -> int:
        answered = 0
        async with httpx.AsyncClient(base_url=url) as http:
            while True:
                try:
                    answer = await http.post("/v1/embeddings", json=embedding(f"text {answered}"))
                except httpx.ConnectError:
                    return answered  # nobody listens any more: not accepted
                except httpx.HTTPError as error:
                    failures.append(error)
                    return answered
                if answer.status_code != 200:
                    failures.append(answer)
                answered += 1

    async with served(tmp_path, "fake") as started:
        clients = [asyncio.create_task(keep_asking(started.url)) for _ in range(8)]
        async with httpx.AsyncClient(base_url=started.url) as http:
            await counted(http, 50)
        code, _ = await started.stop()
        answered = await asyncio.gather(*clients)
    assert failures == []
    assert sum(answered) >= 50
    assert code == 0


async def test_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    async with served(tmp_path, "fake") as started, httpx.AsyncClient(base_url=started.url) as http:
        asked = asyncio.create_task(http.post("/v1/embeddings", json=embedding("!sleep 60")))
        await worked_on(http, 1)
        started.process.send_signal(signal.SIGTERM)
        await listening_no_more(started.url)
        code, _ = await started.stop()
        answer = (await asyncio.gather(asked, return_exceptions=True))[0]
    assert code == 1
    if isinstance(answer, httpx.Response):
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutting_down")
    else:
        assert isinstance(answer, httpx.HTTPError)


async def test_stop_while_models_load_is_orderly(tmp_path: Path) -> None:
    async with run(tmp_path, "--listen", "http://127.0.0.1:0", "default") as process:
        assert process.stderr is not None
        async with asyncio.timeout(WAIT):
            while b"Endpoint: " not in await process.stderr.readline():
                pass
        process.send_signal(signal.SIGTERM)
        assert (await ended(process))[0] == 0


async def test_workers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    async with served(tmp_path, "fake") as started:
        workers = psutil.Process(started.process.pid).children(recursive=True)
        assert workers
        started.process.kill()
        await started.process.wait()
        await until(lambda: not any(worker.is_running() for worker in workers))


async def failed_start(folder: Path, *arguments: str) -> tuple[int, str]:
    async with run(folder, *arguments) as process:
        code, errors = await ended(process)
    assert "Traceback" not in errors
    assert len(errors.splitlines()) <= 12
    return code, errors


async def test_taken_port_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"http://127.0.0.1:{other.getsockname()[1]}"
        code, errors = await failed_start(tmp_path, "--listen", address)
    assert code == 1
    assert "another program listens there" in errors


async def test_taken_port_of_grpc_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"grpc://127.0.0.1:{other.getsockname()[1]}"
        code, errors = await failed_start(tmp_path, "--listen", address)
    assert code == 1
    assert "another program listens there" in errors


async def test_certificate_that_is_missing_keeps_the_server_from_starting(tmp_path: Path) -> None:
    code, errors = await failed_start(tmp_path, "--listen", "https://127.0.0.1:0")
    assert code == 2
    assert "needs a certificate" in errors


async def test_unknown_model_keeps_the_server_from_starting(tmp_path: Path) -> None:
    code, errors = await failed_start(tmp_path, "--listen", "http://127.0.0.1:0", "fakee")
    assert code == 4
    assert "did you mean 'fake'" in " ".join(errors.split())


async def test_folder_that_is_no_checkpoint_keeps_the_server_from_starting(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _ = await failed_start(tmp_path, "--listen", "http://127.0.0.1:0", str(empty))
    assert code == 1


async def worked_on(http: httpx.AsyncClient, count: int) -> None:
    """Until the server holds so many requests (this question is one more)."""
    wanted = f"stelae_requests_in_flight {count + 1}.0"
    async with asyncio.timeout(10):
        while wanted not in (await http.get("/metrics")).text:
            pass


async def counted(http: httpx.AsyncClient, count: int) -> None:
    """Until the server has run so many items."""
    async with asyncio.timeout(10):
        while True:
            found = re.search(
                r'stelae_items_total{model="fake"} (\S+)', (await http.get("/metrics")).text
            )
            if found and float(found[1]) >= count:
                return


async def listening_no_more(url: str) -> None:
    """Until connections are refused."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return
            writer.close()
