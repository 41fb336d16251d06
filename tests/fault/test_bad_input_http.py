"""What goes wrong over HTTP: a clear typed error or a right answer, and the server lives on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
import pytest_asyncio
from live import FAKE, Live, live, until

from stelae.engines.fake.engine import vector
from stelae.types import EncodeCall, EncodeResult, Item
from stelae.wire.arrays import pack, unpack

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 20 * 1024 * 1024
DEEP = 100_000
OPENAI, NATIVE = "/v1/embeddings", "/stelae/v1/encode"
JSON = {"Content-Type": "application/json"}
MSGPACK = {"Content-Type": "application/msgpack"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Live]:
    async with live(limits={"body_bytes": LIMIT}, models={"fake": {**FAKE, "aliases": ["f"]}}) as s:
        await s.house.fleet.load("fake")
        yield s


@pytest_asyncio.fixture(loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    """A client; afterwards the server must be alive and right."""
    # Without verify=False each client reads all certificates of the machine, for 40 ms.
    async with httpx.AsyncClient(base_url=server.url, timeout=30, verify=False) as client:  # noqa: S501
        yield client
        assert (await client.get("/healthz")).status_code == 200
        await answers_well(client)
    assert server.app.reception.ledger.held == 0


async def answers_well(client: httpx.AsyncClient, text: str = "still here") -> None:
    answer = await client.post(OPENAI, json={"model": "fake", "input": text})
    found = np.array(answer.json()["data"][0]["embedding"], np.float32)
    np.testing.assert_array_equal(found, vector(text, 384))


def refused(answer: httpx.Response, status: int, param: str | None = None) -> dict[str, Any]:
    """The error of an answer that must be one, in the shape all clients read."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert isinstance(body["detail"], str)
    assert body["detail"]
    error: dict[str, Any] = body["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    if param is not None:
        assert error["param"] == param
    return error


def embedding(value: str) -> bytes:
    """A request in OpenAI's words, with ``value`` put in as it is."""
    return b'{"model": "fake", "input": ' + value.encode("utf-8", "surrogatepass") + b"}"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (embedding("[]"), "input"),
        (embedding("[[]]"), "input[0]"),
        (embedding("[[1], []]"), "input[1]"),
        (embedding("null"), "input"),
        (embedding("3"), "input"),
        (embedding("true"), "input"),
        (embedding('{"words": "a"}'), "input"),
        (embedding("[null]"), "input[0]"),
        (embedding('["a", null]'), "input[1]"),
        (embedding('["a", 3]'), "input[1]"),
        (embedding('["a", ["b"]]'), "input[1][0]"),
        (embedding('[1, "a"]'), "input[1]"),
        (embedding("[1.5]"), "input[0]"),
        (embedding("[true]"), "input[0]"),
        (embedding("[-1]"), "input[0]"),
        (embedding("[1e400]"), "input[0]"),
        (embedding("[99999999999999999999999]"), "input[0]"),
        (embedding(f"[{'9' * 100_000}]"), "input[0]"),
        (embedding('"a", "dimensions": "8"'), "dimensions"),
        (embedding('"a", "dimensions": true'), "dimensions"),
        (embedding('"a", "dimensions": 1e400'), "dimensions"),
        (embedding(f'"a", "dimensions": {"9" * 100_000}'), "dimensions"),
        (embedding('"a", "encoding_format": "hex"'), "encoding_format"),
        (embedding('"a", "truncate": "middle"'), "truncate"),
        (b'{"input": "a"}', "model"),
        (b'{"model": null, "input": "a"}', "model"),
        (b'{"model": 7, "input": "a"}', "model"),
        (b'{"model": "fake"}', "input"),
        (embedding(r'"\ud800"'), "input"),
        (embedding(r'["a", "b \udc00 c"]'), "input[1]"),
        (embedding(r'["a", "\ud83d"]'), "input[1]"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_wrong_request_is_refused_by_the_name_of_its_field(
    body: bytes, param: str, http: httpx.AsyncClient
) -> None:
    refused(await http.post(OPENAI, content=body), 400, param)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"\x00",
        embedding('"a"') + b" trailing",
        b"\xef\xbb\xbf" + embedding('"a"'),
        embedding('"a"').decode().encode("utf-16"),
        b'{"model": "fake", "input": "broken \xff utf-8"}',
        b'{"model": "fake", "input": "\xed\xa0\x80"}',
        b'{"model": "fake", "input": "raw \x01 control"}',
        embedding("NaN"),
        embedding("[Infinity]"),
        embedding("[" * DEEP + "]" * DEEP),
        b'{"model": "fake", "input": "a", "x": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"model": "fake", "input": "a", "x": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    ],
    ids=lambda value: repr(value)[:60],
)
@pytest.mark.parametrize("path", [OPENAI, NATIVE])
async def test_body_that_is_no_request_is_refused(
    path: str, body: bytes, http: httpx.AsyncClient
) -> None:
    refused(await http.post(path, content=body, headers=JSON), 400)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \t\n",
        "nul \0 byte",
        "\U0001d518 \U0001f600 \ufdfa",
        "\ufeffmark",
        "\u202eright to left",
        "�",
        "a" * 100_000,
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_odd_text_is_a_text(text: str, http: httpx.AsyncClient) -> None:
    answer = await http.post(OPENAI, json={"model": "fake", "input": [text, "plain"]})
    found = [np.array(item["embedding"], np.float32) for item in answer.json()["data"]]
    np.testing.assert_array_equal(found[0], vector(" ".join(text.split()), 384))
    np.testing.assert_array_equal(found[1], vector("plain", 384))


async def test_surrogate_pair_as_escapes_is_the_character_it_means(http: httpx.AsyncClient) -> None:
    answer = await http.post(OPENAI, content=embedding(r'"\ud83d\ude00"'))
    found = np.array(answer.json()["data"][0]["embedding"], np.float32)
    np.testing.assert_array_equal(found, vector("😀", 384))


async def test_last_of_two_equal_keys_counts(http: httpx.AsyncClient) -> None:
    body = b'{"model": "fake", "input": "a", "input": "b"}'
    found = (await http.post(OPENAI, content=body)).json()["data"][0]["embedding"]
    np.testing.assert_array_equal(np.array(found, np.float32), vector("b", 384))


async def test_unknown_fields_pass_in_openai_and_are_named_in_native(
    http: httpx.AsyncClient,
) -> None:
    body = {"model": "fake", "input": "a", "dimension": 3}
    assert (await http.post(OPENAI, json=body)).status_code == 200
    native = {"model": "fake", "items": [{"text": "a"}], "dimension": 3}
    error = refused(await http.post(NATIVE, json=native), 400, "dimension")
    assert error["hint"] == "did you mean 'dimensions'?"


async def test_unknown_model_is_404_with_the_nearest_names(http: httpx.AsyncClient) -> None:
    for path, body in (
        (OPENAI, {"model": "fakee", "input": "a"}),
        (NATIVE, {"model": "fakee", "items": [{"text": "a"}]}),
    ):
        error = refused(await http.post(path, json=body), 404, "model")
        assert (error["code"], error["hint"]) == ("model_not_found", "did you mean 'fake'?")


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc",
        "a\0b",
        "a\nb",
        "..%2f",
        "-rf",
        "x" * 10_000,
        "",
        "CON",
        "FAKE",
        "~",
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_odd_model_name_is_unknown_and_opens_no_file(
    name: str, http: httpx.AsyncClient
) -> None:
    refused(await http.post(OPENAI, json={"model": name, "input": "a"}), 404, "model")


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a%00b", "%ff", "a%0d%0ab"])
async def test_odd_model_path_is_unknown(name: str, http: httpx.AsyncClient) -> None:
    refused(await http.get(f"/v1/models/{name}"), 404)
    refused(await http.get(f"/stelae/v1/models/{name}"), 404)


async def test_one_bad_item_leaves_its_neighbours_unharmed(http: httpx.AsyncClient) -> None:
    items = [{"text": "one"}, {"text": "!bad"}, {"text": "two"}]
    answer = await http.post(NATIVE, json={"model": "fake", "items": items})
    body = answer.json()
    assert answer.status_code == 200
    assert list(body["errors"]) == ["1"]
    np.testing.assert_array_equal(np.array(body["dense"][0], np.float32), vector("one", 384))
    np.testing.assert_array_equal(np.array(body["dense"][2], np.float32), vector("two", 384))


@pytest.mark.parametrize(
    "items",
    [[], [{}], [{"text": "a", "token_ids": [1]}], [{"text": None}], ["a"], [None], [{"txt": "a"}]],
    ids=repr,
)
async def test_wrong_items_are_refused_in_native(items: Any, http: httpx.AsyncClient) -> None:
    refused(await http.post(NATIVE, json={"model": "fake", "items": items}), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xffabc",
        b"\x91" * DEEP,
        b"\xc7\x0c\xff" + b"\xff" * 12,
        msgspec.msgpack.encode({"model": "fake", "items": [{1: 2}]}),
        msgspec.msgpack.encode({"model": b"fake", "items": []}),
        pack(EncodeCall(model="fake", items=[Item(text="a")])) + b"\x00",
        b"\x82\xa5model\xa4\xff\xfe\xfd\xfc\xa5items\x90",
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_broken_msgpack_is_refused(body: bytes, http: httpx.AsyncClient) -> None:
    refused(await http.post(NATIVE, content=body, headers=MSGPACK), 400)


async def test_error_is_msgpack_for_those_who_ask_for_it(http: httpx.AsyncClient) -> None:
    headers = MSGPACK | {"Accept": "application/msgpack"}
    answer = await http.post(NATIVE, content=b"\xc1", headers=headers)
    assert answer.headers["content-type"] == "application/msgpack"
    assert msgspec.msgpack.decode(answer.content)["error"]["code"] == "invalid_input"


@pytest.mark.parametrize("given", ["text/plain", "application/x-www-form-urlencoded", "a/b; c=d"])
async def test_other_content_type_is_refused_in_native(given: str, http: httpx.AsyncClient) -> None:
    body = b'{"model": "fake", "items": [{"text": "a"}]}'
    answer = await http.post(NATIVE, content=body, headers={"Content-Type": given})
    refused(answer, 400, "Content-Type")


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "x" * 1000])
async def test_compressed_body_is_refused(coding: str, http: httpx.AsyncClient) -> None:
    headers = {"Content-Encoding": coding}
    refused(await http.post(OPENAI, content=b"xx", headers=headers), 400, "Content-Encoding")


