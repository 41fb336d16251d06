"""The command line against a server that it started itself."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from stelae.cli.app import app
from stelae.engines.fake.engine import terms, token_vectors, vector

STELAE = [sys.executable, "-c", "from stelae.cli import main; main()"]
WAIT = 50.0
WIDTH = 384

CONFIG = """
[models.fake]
source = "embedded"
engine = "fake"

[log]
level = "warning"
"""


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STELAE_")}
    return {**kept, "NO_COLOR": "1", **more}


def stelae(
    *arguments: str, stdin: str = "", check: int = 0, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; fails unless it exits with ``check``."""
    ended = subprocess.run(
        [*STELAE, *arguments],
        input=stdin,
        text=True,
        capture_output=True,
        timeout=WAIT,
        env=environment(**variables),
    )
    assert ended.returncode == check, ended.stderr
    return ended


def started(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a command whose stderr is read later."""
    return subprocess.Popen(
        [*STELAE, *arguments], env=environment(**variables), stderr=subprocess.PIPE, text=True
    )


def until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    """Look until a process that runs on its own has got somewhere."""
    end = time.monotonic() + WAIT
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)


def working(server: Served) -> int:
    """Requests that a server works on beside the one that asks for that."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    (now,) = (line.split()[1] for line in lines if line.startswith("stelae_requests_in_flight "))
    return int(float(now)) - 1


def served(folder: Path, *arguments: str, **variables: str) -> tuple[subprocess.Popen[str], str]:
    """Start a server on a free port; returns when it is ready."""
    ready = folder / "ready.json"
    listen = ("--listen", "http://127.0.0.1:0", "--ready-file", str(ready))
    process = started("serve", *arguments, *listen, **variables)
    until(process, ready.exists)
    return process, json.loads(ready.read_text())["listen"][0]


def stopped(process: subprocess.Popen[str]) -> int:
    """Stop a server in order; returns its exit code."""
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=WAIT)
    finally:
        process.kill()
    return process.returncode


