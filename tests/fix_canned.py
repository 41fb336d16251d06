"""A server of HTTP that answers what a test gives it, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Canned:
    """Such a server.

    Attributes:
        url: Where it listens.
        answers: Status and body, a value for JSON or the bytes, by ``"METHOD /path"``.
        headers: Further headers of all answers.
        asked: ``"METHOD /path"``, the headers in lower case and the body of all requests.
    """

    url: str = ""
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def canned(
    answers: dict[str, tuple[int, Any]], headers: dict[str, str] | None = None
) -> Iterator[Canned]:
    """Serve on a free port of this machine, from threads."""
    told = Canned(answers=answers, headers=headers or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            """Any request."""
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            asked = f"{self.command} {self.path}"
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.asked.append((asked, headers, body))
            status, value = told.answers.get(asked, (404, {"detail": f"no {asked}"}))
            data = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            for name, said in told.headers.items():
                self.send_header(name, said)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # of the usual 5, connections that come at once are reset

    server = Server(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