@pytest.mark.parametrize("given", ["abc", "nan", "inf", "1e999", "", "0x10"])
async def test_deadline_that_is_no_number_is_refused(given: str, http: httpx.AsyncClient) -> None:
    headers = {"X-Request-Timeout-Ms": given.encode()}
    answer = await http.post(OPENAI, content=embedding('"a"'), headers=headers)
    refused(answer, 400, "X-Request-Timeout-Ms")


@pytest.mark.parametrize("given", ["0", "-5", "-1e9"])
async def test_deadline_that_has_passed_is_504(given: str, http: httpx.AsyncClient) -> None:
    headers = {"X-Request-Timeout-Ms": given}
    answer = await http.post(OPENAI, content=embedding('"a"'), headers=headers)
    error = refused(answer, 504)
    assert (error["code"], answer.headers["x-should-retry"]) == ("deadline_exceeded", "false")


async def test_deadline_that_passes_during_the_work_is_504(
    server: Live, http: httpx.AsyncClient
) -> None:
    held = asyncio.create_task(http.post(OPENAI, content=embedding('"!sleep 0.5"')))
    await until(lambda: server.house.inference._admission.calls == 1)
    headers = {"X-Request-Timeout-Ms": "50"}
    answer = await http.post(OPENAI, content=embedding('"late"'), headers=headers)
    assert refused(answer, 504)["code"] == "deadline_exceeded"
    assert (await held).status_code == 200


