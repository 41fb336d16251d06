"""What the client must find, written with the client itself; see ``driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says. It is
called with the place to ask at, once for each transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import jina
import numpy as np
from clip_client import Client
from docarray import Document, DocumentArray
from jina.excepts import BadServer, BadServerFlow
from jina.proto import jina_pb2
from PIL import Image, ImageDraw

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 220)}
WIDTH = 40
KEY = "sesame"
TEXTS = ["a red circle", "a blue square", "x"]


@dataclass(frozen=True)
class Place:
    """Where to ask.

    Attributes:
        url: A server that stands open.
        locked: One that wants the key.
    """

    url: str
    locked: str

    @property
    def scheme(self) -> str:
        return self.url.partition("://")[0]

    @property
    def is_http(self) -> bool:
        return self.scheme.startswith("http")

    @property
    def is_grpc(self) -> bool:
        return self.scheme.startswith("grpc")


class Skip(Exception):
    """This transport does not have it."""


def drawn(colour: str, size: int = 64) -> np.ndarray:
    """A circle on white, shape ``(H, W, 3)``."""
    canvas = Image.new("RGB", (size, size), "white")
    ImageDraw.Draw(canvas).ellipse((12, 12, size - 12, size - 12), fill=COLOURS[colour])
    return np.asarray(canvas)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def written(colour: str) -> str:
    """The path of a picture."""
    Path(f"{colour}.png").write_bytes(png(drawn(colour)))
    return f"{colour}.png"


def close(first: Any, second: Any) -> bool:
    return bool(np.allclose(first, second, atol=1e-3, rtol=1e-4))


@contextlib.contextmanager
def raises(*kinds: type[BaseException]) -> Iterator[list[BaseException]]:
    seen: list[BaseException] = []
    try:
        yield seen
    except kinds as error:
        seen.append(error)
        return
    raise AssertionError(f"{kinds} was expected")


def check_encode_strings(at: Place) -> None:
    """`encode` of texts and the path of a picture, in batches; the same rows as one by one"""
    given = ["a red circle", "a blue square", written("red")]
    rows = Client(at.url).encode(given, batch_size=2)
    assert rows.shape == (3, WIDTH)
    assert rows.dtype == (np.float64 if at.is_http else np.float32)
    assert not close(np.linalg.norm(rows, axis=1), 1)
    for row, item in zip(rows, given, strict=False):
        assert close(row, Client(at.url).encode([item])[0])


def check_encode_documents(at: Place) -> None:
    """`encode` of a `DocumentArray` with text, blob, tensor and uri fills these very documents"""
    given = DocumentArray(
        [
            Document(text="a red circle"),
            Document(blob=png(drawn("red"))),
            Document(tensor=drawn("red")),
            Document(uri=written("red")),
        ]
    )
    before = list(given)
    result = Client(at.url).encode(given)
    assert [id(doc) for doc in result] == [id(doc) for doc in before]
    rows = result.embeddings
    assert rows.shape == (4, WIDTH)
    assert close(rows[1], rows[2])
    assert close(rows[1], rows[3])
    assert result[3].uri == "red.png"
    assert (rows[0] @ rows[1]) / np.linalg.norm(rows[0]) / np.linalg.norm(rows[1]) > 0.5


def check_order(at: Place) -> None:
    """Rows keep the order of the input, whatever the order of the answers"""
    given = [f"{'long ' * (number % 7)}text {number}" for number in range(20)]
    client = Client(at.url)
    assert close(client.encode(given, batch_size=1), client.encode(given, batch_size=20))


def check_generators(at: Place) -> None:
    """Generators, 600 inputs, a progress bar, `prefetch=1`"""
    client = Client(at.url)
    rows = client.encode((f"text {n}" for n in range(600)), batch_size=64, show_progress=True)
    assert len(rows) == 600
    assert all(doc.embedding is not None for doc in rows)
    again = client.encode([f"text {n}" for n in range(20)], batch_size=1, prefetch=1)
    assert close(again[7], rows[7].embedding)


def check_models(at: Place) -> None:
    """`model_name` chooses the model, sync and async; an unknown one is an error"""
    client = Client(at.url)
    assert client.encode(["a"], parameters={"model_name": "fake"}).shape == (1, 384)
    found = asyncio.run(Client(at.url).aencode(["a"], parameters={"model_name": "fake"}))
    assert found.shape == (1, 384)
    with raises(BadServer) as seen:
        client.encode(["a"], parameters={"model_name": "nobody"})
    assert "ModelNotFound" in str(seen[0])
    assert "Traceback" not in str(seen[0])


def check_content_is_dropped_or_kept(at: Place) -> None:
    """`drop_image_content`: pictures come back only if that is false"""
    kept: dict[bool, list[Any]] = {}
    for drop in (True, False):
        found: list[Any] = []
        Client(at.url).encode(
            [Document(blob=png(drawn("red")), uri="red.png")],
            parameters={"drop_image_content": drop},
            on_done=lambda answer, found=found: found.extend(answer.data.docs),
        )
        kept[drop] = found
    assert not kept[True][0].blob
    assert kept[False][0].blob == png(drawn("red"))
    assert {docs[0].uri for docs in kept.values()} == {"red.png"}


def check_access_paths(at: Place) -> None:
    """`access_paths` and `traversal_paths` choose which documents get vectors"""
    for name in ("access_paths", "traversal_paths"):
        inner = jina.Client(host=at.url)
        given = DocumentArray([Document(text="root", chunks=[Document(text="chunk")])])
        (doc,) = inner.post("/encode", given, parameters={name: "@c"})
        assert doc.embedding is None
        assert doc.chunks[0].embedding.shape == (WIDTH,)


def check_rank(at: Place) -> None:
    """`rank` of pictures by texts and of texts by pictures, sync and async, with both scores"""
    words = [f"a {colour} circle" for colour in COLOURS]
    by_picture = [
        Document(blob=png(drawn(colour)), matches=[Document(text=word) for word in words])
        for colour in COLOURS
    ]
    ranked = Client(at.url).rank(by_picture)
    assert [doc.matches[0].text for doc in ranked] == words
    by_text = Document(
        text="a blue circle",
        matches=[Document(blob=png(drawn(colour)), id=colour) for colour in COLOURS],
    )
    (other,) = asyncio.run(Client(at.url).arank([by_text]))
    assert other.matches[0].id == "blue"
    assert other.matches[0].blob
    for doc in (*ranked, other):
        shares = [match.scores["clip_score"].value for match in doc.matches]
        cosines = [match.scores["clip_score_cosine"].value for match in doc.matches]
        assert abs(sum(shares) - 1) < 1e-4
        assert shares == sorted(shares, reverse=True)
        assert cosines == sorted(cosines, reverse=True)
        assert max(cosines) <= 1
        assert all(match.embedding is None for match in doc.matches)


def check_rank_by_a_model(at: Place) -> None:
    """`rank` with a model's name ranks with that model; chunks are ranked where asked for"""
    doc = Document(text="one two", matches=[Document(text="other"), Document(text="one two")])
    (ranked,) = Client(at.url).rank([doc], parameters={"model_name": "fake"})
    assert ranked.matches[0].text == "one two"
    assert abs(ranked.matches[0].scores["clip_score_cosine"].value - 1) < 1e-4
    doc = Document(text="a red circle", chunks=[Document(text="b"), Document(text="a red circle")])
    (ranked,) = Client(at.url).rank([doc], source="chunks")
    assert ranked.matches[0].text == "a red circle"


