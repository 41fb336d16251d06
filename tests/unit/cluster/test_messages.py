from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from fix_replicas import call, deployment
from hypothesis import given, settings
from hypothesis import strategies as st

from stelae.cluster import messages
from stelae.cluster.frames import Frame
from stelae.cluster.messages import (
    Cancel,
    Done,
    Failed,
    Infer,
    Load,
    Message,
    Ping,
    Pong,
    Ready,
    Refused,
)
from stelae.cluster.vitals import Vitals
from stelae.engines.base import EngineInfo
from stelae.errors import ErrorInfo, InvalidInput, ProtocolError
from stelae.types import (
    EncodeCall,
    EncodeResult,
    Item,
    ScoreCall,
    ScoreResult,
    Task,
    Timing,
    Usage,
)

INFO = EngineInfo(fingerprint="f", dtype="float32", device="cpu", notes=("a", "b"))
ERROR = ErrorInfo(code="queue_full", message="full", status=503, retry_after=1.5)


@pytest.mark.parametrize(
    "message",
    [
        Load(deployment()),
        Ready(INFO, 123, "fake", "preferred"),
        Failed(ERROR),
        Infer(7, Task.ENCODE, 0.5, True),
        Infer(8, Task.ENCODE),
        Done(7),
        Refused(7, ERROR),
        Cancel(7),
        Ping(),
        Pong(Vitals(calls=1, tokens=2, batches=3, memory_bytes=4)),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_arrive_as_sent(message: Message) -> None:
    header = msgspec.msgpack.encode(message)
    assert messages.read(Frame(memoryview(header), [])) == message


@pytest.mark.parametrize(
    "header", [b"", b"\xc1", b"garbage", msgspec.msgpack.encode(["Unknown", 1]), b"\x93\xa4Done"]
)
def test_what_is_no_message_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        messages.read(Frame(memoryview(header), []))


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=8))
def test_calls_arrive_as_sent(texts: list[str]) -> None:
    sent = call(*texts)
    assert messages.read_call(Task.ENCODE, messages.payload(sent)) == sent


def result(**more: Any) -> EncodeResult:
    return EncodeResult(
        model="m",
        fingerprint="f",
        tokens=np.array([3, 0], np.int32),
        truncated=np.array([True, False]),
        dense=np.array([[1.5, -2.0], [np.nan, np.nan]], np.float32),
        **more,
    )


def test_results_arrive_as_sent() -> None:
    sent = result(errors={1: ERROR}, usage=Usage(tokens=3), timing=Timing(run_ms=2.5))
    got = messages.read_result(Task.ENCODE, messages.payload(sent))
    np.testing.assert_array_equal(got.dense, sent.dense)
    np.testing.assert_array_equal(got.tokens, sent.tokens)
    np.testing.assert_array_equal(got.truncated, sent.truncated)
    assert (got.dense.dtype, got.tokens.dtype) == (np.float32, np.int32)
    assert (got.errors, got.usage, got.timing) == (sent.errors, sent.usage, sent.timing)


def test_arrays_ride_beside_the_message() -> None:
    wide = np.zeros((1000, 1000), np.float32)
    message, *arrays = messages.payload(msgspec.structs.replace(result(), dense=wide))
    assert len(message) < 500
    assert max(len(array) for array in arrays) == wide.nbytes


def test_score_calls_and_results_arrive_as_sent() -> None:
    asked = ScoreCall(
        model="m", query=Item(text="q"), documents=[Item(text="d"), Item(token_ids=[1])]
    )
    assert messages.task_of(asked) is Task.SCORE
    assert messages.read_call(Task.SCORE, messages.payload(asked)) == asked
    told = ScoreResult(
        model="m",
        fingerprint="f",
        scores=np.array([0.5, np.nan], np.float32),
        tokens=np.array([3, 0], np.int32),
        truncated=np.array([True, False]),
        errors={1: ERROR},
    )
    got = messages.read_result(Task.SCORE, messages.payload(told))
    np.testing.assert_array_equal(got.scores, told.scores)
    assert (got.scores.dtype, got.errors) == (np.float32, told.errors)


def test_texts_without_utf8_cannot_be_sent() -> None:
    with pytest.raises(InvalidInput, match="Unicode"):
        messages.payload(call("fine", "\ud800"))


def test_nesting_without_end_cannot_be_sent() -> None:
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"a": nested}
    deep = EncodeCall(model="m", items=[Item(text="x", metadata=nested)])
    with pytest.raises(InvalidInput, match="nested"):
        messages.payload(deep)
    while nested:  # taken apart by hand: freeing it at once would recurse too
        nested = nested.pop("a")


@pytest.mark.parametrize(
    "buffers", [[], [b"\xc1"], [b"\x80"], [msgspec.msgpack.encode({"model": 5})]]
)
def test_what_is_no_call_is_refused(buffers: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        messages.read_call(Task.ENCODE, buffers)


def test_a_result_that_names_a_missing_buffer_is_refused() -> None:
    message, *_ = messages.payload(result())
    with pytest.raises(ProtocolError):
        messages.read_result(Task.ENCODE, [message])