async def test_ten_megabytes_in_one_text_are_answered(http: httpx.AsyncClient) -> None:
    text = "word " * (2 * 1024 * 1024)
    answer = await http.post(OPENAI, json={"model": "fake", "input": [text, "short"]})
    assert [item.get("truncated", False) for item in answer.json()["data"]] == [True, False]
    assert answer.headers["x-stelae-truncated"] == "1"


@pytest.mark.slow
async def test_hundred_thousand_items_are_answered_in_order(http: httpx.AsyncClient) -> None:
    count = 100_000
    call = EncodeCall(model="fake", items=[Item(text=f"t{n}") for n in range(count)])
    headers = MSGPACK | {"Accept": "application/msgpack"}
    answer = await http.post(NATIVE, content=pack(call), headers=headers)
    result = unpack(answer.content, EncodeResult)
    assert result.dense is not None
    assert result.dense.shape == (count, 384)
    for n in (0, 1, 50_000, count - 1):
        np.testing.assert_array_equal(result.dense[n], vector(f"t{n}", 384))


async def test_body_over_the_limit_is_413_whether_declared_or_not(http: httpx.AsyncClient) -> None:
    big = b"x" * (LIMIT + 1)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(big), 1024 * 1024):
            yield big[start : start + 1024 * 1024]

    for content in (big, pieces()):
        error = refused(await http.post(OPENAI, content=content), 413)
        assert error["code"] == "body_too_large"


