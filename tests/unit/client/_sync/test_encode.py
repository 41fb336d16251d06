# Generated from tests/unit/client/_async/test_encode.py by tools/unasync.py: do not edit.
from __future__ import annotations

import numpy as np
import pytest
from unit.client._sync.fix_client import client_of
from unit.client.fix_server import Server, array, encoded, failure, packed, vector

from stelae.client import Encoding, Encodings
from stelae.errors import (
    InputTooLong,
    InvalidInput,
    ModelNotFound,
    ProtocolError,
    StelaeError,
    Unauthorized,
)
from stelae.types import Item, Role, Truncate


def test_one_text_gives_one_encoding() -> None:
    with client_of(Server()) as client:
        encoding = client.encode("hello world")
    assert isinstance(encoding, Encoding)
    assert encoding.dense.tolist() == vector("hello world")
    assert encoding.dense.dtype == np.float32
    assert (encoding.tokens, encoding.truncated, encoding.error) == (4, True, None)
    assert (encoding.model, encoding.fingerprint) == ("toy", "f00d")


def test_list_gives_columns_in_order() -> None:
    texts = ["one", "two words", "three words here"]
    with client_of(Server()) as client:
        encodings = client.encode(texts)
    assert isinstance(encodings, Encodings)
    assert encodings.dense.tolist() == [vector(text) for text in texts]
    assert encodings.tokens.tolist() == [3, 4, 5]
    assert encodings.truncated.tolist() == [False, False, True]
    assert encodings.usage.tokens == 12
    assert (encodings.model, encodings.fingerprint, encodings.errors) == ("toy", "f00d", {})


@pytest.mark.parametrize(
    "texts",
    [("a", "b"), np.array(["a", "b"]), np.array(["a", "b"], object), {"a": 1, "b": 2}.keys()],
    ids=["tuple", "numpy", "objects", "keys"],
)
def test_any_sized_collection_is_a_list(texts: object) -> None:
    server = Server()
    with client_of(server) as client:
        encodings = client.encode(texts)
    assert isinstance(encodings, Encodings)
    assert server.texts == [["a", "b"]]


def test_numpy_text_alone_is_one_item() -> None:
    server = Server()
    with client_of(server) as client:
        assert isinstance(client.encode(np.array("a")), Encoding)
        assert isinstance(client.encode(np.str_("b")), Encoding)
    assert server.texts == [["a"], ["b"]]


def test_items_and_dicts_keep_their_names_at_home() -> None:
    server = Server()
    items = [
        Item(text="a", id="first", metadata={"page": 1}),
        {"text": "b", "id": "second"},
        {"token_ids": [5, 6]},
        Item(text="c"),
    ]
    with client_of(server) as client:
        encodings = client.encode(items)
        one = client.encode(items[0])
    assert list(encodings.ids) == ["first", "second", None, None]
    assert encodings[0].metadata == {"page": 1}
    assert encodings[0].id == one.id == "first"
    assert server.calls[0]["items"] == [
        {"text": "a"},
        {"text": "b"},
        {"token_ids": [5, 6]},
        {"text": "c"},
    ]


def test_generator_gives_a_lazy_iterator_in_order() -> None:
    server = Server()
    with client_of(server) as client:
        stream = client.encode(str(number) for number in range(300))
        assert server.calls == []
        encodings = [encoding for encoding in stream]
    assert [encoding.dense[0] for encoding in encodings] == [len(str(n)) for n in range(300)]
    assert sorted(len(texts) for texts in server.texts) == [44, 128, 128]


def test_empty_generator_gives_nothing_and_asks_nothing() -> None:
    server = Server()
    with client_of(server) as client:
        assert [encoding for encoding in client.encode(iter(()))] == []
    assert server.requests == []


@pytest.mark.parametrize("nothing", [[], (), np.array([], str)], ids=["list", "tuple", "numpy"])
def test_empty_list_is_refused(nothing: object) -> None:
    with client_of(Server()) as client:
        with pytest.raises(InvalidInput, match="items is empty"):
            client.encode(nothing)


