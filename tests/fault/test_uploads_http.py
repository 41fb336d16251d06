"""Hostile forms over HTTP: each is refused at once by its own status, and the server lives on."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import fix_media
import httpx
import pytest
import pytest_asyncio
from live import Live, live
from PIL import Image

from stelae.wire.multipart import PARTS

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELD = b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
PATHS = (
    "/v1/images/edits", "/v1/images/variations", "/v1/audio/transcriptions", "/v1/audio/speech",
    "/v1/files",
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    models = {
        "painter": fix_media.settings(
            tmp_path_factory.mktemp("media"), "painter", fix_media.PAINTER
        ),
    }
    with pytest.MonkeyPatch.context() as patch:
        fix_media.install(patch)
        async with live(models=models, limits={"body_bytes": 16 << 20}) as made:
            yield made


@pytest_asyncio.fixture(loop_scope="module")
async def http(server: Live) -> AsyncIterator[httpx.AsyncClient]:
    """A caller; afterwards a picture is edited as if nothing had been."""
    async with httpx.AsyncClient(base_url=server.url) as opened:
        yield opened
        form = {"model": "painter", "prompt": "a cat", "response_format": "b64_json"}
        answer = await opened.post("/v1/images/edits", data=form, files={"image": png()})
        assert answer.status_code == 200


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(file, "PNG")
    return file.getvalue()


def part(head: bytes, data: bytes = b"x") -> bytes:
    return b"--B\r\n" + head + b"\r\n\r\n" + data + b"\r\n--B--\r\n"


FORM = "multipart/form-data; boundary=B"
NAMED = b'Content-Disposition: form-data; name="image"'
HOSTILE: dict[str, tuple[str, bytes, int]] = {
    "no boundary": ("multipart/form-data", FIELD + b"--B--", 400),
    "empty boundary": ("multipart/form-data; boundary=", FIELD + b"--B--", 400),
    "boundary of dashes": (f"multipart/form-data; boundary={'-' * 1000}", b"-" * 1_000_000, 400),
    "another boundary": ("multipart/form-data; boundary=C", FIELD + b"--B--", 400),
    "no last boundary": (FORM, FIELD, 400),
    "cut off last boundary": (FORM, FIELD + b"--B-", 400),
    "not a form": (FORM, b'{"prompt": "x"}', 400),
    "empty form": (FORM, b"--B--", 400),
    "hundred thousand parts": (FORM, FIELD * 100_000 + b"--B--", 400),
    "one part too many": (FORM, FIELD * (PARTS + 1) + b"--B--", 400),
    "endless header": (FORM, b"--B\r\nX-Pad: " + b"a" * 1_000_000, 413),
    "endless header line of blanks": (FORM, b"--B" + b" " * 1_000_000, 400),
    "thousand headers": (FORM, part(b"X: y\r\n" * 2000 + NAMED), 413),
    "no headers": (FORM, part(b""), 400),
    "header of bytes": (FORM, part(b"\xff\xfe\x00"), 400),
    "name of no one": (FORM, part(b"Content-Disposition: form-data"), 400),
    "attachment": (FORM, part(b'Content-Disposition: attachment; name="image"'), 400),
    "field of bytes": (FORM, part(b'Content-Disposition: form-data; name="model"', b"\xff"), 400),
    "endless field": (
        FORM, part(b'Content-Disposition: form-data; name="model"', b"x" * (1 << 20) + b"x"), 413
    ),
    "nested kwargs": (
        FORM, part(b'Content-Disposition: form-data; name="kwargs"', b"[" * 100_000), 400
    ),
    "path for a name": (FORM, part(NAMED + b'; filename="../../etc/passwd"', b"root"), 400),
    "form in a form": (
        FORM, part(NAMED + b'; filename="x"\r\nContent-Type: multipart/mixed; boundary=C', b""), 400
    ),
    "body over the limit": (FORM, FIELD + b"x" * (17 << 20), 413),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_form_is_refused(name: str, http: httpx.AsyncClient) -> None:
    kind, body, status = HOSTILE[name]
    for path in PATHS:
        answer = await http.post(path, content=body, headers={"content-type": kind})
        if (path, name) == ("/v1/files", "path for a name"):
            continue  # there any file under another name is one to keep
        assert answer.status_code == status, (path, answer.text)
        assert answer.json()["error"]["code"] in {"invalid_input", "body_too_large"}


@pytest.mark.parametrize("declared", [0, 10, 1 << 40, -1])
async def test_wrong_length_ends_in_a_refusal_or_a_closed_connection(
    declared: int, http: httpx.AsyncClient, server: Live
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    head = (
        f"POST /v1/images/edits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {declared}\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + FIELD + b"--B--")
    writer.write_eof()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert answer == b"" or int(answer.split(b" ", 2)[1]) in {400, 413}


async def test_caller_who_leaves_in_the_middle_of_a_form_harms_nobody(
    http: httpx.AsyncClient,
) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield FIELD
        raise ConnectionError("the caller is gone")

    headers: dict[str, Any] = {"content-type": FORM}
    with pytest.raises(ConnectionError):
        await http.post("/v1/images/edits", content=half(), headers=headers)
