"""The in-process client, mostly on the fake engine: same answers, same errors, no server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import stelae
from stelae import Client
from stelae.engines.fake.engine import terms, token_vectors, vector
from stelae.errors import (
    DeadlineExceeded,
    EngineFailed,
    InputTooLong,
    InvalidInput,
    ModelLoadFailed,
    ModelNotFound,
)
from stelae.types import ModelState

WIDTH = 384
"""The fake engine hands out the width of the checkpoint it stands in for."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with stelae.local(engine="fake") as opened:
        yield opened


def test_texts_become_vectors_in_order(client: Client) -> None:
    texts = [f"text number {n}" for n in range(300)]
    encodings = client.encode(texts)
    np.testing.assert_array_equal(encodings.dense, [vector(text, WIDTH) for text in texts])
    assert encodings.tokens.tolist() == [3] * 300
    assert encodings.usage.tokens == 900


def test_every_kind_of_representation_is_made(client: Client) -> None:
    encodings = client.encode(["a b", "c"] * 200, outputs=("sparse", "multivector"), dtype="int8")
    assert dict(zip(*encodings[0].sparse, strict=True)) == terms("a b")
    rows = encodings.dequantized().multivector[399]
    np.testing.assert_allclose(rows, token_vectors("c"), atol=0.01)


def test_adapters_are_named_where_the_model_is() -> None:
    with stelae.local(engine="fake", loras={"legal": Path("law")}) as opened:
        assert opened.model().loras == ("legal",)
        np.testing.assert_array_equal(
            opened.encode("a", lora="legal").dense, vector("law a", WIDTH)
        )
        with pytest.raises(InvalidInput, match="it has legal"):
            opened.encode("a", lora="law")


def test_documents_are_scored(client: Client) -> None:
    scores = client.score("b c", ["a", "c b", "b"] * 100)
    assert scores.scores.tolist() == [0.0, 1.0, 0.5] * 100
    with pytest.raises(InvalidInput) as caught:
        client.score("b c", ["a"] * 200 + ["!bad"])
    assert caught.value.details["index"] == 200
    with pytest.raises(DeadlineExceeded):
        client.score("b", ["!sleep 0.4"], timeout=0.05)


def test_pictures_reach_the_model(client: Client) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    one, other, file = client.encode([pixels, 255 - pixels, b"a file"]).dense
    np.testing.assert_array_equal(client.encode(pixels).dense, one)
    assert not np.array_equal(one, other)
    assert not np.array_equal(other, file)


def test_stream_is_lazy_and_in_order(client: Client) -> None:
    stream = client.encode(f"text {n}" for n in range(1000))
    first = [next(stream) for _ in range(3)]
    stream.close()
    np.testing.assert_array_equal(
        [encoding.dense for encoding in first], [vector(f"text {n}", WIDTH) for n in range(3)]
    )


@pytest.mark.parametrize(
    "text",
    ["", " \t\n", "nul\0byte", "\x1b[31m", "😀 \u202e", "x" * 10_000_000],
    ids=["empty", "white", "nul", "escape", "unicode", "10 MB"],
)
def test_odd_text_gets_a_vector(client: Client, text: str) -> None:
    assert np.isfinite(client.encode(text).dense).all()


@pytest.mark.parametrize(
    "items", [[], [3], [None], [["nested"]], ["\ud800"], [{"image": 3}], {"text": 1}], ids=str
)
def test_wrong_items_are_refused(client: Client, items: object) -> None:
    with pytest.raises(InvalidInput):
        client.encode(items)  # type: ignore[call-overload]


@pytest.mark.slow
def test_hundred_thousand_items_come_back_whole(client: Client) -> None:
    encodings = client.encode(["a", "b c"] * 50_000)
    assert encodings.dense.shape == (100_000, WIDTH)
    assert encodings.usage.tokens == 150_000


def test_failed_item_spares_its_neighbours(client: Client) -> None:
    encodings = client.encode(["a", "!bad", "b"], errors="return")
    assert list(encodings.errors) == [1]
    np.testing.assert_array_equal(encodings.dense[2], vector("b", WIDTH))
    with pytest.raises(InvalidInput) as caught:
        client.encode(["a", "!bad", "b"])
    assert caught.value.details["index"] == 1


def test_long_text_is_cut_and_marked_or_refused(client: Client) -> None:
    long = " ".join(str(n) for n in range(300))
    cut = client.encode(long)
    assert (cut.tokens, cut.truncated) == (256, True)
    assert not np.array_equal(cut.dense, client.encode(long, truncate="start").dense)
    with pytest.raises(InputTooLong):
        client.encode(long, truncate="error")