@dataclass(frozen=True)
class Served:
    """Runs commands in this process that use one server."""

    url: str

    def __call__(self, *arguments: str, stdin: str = "", check: int = 0) -> Result:
        ended = CliRunner().invoke(
            app, list(arguments), input=stdin, env={"STELAE_URL": self.url, "NO_COLOR": "1"}
        )
        assert ended.exit_code == check, ended.stderr
        return ended


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with the fake engine, on a free port."""
    folder = tmp_path_factory.mktemp("server")
    config = folder / "stelae.toml"
    config.write_text(CONFIG)
    process, url = served(folder, "fake", "--config", str(config))
    yield Served(url)
    assert stopped(process) == 0
    assert not (folder / "ready.json").exists()


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_loaded_models_are_listed(server: Served) -> None:
    loaded = {info["name"]: info for info in json.loads(server("ps", "--json").stdout)}
    assert (loaded["fake"]["state"], loaded["fake"]["engine"]) == ("ready", "fake")
    assert loaded["fake"]["fingerprint"] == "fake"


def test_models_are_a_plain_table_in_a_pipe(server: Served) -> None:
    shown = server("models").stdout.splitlines()
    assert shown[0].split()[:3] == ["NAME", "STATE", "ENGINE"]
    assert {line.split()[0] for line in shown[1:]} == {"fake", "all-MiniLM-L6-v2"}
    assert "\x1b" not in "".join(shown)


def test_unload_and_load_again(server: Served) -> None:
    assert json.loads(server("unload", "fake", "--json").stdout)["state"] == "available"
    assert "fake" not in server("ps", "--quiet").stdout.split()
    assert json.loads(server("load", "fake", "--json").stdout)["state"] == "ready"
    assert "fake" in server("ps", "--quiet").stdout.split()


def test_lines_of_stdin_become_lines_of_json(server: Served) -> None:
    found = rows(server("embed", "-m", "fake", stdin="one\n\ntwo words\n").stdout)
    assert [row["index"] for row in found] == [0, 1, 2]
    assert [row["tokens"] for row in found] == [1, 1, 2]
    np.testing.assert_allclose(found[2]["embedding"], vector("two words", WIDTH))


def test_failed_items_are_marked_and_counted(server: Served, tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.npy"
    texts = ["fine", "!bad", "fine too", "word " * 300]
    source.write_text("".join(json.dumps({"body": t, "key": t[:4]}) + "\n" for t in texts))
    options = ["-m", "fake", "--field", "body", "--id-field", "key", "-o", str(out), "--json"]
    ended = server("embed", str(source), *options, check=1)
    summary = json.loads(ended.stdout)
    assert (summary["rows"], summary["failed"], summary["truncated"]) == (4, 1, 1)
    assert "1 of 4 items failed" in ended.stderr
    assert "1 of 4 items were longer than the model reads" in ended.stderr
    assert np.isnan(np.load(out)).all(axis=1).tolist() == [False, True, False, False]
    (listed,) = rows((tmp_path / "out.npy.errors.jsonl").read_text())
    assert (listed["index"], listed["id"]) == (1, "!bad")


def test_too_long_texts_fail_if_asked(server: Served) -> None:
    text = "word " * 300
    ended = server("embed", "-m", "fake", "--truncate", "error", stdin=text, check=1)
    assert rows(ended.stdout)[0]["error"]["code"] == "input_too_long"


def test_terms_become_lines_of_json(server: Served) -> None:
    ended = server(
        "embed", "-m", "fake", "--output-type", "sparse", stdin="one two one\n!bad\n", check=1
    )
    made, failed = rows(ended.stdout)
    assert set(made["embedding"]) == {"indices", "values"}
    found = dict(zip(made["embedding"]["indices"], made["embedding"]["values"], strict=True))
    assert found == terms("one two one")
    assert (failed["embedding"], failed["error"]["code"]) == (None, "invalid_input")
    assert "sparse, " in ended.stderr


def test_token_vectors_become_lines_of_json(server: Served, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options = ["-m", "fake", "--output-type", "multivector", "-o", str(out), "--json"]
    summary = json.loads(server("embed", *options, stdin="one\ntwo words\n").stdout)
    assert (summary["rows"], summary["dimensions"]) == (2, 4)
    np.testing.assert_allclose(rows(out.read_text())[1]["embedding"], token_vectors("two words"))


def test_files_of_one_vector_a_row_refuse_other_kinds(server: Served, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    options = ["-m", "fake", "--output-type", "sparse", "-o", str(out)]
    ended = server("embed", *options, stdin="a\n", check=2)
    assert "--output-type sparse" in ended.stderr
    assert not out.exists()


def test_documents_are_listed_best_first(server: Served) -> None:
    ended = server("score", "fake", "stone tablet", "a tablet", "rain", "tablet of\nstone")
    head, *lines = ended.stdout.splitlines()
    assert head.split() == ["RANK", "SCORE", "INDEX", "DOCUMENT"]
    assert [line.split()[:3] for line in lines] == [
        ["1", "1.0000", "2"],
        ["2", "0.5000", "0"],
        ["3", "0.0000", "1"],
    ]
    assert lines[0].endswith("tablet of stone")


def test_documents_come_from_stdin_and_failed_ones_are_told(server: Served) -> None:
    ended = server("score", "fake", "stone", "--json", stdin="a\n\n!bad\nstone\n", check=1)
    told = json.loads(ended.stdout)
    assert [(row["index"], row["score"]) for row in told["ranking"]] == [(2, 1.0), (0, 0.0)]
    assert told["errors"]["1"]["code"] == "invalid_input"
    assert "document 1 failed" in ended.stderr
    best = json.loads(server("score", "fake", "a", "b", "a", "-k", "1", "--json").stdout)
    assert [row["document"] for row in best["ranking"]] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fake", "query"], 2, "there are no documents"),
        (["nobody", "query", "a"], 4, "nobody"),
        (["fake", "!bad", "a"], 2, "told to refuse"),
        (["fake", "q", "a", "--by", "thick"], 2, "thick"),
        (["fake", "q", "a", "-k", "0"], 2, "--top-k"),
        (["fake", "q", "a", "--local", "--server", "http://x"], 2, "exclude each other"),
    ],
    ids=str,
)
def test_what_cannot_be_scored_is_said(
    server: Served, arguments: list[str], code: int, said: str
) -> None:
    assert said in server("score", *arguments, check=code).stderr


@pytest.fixture(scope="module")
def finder(tmp_path_factory: pytest.TempPathFactory, zoo: Path) -> Iterator[Served]:
    """A server with a model that finds classes, on a free port."""
    folder = tmp_path_factory.mktemp("finder")
    process, url = served(folder, f"judge={zoo / 'cross-encoder-labels'}", "--dtype", "float32")
    yield Served(url)
    assert stopped(process) == 0


def test_what_texts_hold_is_listed_best_first(finder: Served) -> None:
    ended = finder("extract", "judge", "The king of Ur", "", "-l", "music, water", "--many")
    head, *lines = ended.stdout.splitlines()
    assert head.split() == ["ITEM", "FOUND", "LABEL", "SCORE", "TEXT", "START", "END"]
    assert [line.split()[:2] for line in lines] == [["0", "class"]] * 2
    assert {line.split()[2] for line in lines} == {"music", "water"}
    scores = [float(line.split()[3]) for line in lines]
    assert scores == sorted(scores, reverse=True)
    (alone,) = json.loads(
        finder("extract", "judge", "-l", "music,water", "--json", stdin="Ur\n\n").stdout
    )
    assert sum(kind["score"] for kind in alone["classifications"]) == pytest.approx(1)
    assert (alone["entities"], alone["relations"], alone["data"]) == ([], [], {})


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["judge", "-l", "x"], 2, "there are no texts"),
        (["judge", "a"], 2, "what to look for"),
        (["nobody", "a"], 4, "nobody"),
        (["judge", "a", "--threshold", "2"], 2, "--threshold"),
        (["judge", "a", "-l", "x,x"], 2, "twice"),
        (["judge", "a", "-l", "x", "--hypothesis", "so"], 2, "no place {}"),
        (["judge", "a", "--local", "--server", "http://x"], 2, "exclude each other"),
    ],
    ids=str,
)
def test_what_cannot_be_extracted_is_said(
    finder: Served, arguments: list[str], code: int, said: str
) -> None:
    assert said in finder("extract", *arguments, check=code).stderr


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(server: Served, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("".join(f"!sleep 0.01 {n}\n" for n in range(240)))
    whole, broken = tmp_path / "whole.npy", tmp_path / "broken.npy"
    state = tmp_path / "broken.npy.state.json"
    command = ["embed", str(source), "-m", "fake", "--batch-size", "8", "-o"]
    server(*command, str(whole))

    def done() -> int:
        return int(json.loads(state.read_text())["counts"]["rows"]) if state.exists() else 0

    process = started(*command, str(broken), STELAE_URL=server.url)
    until(process, lambda: done() > 0)
    process.kill()
    process.communicate()
    kept = done()
    ended = server(*command, str(broken))

    assert 0 < kept < 240
    assert f"resuming after {kept} items" in ended.stderr
    assert broken.read_bytes() == whole.read_bytes()
    assert not state.exists()


def test_interrupt_exits_with_130_and_says_how_to_go_on(server: Served, tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.npy"
    source.write_text("!sleep 5\n")
    process = started("embed", str(source), "-m", "fake", "-o", str(out), STELAE_URL=server.url)
    until(process, lambda: out.exists() and working(server) > 0)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert told == "stopped after 0 items; the same command goes on from there\n"


def test_closed_pipe_is_silent(server: Served) -> None:
    command = f"echo a | {shlex.join(STELAE)} embed -m fake | true"
    ended = subprocess.run(
        ["sh", "-c", command],  # noqa: S607
        env=environment(STELAE_URL=server.url),
        capture_output=True,
        timeout=WAIT,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_bench_measures_each_level(server: Served) -> None:
    options = ["--concurrency", "1,4", "--seconds", "0.3", "--warm-up", "0", "--json"]
    found = json.loads(server("bench", "-m", "fake", *options).stdout)
    assert [level["concurrency"] for level in found["levels"]] == [1, 4]
    assert all(level["requests"] > 0 and level["failures"] == {} for level in found["levels"])
    assert (found["model"], found["fingerprint"]) == ("fake", "fake")


def test_unknown_model_exits_with_4(server: Served) -> None:
    ended = server("embed", "-m", "fakke", stdin="a\n", check=4)
    assert ended.stderr.startswith("error: model='fakke'")
    assert "hint: " in ended.stderr


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("command", [["ps"], ["embed"], ["bench"]])
def test_no_server_exits_with_3(command: list[str]) -> None:
    url = f"http://127.0.0.1:{unused_port()}"
    ended = stelae(*command, STELAE_URL=url, check=3)
    assert ended.stderr.startswith(f"error: no Stelae server answers at {url}")
    assert f"hint: start one with: stelae serve --listen {url}" in ended.stderr


def test_serve_says_why_it_cannot_start() -> None:
    ended = stelae("serve", "nonsense", "--listen", "http://127.0.0.1:0", check=4)
    assert ended.stderr.splitlines()[-2].startswith("error: model='nonsense'")
    assert "Traceback" not in ended.stderr


def test_key_comes_from_the_environment(tmp_path: Path) -> None:
    process, url = served(tmp_path, "--log-level", "error", STELAE_API_KEYS="s3cret")
    try:
        assert "error: " in stelae("ps", STELAE_URL=url, check=1).stderr
        assert stelae("ps", "--json", STELAE_URL=url, STELAE_API_KEY="s3cret").stdout == "[]\n"
    finally:
        stopped(process)


@pytest.mark.slow
def test_option_the_model_cannot_serve_leaves_no_output(server: Served, tmp_path: Path) -> None:
    options = ["--prompt-name", "nonsense", "-o", str(tmp_path / "out.npy")]
    ended = server("embed", "-m", "default", *options, stdin="a\n", check=2)
    assert "prompt_name='nonsense'" in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_served_vectors_are_those_of_the_reference(server: Served) -> None:
    server("unload", "default")
    server("load", "default", "--dtype", "float32")
    options = ["--samples", "12", "--server", server.url, "--json"]
    found = json.loads(stelae("verify", "all-MiniLM-L6-v2", *options).stdout)
    assert (found["ok"], found["dtype"]) == (True, "float32")
    (row,) = found["rows"]
    assert (row["output"], row["compared"], row["tokens_differ"]) == ("dense", 12, 0)
    assert row["max_difference"] <= 2e-6


@pytest.mark.slow
def test_local_embedding_needs_no_server() -> None:
    (row,) = rows(stelae("embed", "--local", stdin="hello\n").stdout)
    assert len(row["embedding"]) == WIDTH
    assert np.linalg.norm(row["embedding"]) == pytest.approx(1, abs=1e-3)
