"""Content fetched for callers: from allowed places alone, bounded, and never by way of others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stelae.errors import InvalidInput
from stelae.security.fetch import Fetcher, FetchRules, rules_of

PICTURE = b"\x89PNG not really"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n"
WHOLE = OK + b"content-length: %d\r\n\r\n%s" % (len(PICTURE), PICTURE)


def moved(to: str) -> bytes:
    return b"HTTP/1.1 302 Found\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % to.encode()


class Site:
    """A server of canned answers that remembers what it was asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.port = 0
        self.answered = asyncio.Semaphore(0)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head)
        answer = self.answers[head.split()[1]]
        writer.write(answer)
        if answer.endswith(b"..."):
            await reader.read()  # until the caller gives up
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.answered.release()


@asynccontextmanager
async def site(answers: dict[str, bytes]) -> AsyncIterator[Site]:
    serving = Site(answers)
    server = await asyncio.start_server(serving.answer, "127.0.0.1", 0)
    serving.port = server.sockets[0].getsockname()[1]
    async with server:
        yield serving
        for _ in serving.asked:
            await serving.answered.acquire()


def fetcher(*hosts: str, **rules: Any) -> Fetcher:
    return Fetcher(FetchRules(hosts=hosts, **rules))


async def test_nothing_is_fetched_unless_the_settings_say_so() -> None:
    async with site({"/a.png": WHOLE}) as there:
        with pytest.raises(InvalidInput, match="does not fetch"):
            await Fetcher().fetch(f"http://127.0.0.1:{there.port}/a.png")
        assert there.asked == []


async def test_an_allowed_host_is_fetched_from() -> None:
    async with site({"/a.png?x=1": WHOLE}) as there:
        got = await fetcher(f"localhost:{there.port}").fetch(
            f"http://localhost:{there.port}/a.png?x=1"
        )
        assert got == PICTURE
        assert f"host: localhost:{there.port}" in there.asked[0].lower()
        assert "authorization" not in there.asked[0].lower()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0", "0x7f000001", "2130706433", "017700000001", "[::1]",
     "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "127.1", "localhost.", "169.254.169.254"],
)  # fmt: skip
async def test_a_star_never_leads_to_this_machine_or_its_network(host: str) -> None:
    async with site({"/": WHOLE}) as there:
        with pytest.raises(InvalidInput):
            await fetcher(f"*:{there.port}", seconds=5).fetch(f"http://{host}:{there.port}/")
        assert there.asked == []


async def test_a_redirect_is_checked_like_the_first_address() -> None:
    async with site({"/": WHOLE}) as inside:
        answers = {"/": moved(f"http://127.0.0.1:{inside.port}/")}
        async with site(answers) as outside:
            allowed = fetcher(f"127.0.0.1:{outside.port}")
            with pytest.raises(InvalidInput, match=r"fetch\.hosts"):
                await allowed.fetch(f"http://127.0.0.1:{outside.port}/")
        assert inside.asked == []


async def test_three_redirects_are_followed_and_a_loop_is_left() -> None:
    answers = {"/1": moved("/2"), "/2": moved("3"), "/3": moved("/a"), "/a": WHOLE}
    async with site({**answers, "/loop": moved("/loop")}) as there:
        allowed, base = fetcher(f"127.0.0.1:{there.port}"), f"http://127.0.0.1:{there.port}"
        assert await allowed.fetch(f"{base}/1") == PICTURE
        with pytest.raises(InvalidInput, match="redirects"):
            await allowed.fetch(f"{base}/loop")
        assert len(there.asked) == 8


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "status 404"),
        (WHOLE.replace(b"image/png", b"text/html"), "text/html"),
        (OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx", "compressed"),
        (OK + b"content-length: 4000000000\r\n\r\nx", "4000000000 bytes"),
        (OK + b"\r\n" + b"x" * 2000, "bytes or more"),
        (OK + b"content-length: 10\r\n\r\nshort", "could not be fetched"),
        (OK + b"content-length: 10\r\n\r\n...", "took longer"),
        (b"not http at all\r\n\r\n", "could not be fetched"),
    ],
)
async def test_an_answer_that_is_wrong_too_large_or_too_slow_is_left(
    answer: bytes, why: str
) -> None:
    async with site({"/": answer}) as there:
        allowed = fetcher(f"127.0.0.1:{there.port}", most_bytes=1000, seconds=0.5)
        with pytest.raises(InvalidInput, match=why):
            await allowed.fetch(f"http://127.0.0.1:{there.port}/")


async def test_the_address_that_was_checked_is_the_one_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that is public when looked up first and private the second time."""
    looked: list[str] = []
    answers = ["93.184.215.14", "127.0.0.1"]

    async def flipping(host: str, port: int, **_: object) -> list[Any]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers[len(looked) - 1], port))]

    dialled = await _dialled(monkeypatch, flipping)
    assert looked == ["flip.example"]
    assert dialled == ["93.184.215.14"]


async def test_a_name_with_public_and_private_addresses_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def both(host: str, port: int, **_: object) -> list[Any]:
        public, private = ("93.184.215.14", port), ("127.0.0.1", port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", a) for a in (public, private)]

    assert await _dialled(monkeypatch, both) == []


async def _dialled(monkeypatch: pytest.MonkeyPatch, resolve: Callable[..., Any]) -> list[str]:
    """Hosts that a fetch would connect to, with another way to look names up."""
    dialled: list[str] = []

    async def send(_: object, request: Any, **__: object) -> Any:
        dialled.append(request.url.host)
        raise OSError

    monkeypatch.setattr("httpx.AsyncClient.send", send)
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    with pytest.raises(InvalidInput):
        await fetcher("*").fetch("http://flip.example/a.png")
    return dialled


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with site({"/": WHOLE}) as there:
        url = f"http://127.0.0.1:{there.port}/"
        assert await fetcher(f"127.0.0.1:{there.port}").fetch(url) == PICTURE


async def test_files_are_read_from_the_folders_named(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a b.png").write_bytes(PICTURE)
    reads = Fetcher(FetchRules(folders=(tmp_path / "open",)))
    path = tmp_path / "open" / "a b.png"
    assert await reads.fetch(str(path)) == PICTURE
    assert await reads.fetch("a b.png") == PICTURE
    assert await reads.fetch(path.as_uri()) == PICTURE


async def test_files_elsewhere_are_not_read(tmp_path: Path) -> None:
    inside = tmp_path / "open"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (inside / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(inside / "pipe")
    (inside / "large").write_bytes(b"x" * 2000)
    reads = Fetcher(FetchRules(folders=(inside,), most_bytes=1000))
    for uri in (
        str(tmp_path / "secret"), "../secret", "link", "pipe", "large", "absent", ".",
        "file:///etc/passwd", "file://other/etc/passwd", "/etc/passwd", "a\x00b", "unix:/run/x",
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            await reads.fetch(uri)


async def test_no_file_is_read_without_folders(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PICTURE)
    with pytest.raises(InvalidInput, match=r"fetch\.folders"):
        await Fetcher().fetch(str(tmp_path / "a.png"))


def test_a_folder_that_is_not_there_is_told_at_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a folder"):
        rules_of([], [tmp_path / "absent"], 1, 1.0)
