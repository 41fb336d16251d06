"""A model hub on the loopback interface: the few routes that a snapshot download needs."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from huggingface_hub import close_session

API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/(?P<what>revision|tree)/(?P<revision>.+)")
FILE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


@dataclass
class Repo:
    """A model on the hub.

    Attributes:
        files: Content by path.
        commit: Its only commit, 40 hexadecimal digits.
        branches: Names that reach the commit.
        gated: Whether only ``secret`` may read it.
        secret: Token that may read it.
        sizes: Bytes that the list of files states, where they are not the true ones.
        break_off: Bytes after which the first answer with a file's content ends.
        outage: Status of every answer, if it is not to work.
        holds: Content that is sent only once its event is set, by path.
    """

    files: dict[str, bytes]
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    branches: tuple[str, ...] = ("main",)
    gated: bool = False
    secret: str = "open-sesame"
    sizes: dict[str, int] = field(default_factory=dict)
    break_off: dict[str, int] = field(default_factory=dict)
    outage: int | None = None
    holds: dict[str, threading.Event] = field(default_factory=dict)


def repo_of(folder: Path, **options: Any) -> Repo:
    """A model whose files are those of a folder."""
    files = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    return Repo(files, **options)


@dataclass
class Hub:
    """A running hub.

    Attributes:
        url: Its address.
        repos: Models by hub id.
        seen: Requests in order: method, path, and the ``Range`` header if there is one.
    """

    url: str
    repos: dict[str, Repo] = field(default_factory=dict)
    seen: list[tuple[str, str, str | None]] = field(default_factory=list)

    def fetched(self) -> list[str]:
        """Paths of the files whose content was asked for."""
        found = [FILE.fullmatch(path) for method, path, _ in self.seen if method == "GET"]
        return [match["path"] for match in found if match]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_: Any) -> None:
        """Nothing on the terminal."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.seen.append((self.command, path, self.headers.get("Range")))
        match = API.fullmatch(path) or FILE.fullmatch(path)
        repo = self.hub.repos.get(match["repo"]) if match else None
        if match is None or repo is None:
            self._fail(404, "RepoNotFound")
        elif repo.outage is not None:
            self._fail(repo.outage, "Outage")
        elif repo.gated and self.headers.get("Authorization") != f"Bearer {repo.secret}":
            self._fail(403, "GatedRepo")
        elif match["revision"] not in (repo.commit, *repo.branches):
            self._fail(404, "RevisionNotFound")
        elif "what" in match.groupdict():
            self._send_json(_listing(repo) if match["what"] == "tree" else _info(match, repo))
        else:
            self._send_file(repo, match["path"], body=body)

    def _fail(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        if status == 401:
            self.send_header("X-Error-Message", "Invalid credentials in Authorization header")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_json(self, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_file(self, repo: Repo, path: str, *, body: bool) -> None:
        data = repo.files[path]
        start = int((self.headers.get("Range") or "bytes=0-")[6:].partition("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{_digest(data)}"')
        self.send_header("X-Repo-Commit", repo.commit)
        self.send_header("Content-Length", str(len(data) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            if path in repo.holds:
                self.wfile.flush()
                repo.holds[path].wait()
            stop = start + repo.break_off.pop(path, len(data))
            self.wfile.write(data[start:stop])
            self.close_connection = stop < len(data)


def _digest(data: bytes) -> str:
    return hashlib.sha1(data).hexdigest()  # noqa: S324 - what the hub does


def _info(match: re.Match[str], repo: Repo) -> dict[str, Any]:
    return {"id": match["repo"], "sha": repo.commit, "siblings": [], "tags": []}


def _listing(repo: Repo) -> list[dict[str, Any]]:
    return [
        {
            "type": "file",
            "path": path,
            "size": repo.sizes.get(path, len(data)),
            "oid": _digest(data),
        }
        for path, data in repo.files.items()
    ]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Run a hub on a free port of the loopback interface."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub = Hub(f"http://127.0.0.1:{server.server_port}")
        handler.hub = hub
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            close_session()  # else its idle connections keep threads of the server
            server.shutdown()
            thread.join()