def check_profile(at: Place) -> None:
    """`profile` 200 times, without content, with a text and with a picture; the tree adds up"""
    client = Client(at.url)
    contents = ("", "hi", written("red"))
    with contextlib.redirect_stdout(io.StringIO()):
        for content in itertools.islice(itertools.cycle(contents), 200):
            told = client.profile(content)
            assert told["Server"] >= 1
            assert told["Server"] == told["Gateway-CLIP network"] + told["CLIP model"]
            whole = told["Client-server network"] + told["Server"]
            assert abs(told["Roundtrip"] - whole) < 1e-6


def check_errors(at: Place) -> None:
    """A failing request raises `BadServer` 50 times in 50, though others succeed"""
    for _ in range(50):
        with raises(BadServer) as seen:
            given = [Document(text="good"), Document(blob=b"no picture")]
            Client(at.url).encode(given, batch_size=1)
        assert "no picture of a known format" in str(seen[0])


def check_callbacks(at: Place) -> None:
    """`on_error` gets the answer that failed, `on_done` the others, `on_always` all"""
    calls: dict[str, list[Any]] = {"done": [], "error": [], "always": []}
    result = Client(at.url).encode(
        [Document(text="good"), Document(blob=b"no picture", id="bad")],
        batch_size=1,
        on_done=calls["done"].append,
        on_error=calls["error"].append,
        on_always=calls["always"].append,
    )
    assert result is None
    assert {name: len(answers) for name, answers in calls.items()} == {
        "done": 1,
        "error": 1,
        "always": 2,
    }
    assert calls["error"][0].data.docs[0].id == "bad"
    assert calls["error"][0].header.status.exception.name == "ValueError"