def test_long_list_is_cut_by_count() -> None:
    server = Server()
    texts = [str(number) for number in range(300)]
    with client_of(server, max_in_flight=1) as client:
        encodings = client.encode(texts)
    assert server.texts == [texts[:128], texts[128:256], texts[256:]]
    assert encodings.dense[:, 0].tolist() == [float(len(text)) for text in texts]
    assert encodings.usage.tokens == 900


def test_batch_size_sets_the_count() -> None:
    server = Server()
    with client_of(server, max_in_flight=1) as client:
        client.encode(["a", "b", "c"], batch_size=2)
    assert server.texts == [["a", "b"], ["c"]]


def test_list_is_cut_by_bytes_and_a_huge_item_goes_alone() -> None:
    server = Server()
    half, huge = "ä" * (128 * 1024), "x" * (1024 * 1024)
    with client_of(server, max_in_flight=1) as client:
        client.encode([half, half, "a", huge, "b"])
    assert server.texts == [[half, half], ["a"], [huge], ["b"]]


def test_options_are_sent_as_documented() -> None:
    server = Server()
    with client_of(server, model="other") as client:
        client.encode("a")
        client.encode(
            "a",
            model="toy",
            role=Role.QUERY,
            prompt_name="search",
            dimensions=2,
            dtype="float16",
            normalize=False,
            truncate=Truncate.START,
        )
        client.encode("a", prompt="find: ", role="document", outputs=["dense"])
    common = {"items": [{"text": "a"}]}
    assert server.calls == [
        {"model": "other", **common},
        {
            **common,
            "model": "toy",
            "role": "query",
            "prompt_name": "search",
            "dimensions": 2,
            "dtype": "float16",
            "normalize": False,
            "truncate": "start",
        },
        {
            **common,
            "model": "other",
            "prompt": "find: ",
            "role": "document",
            "outputs": ["dense"],
        },
    ]


def test_float16_stays_float16() -> None:
    with client_of(Server()) as client:
        assert (client.encode(["a"], dtype="float16")).dense.dtype == np.float16


def test_vectors_can_be_written_to() -> None:
    with client_of(Server()) as client:
        one, many = client.encode("a"), client.encode(["a"])
    one.dense[0] = many.dense[0, 0] = 7
    assert one.dense[0] == many[0].dense[0] == 7


def test_wrong_option_is_refused_before_anything_is_sent() -> None:
    server = Server()
    with client_of(server) as client:
        with pytest.raises(InvalidInput, match=r"truncate='middle'.*'end', 'start'"):
            client.encode("a", truncate="middle")
        with pytest.raises(TypeError, match="modle"):
            client.encode("a", modle="toy")
    assert server.requests == []


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["a", 3], r"items\[1\] is a number"),
        (["a", None], r"items\[1\] is of type NoneType"),
        (["a", "ok\ud800"], r"items\[1\]: character 2 is a lone surrogate \(U\+D800\)"),
        (["a"] * 200 + [{"image": 3}], r"items\[200\] has an 'image' of type int"),
    ],
    ids=["number", "none", "surrogate", "image"],
)
def test_wrong_item_is_named_before_anything_is_sent(
    items: list[object], message: str
) -> None:
    server = Server()
    with client_of(server) as client:
        with pytest.raises(InvalidInput, match=message) as caught:
            client.encode(items)
    assert caught.value.details == {"index": len(items) - 1}
    assert server.requests == []


def test_first_failed_item_is_raised_with_its_index() -> None:
    texts = ["a"] * 130 + ["!bad", "b", "!bad"]
    with client_of(Server()) as client:
        with pytest.raises(InvalidInput, match="told to refuse") as caught:
            client.encode(texts)
        with pytest.raises(InvalidInput) as alone:
            client.encode("!bad")
    assert caught.value.details == {"index": 130}
    assert alone.value.details == {"index": 0}