async def test_errors_hold_no_internals(http: httpx.AsyncClient) -> None:
    for body in (embedding('"!fail"'), embedding('"!bad"'), b"{", embedding("[" * DEEP)):
        text = (await http.post(OPENAI, content=body)).text
        for secret in ("Traceback", "/src/", "site-packages", "0x"):
            assert secret not in text


async def test_failure_of_the_model_is_a_typed_500(http: httpx.AsyncClient) -> None:
    error = refused(await http.post(OPENAI, content=embedding('"!fail"')), 500)
    assert (error["code"], error["type"]) == ("engine_failed", "server_error")


# -- below HTTP: what is sent as bytes -------------------------------------------------------


async def exchange(server: Live, *pieces: bytes, close: bool = False) -> bytes:
    """Send bytes and read all that comes back until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            return b""
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [
        b"POST /v1/embeddings HTTP/1.1",
        b"Host: localhost",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n",
        b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBig: " + b"x" * 1_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=lambda value: repr(value)[:50],
)
async def test_what_is_not_http_is_refused_as_json(
    raw: bytes, server: Live, http: httpx.AsyncClient
) -> None:
    answer = await exchange(server, raw)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status(answer) == 400
    assert b"content-type: application/json" in head.lower()
    assert json.loads(body)["error"]["code"] == "invalid_http"


async def test_repeated_leading_slashes_reach_the_path(
    server: Live, http: httpx.AsyncClient
) -> None:
    raw = post(embedding('"a"')).replace(b"/v1/", b"//v1/", 1)
    assert status(await exchange(server, raw)) == 200


async def test_body_in_tiny_chunks_is_read(server: Live, http: httpx.AsyncClient) -> None:
    body = embedding('"a"')
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    assert status(await exchange(server, head, chunks)) == 200


async def test_requests_sent_in_one_go_are_answered_in_order(
    server: Live, http: httpx.AsyncClient
) -> None:
    one = post(embedding('"a"')).replace(b"Connection: close\r\n", b"")
    answer = await exchange(server, one * 20 + post(embedding('"last"')))
    assert answer.count(b"HTTP/1.1 200") == 21


async def test_client_that_leaves_in_the_middle_of_its_body_harms_nobody(
    server: Live, http: httpx.AsyncClient
) -> None:
    for cut in (10, 60, 100):
        await exchange(server, post(embedding('"abc"'))[:cut], close=True)


async def test_client_that_leaves_takes_its_waiting_work_along(
    server: Live, http: httpx.AsyncClient
) -> None:
    def under_way() -> int:
        return server.house.inference._admission.calls

    port = int(server.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(post(embedding('"!sleep 0.5"')))
    await until(lambda: under_way() == 1)
    writer.close()
    await until(lambda: under_way() == 0)
    assert b'code="499"' in (await http.get("/metrics")).content