def check_one_broken_document(at: Place) -> None:
    """A broken document among good ones: they get vectors, its own is NaN (over HTTP: an error)"""
    given = DocumentArray([Document(text="a"), Document(blob=b"no picture"), Document(text="b")])
    if at.is_http:
        answers: list[Any] = []
        with raises(ValueError):
            Client(at.url).encode(given, on_error=answers.append)
        docs = answers[0].data.docs
        assert [doc.embedding is None for doc in docs] == [False, True, False]
        assert docs[1].tags["error"]["code"] == "invalid_input"
        return
    rows = Client(at.url).encode(given).embeddings
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False]
    assert close(rows[[0, 2]], Client(at.url).encode(["a", "b"]))


def check_keys(at: Place) -> None:
    """A wrong key is refused, the right one taken as it is and after `Bearer`"""
    if not (at.is_grpc or at.is_http):
        raise Skip("the client shows no key on a WebSocket")
    for shown in (KEY, f"Bearer {KEY}"):
        client = Client(at.locked, credential={"Authorization": shown})
        assert client.encode(["a"]).shape == (1, WIDTH)
    wrong = Client(at.locked, credential={"Authorization": "wrong"})
    with raises(BadServerFlow if at.is_grpc else ValueError):
        wrong.encode(["a"])


def check_profile_without_a_key(at: Place) -> None:
    """`profile()` without content where keys are needed and `clip.anonymous_profile` is set"""
    if not (at.is_grpc or at.is_http):
        raise Skip("a WebSocket is opened to those with a key alone")
    client = Client(at.locked, credential={"Authorization": KEY})
    with contextlib.redirect_stdout(io.StringIO()):
        assert client.profile()["Server"] >= 1
        with raises(BadServerFlow if at.is_grpc else ValueError):
            client.profile("hi")


def check_index_and_search(at: Place) -> None:
    """`index`, then `search(limit=2)`, and their async twins; distances, the nearest first"""
    collection = {"collection": at.scheme}
    client = Client(at.url)
    words = ["a red circle", "a blue circle", "a green square"]
    kept = client.index([Document(text=word, id=word) for word in words], parameters={**collection})
    assert kept.embeddings.shape == (3, WIDTH)
    found = client.search([Document(text="a red circle")], limit=2, parameters={**collection})
    matches = found[0].matches
    assert next(match.text for match in matches) == "a red circle"
    assert len(matches) == 2
    distances = [match.scores["cosine"].value for match in matches]
    assert distances == sorted(distances)
    assert abs(distances[0]) < 1e-4
    given = [Document(text="a red square", id="later")]
    asyncio.run(Client(at.url).aindex(given, parameters={**collection}))
    query = [Document(text="a red square")]
    found = asyncio.run(Client(at.url).asearch(query, limit=1, parameters={**collection}))
    assert [match.id for match in found[0].matches] == ["later"]
    assert len(client.index(DocumentArray(), parameters={**collection})) == 0


