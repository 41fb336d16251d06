"""Texts through a client: what happens when a request is refused as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from stelae.cli.bulk.encoder import OVERHEAD, ClientEncoder
from stelae.client import Client, ServerInfo
from stelae.engines.fake.engine import vector
from stelae.errors import EngineFailed, InvalidInput, PoisonInput, StelaeError
from stelae.types import EncodeCall, EncodeResult, ModelInfo, Usage


class Crashing:
    """A backend that refuses any request with the text ``!die`` in it."""

    address = "here"

    def __init__(self, error: StelaeError | None = None) -> None:
        self.calls: list[list[str]] = []
        self.error = error or PoisonInput("this input ended the worker twice")

    def encode(self, call: EncodeCall, timeout: float | None) -> EncodeResult:
        texts = [item.text or "" for item in call.items]
        self.calls.append(texts)
        if "!die" in texts:
            raise self.error
        tokens = np.ones(len(texts), np.int32)
        return EncodeResult(
            model="fake",
            fingerprint="one",
            dense=np.stack([vector(text, 4) for text in texts]),
            tokens=tokens,
            truncated=np.zeros(len(texts), np.bool_),
            usage=Usage(tokens=len(texts)),
        )

    def models(self, timeout: float | None) -> list[ModelInfo]:
        return []

    def model(self, name: str, timeout: float | None) -> ModelInfo:
        return ModelInfo(name=name, source="here")

    def load(
        self, name: str, engine: str | None, dtype: str | None, timeout: float | None
    ) -> ModelInfo:
        return ModelInfo(name=name, source="here")

    def unload(self, name: str, timeout: float | None) -> ModelInfo:
        return ModelInfo(name=name, source="here")

    def server(self, timeout: float | None) -> ServerInfo:
        return ServerInfo(version="0", limits={"body_bytes": 10_000})

    def close(self) -> None:
        pass


def encoder(backend: Crashing, batch_size: int = 8) -> ClientEncoder:
    return ClientEncoder(Client(backend=backend, retries=0), {"batch_size": batch_size})


def test_shape_is_that_of_a_first_text() -> None:
    shape = encoder(Crashing()).shape()
    assert (shape.width, shape.dtype, shape.model, shape.fingerprint) == (
        4,
        "float32",
        "fake",
        "one",
    )


def test_limit_leaves_room_around_the_text() -> None:
    assert encoder(Crashing()).item_bytes() == 10_000 - OVERHEAD


@pytest.mark.parametrize("place", [0, 7, 8, 199])
def test_only_the_text_at_fault_fails(place: int) -> None:
    texts = [f"text {n}" for n in range(200)]
    texts[place] = "!die"
    found = list(encoder(Crashing()).stream(iter(texts)))
    assert [row.error is not None for row in found] == [text == "!die" for text in texts]
    assert isinstance(found[place].error, PoisonInput)
    for text, row in zip(texts, found, strict=True):
        if text != "!die":
            np.testing.assert_array_equal(row.dense, vector(text, 4))


def test_many_at_fault_each_fail_alone() -> None:
    texts = ["!die" if n % 3 == 0 else str(n) for n in range(500)]
    found = list(encoder(Crashing(InvalidInput("refused"))).stream(iter(texts)))
    assert [row.error is not None for row in found] == [text == "!die" for text in texts]


def test_failure_of_the_model_ends_the_stream() -> None:
    with pytest.raises(EngineFailed):
        list(encoder(Crashing(EngineFailed("broken"))).stream(iter(["a", "!die"])))
