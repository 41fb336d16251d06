from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from unit.client._async.fix_client import client_of
from unit.client.fix_server import Server, array, encoded, packed, terms, token_vectors, vector

from stelae.errors import InvalidInput, ProtocolError
from stelae.types import Muvera, OutputType

TEXTS = [f"{'a' * (n % 5 + 1)} {'bc' * (n % 3)} x{n}" for n in range(300)]
ALL = ("dense", "sparse", "multivector")


async def test_every_kind_comes_from_one_request() -> None:
    server = Server()
    async with client_of(server) as client:
        one = await client.encode("two words", outputs=ALL)
    assert server.calls[0]["outputs"] == list(ALL)
    assert one.dense.tolist() == vector("two words")
    assert one.sparse.indices.tolist() == terms("two words")
    assert one.sparse.values.tolist() == [term / 2 for term in terms("two words")]
    assert one.multivector.tolist() == token_vectors("two words")


async def test_columns_of_many_requests_are_put_together_in_order() -> None:
    async with client_of(Server()) as client:
        encodings = await client.encode(TEXTS, outputs=ALL, batch_size=7)
    assert encodings.dense.tolist() == [vector(text) for text in TEXTS]
    assert [item.indices.tolist() for item in encodings.sparse] == [terms(t) for t in TEXTS]
    assert [item.tolist() for item in encodings.multivector] == [token_vectors(t) for t in TEXTS]
    assert len(encodings.sparse) == len(encodings.multivector) == len(encodings) == 300
    assert encodings[299].sparse.indices.tolist() == terms(TEXTS[299])
    assert encodings[-1].multivector.tolist() == token_vectors(TEXTS[299])


async def test_stream_gives_every_kind_item_by_item() -> None:
    async with client_of(Server()) as client:
        stream = client.encode(iter(TEXTS), outputs=["sparse", "multivector"], batch_size=7)
        found = [encoding async for encoding in stream]
    assert [e.sparse.indices.tolist() for e in found] == [terms(text) for text in TEXTS]
    assert [e.multivector.tolist() for e in found] == [token_vectors(text) for text in TEXTS]


async def test_small_dtypes_are_read_back_in_every_part() -> None:
    async with client_of(Server()) as client:
        encodings = await client.encode(TEXTS, outputs="multivector", dtype="int8", batch_size=7)
        one = await client.encode("two words", outputs="multivector", dtype="int8")
    assert encodings.multivector.values.dtype == one.multivector.dtype == np.int8
    read = encodings.dequantized()
    assert read.multivector.quantization is None
    for text, rows in zip(TEXTS, read.multivector, strict=True):
        np.testing.assert_array_equal(rows, np.float32(token_vectors(text)) * 0.5 + 1)
    expected = np.float32(token_vectors("two words")) * 0.5 + 1
    np.testing.assert_array_equal(one.dequantized().multivector, expected)
    np.testing.assert_array_equal(encodings[7].dequantized().multivector, read.multivector[7])


async def test_failed_item_has_no_terms_and_no_token_vectors() -> None:
    async with client_of(Server()) as client:
        encodings = await client.encode(["a b", "!bad", "c"], outputs=ALL, errors="return")
    assert [len(item.indices) for item in encodings.sparse] == [1, 0, 1]
    assert [rows.shape for rows in encodings.multivector] == [(2, 2), (0, 2), (1, 2)]
    assert isinstance(encodings[1].error, InvalidInput)


async def test_what_was_not_asked_for_is_named_when_read() -> None:
    async with client_of(Server()) as client:
        sparse = await client.encode(["a"], outputs="sparse")
        dense = await client.encode("a")
    with pytest.raises(InvalidInput, match="no dense representations") as caught:
        sparse.dense  # noqa: B018
    assert caught.value.hint == "encode with outputs='dense', or a tuple with 'dense' in it"
    for name in ("sparse", "multivector"):
        with pytest.raises(InvalidInput, match=f"no {name} representations"):
            getattr(dense, name)


async def test_columns_can_be_written_to_and_hold_no_answer_alive() -> None:
    async with client_of(Server()) as client:
        encodings = await client.encode(["a b", "c"], outputs=ALL)
        found = [e async for e in client.encode(iter(["a b", "c"]), outputs=ALL)]
    encodings.sparse.values[0] = encodings.multivector.values[0, 0] = 7
    assert encodings[0].sparse.values[0] == encodings[0].multivector[0, 0] == 7
    many = found[0].columns.multivector
    assert many is not None
    assert many.values.base is None
    found[0].multivector[0, 0] = 7


async def test_options_of_the_new_kinds_are_sent_as_documented() -> None:
    server = Server()
    async with client_of(server) as client:
        await client.encode(
            "a",
            outputs=[OutputType.DENSE, "dense"],
            instruction="find",
            pool_factor=2,
            muvera=Muvera(repetitions=3),
            dtype="ubinary",
            max_tokens=16,
        )
    call = server.calls[0]
    assert call["max_tokens"] == 16
    assert call["outputs"] == ["dense"]
    assert (call["instruction"], call["pool_factor"], call["dtype"]) == ("find", 2, "ubinary")
    assert call["muvera"]["repetitions"] == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"sparse": None},
        {"sparse": {"offsets": array("<i8", [0, 1])}},
        {"sparse": {"offsets": array("<i8", [0, 2, 1])}},
        {"sparse": {"offsets": array("<i8", [1, 1, 2])}},
        {"sparse": {"offsets": array("<i8", [0, 1, 9])}},
        {"sparse": {"indices": array("<i4", [1])}},
        {"multivector": None},
        {"multivector": {"offsets": array("<i8", [0, 1, 9])}},
        {"multivector": {"values": array("<f4", [1, 2])}},
        {"multivector": {"quantization": {"scale": array("<f4", [1]), "zero": array("<f4", [1])}}},
        {"quantization": {"scale": array("<f4", [1]), "zero": array("<f4", [1, 2])}},
    ],
    ids=str,
)
async def test_column_that_does_not_fit_is_a_protocol_error(changes: dict[str, Any]) -> None:
    answer = encoded({"items": [{"text": "a"}, {"text": "b"}], "outputs": ALL})
    for name, change in changes.items():
        whole = name == "quantization" or change is None
        answer[name] = change if whole else {**answer[name], **change}
    async with client_of(Server(packed(answer))) as client:
        with pytest.raises(ProtocolError):
            await client.encode(["a", "b"], outputs=ALL)


async def test_columns_of_two_formats_are_never_mixed() -> None:
    first = encoded({"items": [{"text": "a"}], "outputs": ["multivector"]})
    other = encoded({"items": [{"text": "b"}], "outputs": ["multivector"], "dtype": "int8"})
    async with client_of(Server(packed(first), packed(other)), max_in_flight=1) as client:
        with pytest.raises(ProtocolError, match="the model changed"):
            await client.encode(["a", "b"], outputs="multivector", batch_size=1)
