"""The client against a server that speaks its protocols and answers as each test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_clip import PROTOCOLS, encoded, failed, serving
from PIL import Image

from stelae.clip import Client, Document, DocumentArray, Response
from stelae.errors import (
    EngineFailed,
    InvalidInput,
    ModelNotFound,
    ServerUnreachable,
)
from stelae.wire.clip.messages import DataRequest

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.new("RGB", (2, 2), (200, 30, 30)).save(path)
    return path


def bytes_of(path: Path) -> bytes:
    return path.read_bytes()


def lengths(rows: Any) -> list[float]:
    """What the server made of texts: their lengths."""
    return [float(row[0]) for row in rows]


@every_protocol
async def test_strings_become_rows_in_their_order(protocol: str, photo: Path) -> None:
    async with serving(protocol) as url:
        rows = await Client(url).aencode(["a", "bcd", str(photo), "ef"], batch_size=2)
    size = len(bytes_of(photo))
    np.testing.assert_array_equal(rows, [[1, 0, 0], [3, 0, 0], [0, size, 0], [2, 0, 0]])
    assert rows.dtype == np.float32


@every_protocol
async def test_a_program_without_a_loop_gets_the_same(protocol: str) -> None:
    async with serving(protocol) as url:
        rows = await asyncio.to_thread(Client(url).encode, ["a", "bcd"])
    assert lengths(rows) == [1, 3]


@every_protocol
async def test_documents_are_the_callers_own(protocol: str, photo: Path) -> None:
    given = [
        Document(text="four"),
        Document(uri=str(photo)),
        Document(blob=b"12345"),
        Document(tensor=np.zeros((2, 2, 3), np.uint8)),
    ]
    async with serving(protocol) as url:
        found = await Client(url).aencode(DocumentArray(given))
    assert isinstance(found, DocumentArray)
    assert [one is other for one, other in zip(found, given, strict=True)] == [True] * 4
    size = len(bytes_of(photo))
    assert found.embeddings is not None
    np.testing.assert_array_equal(
        found.embeddings, [[4, 0, 0], [0, size, 0], [0, 5, 0], [0, 0, 12]]
    )
    assert given[1].blob == b""  # read when it was sent, and forgotten


@every_protocol
async def test_answers_in_any_order_find_their_documents(protocol: str) -> None:
    first_waits = asyncio.Event()

    async def answering(request: DataRequest) -> DataRequest:
        if request.data.docs.docs[0].text == "a":
            await first_waits.wait()
        first_waits.set()
        answer = await encoded(request)
        answer.data.docs.docs.sort(key=lambda document: -len(document.text))
        return answer

    async with serving(protocol, answering) as url:
        rows = await Client(url).aencode(["a", "bb", "ccc", "dddd"], batch_size=2)
    assert lengths(rows) == [1, 2, 3, 4]


@every_protocol
async def test_sending_does_not_wait_for_answers(protocol: str) -> None:
    all_sent, seen = asyncio.Event(), []

    async def answering(request: DataRequest) -> DataRequest:
        seen.append(request.header.request_id)
        if len(seen) == 20:
            all_sent.set()
        await all_sent.wait()  # no answer before the last request is here
        return await encoded(request)

    async with serving(protocol, answering) as url:
        rows = await Client(url).aencode(["x"] * 20, batch_size=1)
    assert len(rows) == len(set(seen)) == 20


@every_protocol
async def test_prefetch_bounds_what_is_read_ahead(protocol: str) -> None:
    given, answered, ahead = 0, 0, []

    def texts() -> Iterator[str]:
        nonlocal given
        for _ in range(30):
            given += 1
            ahead.append(given - answered)
            yield "x"

    async def answering(request: DataRequest) -> DataRequest:
        nonlocal answered
        answered += 1
        return await encoded(request)

    async with serving(protocol, answering) as url:
        rows = await Client(url).aencode(texts(), batch_size=1, prefetch=3)
    assert len(rows) == 30
    assert max(ahead) <= 4


@every_protocol
async def test_a_generator_runs_in_the_thread_that_called(protocol: str) -> None:
    threads: list[object] = []

    def texts() -> Iterator[str]:
        for _ in range(3):
            threads.append(threading.current_thread())
            yield "x"

    def called(url: str) -> None:
        threads.append(threading.current_thread())
        done = lambda response: threads.append(threading.current_thread())  # noqa: E731
        Client(url).encode(texts(), batch_size=1, on_done=done)

    async with serving(protocol) as url:
        await asyncio.to_thread(called, url)
    assert len(threads) == 7
    assert len(set(threads)) == 1


async def test_an_asynchronous_generator_is_read() -> None:
    async def texts() -> AsyncIterator[str]:
        for text in ("a", "bb"):
            yield text

    async with serving("grpc") as url:
        rows = await Client(url).aencode(texts(), batch_size=1)
        with pytest.raises(InvalidInput, match="use aencode"):
            Client(url).encode(texts())  # type: ignore[arg-type]
    assert lengths(rows) == [1, 2]


@every_protocol
async def test_the_model_is_chosen_in_the_endpoint(protocol: str) -> None:
    asked: list[tuple[str, object]] = []

    async def answering(request: DataRequest) -> DataRequest:
        limit = request.parameters.fields["limit"].number_value
        asked.append((request.header.exec_endpoint, limit))
        return await encoded(request)

    parameters = {"model_name": "ViT-B-32::openai"}
    async with serving(protocol, answering) as url:
        client = Client(url)
        await client.aencode(["x"])
        await client.aencode(["x"], parameters=parameters)
        await client.aindex(["x"])
        await client.asearch(["x"], limit=3)
    assert [endpoint for endpoint, _ in asked] == [
        *("/encode", "/encode/ViT-B-32::openai", "/index", "/search")
    ]
    assert asked[3][1] == 3
    assert parameters == {"model_name": "ViT-B-32::openai"}


@every_protocol
async def test_a_failed_request_raises_its_error(protocol: str) -> None:
    async def answering(request: DataRequest) -> DataRequest:
        return failed(request, "ModelNotFound", "no model is called 'x'")

    async with serving(protocol, answering) as url:
        with pytest.raises(ModelNotFound, match="no model is called 'x'"):
            await Client(url).aencode(["a"])


async def test_an_unknown_failure_is_the_servers() -> None:
    async def answering(request: DataRequest) -> DataRequest:
        return failed(request, "RuntimeError", "out of luck")

    async with serving("grpc", answering) as url:
        with pytest.raises(EngineFailed, match="out of luck"):
            await Client(url).aencode(["a"])


def marking(texts: set[str]) -> Any:
    """An answer that has no vectors for some texts, and says why."""

    async def answering(request: DataRequest) -> DataRequest:
        answer = await encoded(request)
        for document in answer.data.docs.docs:
            if document.text in texts:
                document.ClearField("embedding")
                fault = document.tags.fields["error"].struct_value.fields
                fault["code"].string_value = "input_too_long"
                fault["message"].string_value = f"{document.text!r} is too long"
        return answer

    return answering


@every_protocol
async def test_documents_that_failed_are_named(protocol: str) -> None:
    async with serving(protocol, marking({"bad", "worse"})) as url:
        with pytest.raises(InvalidInput, match=r"content\[5\]: 'bad' is too long") as caught:
            await Client(url).aencode(["x"] * 5 + ["bad", "y", "worse"], batch_size=4)
    assert caught.value.code == "input_too_long"
    named = [(each["index"], each["code"]) for each in caught.value.details["documents"]]
    assert named == [(5, "input_too_long"), (7, "input_too_long")]


@every_protocol
async def test_with_on_error_the_call_goes_on(protocol: str) -> None:
    calls: list[str] = []
    async with serving(protocol, marking({"bad"})) as url:
        rows = await Client(url).aencode(
            ["a", "bad", "ccc"], batch_size=2, on_error=lambda response: calls.append("error")
        )
        document = Document(text="bad")
        found = await Client(url).aencode([document], on_error=lambda response: None)
    assert calls == ["error"]
    assert np.isnan(rows).tolist() == [[False] * 3, [True] * 3, [False] * 3]
    assert found[0].embedding is None
    assert document.tags["error"]["message"] == "'bad' is too long"


async def test_callbacks_get_each_response_and_nothing_is_returned() -> None:
    done: list[Response] = []
    always: list[Response] = []
    async with serving("grpc") as url:
        found = await Client(url).aencode(
            ["a", "bb", "ccc"], batch_size=2, on_done=done.append, on_always=always.append
        )
    assert found is None
    assert sorted(len(response.data.docs) for response in done) == [1, 2]
    assert [response.header.status.code for response in always] == [0, 0]
    texts = {document.text: document.embedding[0] for each in done for document in each.docs}
    assert texts == {"a": 1, "bb": 2, "ccc": 3}
    assert always[0].parameters == {"drop_image_content": True}


async def test_an_error_of_a_callback_ends_the_call() -> None:
    async with serving("grpc") as url:
        with pytest.raises(ZeroDivisionError):
            await Client(url).aencode(["a"] * 50, batch_size=1, on_done=lambda response: 1 / 0)


@every_protocol
async def test_an_error_of_the_generator_ends_the_call(protocol: str) -> None:
    def texts() -> Iterator[str]:
        yield from ("a", "b")
        raise RuntimeError("the disk is gone")

    async with serving(protocol) as url:
        with pytest.raises(RuntimeError, match="the disk is gone"):
            await asyncio.to_thread(Client(url).encode, texts(), batch_size=1)


@every_protocol
async def test_a_picture_that_is_not_there_stops_sending(protocol: str) -> None:
    seen: list[int] = []

    async def answering(request: DataRequest) -> DataRequest:
        seen.append(len(request.data.docs.docs))
        return await encoded(request)

    def uris() -> Iterator[str]:
        yield "absent.png"
        yield from ["text"] * 1000

    async with serving(protocol, answering) as url:
        with pytest.raises(InvalidInput, match=r"content\[0\] .*'absent.png' cannot be read: No"):
            await Client(url).aencode(uris(), batch_size=1, prefetch=2)
    assert len(seen) < 1000


@every_protocol
async def test_a_server_that_is_not_there(protocol: str) -> None:
    async with serving(protocol) as url:
        pass
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1"):
        await Client(url).aencode(["a"])


@every_protocol
async def test_ranked_matches_are_the_callers_own(protocol: str) -> None:
    async def answering(request: DataRequest) -> DataRequest:
        answer = await encoded(request)
        for document in answer.data.docs.docs:
            for match in document.matches:
                match.scores["clip_score"].value = len(match.text) / 8
            document.matches.sort(key=lambda match: -len(match.text))
        return answer

    matches = [Document(text="a"), Document(text="bbbb"), Document(text="cc")]
    async with serving(protocol, answering) as url:
        found = await Client(url).arank([Document(blob=b"picture", matches=matches)])
    assert found["@m", ["text", "scores__clip_score__value"]] == [
        ["bbbb", "cc", "a"],
        [0.5, 0.25, 0.125],
    ]
    assert found[0].matches[0] is matches[1]


async def test_what_is_ranked_must_have_matches() -> None:
    async with serving("grpc") as url:
        with pytest.raises(InvalidInput, match=r"docs\[0\] has no matches"):
            await Client(url).arank([Document(text="a")])
        with pytest.raises(InvalidInput, match=r"docs\[0\] is no document"):
            await Client(url).arank(["a"])


async def test_found_documents_become_matches() -> None:
    async def answering(request: DataRequest) -> DataRequest:
        answer = await encoded(request)
        match = answer.data.docs.docs[0].matches.add(id="m", text="near", uri="x.png")
        match.scores["cosine"].value = 0.25
        return answer

    async with serving("grpc", answering) as url:
        found = await Client(url).asearch(["a"], limit=1)
    assert found["@m", ["id", "text", "uri", "scores__cosine__value"]] == [
        *(["m"], ["near"], ["x.png"], [0.25])
    ]


async def test_chunks_get_their_own_embeddings() -> None:
    document = Document(chunks=[Document(text="a"), Document(text="bbb")])
    async with serving("grpc") as url:
        await Client(url).aencode([document], parameters={"access_paths": "@c"})
    assert lengths(document.chunks.embeddings) == [1, 3]


@every_protocol
async def test_profile_adds_up(protocol: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(protocol) as url:
        for content in ("", "a sentence"):
            parts = await asyncio.to_thread(Client(url).profile, content)
            assert parts["Roundtrip"] == parts["Client-server network"] + parts["Server"]
            assert parts["Server"] == parts["Gateway-CLIP network"] + parts["CLIP model"]
            assert 0 < parts["CLIP model"] <= 2
    shown = capsys.readouterr().out
    assert "Roundtrip" in shown
    assert "└──  CLIP model" in shown


@pytest.mark.parametrize("content", ["a sentence", 3, None])
def test_one_string_is_not_a_list(content: Any) -> None:
    with pytest.raises(InvalidInput, match="several documents were expected"):
        Client("grpc://127.0.0.1:1").encode(content)


@pytest.mark.parametrize("options", [{"batch_size": -1}, {"prefetch": 0}, {"batchsize": 3}])
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(options))):
        Client("grpc://127.0.0.1:1").encode(["a"], **options)


async def test_elements_that_mean_nothing_are_named() -> None:
    async with serving("grpc") as url:
        with pytest.raises(InvalidInput, match=r"content\[1\] is of type int"):
            await Client(url).aencode(["a", 3])
        with pytest.raises(InvalidInput, match=r"content\[0\] is empty"):
            await Client(url).aencode([Document()])


def test_nothing_is_answered_without_a_server() -> None:
    client = Client("grpc://127.0.0.1:1")
    assert client.encode([]).shape == (0, 0)
    assert client.encode(DocumentArray()) == DocumentArray()
    assert client.rank([]) == DocumentArray()


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("grpc://h:51000", "grpc://h:51000"),
        ("grpcs://h", "grpcs://h:443"),
        ("http://h", "http://h:80"),
        ("https://h:8443/some/path", "https://h:8443"),
        ("ws://h:1", "ws://h:1"),
        ("websocket://h:1", "ws://h:1"),
        ("wss://h:1", "wss://h:1"),
        ("websockets://h:1", "wss://h:1"),
        ("grpc://[::1]:5", "grpc://[::1]:5"),
        ("grpc://", "grpc://0.0.0.0:80"),
    ],
)
def test_schemes(server: str, url: str) -> None:
    assert repr(Client(server)) == f"Client({url!r})"


@pytest.mark.parametrize("server", ["h:51000", "ftp://h", "", "grpc://h:port", None])
def test_addresses_that_cannot_be_read(server: Any) -> None:
    with pytest.raises(InvalidInput, match="server="):
        Client(server)


async def test_pictures_in_all_their_forms(photo: Path) -> None:
    with Image.open(photo) as image:
        image.load()
    data = bytes_of(photo)
    async with serving("grpc") as url:
        rows = await Client(url).aencode([photo, data, image, np.zeros((2, 2, 3), np.uint8)])
    np.testing.assert_array_equal(
        rows, [[0, len(data), 0], [0, len(data), 0], [0, 0, 12], [0, 0, 12]]
    )


async def test_a_dropped_call_leaves_nothing_behind() -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def answering(request: DataRequest) -> DataRequest:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with serving("grpc", answering) as url:
        call = asyncio.create_task(Client(url).aencode(["a"]))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(ended.wait(), 5)


async def test_one_bar_shows_the_progress(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving("grpc") as url:
        rows = await Client(url).aencode(["x"] * 20, show_progress=True)
        again = await asyncio.to_thread(Client(url).encode, iter(["x"] * 20), show_progress=True)
    shown = capsys.readouterr()
    assert len(rows) == len(again) == 20
    assert shown.out == ""
    assert shown.err.count("encode") == 2
    assert "20/20" in shown.err


async def test_it_works_inside_a_running_loop() -> None:
    async with serving("ws") as url:
        running = asyncio.get_running_loop()
        rows = await running.run_in_executor(None, _in_a_loop_of_its_own, url)
    assert lengths(rows) == [1]


def _in_a_loop_of_its_own(url: str) -> Any:
    async def notebook() -> Any:
        return Client(url).encode(["a"])  # as a cell of a notebook does

    return asyncio.run(notebook())


async def test_several_threads_share_a_client() -> None:
    async with serving("grpc") as url:
        client = Client(url)
        texts = [["x" * n] * 30 for n in range(1, 6)]
        found = await asyncio.gather(*(asyncio.to_thread(client.encode, each) for each in texts))
    assert [set(lengths(rows)) for rows in found] == [{1}, {2}, {3}, {4}, {5}]


async def test_the_token_is_sent_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIP_AUTH_TOKEN", "from the environment")
    assert Client("grpc://h")._token == "from the environment"
    assert Client("grpc://h", credential={"Authorization": "given"})._token == "given"
    with pytest.raises(InvalidInput, match="credential"):
        Client("grpc://h", credential="token")  # type: ignore[arg-type]


async def test_an_interrupt_drops_the_call() -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def answering(request: DataRequest) -> DataRequest:
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    def interrupted(url: str, loop: asyncio.AbstractEventLoop) -> bool:
        def texts() -> Iterator[str]:
            yield "a"
            asyncio.run_coroutine_threadsafe(arrived.wait(), loop).result()
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Client(url).encode(texts(), batch_size=1)
        return True

    async with serving("grpc", answering) as url:
        assert await asyncio.to_thread(interrupted, url, asyncio.get_running_loop())
        await asyncio.wait_for(ended.wait(), 5)