def test_failed_items_are_returned_on_request() -> None:
    texts = ["a"] * 130 + ["!bad", "b"]
    with client_of(Server()) as client:
        encodings = client.encode(texts, errors="return")
        alone = client.encode("!bad", errors="return")
    assert list(encodings.errors) == [130]
    assert isinstance(encodings[130].error, InvalidInput)
    assert encodings[130].error.details == {"index": 130}
    assert np.isnan(encodings.dense[130]).all()
    assert encodings[131].error is None
    assert isinstance(alone.error, InvalidInput)


def test_stream_raises_at_the_failed_item_and_not_before() -> None:
    texts = ["a"] * 130 + ["!bad", "b"]
    with client_of(Server()) as client:
        stream = client.encode(iter(texts))
        assert len([next(stream) for _ in range(130)]) == 130
        with pytest.raises(InvalidInput) as caught:
            next(stream)
        returned = [e for e in client.encode(iter(texts), errors="return")]
    assert caught.value.details == {"index": 130}
    assert [i for i, encoding in enumerate(returned) if encoding.error] == [130]


def test_index_in_an_error_of_a_request_counts_from_the_first_item() -> None:
    refusal = failure("input_too_long", 400, "too long", details={"index": 1})
    with client_of(
        Server(lambda _: packed(encoded({"items": [{"text": "a"}] * 2})), refusal), max_in_flight=1
    ) as client:
        with pytest.raises(InputTooLong) as caught:
            client.encode(["a"] * 4, batch_size=2)
    assert caught.value.details == {"index": 3, "request_id": "r1"}


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("model_not_found", 404, ModelNotFound),
        ("unauthorized", 401, Unauthorized),
        ("of_the_future", 418, StelaeError),
    ],
)
def test_error_of_a_call_is_typed(code: str, status: int, kind: type[StelaeError]) -> None:
    reply = failure(code, status, "no such thing", param="model", hint="try another")
    with client_of(Server(reply)) as client:
        with pytest.raises(kind) as caught:
            client.encode(["a"])
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.param, caught.value.hint) == (
        "no such thing",
        "model",
        "try another",
    )
    assert caught.value.details["request_id"] == "r1"


@pytest.mark.parametrize(
    "changes",
    [
        {"dense": None},
        {"dense": array("<f4", [1.0, 2.0])},
        {"dense": array("<f4", [[1.0]])},
        {"tokens": array("<i4", [1])},
        {"dense": {"dtype": "|O", "shape": [2, 1], "data": b"12"}},
    ],
    ids=["none", "flat", "short", "tokens", "objects"],
)
def test_result_that_does_not_fit_is_a_protocol_error(changes: dict[str, object]) -> None:
    body = encoded({"items": [{"text": "a"}, {"text": "b"}]}, **changes)
    with client_of(Server(packed(body))) as client:
        with pytest.raises(ProtocolError):
            client.encode(["a", "b"])


def test_vectors_of_two_models_are_never_mixed() -> None:
    other = packed(encoded({"items": [{"text": "b"}]}, fingerprint="beef"))
    with client_of(
        Server(packed(encoded({"items": [{"text": "a"}]})), other), max_in_flight=1
    ) as client:
        with pytest.raises(ProtocolError, match="from fingerprint f00d to beef"):
            client.encode(["a", "b"], batch_size=1)


def test_progress_counts_items() -> None:
    told: list[tuple[int, int | None]] = []
    with client_of(Server()) as client:
        client.encode(["a"] * 3, batch_size=2, progress=lambda *facts: told.append(facts))
        client.encode("a", progress=lambda *facts: told.append(facts))
        stream = client.encode(iter("abc"), batch_size=2, progress=lambda *f: told.append(f))
        assert len([encoding for encoding in stream]) == 3
    assert told == [(2, 3), (3, 3), (1, 1), (2, None), (3, None)]


def test_progress_bar_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with client_of(Server()) as client:
        client.encode(["a"] * 3, progress=True)
        assert len([e for e in client.encode(iter("ab"), progress=True)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    assert "2/?" in err