def test_failure_of_the_engine_is_typed(client: Client) -> None:
    with pytest.raises(EngineFailed):
        client.encode("!fail")
    assert client.encode("afterwards").tokens == 1


def test_unknown_model_is_named_with_its_neighbours(client: Client) -> None:
    with pytest.raises(ModelNotFound, match="all-MiniLM-L6-v3") as caught:
        client.encode("a", model="all-MiniLM-L6-v3")
    assert "all-MiniLM-L6-v2" in str(caught.value)
    with pytest.raises(ModelNotFound):
        stelae.local("no-such-model-or-folder")


def test_time_limit_of_a_call_is_kept(client: Client) -> None:
    with pytest.raises(DeadlineExceeded):
        client.encode("!sleep 0.4", timeout=0.05)


def test_calls_of_many_threads_share_the_model(client: Client) -> None:
    got: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        got[number] = client.encode([f"{number} {n}" for n in range(20)], batch_size=3).dense

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    for number in range(8):
        np.testing.assert_array_equal(
            got[number], [vector(f"{number} {n}", WIDTH) for n in range(20)]
        )


def test_verbs_speak_of_this_process(client: Client) -> None:
    model = client.model()
    assert (model.name, model.engine, model.state) == (
        "all-MiniLM-L6-v2",
        "fake",
        ModelState.READY,
    )
    assert [other.name for other in client.models()] == [model.name]
    info = client.server()
    assert (info.version, info.listen) == (stelae.__version__, ())
    assert repr(client) == "Client('this process', model='all-MiniLM-L6-v2')"


def test_unloaded_model_comes_back_with_the_same_engine() -> None:
    with stelae.local(engine="fake") as client:
        assert client.unload().state is ModelState.AVAILABLE
        assert client.encode("a").tokens == 1
        assert client.model().engine == "fake"
        assert client.load(dtype="auto", timeout=5.0).state is ModelState.READY


def still_alive(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads begun since then that do not end by themselves."""
    begun = set(threading.enumerate()) - before
    for thread in begun:
        thread.join(timeout=5)
    return [thread for thread in begun if thread.is_alive()]


def test_closed_client_leaves_no_threads() -> None:
    before = set(threading.enumerate())
    with stelae.local(engine="fake") as client:
        client.encode("a")
    assert still_alive(before) == []


def test_folder_is_loaded_under_its_own_name(zoo: Path) -> None:
    with stelae.local(zoo / "bert-mean", dtype="float32", threads=1) as client:
        assert client.model().name == "bert-mean"
        assert client.encode(["a", "b"]).dense.shape == (2, client.model().dimensions)


def test_load_that_fails_leaves_no_threads(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelLoadFailed):
        stelae.local(tmp_path)
    assert still_alive(before) == []


@pytest.mark.parametrize(
    "options", [{"dtype": "int4"}, {"threads": 0}, {"engine": "steam"}], ids=str
)
def test_wrong_option_is_refused_by_name(options: dict[str, object]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(InvalidInput, match=f"{name}={value!r}"):
        stelae.local(**options)  # type: ignore[arg-type]  # wrong on purpose


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )


def test_it_needs_no_web_packages_and_says_nothing() -> None:
    done = run(
        "import sys, stelae\n"
        "with stelae.local(engine='fake') as client: client.encode('a')\n"
        "assert not {'starlette', 'uvicorn', 'pydantic'} & sys.modules.keys()"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_program_ends_though_the_client_was_not_closed() -> None:
    done = run("import stelae\nclient = stelae.local(engine='fake')\nclient.encode('a')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_module_and_function_are_both_reached_by_the_name() -> None:
    done = run(
        "from stelae.local import local\n"
        "import stelae\n"
        "stelae.local(engine='fake').close(); stelae.local.local(engine='fake').close()"
    )
    assert done.returncode == 0, done.stderr


def test_missing_package_of_the_server_is_named_with_the_command() -> None:
    done = run(
        "import sys\nsys.modules['structlog'] = None\nimport stelae\n"
        "try: stelae.local()\nexcept stelae.StelaeError as error: print(error)"
    )
    assert "structlog" in done.stdout
    assert "pip install 'stelae[server]'" in done.stdout


def test_time_limit_of_a_load_is_kept() -> None:
    with stelae.local(engine="fake") as client:
        client.unload()
        with pytest.raises(DeadlineExceeded):
            client.load(timeout=1e-6)
        assert client.load().state is ModelState.READY
