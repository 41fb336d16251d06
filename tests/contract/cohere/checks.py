"""What Cohere's client must find, written with the client itself; see ``contract/driver.py``.

Each function is one row of the compatibility table: its docstring is what the row says. The
first address is of an open server, the second of one that wants a key.
"""

from __future__ import annotations

import asyncio
import base64
import struct
from typing import Any

import cohere
from cohere import AsyncClient, AsyncClientV2, Client, ClientV2
from cohere.core.api_error import ApiError

PAIRS, PLAIN, PROMPTED, NESTED, SEEING = "pairs", "plain", "prompted", "nested", "seeing"
QUERY = "first place of tree"
DOCUMENTS = [
    "little their some new where all up know",
    "play first for long if man when how",
    "than my were first to very tree dog",
    "write tree they have by man of place",
]
LONG = " ".join(DOCUMENTS * 40)
PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGA"
    "hKmMIQAAAABJRU5ErkJggg=="
)


class Skip(Exception):
    """The client of this version does not have it."""


def one(url: str, key: str = "any") -> Client:
    return Client(key, base_url=url)


def two(url: str, key: str = "any") -> ClientV2:
    return ClientV2(key, base_url=url)


def raised(ask: Any, kind: type[ApiError] = ApiError) -> Any:
    try:
        ask()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected")


def near(left: Any, right: Any) -> bool:
    return all(abs(a - b) < 1e-5 for a, b in zip(left, right, strict=True))


def check_rerank_two(url: str, locked: str) -> None:
    """`ClientV2.rerank`: all documents best first, scores from 0 to 1, what was asked for"""
    made = two(url).rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS)
    assert sorted(r.index for r in made.results) == [0, 1, 2, 3]
    scores = [r.relevance_score for r in made.results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert made.id
    assert made.meta.api_version.version == "2"
    assert made.meta.billed_units.search_units == 1
    assert made.meta.tokens.input_tokens > 0


def check_rerank_two_options(url: str, locked: str) -> None:
    """`top_n` and `max_tokens_per_doc`; a limit that is not heeded is said in `meta.warnings`"""
    c = two(url)
    made = c.rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS, top_n=2)
    assert len(made.results) == 2
    assert made.meta.warnings is None
    made = c.rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS, max_tokens_per_doc=4)
    assert len(made.results) == 4
    assert "max_tokens_per_doc" in made.meta.warnings[0]


def check_rerank_one(url: str, locked: str) -> None:
    """`Client.rerank`: no documents unless they are wanted, and then with their text"""
    c = one(url)
    made = c.rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS)
    assert {r.document for r in made.results} == {None}
    assert made.meta.api_version.version == "1"
    wanted = c.rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS, return_documents=True)
    for plain, told in zip(made.results, wanted.results, strict=True):
        assert (plain.index, plain.relevance_score) == (told.index, told.relevance_score)
        assert told.document.text == DOCUMENTS[told.index]


def check_rank_fields(url: str, locked: str) -> None:
    """Documents as objects: their `text`, or the fields of `rank_fields` in order"""
    c = one(url)
    objects: list[Any] = [{"text": text, "title": str(n)} for n, text in enumerate(DOCUMENTS)]
    plain = c.rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS).results
    same = c.rerank(model=PAIRS, query=QUERY, documents=objects, rank_fields=["text"]).results
    assert [r.relevance_score for r in same] == [r.relevance_score for r in plain]
    other = c.rerank(
        model=PAIRS, query=QUERY, documents=objects, rank_fields=["title"], return_documents=True
    ).results
    assert [r.relevance_score for r in other] != [r.relevance_score for r in plain]
    assert other[0].document.title == str(other[0].index)


def check_rerank_vectors(url: str, locked: str) -> None:
    """A model for vectors ranks too: the document that is the query comes first"""
    documents = [*DOCUMENTS, QUERY]
    made = two(url).rerank(model=PLAIN, query=QUERY, documents=documents)
    assert made.results[0].index == 4
    assert abs(made.results[0].relevance_score - 1) < 1e-5


