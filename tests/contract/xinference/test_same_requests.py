"""What our face of Xinference sends and returns is what the real client sends and returns.

Every method of the client and of its handles is called with both, against a server that writes
down what it is asked; ``everything.py`` has the calls.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import clients
import pytest

pytestmark = pytest.mark.timeout(300)  # the first run fetches the real client

CALLS = Path(__file__).with_name("everything.py")
REAL = "xinference-4.1.0"

KINDS: dict[str, dict[str, Any]] = {
    "LLM-chat": {"model_type": "LLM", "model_ability": ["chat"]},
    "LLM-generate": {"model_type": "LLM", "model_ability": ["generate"]},
    **{
        kind: {"model_type": kind}
        for kind in ("embedding", "rerank", "image", "audio", "video", "world", "flexible")
    },
}
"""What the server says of the models that handles are made of."""

ANSWER = {
    "data": [{"id": "a-model", "model_type": "embedding"}],
    "model_uid": "a-model",
    "remaining_replicas": 1,
    "list": [{"model_name": "a"}],
    "result": True,
}
"""Answers everything."""

STREAM = b': ping\n\ndata: {"a": 1}\r\n\r\ndata:{"b": "\xe2\x80\xa8"}\n\ndata: [DONE]\n\n'
REFUSAL = {"detail": "not like this", "error": {"message": "not like this", "code": "x"}}

Asked = dict[str, list[tuple[Any, ...]]]


class Recorder(BaseHTTPRequestHandler):
    """Writes down what is asked, and answers; ``refuses`` whatever is no question for the kind."""

    protocol_version = "HTTP/1.1"
    asked: Asked
    refuses = False
    mark = ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Any request."""
        body = self.body()
        path = urlsplit(self.path).path
        last = path.rpartition("/")[2]
        if path.startswith("/mark/"):
            type(self).mark = last
            self.say({})
        elif path == "/v1/cluster/auth":
            self.say({"auth": False})
        elif self.command == "GET" and path == f"/v1/models/{last}" and last in KINDS:
            self.say(KINDS[last])
        else:
            self.asked[self.mark].append(self.written(body))
            self.answer(path, body)

    do_POST = do_DELETE = do_GET

    def answer(self, path: str, body: bytes) -> None:
        """What such a request is answered with."""
        begun = self.command == "POST" and path.endswith(("/reload", "/relaunch"))
        if self.refuses:
            self.say(REFUSAL, 400)
        elif b'"stream": true' in body.replace(b":true", b": true"):
            self.send(STREAM, 200)
        else:
            self.say(ANSWER, 202 if begun else 200)

    def body(self) -> bytes:
        """What the request carries."""
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def written(self, body: bytes) -> tuple[Any, ...]:
        """The request, without what the two clients may write differently."""
        asked = urlsplit(self.path)
        query = sorted((name, value.lower()) for name, value in parse_qsl(asked.query))
        form = self.headers.get("content-type", "")
        told: Any = None
        if form.startswith("multipart/"):
            told = sorted(map(part, parts_of(form, body)), key=str)
        elif body:
            told = {name: meant(name, value) for name, value in json.loads(body).items()}
        return self.command, unquote(asked.path), query, told

    def say(self, value: Any, status: int = 200) -> None:
        """Answer in JSON."""
        self.send(json.dumps(value).encode(), status)

    def send(self, data: bytes, status: int) -> None:
        """Answer."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def parts_of(form: str, body: bytes) -> list[Message]:
    whole = BytesParser().parsebytes(f"content-type: {form}\r\n\r\n".encode() + body)
    parts = whole.get_payload()
    assert isinstance(parts, list)
    return [part for part in parts if isinstance(part, Message)]


def part(message: Message) -> tuple[Any, ...]:
    """A field of a form: names of files without their endings, which only async clients write."""
    given = dict(message.get_params(header="content-disposition") or [])
    filename = given.get("filename")
    content = meant(given["name"], message.get_payload(decode=True))
    return given["name"], filename and filename.removesuffix(".png"), content


def meant(name: str, value: Any) -> Any:
    """A value of the protocol; spaces in the JSON text with further arguments mean nothing."""
    return json.loads(value) if name == "kwargs" else value


@contextmanager
def recording(refuses: bool) -> Iterator[tuple[str, Asked]]:
    asked: Asked = defaultdict(list)
    handler = type("Handler", (Recorder,), {"asked": asked, "refuses": refuses})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def outcomes(
    python: Path, module: str, way: str, *, refuses: bool
) -> tuple[Asked, dict[str, Any]]:
    """What a client asks when everything is called, and what it comes to."""
    with recording(refuses) as (url, asked):
        running = await asyncio.create_subprocess_exec(
            *(python, CALLS, module, url, way), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await running.communicate()
    assert running.returncode == 0
    rows = [json.loads(line) for line in out.splitlines()]
    return asked, {row.pop("call"): row for row in rows}


async def both(way: str, *, refuses: bool) -> list[tuple[Asked, dict[str, Any]]]:
    try:
        real = await asyncio.to_thread(clients.python_of, REAL)
    except clients.Absent as absent:
        pytest.skip(str(absent))  # no package index on this machine
    return [
        await outcomes(real, "xinference_client", way, refuses=refuses),
        await outcomes(Path(sys.executable), "stelae.xinference", way, refuses=refuses),
    ]


OTHER = {"vllm_models", "get_instance_info"}
"""For the first the two real clients have different words; of the second they tell no reason."""

LISTED = "client.list_model_registrations"
"""The async client of Xinference does not say whether it wants details."""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_the_same_is_asked_and_comes_back(way: str) -> None:
    (asked, back), (ours, ours_back) = await both(way, refuses=False)
    assert back
    assert back.keys() <= ours_back.keys()
    for call in back:
        if way == "async" and call.startswith(LISTED):
            continue
        assert ours[call] == asked[call], call
        assert ours_back[call] == back[call], call


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_refusals_are_told_in_the_same_words(way: str) -> None:
    (_, told), (_, ours) = await both(way, refuses=True)
    raised = {call: row["raised"] for call, row in told.items() if "raised" in row}
    assert len(raised) > 60
    other = set()
    for call, (_, message) in raised.items():
        kind, said = ours[call]["raised"]
        assert kind == "XinferenceError"
        if said != message:
            other.add(call.split(".")[1])
    assert other == OTHER
