"""What type checkers make of the public API; run by mypy, never executed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

import stelae
from stelae import AsyncClient, Client, Encoding, Encodings, Item, Score, Scores, StelaeError
from stelae.client import (
    Backend,
    ChatOptions,
    EncodeOptions,
    ImageOptions,
    Picture,
    Pictures,
    Reply,
    RetryPolicy,
    ScoreOptions,
    ServerInfo,
    Speech,
    Transcript,
    tool_result,
)
from stelae.types import (
    CachedModel,
    Card,
    Delta,
    EngineFit,
    Finish,
    ImagePiece,
    LaunchInfo,
    Message,
    ModelInfo,
    OutputType,
    Quantization,
    Ragged,
    Registration,
    ReplicaInfo,
    Role,
    Sparse,
    SparseVector,
    ToolUse,
    TranscribePiece,
    Usage,
    Word,
)


def one(client: Client, item: Item, fields: dict[str, str], mapping: Mapping[str, object]) -> None:
    assert_type(client.encode("text"), Encoding)
    assert_type(client.encode(item), Encoding)
    assert_type(client.encode({"text": "a", "id": "b"}), Encoding)
    assert_type(client.encode({"token_ids": [1, 2]}), Encoding)
    assert_type(client.encode(fields), Encoding)
    assert_type(client.encode(mapping), Encoding)


def many(client: Client, items: list[Item], texts: tuple[str, ...], rows: NDArray[np.str_]) -> None:
    assert_type(client.encode(["a", "b"]), Encodings)
    assert_type(client.encode(["a", Item(text="b"), {"text": "c"}]), Encodings)
    assert_type(client.encode([{"text": "a", "metadata": {"page": 1}}]), Encodings)
    assert_type(client.encode(items), Encodings)
    assert_type(client.encode(texts), Encodings)
    assert_type(client.encode(rows), Encodings)
    assert_type(client.encode({"a": 1}.keys()), Encodings)


def pictures(client: Client, path: Path, image: Image, pixels: NDArray[np.uint8]) -> None:
    assert_type(client.encode(b"a file"), Encoding)
    assert_type(client.encode(path), Encoding)
    assert_type(client.encode(image), Encoding)
    assert_type(client.encode(pixels), Encoding)
    assert_type(client.encode([b"a file", path, image, pixels, "text"]), Encodings)
    assert_type(client.encode(p for p in [path]), Generator[Encoding])


def chats(client: Client, options: ChatOptions, path: Path, city: type[object]) -> None:
    def weather(town: str) -> float:
        return float(len(town))

    reply = client.chat("hello", tools=[weather], tool_choice="weather", structure=city)
    assert_type(reply, Reply)
    assert_type(reply.tool_calls, list[ToolUse])
    assert_type(reply.finish, Finish)
    answered = [tool_result(use, 21.5) for use in reply.tool_calls]
    assert_type(answered, list[Message])
    said: list[Message | dict[str, object]] = [reply.message, *answered]
    said.append({"role": "user", "content": ["and this?", path]})
    assert_type(client.chat(said, **options), Reply)
    assert_type(client.stream_chat("hello", structure={"type": "object"}), Generator[Delta])
    assert_type(Reply.of(client.stream_chat("hello")), Reply)


def media(client: Client, options: ImageOptions, path: Path, image: Image) -> None:
    made = client.image("a boat", images=[path, image, b"a file"], mask=image, size="64x64")
    assert_type(made, Pictures)
    assert_type(made[0], Picture)
    assert_type(made.save(path), list[Path])
    assert_type(client.image("a boat", progress=print, **options), Pictures)
    assert_type(client.stream_image("a boat", size=(64, 64)), Generator[ImagePiece])
    client.image("a boat", format="gif")  # type: ignore[arg-type]  # wrong on purpose
    heard = client.transcribe(path, temperatures=0.0, words=True)
    assert_type(heard, Transcript)
    assert_type(heard.words, list[Word])
    assert_type(client.stream_transcribe(b"a file", language="en"), Generator[TranscribePiece])
    assert_type(client.speak("a text", voice="alto", format="wav"), Speech)
    assert_type(client.stream_speak("a text"), Generator[bytes])


def scores(client: Client, asked: ScoreOptions, lines: Iterator[str], path: Path) -> None:
    assert_type(client.score("query", ["a", "b"]), Scores)
    assert_type(client.score(Item(text="query"), lines, by="sparse", errors="return"), Scores)
    assert_type(client.score("query", [path], **asked), Scores)
    found = client.score("query", ["a"])
    assert_type(found.scores, NDArray[np.float32])
    assert_type(found.ranked(3), list[Score])
    assert_type(found.ranked()[0].score, float)
    assert_type(found.order(label="yes"), NDArray[np.intp])
    assert_type(found[0], Score)
    client.score("query", ["a"], by="dens")  # type: ignore[arg-type]  # wrong on purpose
    client.score("query", [1])  # type: ignore[list-item]


def stream(client: Client, lines: Iterator[str], items: Generator[Item]) -> None:
    assert_type(client.encode(lines), Generator[Encoding])
    assert_type(client.encode(items), Generator[Encoding])
    assert_type(client.encode(text for text in ["a"]), Generator[Encoding])


def options(client: Client, asked: EncodeOptions) -> None:
    assert_type(client.encode("a", role="query", truncate="error", errors="return"), Encoding)
    assert_type(client.encode(["a"], role=Role.DOCUMENT, progress=print), Encodings)
    assert_type(client.encode(["a"], **asked), Encodings)
    assert_type(client.encode("a", outputs="sparse", instruction="find"), Encoding)
    assert_type(client.encode(["a"], outputs=("dense", OutputType.SPARSE), dtype="int8"), Encodings)
    client.encode("a", outputs="thick")  # type: ignore[arg-type]  # wrong on purpose
    client.encode("a", role="asker")  # type: ignore[call-overload]
    client.encode("a", modle="b")  # type: ignore[call-overload]
    client.encode(3)  # type: ignore[call-overload]
    client.encode([1, 2])  # type: ignore[list-item]


async def awaited(client: AsyncClient, lines: AsyncIterator[str]) -> None:
    assert_type(await client.encode("text"), Encoding)
    assert_type(await client.encode(["a"]), Encodings)
    assert_type(client.encode(lines), AsyncGenerator[Encoding])
    assert_type(client.encode(iter("ab")), AsyncGenerator[Encoding])
    async for encoding in client.encode(lines):
        assert_type(encoding, Encoding)
    assert_type(await client.score("query", ["a"]), Scores)
    assert_type(await client.score("query", lines), Scores)
    assert_type(await client.image("a boat"), Pictures)
    assert_type(client.stream_speak("a text"), AsyncGenerator[bytes])
    assert_type(await client.models(), list[ModelInfo])
    assert_type(await client.server(), ServerInfo)
    assert_type(await client.get_model("mine"), AsyncClient)
    async with AsyncClient() as entered:
        assert_type(entered, AsyncClient)


def results(encodings: Encodings) -> None:
    assert_type(encodings[0], Encoding)
    assert_type([encoding.tokens for encoding in encodings], list[int])
    assert_type(encodings.dense, NDArray[Any])
    assert_type(encodings[0].dense, NDArray[Any])
    assert_type(encodings.sparse, Sparse)
    assert_type(encodings.sparse[0].indices, NDArray[np.int32])
    assert_type(encodings[0].sparse, SparseVector)
    assert_type(encodings.multivector, Ragged)
    assert_type([vectors.shape for vectors in encodings.multivector], list[tuple[Any, ...]])
    assert_type(encodings[0].multivector, NDArray[Any])
    assert_type(encodings.quantization, Quantization | None)
    assert_type(encodings.dequantized(), Encodings)
    assert_type(encodings[0].dequantized(), Encoding)
    assert_type(encodings.tokens, NDArray[np.int32])
    assert_type(encodings.truncated, NDArray[np.bool_])
    assert_type(encodings.errors, dict[int, StelaeError])
    assert_type(encodings[0].error, StelaeError | None)
    assert_type(encodings.usage, Usage)
    assert_type(encodings.fingerprint, str)


def verbs(client: Client) -> None:
    assert_type(client.models(), list[ModelInfo])
    assert_type(client.model(), ModelInfo)
    assert_type(client.load("m", dtype="bfloat16"), ModelInfo)
    assert_type(client.unload("m"), ModelInfo)
    assert_type(client.server(), ServerInfo)
    assert_type(client.launch_model("m", uid="mine", replicas=2, wait=False), LaunchInfo)
    assert_type(client.get_model("mine"), Client)
    assert_type(client.list_models(), list[LaunchInfo])
    assert_type(client.add_replica("mine", gpus=[0]), ReplicaInfo)
    assert_type(client.remove_replica("mine", 1), int)
    assert_type(client.cards("llm"), list[Card])
    assert_type(client.register_model({"name": "m"}), Card)
    assert_type(client.registrations(), list[Registration])
    assert_type(client.engines("m"), list[EngineFit])
    assert_type(client.cached_models(), list[CachedModel])
    client.launch_model("m", replica=2)  # type: ignore[call-arg]  # wrong on purpose
    client.load("m", dtype="int4")  # type: ignore[arg-type]  # wrong on purpose


def clients(backend: Backend) -> None:
    with stelae.local("all-MiniLM-L6-v2", dtype="float32", threads=2) as client:
        assert_type(client, Client)
    assert_type(Client(retries=RetryPolicy(base=1.0), api_key="k"), Client)
    assert_type(Client(backend=backend), Client)
