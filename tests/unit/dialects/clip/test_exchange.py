from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, Live, live
from PIL import Image
from starlette.datastructures import Headers

from stelae.dialects.base import About, Asking, Record, Rooms
from stelae.dialects.clip.exchange import exchange
from stelae.dialects.clip.rpcs import flow
from stelae.errors import InvalidInput
from stelae.telemetry.metrics import Metrics
from stelae.wire.clip import arrays, structs
from stelae.wire.clip.messages import DataRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHAPES = Path(__file__).parents[3] / "data" / "clip-shapes"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live(models={"clip": {"source": str(SHAPES)}, "fake": FAKE}) as made:
        await made.house.fleet.load("clip")
        yield made


@pytest.fixture
def rooms(server: Live) -> Rooms:
    house = server.house
    return Rooms(
        inference=house.inference,
        fleet=house.fleet,
        launches=house.launches,
        autostarts=house.autostarts,
        registry=house.registry,
        pools=house.pools,
        lookout=house.lookout,
        works=house.works,
        search=house.search,
        metrics=Metrics(),
        about=About(version="0", pid=1, started=0.0),
    )


def asking(headers: Mapping[str, str] | None = None) -> Asking:
    return Asking(record=Record(id="test"), headers=Headers(headers or {}), admit=lambda: None)


def request(*texts: str, endpoint: str = "/encode", **parameters: Any) -> DataRequest:
    made = DataRequest()
    made.header.request_id = "r" * 32
    made.header.exec_endpoint = endpoint
    structs.fill(made.parameters, parameters)
    made.data.docs.SetInParent()
    for text in texts:
        doc = made.data.docs.docs.add()
        doc.id, doc.text = f"id of {text}", text
    return made


async def ask(rooms: Rooms, message: DataRequest, most: int | None = None) -> DataRequest:
    reply = await exchange(message.SerializeToString(), asking(), rooms, most)
    answer = DataRequest.FromString(reply.data)
    assert reply.failed == (answer.header.status.code == 1)
    return answer


async def test_vectors_lie_in_the_documents_that_were_sent(rooms: Rooms) -> None:
    answer = await ask(rooms, request("a red circle", "b", drop_image_content=True))

    docs = answer.data.docs.docs
    assert [doc.id for doc in docs] == ["id of a red circle", "id of b"]
    assert {doc.mime_type for doc in docs} == {"text/plain"}
    assert [arrays.read(doc.embedding).shape for doc in docs] == [(40,), (40,)]
    assert docs[0].embedding.dense.dtype == "<f4"
    assert answer.header.request_id == "r" * 32
    assert not answer.header.HasField("status")
    assert structs.plain(answer.parameters) == {"drop_image_content": True}
    assert len(answer.routes) == 2


async def test_a_pickle_is_refused_and_not_sent_back(rooms: Rooms) -> None:
    message = request()
    message.data.docs_bytes = b"cposix\nsystem\n(S'false'\ntR."

    answer = await ask(rooms, message)

    assert answer.header.status.exception.name == "ValueError"
    assert "pickled" in answer.header.status.description
    assert answer.data.WhichOneof("documents") == "docs"


async def test_bytes_that_are_no_message_end_the_stream(rooms: Rooms) -> None:
    for data in (b"\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0fclaims more", b"\x1a\x02\xff\xfe"):
        with pytest.raises(InvalidInput, match="message"):
            await exchange(data, asking(), rooms)


async def test_parameters_nested_too_deeply_are_refused(rooms: Rooms) -> None:
    message = request("a")
    value = message.parameters.fields["deep"]
    for _ in range(40):
        value = value.list_value.values.add()

    answer = await ask(rooms, message)

    assert "nested" in answer.header.status.description


