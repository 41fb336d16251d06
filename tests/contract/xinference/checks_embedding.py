"""What the handle of embedding models finds; see ``driver.py`` and ``either.py``."""

from __future__ import annotations

import math
import struct
from base64 import b64decode, b64encode
from zlib import compress, crc32

from either import Place, Skip, fresh

__all__ = ["Place", "Skip"]


def picture(shade: int = 0) -> bytes:
    """A PNG of 32 by 32 pixels of one grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        end = struct.pack(">I", crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + end

    head = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([shade]) * 32 for _ in range(32))
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


async def check_one_text(place: Place) -> None:
    """A text has a vector, `model` is the uid, `model_replica` one of its replicas"""
    async with place.launched(model_name="bge-small-en-v1.5", model_type="embedding") as (c, uid):
        answer = await (await c.get_model(uid)).create_embedding("What is the capital of China?")
        assert (answer["object"], answer["model"]) == ("list", uid)
        assert answer["model_replica"] == f"{uid}-rep0"
        (row,) = answer["data"]
        assert (row["object"], row["index"]) == ("embedding", 0)
        assert all(isinstance(number, float) for number in row["embedding"])
        assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 2


async def check_several_texts(place: Place) -> None:
    """Several texts, and their tokens by id, have a vector each, the same alone and together"""
    async with place.client() as c:
        model = await c.get_model("bge-small-en-v1.5")
        both = await model.create_embedding(["a cat", "a dog"])
        alone = await model.create_embedding("a dog")
        assert [row["index"] for row in both["data"]] == [0, 1]
        near(both["data"][1]["embedding"], alone["data"][0]["embedding"])
        ids = await model.create_embedding([[7, 8], [9]])
        flat = await model.create_embedding([7, 8])
        near(ids["data"][0]["embedding"], flat["data"][0]["embedding"])


async def check_embedding_options(place: Place) -> None:
    """`encoding_format`, `normalize_embedding`, `truncate_prompt_tokens` are heeded"""
    async with place.client() as c:
        model = await c.get_model("bge-small-en-v1.5")
        text = "a cat and a dog and a bird"
        plain = (await model.create_embedding(text))["data"][0]["embedding"]
        coded = (await model.create_embedding(text, encoding_format="base64"))["data"][0]
        near(struct.unpack(f"<{len(plain)}f", b64decode(coded["embedding"])), plain)
        unit = await model.create_embedding(text, normalize_embedding=True)
        assert math.isclose(length(unit["data"][0]["embedding"]), 1.0, abs_tol=1e-5)
        cut = await model.create_embedding(text, truncate_prompt_tokens=4)
        assert cut["usage"]["prompt_tokens"] == 4
        call = model.create_embedding(text, dimensions=10**6)
        await place.raised(call, "Failed to create the embeddings, detail: ", "dimensions")


async def check_sparse(place: Place) -> None:
    """`return_sparse` gives weights by ids of tokens, which `convert_ids_to_tokens` spells"""
    async with place.client() as c:
        model = await c.get_model("bge-m3")
        answer = await model.create_embedding(["the cat"], return_sparse=True)
        (row,) = answer["data"]
        assert row["object"] == "sparse_embedding"
        assert all(weight > 0 for weight in row["embedding"].values())
        words = await model.convert_ids_to_tokens([[*row["embedding"]]])
        assert len(words[0]) == len(row["embedding"])
        assert all(isinstance(word, str) for word in words[0])
        plain = await model.convert_ids_to_tokens([int(i) for i in row["embedding"]])
        assert plain == words[0]
        call = model.convert_ids_to_tokens([10**8])
        await place.raised(call, "Failed to decode token ids, detail: ", "no token")


async def check_multimodal(place: Place) -> None:
    """Texts and pictures told by objects have vectors in one space"""
    async with place.client() as c:
        model = await c.get_model("clip")
        coded = b64encode(picture()).decode()
        uri = f"data:image/png;base64,{coded}"
        answer = await model.create_embedding([{"text": "a cat"}, {"image": uri}, "a cat"])
        first, shown, again = (row["embedding"] for row in answer["data"])
        assert len(first) == len(shown)
        near(first, again)
        near((await model.create_embedding({"image": coded}))["data"][0]["embedding"], shown)
        call = model.create_embedding([{"video": uri}])
        await place.raised(call, "Failed to create the embeddings, detail: ", "videos")


async def check_embedding_faults(place: Place) -> None:
    """A uid that is gone, and input that is none, are told in a sentence"""
    async with place.client() as c:
        uid = await c.launch_model(
            model_name="bge-small-en-v1.5", model_type="embedding", model_uid=fresh()
        )
        model = await c.get_model(uid)
        call = model.create_embedding([])
        await place.raised(call, "Failed to create the embeddings, detail: ", "input", "empty")
        await c.terminate_model(uid)
        call = model.create_embedding("a")
        await place.raised(call, "Failed to create the embeddings, detail: ", uid)
    status, body = place.ask("/v1/embeddings", "POST", {"model": uid, "input": "a"})
    assert status == 404
    assert body["detail"] == body["error"]["message"]


def near(one: tuple[float, ...] | list[float], other: list[float]) -> None:
    """Two vectors are the same but for rounding."""
    assert len(one) == len(other)
    assert all(math.isclose(a, b, abs_tol=1e-4) for a, b in zip(one, other, strict=True))


def length(vector: list[float]) -> float:
    """That of a vector."""
    return math.sqrt(sum(number * number for number in vector))
