"""What Voyage's client must find, written with the client itself; see ``contract/driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says. The
first address is of an open server, the second of one that wants a key.
"""

from __future__ import annotations

import asyncio
import base64
import io
from typing import Any

import voyageai
from PIL import Image
from voyageai import AsyncClient, Client

PAIRS, PLAIN, PROMPTED, NESTED, SEEING = "pairs", "plain", "prompted", "nested", "seeing"
QUERY = "first place of tree"
DOCUMENTS = [
    "little their some new where all up know",
    "play first for long if man when how",
    "than my were first to very tree dog",
    "write tree they have by man of place",
]
LONG = " ".join(DOCUMENTS * 40)


class Skip(Exception):
    """The client of this version does not have it."""


def client(url: str, key: str = "any") -> Client:
    return Client(key, base_url=f"{url}/v1", max_retries=1)


def raised(ask: Any, kind: type[Exception] = voyageai.error.InvalidRequestError) -> Any:
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


def near(left: Any, right: Any) -> bool:
    return all(abs(a - b) < 1e-5 for a, b in zip(left, right, strict=True))


def check_rerank(url: str, locked: str) -> None:
    """`rerank`: all documents best first, with their texts, scores from 0 to 1, tokens"""
    made = client(url).rerank(QUERY, DOCUMENTS, PAIRS)
    assert sorted(r.index for r in made.results) == [0, 1, 2, 3]
    scores = [r.relevance_score for r in made.results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(r.document == DOCUMENTS[r.index] for r in made.results)
    assert made.total_tokens > 0


def check_rerank_top(url: str, locked: str) -> None:
    """`rerank` with `top_k`: the best of them"""
    c = client(url)
    made = c.rerank(QUERY, DOCUMENTS, PAIRS, top_k=2)
    assert made.results == c.rerank(QUERY, DOCUMENTS, PAIRS).results[:2]


def check_rerank_truncation(url: str, locked: str) -> None:
    """`rerank` with `truncation=False`: a document that is too long is refused by its place"""
    c = client(url)
    assert len(c.rerank(QUERY, [LONG], PAIRS).results) == 1
    error = raised(lambda: c.rerank(QUERY, ["a", LONG], PAIRS, truncation=False))
    assert "documents[1]" in str(error)
    assert error.http_status == 400


def check_embed(url: str, locked: str) -> None:
    """`embed`: one vector for each text, tokens"""
    made = client(url).embed(DOCUMENTS, model=PLAIN)
    assert len(made.embeddings) == 4
    assert len({len(vector) for vector in made.embeddings}) == 1
    assert made.total_tokens > 0


def check_embed_purposes(url: str, locked: str) -> None:
    """`embed` with `input_type`: the model's prompt for queries or documents"""
    c = client(url)

    def vector(text: str, purpose: str | None = None) -> Any:
        return c.embed([text], model=PROMPTED, input_type=purpose).embeddings[0]

    assert near(vector("tree", "query"), vector("find: tree"))
    assert near(vector("tree", "document"), vector("read: tree"))
    assert not near(vector("tree", "query"), vector("tree", "document"))


def check_embed_formats(url: str, locked: str) -> None:
    """`embed` with `output_dtype`: the same vectors in every number format"""
    c = client(url)

    def vector(code: str) -> Any:
        return c.embed(DOCUMENTS[:1], model=PLAIN, output_dtype=code).embeddings[0]

    row = vector("float")
    peak, low, high = max(map(abs, row)), min(row), max(row)
    assert all(abs(a - x / peak * 127) < 0.51 for a, x in zip(vector("int8"), row, strict=True))
    steps = [(x - low) / (high - low) * 255 for x in row]
    assert all(abs(a - x) < 0.51 for a, x in zip(vector("uint8"), steps, strict=True))
    bits = "".join(f"{byte:08b}" for byte in vector("ubinary"))
    assert [bit == "1" for bit in bits[: len(row)]] == [x > 0 for x in row]
    assert [code + 128 for code in vector("binary")] == vector("ubinary")


def check_embed_width(url: str, locked: str) -> None:
    """`embed` with `output_dimension`: fewer numbers, for models trained for it"""
    c = client(url)
    assert len(c.embed(["tree"], model=NESTED, output_dimension=16).embeddings[0]) == 16
    error = raised(lambda: c.embed(["tree"], model=NESTED, output_dimension=9999))
    assert "dimensions=9999" in str(error)


def check_embed_truncation(url: str, locked: str) -> None:
    """`embed` with `truncation=False`: a text that is too long is refused by its place"""
    c = client(url)
    assert near(
        c.embed([LONG], model=PLAIN).embeddings[0],
        c.embed([LONG + " dog"], model=PLAIN).embeddings[0],
    )
    error = raised(lambda: c.embed(["a", LONG], model=PLAIN, truncation=False))
    assert "input[1]" in str(error)


def version() -> tuple[int, ...]:
    return tuple(int(part) for part in voyageai.version.VERSION.split(".")[:2])


def picture() -> Image.Image:
    return Image.new("RGB", (32, 32), "red")


def check_multimodal(url: str, locked: str) -> None:
    """`multimodal_embed`: texts and pictures as wide as each other, by the client's own classes"""
    made = client(url).multimodal_embed([["a tree"], [picture()]], SEEING)
    assert len(made.embeddings) == 2
    assert len(made.embeddings[0]) == len(made.embeddings[1])
    assert made.total_tokens == made.text_tokens > 0


def check_multimodal_objects(url: str, locked: str) -> None:
    """`multimodal_embed` of objects with base64: the same vectors"""
    held = io.BytesIO()
    picture().save(held, "PNG")
    data = "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()
    inputs = [
        {"content": [{"type": "text", "text": "a tree"}]},
        {"content": [{"type": "image_base64", "image_base64": data}]},
    ]
    c = client(url)
    text, seen = c.multimodal_embed(inputs, SEEING).embeddings
    assert near(text, c.multimodal_embed([["a tree"]], SEEING).embeddings[0])
    assert near(seen, c.multimodal_embed([inputs[1]], SEEING, input_type="document").embeddings[0])


def check_mixtures(url: str, locked: str) -> None:
    """An input of several parts is refused by its place: models here read one"""
    error = raised(lambda: client(url).multimodal_embed([["a tree", picture()]], SEEING))
    assert "inputs[0]" in str(error)


def check_bad_input(url: str, locked: str) -> None:
    """What is wrong is said in one sentence: nothing to rank, numbers below 1, unknown words"""
    c = client(url)
    for ask, word in [
        (lambda: c.rerank(QUERY, [], PAIRS), "documents"),
        (lambda: c.rerank(QUERY, ["a"], PAIRS, top_k=0), "top_k"),
        (lambda: c.embed([], model=PLAIN), "input"),
        (lambda: c.embed(["a"], model=PLAIN, input_type="nonsense"), "input_type"),
        (lambda: c.embed(["a"], model=PLAIN, output_dtype="int8", output_dimension=-1), "-1"),
        (lambda: c.multimodal_embed([["a"]], SEEING, input_type="nonsense"), "input_type"),
    ]:
        assert word in str(raised(ask))


def check_unknown_models(url: str, locked: str) -> None:
    """A model that is not here, or that cannot: an error with its name"""
    error = raised(lambda: client(url).rerank("a", ["b"], "none"), voyageai.error.APIError)
    assert error.http_status == 404
    assert "none" in str(error)
    raised(lambda: client(url).embed(["a"], model=PAIRS))


def check_keys(url: str, locked: str) -> None:
    """A server with keys wants one: `AuthenticationError` without"""
    assert client(locked, "sesame").rerank("a b", ["a", "a b"], "mortal").results[0].index == 1
    if version() < (0, 4):
        raise Skip("errors that are objects end in an AttributeError of its own")
    raised(
        lambda: client(locked, "wrong").rerank("a", ["a"], "mortal"),
        voyageai.error.AuthenticationError,
    )


async def check_async(url: str, locked: str) -> None:
    """The asynchronous client: many calls at once, each with its own answer"""
    c = AsyncClient("any", base_url=f"{url}/v1", max_retries=1)
    asked = [c.rerank(QUERY, DOCUMENTS[: 1 + n % 4], PAIRS) for n in range(20)]
    for n, made in enumerate(await asyncio.gather(*asked)):
        assert len(made.results) == 1 + n % 4
    assert len((await c.embed(DOCUMENTS, model=PLAIN)).embeddings) == 4
    assert len((await c.multimodal_embed([["a tree"]], SEEING)).embeddings) == 1