async def test_arrays_that_lie_are_marked_and_neighbours_answered(rooms: Rooms) -> None:
    message = request("a", "b")
    docs = message.data.docs.docs
    for place, (dtype, shape) in enumerate([("|u1", [2, 2, 3]), ("|O", [1]), ("<f4", [2**31, 2])]):
        doc = docs.add()
        doc.id = f"bad {place}"
        doc.tensor.dense.dtype, doc.tensor.dense.buffer = dtype, b"\0"
        doc.tensor.dense.shape[:] = shape
        doc.tensor.cls_name = "numpy"
    sparse = docs.add()
    sparse.id = "bad sparse"
    sparse.tensor.MergeFrom(type(sparse.tensor).FromString(b"\x12\x00"))

    answer = await ask(rooms, message)

    for doc in answer.data.docs.docs:
        bad = doc.id.startswith("bad")
        assert np.isnan(arrays.read(doc.embedding)).all() == bad
        assert ("error" in structs.plain(doc.tags)) == bad
    assert answer.header.status.description.startswith("4 of 6 documents failed")
    assert answer.header.status.code == 0


async def test_pictures_for_a_model_without_eyes_are_marked(rooms: Rooms) -> None:
    message = request("a", model_name="all-MiniLM-L6-v2")
    seen = message.data.docs.docs.add()
    seen.id, seen.blob = "seen", b"\x89PNG"

    answer = await ask(rooms, message)

    text, picture = answer.data.docs.docs
    assert np.isfinite(arrays.read(text.embedding)).all()
    assert np.isnan(arrays.read(picture.embedding)).all()
    assert structs.plain(picture.tags)["error"]["code"]


async def test_matches_are_put_in_order_and_scored(rooms: Rooms) -> None:
    message = request("a red circle", endpoint="/rank")
    root = message.data.docs.docs[0]
    for text in ("a blue square", "a red circle", "", "a red square"):
        match = root.matches.add()
        match.id, match.text, match.adjacency = text, text, 1

    answer = await ask(rooms, message)

    (root,) = answer.data.docs.docs
    assert root.matches[0].id == "a red circle"
    assert root.matches[3].id == ""
    assert root.HasField("embedding")
    shares = [match.scores["clip_score"].value for match in root.matches if match.id]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    assert root.matches[0].scores["clip_score_cosine"].value == pytest.approx(1, abs=1e-5)
    assert not any(match.HasField("embedding") for match in root.matches)


async def test_chunks_are_ranked_and_stand_among_the_matches_too(rooms: Rooms) -> None:
    message = request("a red circle", endpoint="/rank")
    for text in ("a blue square", "a red circle"):
        message.data.docs.docs[0].chunks.add().text = text

    (root,) = (await ask(rooms, message)).data.docs.docs

    assert [doc.text for doc in root.chunks] == ["a red circle", "a blue square"]
    assert list(root.matches) == list(root.chunks)


async def test_answers_too_large_for_a_socket_say_what_to_do(rooms: Rooms) -> None:
    answer = await ask(rooms, request("a", "b"), most=300)

    assert answer.header.status.code == 1
    assert "batch_size" in answer.header.status.description
    assert answer.header.request_id == "r" * 32
    assert answer.ByteSize() < 4000


async def test_an_unknown_model_is_an_error_and_documents_come_back(rooms: Rooms) -> None:
    answer = await ask(rooms, request("a", endpoint="/encode/nobody"))

    assert answer.header.status.exception.name == "ModelNotFound"
    assert [doc.text for doc in answer.data.docs.docs] == ["a"]


async def test_vectors_are_the_same_alone_and_among_others(rooms: Rooms) -> None:
    several = await ask(rooms, request("a red circle", "something longer than that"))
    alone = await ask(rooms, request("a red circle"))

    first, second = (arrays.read(a.data.docs.docs[0].embedding) for a in (several, alone))
    np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize(
    ("said", "at_once"),
    [("100", 100), ("1", 1), ("0", None), ("", None), ("-3", None), ("9" * 400, None), ("²", None)],
)
async def test_callers_say_how_much_of_a_stream_is_in_work(said: str, at_once: int | None) -> None:
    assert flow(asking({"__prefetch__": said})).at_once == at_once


async def test_callers_may_want_their_answers_in_order() -> None:
    assert flow(asking({"__results_in_order__": "true"})).in_order
    assert not flow(asking()).in_order