def check_embed_two(url: str, locked: str) -> None:
    """`ClientV2.embed`: floats, one vector for each text"""
    made = two(url).embed(
        model=PLAIN, texts=DOCUMENTS, input_type="search_document", embedding_types=["float"]
    )
    assert len(made.embeddings.float_) == 4
    assert len({len(vector) for vector in made.embeddings.float_}) == 1
    assert made.embeddings.int8 is None
    assert made.texts == DOCUMENTS
    assert made.meta.billed_units.input_tokens > 0


def check_embed_types(url: str, locked: str) -> None:
    """Every number format, several at once: the same vectors"""
    kinds = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    made = two(url).embed(
        model=PLAIN, texts=DOCUMENTS[:1], input_type="search_document", embedding_types=kinds
    )
    told = made.embeddings
    (row,) = told.float_
    assert near(struct.unpack(f"<{len(row)}f", base64.b64decode(told.base64[0])), row)
    peak = max(map(abs, row))
    assert all(abs(code - x / peak * 127) < 0.51 for code, x in zip(told.int8[0], row, strict=True))
    low, high = min(row), max(row)
    steps = [(x - low) / (high - low) * 255 for x in row]
    assert all(abs(code - x) < 0.51 for code, x in zip(told.uint8[0], steps, strict=True))
    bits = "".join(f"{byte:08b}" for byte in told.ubinary[0])
    assert [bit == "1" for bit in bits[: len(row)]] == [x > 0 for x in row]
    assert [code + 128 for code in told.binary[0]] == list(told.ubinary[0])


def check_embed_purposes(url: str, locked: str) -> None:
    """`input_type` chooses the model's prompt for queries or documents"""
    c = two(url)

    def vector(text: str, purpose: str) -> Any:
        made = c.embed(model=PROMPTED, texts=[text], input_type=purpose, embedding_types=["float"])
        return made.embeddings.float_[0]

    assert near(vector("tree", "search_query"), vector("find: tree", "classification"))
    assert near(vector("tree", "search_document"), vector("read: tree", "clustering"))
    assert not near(vector("tree", "search_query"), vector("tree", "search_document"))


def check_embed_truncate(url: str, locked: str) -> None:
    """`truncate`: cut at the end or the start, or refused; `max_tokens` cuts sooner"""
    c = two(url)

    def vector(text: str, **how: Any) -> Any:
        made = c.embed(
            model=PLAIN,
            texts=[text],
            input_type="search_document",
            embedding_types=["float"],
            **how,
        )
        return made.embeddings.float_[0]

    assert not near(vector(LONG + " dog", truncate="START"), vector(LONG, truncate="START"))
    assert near(vector(LONG + " dog", truncate="END"), vector(LONG))
    error = raised(lambda: vector(LONG, truncate="NONE"), cohere.BadRequestError)
    assert error.body["error"]["param"] == "texts[0]"
    assert near(vector("tree dog place", max_tokens=3), vector("tree"))


def check_embed_width(url: str, locked: str) -> None:
    """`output_dimension`: fewer numbers, for models trained for it"""
    c = two(url)
    how = {"texts": ["tree"], "input_type": "search_document", "embedding_types": ["float"]}
    made = c.embed(model=NESTED, output_dimension=16, **how)
    assert len(made.embeddings.float_[0]) == 16
    error = raised(
        lambda: c.embed(model=NESTED, output_dimension=9999, **how), cohere.BadRequestError
    )
    assert error.body["error"]["param"] == "output_dimension"


def check_embed_one(url: str, locked: str) -> None:
    """`Client.embed`: vectors alone, or by format where formats are named"""
    c = one(url)
    plain = c.embed(model=PLAIN, texts=DOCUMENTS, input_type="search_document")
    assert plain.response_type == "embeddings_floats"
    assert len(plain.embeddings) == 4
    typed = c.embed(
        model=PLAIN,
        texts=DOCUMENTS,
        input_type="search_document",
        embedding_types=["float", "int8"],
    )
    assert typed.response_type == "embeddings_by_type"
    assert all(near(a, b) for a, b in zip(typed.embeddings.float_, plain.embeddings, strict=True))


