"""Which strings are pictures, and how they are read."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from stelae.clip import Document, loading
from stelae.errors import InvalidInput


@pytest.mark.parametrize(
    "text",
    [
        *("apple.png", "./a/b.JPEG", "/abs/c.webp", "file:///d.gif", "C:\\pictures\\e.bmp"),
        *("https://example.org/favicon.png", "http://example.org/x.jpg?size=2", "https://h/photo"),
        "data:image/gif;base64,R0lGODlh",
    ],
)
def test_strings_that_are_pictures(text: str) -> None:
    assert loading.is_picture(text)


@pytest.mark.parametrize(
    "text",
    [
        *("she smiled, with pain", "hello world", "", "a.txt", "report.pdf", "png", "v1.2"),
        *("https://example.org is a site", "data:text/plain,hello", "a photo of a cat."),
    ],
)
def test_strings_that_are_sentences(text: str) -> None:
    assert not loading.is_picture(text)


@pytest.fixture
def web() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved.png":
                self.send_response(302)
                self.send_header("Location", "/there.png")
                self.end_headers()
                return
            self.send_response(200 if self.path == "/there.png" else 404)
            self.end_headers()
            self.wfile.write(b"picture")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_web_addresses_are_fetched(web: str) -> None:
    assert loading.read(f"{web}/there.png") == b"picture"
    assert loading.read(f"{web}/moved.png") == b"picture"
    assert Document(uri=f"{web}/there.png").load_uri_to_blob(timeout=5).blob == b"picture"


def test_what_is_not_on_the_web_is_told(web: str) -> None:
    with pytest.raises(InvalidInput, match=r"/absent.png' cannot be fetched: .*404"):
        loading.read(f"{web}/absent.png")
    with pytest.raises(InvalidInput, match="cannot be fetched"):
        loading.read("http://")


def test_a_file_too_large_is_left(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_BYTES", 6)
    with pytest.raises(InvalidInput, match="larger than 6 bytes"):
        loading.read(f"{web}/there.png")


def test_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "with space.png"
    path.write_bytes(b"picture")
    assert loading.read(str(path)) == loading.read(path.as_uri()) == b"picture"
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        loading.read(str(tmp_path))
    with pytest.raises(InvalidInput, match=r"cannot be read: .*null"):
        loading.read("a\0.png")