def bomb() -> bytes:
    """A small file that says that it holds very many pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def truncated() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return file.getvalue()[:500]


BAD_PICTURES = {
    "empty": b"",
    "junk": b"no picture",
    "bomb": bomb(),
    "truncated": truncated(),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "pdf": b"%PDF-1.7\n",
    "header alone": b"\x89PNG\r\n\x1a\n",
    "jpeg of nothing": b"\xff\xd8\xff\xd9",
}

BAD_ARRAYS = {
    "not finite": np.full((4, 4, 3), np.nan, np.float32),
    "beyond one": np.full((4, 4, 3), 255, np.float32),
    "colours first": np.zeros((3, 9, 9), np.uint8),
    "empty": np.zeros((0, 9, 3), np.uint8),
    "flat": np.zeros(12, np.uint8),
    "int64": np.zeros((4, 4, 3), np.int64),
    "too large": np.zeros((1, 200_000_000), np.bool_),
}


async def test_every_bad_picture_is_marked_and_its_neighbours_answered(rooms: Rooms) -> None:
    message = request("before")
    docs = message.data.docs.docs
    for name, data in BAD_PICTURES.items():
        doc = docs.add()
        doc.id, doc.blob = name, data
    for name, array in BAD_ARRAYS.items():
        doc = docs.add()
        doc.id = name
        arrays.fill(doc.tensor, array)
    docs.add().text = "after"

    answer = await ask(rooms, message)

    first, *bad, last = answer.data.docs.docs
    assert np.isfinite(arrays.read(first.embedding)).all()
    assert np.isfinite(arrays.read(last.embedding)).all()
    for doc in bad:
        assert structs.plain(doc.tags)["error"]["message"], doc.id
    assert answer.header.status.description.startswith(f"{len(bad)} of {len(bad) + 2} documents")


async def test_kept_documents_are_chosen_by_their_tags(rooms: Rooms) -> None:
    message = request("a", "b")
    for number, doc in enumerate(message.data.docs.docs):
        doc.id = str(number)
        structs.fill(doc.tags, {"n": number})
    message.header.exec_endpoint = "/index"
    await ask(rooms, message)
    chosen = request()
    chosen.header.exec_endpoint = "/filter"
    structs.fill(chosen.parameters, {"filter": {"n": 1}})

    (doc,) = (await ask(rooms, chosen)).data.docs.docs

    assert (doc.id, doc.text, structs.plain(doc.tags)) == ("1", "b", {"n": 1})


async def test_lists_of_whole_numbers_are_the_pixels_that_arrays_of_bytes_are(
    rooms: Rooms,
) -> None:
    message, pixels = request(), np.arange(48).reshape(4, 4, 3)
    del message.data.docs.docs[:]
    for kind, array in (("numpy", pixels.astype(np.uint8)), ("list", pixels)):
        doc = message.data.docs.docs.add()
        arrays.fill(doc.tensor, array)
        doc.tensor.cls_name = kind

    first, second = (await ask(rooms, message)).data.docs.docs

    assert arrays.read(first.embedding).tolist() == arrays.read(second.embedding).tolist()


@pytest.mark.parametrize(
    "uri", ["http://169.254.169.254/x.png", "file:///etc/passwd", "/etc/passwd", "jar:x", "//h/x"]
)
async def test_addresses_are_not_followed_unless_that_is_allowed(rooms: Rooms, uri: str) -> None:
    message = request("a")
    message.data.docs.docs.add().uri = uri

    answer = await ask(rooms, message)

    assert structs.plain(answer.data.docs.docs[1].tags)["error"]["code"] == "invalid_input"
    assert b"root:" not in answer.SerializeToString()


async def test_pictures_in_their_addresses_are_read(rooms: Rooms) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 30)).save(file, "PNG")
    message = request()
    message.data.docs.docs.add().blob = file.getvalue()
    data = base64.b64encode(file.getvalue()).decode()
    message.data.docs.docs.add().uri = f"data:image/png;base64,{data}"

    first, second = (await ask(rooms, message)).data.docs.docs

    assert first.embedding == second.embedding


async def test_thousands_of_documents_in_one_request_are_answered(rooms: Rooms) -> None:
    message = request(*(f"text {n}" for n in range(3000)), endpoint="/encode/fake")

    answer = await ask(rooms, message)

    assert all(doc.HasField("embedding") for doc in answer.data.docs.docs)