def check_async(at: Place) -> None:
    """`aencode` beside other tasks of one loop"""

    async def both() -> tuple[Any, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        first, second = await asyncio.gather(
            Client(at.url).aencode(TEXTS), Client(at.url).aencode(TEXTS[::-1])
        )
        ticking.cancel()
        return (first, second), ticks

    (first, second), ticks = asyncio.run(both())
    assert close(first, second[::-1])
    assert ticks > 10


def check_large_batches(at: Place) -> None:
    """A batch of 30 MB of pictures; a text of 3 MB"""
    rng = np.random.default_rng(0)
    noise = [Document(blob=png(rng.integers(0, 255, (600, 600, 3), np.uint8))) for _ in range(28)]
    assert sum(len(doc.blob) for doc in noise) > 30_000_000
    rows = Client(at.url).encode(noise, batch_size=28)
    assert [doc.embedding.shape for doc in rows] == [(WIDTH,)] * 28
    assert Client(at.url).encode(["word " * 600_000]).shape == (1, WIDTH)


def check_large_answers(at: Place) -> None:
    """An answer of more than 4 MB; on a WebSocket, where the client takes none, a clear error"""
    rng = np.random.default_rng(0)
    given = [Document(blob=png(rng.integers(0, 255, (1300, 1300, 3), np.uint8)))]
    wanted = {"drop_image_content": False}
    if at.scheme.startswith("ws"):
        with raises(BadServer) as seen:
            Client(at.url).encode(given, parameters=wanted)
        assert "batch_size" in str(seen[0])
        return
    assert Client(at.url).encode(given, parameters=wanted)[0].embedding.shape == (WIDTH,)


def check_pickles(at: Place) -> None:
    """A pickle in `docs_bytes` is refused unread, and none is sent back"""
    if at.scheme != "grpc":
        raise Skip("asked over grpc alone")
    request = jina_pb2.DataRequestProto()
    request.header.request_id = "r" * 32
    request.data.docs_bytes = b"cposix\nsystem\n(S'touch pickled'\ntR."

    with grpc.insecure_channel(at.url.partition("://")[2]) as channel:
        call = channel.stream_stream(
            "/jina.JinaRPC/Call",
            jina_pb2.DataRequestProto.SerializeToString,
            jina_pb2.DataRequestProto.FromString,
        )
        (answer,) = call(iter([request]))
    assert answer.header.status.code == jina_pb2.StatusProto.ERROR
    assert answer.header.status.exception.name == "ValueError"
    assert not answer.data.docs_bytes


def check_threads(at: Place) -> None:
    """Five threads with a client each get their own rows"""
    wrong: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            given = [f"thread {number} text {n}" for n in range(12)]
            client = Client(at.url)
            assert close(client.encode(given, batch_size=2), client.encode(given, batch_size=12))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def check_readiness(at: Place) -> None:
    """`is_flow_ready` of the client below"""
    assert jina.Client(host=at.url).is_flow_ready()


def check_other_tags(at: Place) -> None:
    """Tags, weights and all else of a document come back untouched"""
    given = Document(text="a", tags={"n": 1.0, "deep": {"list": [True, None, "x"]}}, weight=0.5)
    (doc,) = jina.Client(host=at.url).post("/", DocumentArray([given]))
    assert doc.id == given.id
    assert doc.tags == given.tags
    assert abs(doc.weight - 0.5) < 1e-6
    assert doc.mime_type == "text/plain"