def check_embed_many(url: str, locked: str) -> None:
    """More texts than the client sends at once, in their order"""
    texts = [f"{DOCUMENTS[n % 4]} {n}" for n in range(200)]
    c = one(url)
    made = c.embed(model=PLAIN, texts=texts, input_type="search_document")
    assert len(made.embeddings) == 200
    last = c.embed(model=PLAIN, texts=texts[-1:], input_type="search_document")
    assert near(made.embeddings[-1], last.embeddings[0])


def check_embed_pictures(url: str, locked: str) -> None:
    """Pictures as data URIs in `images` and in `inputs`: the same vector, as wide as a text's"""
    c = two(url)
    how = {"model": SEEING, "input_type": "image", "embedding_types": ["float"]}
    (seen,) = c.embed(images=[PNG], **how).embeddings.float_
    inputs: Any = [
        {"content": [{"type": "image_url", "image_url": {"url": PNG}}]},
        {"content": [{"type": "text", "text": "a tree"}]},
    ]
    picture, text = c.embed(inputs=inputs, **how).embeddings.float_
    assert near(seen, picture)
    assert len(text) == len(picture)


def check_bad_input(url: str, locked: str) -> None:
    """What is wrong is named: nothing to rank, numbers below 1, unknown purposes, mixtures"""
    c = two(url)
    typed = {"embedding_types": ["float"], "input_type": "search_document"}
    mixed: Any = [{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    video: Any = [{"content": [{"type": "video_url", "video_url": "x"}]}]
    for ask, param in [
        (lambda: c.rerank(model=PAIRS, query=QUERY, documents=[]), "documents"),
        (lambda: c.rerank(model=PAIRS, query=QUERY, documents=["a"], top_n=0), "top_n"),
        (lambda: c.embed(model=PLAIN, texts=[], **typed), "texts"),
        (lambda: c.embed(model=PLAIN, texts=["a"], images=[PNG], **typed), "images"),
        (lambda: c.embed(model=PLAIN, inputs=mixed, **typed), "inputs[0]"),
        (lambda: c.embed(model=SEEING, inputs=video, **typed), "inputs[0]"),
        (lambda: c.embed(model=SEEING, images=["data:,"], **typed), "images[0]"),
        (
            lambda: c.embed(
                model=PLAIN, texts=["a"], input_type="nonsense", embedding_types=["float"]
            ),
            "input_type",
        ),
        (
            lambda: c.embed(
                model=PLAIN, texts=["a"], input_type="clustering", embedding_types=["int3"]
            ),
            "embedding_types[0]",
        ),
    ]:
        error = raised(ask, cohere.BadRequestError)
        assert error.body["error"]["param"] == param, error.body
        assert error.body["message"]


def check_unknown_models(url: str, locked: str) -> None:
    """A model that is not here: `NotFoundError`; one that cannot: `BadRequestError`"""
    c = two(url)
    error = raised(lambda: c.rerank(model="none", query="a", documents=["b"]), cohere.NotFoundError)
    assert "none" in error.body["message"]
    raised(
        lambda: c.embed(
            model=PAIRS, texts=["a"], input_type="clustering", embedding_types=["float"]
        ),
        cohere.BadRequestError,
    )


def check_keys(url: str, locked: str) -> None:
    """A server with keys wants one: `UnauthorizedError` without"""
    how: dict[str, Any] = {"model": "mortal", "query": "a b", "documents": ["a", "a b"]}
    assert two(locked, "sesame").rerank(**how).results[0].index == 1
    raised(lambda: two(locked, "wrong").rerank(**how), cohere.UnauthorizedError)


async def check_async(url: str, locked: str) -> None:
    """The asynchronous clients: many calls at once, each with its own answer"""
    first, second = AsyncClient("any", base_url=url), AsyncClientV2("any", base_url=url)
    asked = [
        second.rerank(model=PAIRS, query=QUERY, documents=DOCUMENTS[: 1 + n % 4]) for n in range(20)
    ]
    for n, made in enumerate(await asyncio.gather(*asked)):
        assert len(made.results) == 1 + n % 4
    vectors = await first.embed(model=PLAIN, texts=DOCUMENTS, input_type="search_document")
    assert len(vectors.embeddings) == 4
