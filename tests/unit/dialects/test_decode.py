from __future__ import annotations

import contextlib
import json
from enum import StrEnum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.dialects.decode import decode
from stelae.errors import InvalidInput


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


NO_COLOUR = "'blu' is not one of red, blue"
BLU = f"parts[0].colour: {NO_COLOUR}"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    count: int = 0
    colour: Colour | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    parts: list[Inner] = []
    by_key: dict[str, int] = {}
    colours: tuple[Colour, ...] = ()


JSON = msgspec.json.Decoder(Outer)
MSGPACK = msgspec.msgpack.Decoder(Outer)


def failure(body: bytes) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        decode(JSON, body)
    return caught.value


def test_right_body_is_decoded() -> None:
    body = b'{"name": "n", "parts": [{"text": "t", "count": 2}]}'
    assert decode(JSON, body) == Outer("n", [Inner("t", 2)])


def test_msgpack_is_decoded_and_refused_alike() -> None:
    assert decode(MSGPACK, msgspec.msgpack.encode({"name": "n"})) == Outer("n")
    with pytest.raises(InvalidInput) as caught:
        decode(MSGPACK, msgspec.msgpack.encode({"name": 3}))
    assert caught.value.param == "name"


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (b'{"name": 3}', "name", "name: expected `str`, got `int`"),
        (b'{"name": "n", "parts": [{"text": 1}]}', "parts[0].text", None),
        (b'{"name": "n", "parts": [{"text": "t"}, 7]}', "parts[1]", None),
        (b'{"name": "n", "by_key": {"a": "b"}}', "by_key[...]", None),
        (b"{}", "name", "the field 'name' is missing"),
        (b'{"name": "n", "parts": [{}]}', "parts[0].text", "the field 'parts[0].text' is missing"),
        (b'{"name": "n", "parts": [{"text": "t", "colour": "blu"}]}', "parts[0].colour", BLU),
        (b'{"name": "n", "colours": ["red", "blu"]}', "colours[1]", f"colours[1]: {NO_COLOUR}"),
        (b'{"nmae": "n"}', "nmae", "the field 'nmae' is not known"),
        (b"[]", None, "body: expected `object`, got `array`"),
    ],
)
def test_field_at_fault_is_named(body: bytes, param: str | None, message: str | None) -> None:
    error = failure(body)
    assert error.param == param
    if message is not None:
        assert error.message == message


def test_misspelt_field_gets_the_nearest_name_as_a_hint() -> None:
    assert failure(b'{"nmae": "n"}').hint == "did you mean 'name'?"
    assert failure(b'{"zzz": "n"}').hint is None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"name": "\ud800"}, "name"),
        ({"name": "ok", "parts": [{"text": "ok"}, {"text": "a\udfffb"}]}, "parts[1].text"),
        ({"name": "\udc00\ud800"}, "name"),
    ],
)
def test_half_a_surrogate_pair_is_named(value: object, path: str) -> None:
    error = failure(json.dumps(value).encode())
    assert error.param == path
    assert "surrogate" in error.message


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"name": "\xff"}', b"\xef\xbb\xbf{}", b'{"name": NaN}', b'{"name": "n"}{}'],
)
def test_malformed_body_is_refused(body: bytes) -> None:
    assert failure(body).message.startswith("the body is not well-formed")


def test_deep_nesting_is_refused() -> None:
    class Open(msgspec.Struct):
        name: str

    with pytest.raises(InvalidInput, match="nested too deeply"):
        decode(msgspec.json.Decoder(Open), b'{"x": ' + b"[" * 100_000)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    for decoder in (JSON, MSGPACK):
        with contextlib.suppress(InvalidInput):
            assert isinstance(decode(decoder, body), Outer)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["name", "parts", "by_key", "other"]), json_values))
def test_any_json_is_decoded_or_refused(value: object) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(decode(JSON, json.dumps(value).encode()), Outer)
