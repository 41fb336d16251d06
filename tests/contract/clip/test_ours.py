"""Our client over every protocol, plain and encrypted, with the trained model of shapes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from certificate import Pair, make
from live import Live, live
from PIL import Image, ImageDraw
from repo import ROOT

from stelae.clip import Client, Document, Response
from stelae.errors import InvalidInput, ModelNotFound, ServerUnreachable, Unauthorized

pytest.importorskip("stelae.engines.encoder.engine")  # torch, before threads import it

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

SHAPES = ROOT / "tests" / "data" / "clip-shapes"
EVERY = ("http://127.0.0.1:0", "https://127.0.0.1:0", "grpc://127.0.0.1:0", "grpcs://127.0.0.1:0")
SCHEMES = ("http", "https", "grpc", "grpcs", "ws", "wss")

TOKEN = {"Authorization": "sesame"}

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make(tmp_path_factory.mktemp("tls"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(pair: Pair) -> AsyncIterator[Live]:
    models = {"shapes": {"source": str(SHAPES)}}
    tls = {"certificate": pair.certificate, "key": pair.key}
    async with live(at=EVERY, models=models, tls=tls, api_keys=["sesame"]) as made:
        await made.house.fleet.load("shapes")
        yield made


@pytest.fixture(autouse=True)
def trust(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pair.certificate))


def url_of(server: Live, scheme: str) -> str:
    place = server.urls[SCHEMES.index({"ws": "http", "wss": "https"}.get(scheme, scheme))]
    return f"{scheme}://{place.partition('://')[2]}"


def client(server: Live, scheme: str) -> Client:
    return Client(url_of(server, scheme), credential=TOKEN)


COLOURS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 220)}


def shape(folder: Path, colour: str, kind: str) -> Document:
    """A picture of a shape, as a file."""
    image = Image.new("RGB", (32, 32), (240, 240, 240))
    draw = ImageDraw.Draw(image)
    draw_one = draw.ellipse if kind == "circle" else draw.rectangle
    draw_one((6, 6, 26, 26), fill=COLOURS[colour])
    path = folder / f"{colour}-{kind}.png"
    image.save(path)
    return Document(uri=str(path), tags={"is": f"a {colour} {kind}"})


@every_scheme
async def test_a_caption_finds_its_picture(scheme: str, server: Live, tmp_path: Path) -> None:
    pictures = [
        shape(tmp_path, colour, kind)
        for colour, kind in (("green", "square"), ("red", "circle"), ("blue", "square"))
    ]
    query = Document(text="a photo of a red circle", matches=pictures)
    found = await client(server, scheme).arank([query])
    tags, shares, cosines = found[
        "@m", ["tags__is", "scores__clip_score__value", "scores__clip_score_cosine__value"]
    ]
    assert tags[0] == "a red circle"
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert all(-1 <= cosine <= 1 for cosine in cosines)
    assert found[0].matches[0] is pictures[1]


@every_scheme
async def test_a_picture_finds_its_caption(scheme: str, server: Live, tmp_path: Path) -> None:
    captions = ("a photo of a blue circle", "a photo of a green square", "a photo of a red circle")
    picture = shape(tmp_path, "red", "circle")
    picture.matches = [Document(text=caption) for caption in captions]
    found = await client(server, scheme).arank([picture])
    assert found["@m", "text"][0] == "a photo of a red circle"


@every_scheme
async def test_vectors_are_the_same_on_every_way(scheme: str, server: Live, tmp_path: Path) -> None:
    picture = shape(tmp_path, "green", "circle").uri
    items = ["a red circle", picture, "two words", "a green circle on a blue square"]
    one = await client(server, scheme).aencode(items, batch_size=2)
    other = await client(server, "grpc").aencode(items, batch_size=1)
    np.testing.assert_allclose(one, other, atol=1e-5)
    lengths = np.linalg.norm(one, axis=1)
    assert (abs(lengths - 1) > 1e-3).all()  # not normalised


@every_scheme
async def test_a_broken_picture_is_named_and_spares_its_neighbours(
    scheme: str, server: Live
) -> None:
    given = [Document(text="fine"), Document(blob=b"no picture"), Document(text="fine too")]
    with pytest.raises(InvalidInput, match=r"1 document failed: content\[1\]: ") as caught:
        await client(server, scheme).aencode(given)
    (failed,) = caught.value.details["documents"]
    assert (failed["index"], failed["id"]) == (1, given[1].id)
    assert [document.embedding is None for document in given] == [False, True, False]
    assert given[1].tags["error"]["message"] == failed["message"]


@every_scheme
async def test_a_broken_match_is_named_and_stands_last(scheme: str, server: Live) -> None:
    matches = [Document(blob=b"no picture"), Document(text="a red circle"), Document(text="b")]
    query = Document(text="a photo of a red circle", matches=matches)
    with pytest.raises(InvalidInput, match=r"docs\[0\]: matches\[2\]: "):
        await client(server, scheme).arank([query])
    seen: list[Response] = []
    query.matches = matches
    found = await client(server, scheme).arank([query], on_error=seen.append)
    assert len(seen) == 1
    assert found[0].matches[0] is matches[1]
    assert found[0].matches[2] is matches[0]
    assert "error" in matches[0].tags


@every_scheme
async def test_an_unknown_model_is_named(scheme: str, server: Live) -> None:
    with pytest.raises(ModelNotFound, match="absent"):
        await client(server, scheme).aencode(["a"], parameters={"model_name": "absent"})


@every_scheme
async def test_a_wrong_token_is_told(scheme: str, server: Live) -> None:
    intruder = Client(url_of(server, scheme), credential={"Authorization": "wrong"})
    with pytest.raises(Unauthorized):
        await intruder.aencode(["a"])


@every_scheme
async def test_a_token_with_its_kind_is_taken_too(scheme: str, server: Live) -> None:
    bearer = Client(url_of(server, scheme), credential={"Authorization": "Bearer sesame"})
    assert (await bearer.aencode(["a"])).shape == (1, 40)


@pytest.mark.parametrize("scheme", ["https", "grpcs", "wss"])
async def test_an_unknown_certificate_is_not_trusted(
    scheme: str, server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(ServerUnreachable):
        await client(server, scheme).aencode(["a"])


@every_scheme
async def test_many_documents_keep_their_order(scheme: str, server: Live) -> None:
    texts = [f"a photo of {number} red circles" for number in range(60)]
    rows = await client(server, scheme).aencode(iter(texts), batch_size=7, prefetch=3)
    alone = await client(server, scheme).aencode(texts[41:42])
    np.testing.assert_allclose(rows[41], alone[0], atol=1e-5)
    assert rows.shape == (60, 40)


@every_scheme
async def test_what_is_kept_is_found_again(scheme: str, server: Live, tmp_path: Path) -> None:
    kinds = [("green", "square"), ("red", "circle"), ("blue", "square"), ("blue", "circle")]
    pictures = [shape(tmp_path, colour, kind) for colour, kind in kinds]
    parameters = {"collection": f"shapes-{scheme}"}
    asked = client(server, scheme)
    kept = await asked.aindex(pictures, parameters=parameters)
    assert kept.embeddings.shape == (4, 40)
    found = await asked.asearch(
        ["a photo of a red circle", "a photo of a green square"], limit=2, parameters=parameters
    )
    assert found["@r", "text"] == ["a photo of a red circle", "a photo of a green square"]
    assert [len(query.matches) for query in found] == [2, 2]
    assert found["@m[0]", "tags__is"] == ["a red circle", "a green square"]
    assert found["@m[0]", "id"] == [pictures[1].id, pictures[0].id]
    for query in found:
        distances = query.matches[:, "scores__cosine__value"]
        assert distances == sorted(distances)
        assert all(0 <= distance <= 2 for distance in distances)


async def test_synchronous_kin_do_the_same(server: Live) -> None:
    await asyncio.to_thread(use, client(server, "grpc"))


def use(asked: Client) -> None:
    parameters = {"collection": "synchronous"}
    documents = [Document(id="r", text="a red circle"), Document(id="g", text="a green square")]
    assert asked.index(documents, parameters=parameters)["@r", "id"] == ["r", "g"]
    found = asked.search(["a red circle"], limit=1, parameters=parameters)
    assert found["@m", "id"] == ["r"]
    assert asked.encode(["a", "b"]).shape == (2, 40)
    ranked = asked.rank([Document(text="a red circle", matches=documents)])
    assert ranked["@m", "id"] == ["r", "g"]
    parts = asked.profile("a red circle")
    assert parts["Roundtrip"] == parts["Client-server network"] + parts["Server"]
    assert parts["CLIP model"] > 0
