"""Addresses that callers send: what is read, and what is refused."""

from __future__ import annotations

import base64

import pytest

from stelae.errors import InvalidInput
from stelae.security.addresses import is_private_host, is_public
from stelae.security.places import Hosts, read_data, read_place


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://Example.COM:443/a%20b?q=1#part", "https://example.com/a%20b?q=1"),
        ("http://example.com.:8080/x", "http://example.com:8080/x"),
        ("http://[2001:DB8::1]/x", "http://[2001:db8::1]/x"),
    ],
)
def test_an_address_is_read(text: str, url: str) -> None:
    assert read_place(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "ftp://example.com/x",
        "gopher://127.0.0.1:70/x",
        "jar:http://example.com!/x",
        "//example.com/x",
        "http:///x",
        "http://user@example.com/",
        "http://good@127.0.0.1/",
        "http://user:secret@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://exam\r\nple.com/",
        "http://example.com/a b",
        "http://example.com/\r\nHost: other",
        "http://１２７.０.０.１/",  # noqa: RUF001 - digits of another script are the point
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://[::1/",
        "http://example.com/" + "a" * 9000,
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_place(text)
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_a_redirect_is_read_from_where_it_was_told() -> None:
    base = read_place("https://example.com/a/b")
    assert read_place("../c", base).url == "https://example.com/c"
    assert read_place("//other.org/x", base).url == "https://other.org/x"
    with pytest.raises(InvalidInput):
        read_place("file:///etc/passwd", base)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0",  # noqa: S104 - it is refused, not bound
        "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "198.18.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_only_some_can_reach_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


def test_a_host_named_in_full_may_be_private_but_never_where_clouds_keep_credentials() -> None:
    assert is_private_host("10.1.2.3")
    assert is_private_host("127.0.0.1")
    assert is_private_host("::1")
    assert not is_private_host("169.254.169.254")
    assert not is_private_host("::ffff:169.254.169.254")
    assert not is_private_host("64:ff9b::a9fe:a9fe")
    assert not is_private_host("fd00:ec2::254")
    assert not is_private_host("0.0.0.0")  # noqa: S104 - the address is what is tested


def test_hosts_are_admitted_by_name_by_pattern_and_by_port() -> None:
    hosts = Hosts(["example.com", "*.example.org", "127.0.0.1:8000", "[::1]:8000"])
    assert hosts.admit(read_place("https://example.com/x"))
    assert not hosts.admit(read_place("https://a.b.example.org/x"))
    assert hosts.admit(read_place("http://127.0.0.1:8000/x"))
    assert hosts.admit(read_place("http://[::1]:8000/x"))
    for refused in (
        "http://example.org/",
        "http://badexample.org/",
        "http://example.com:8080/",
        "http://127.0.0.1/",
        "http://127.0.0.1:8001/",
        "http://example.com.evil.net/",
    ):
        with pytest.raises(InvalidInput, match=r"fetch\.hosts"):
            hosts.admit(read_place(refused))


def test_a_star_admits_every_host_and_trusts_none() -> None:
    assert not Hosts(["*"]).admit(read_place("http://intranet/"))


def test_a_data_uri_holds_its_content() -> None:
    content = bytes(range(256))
    text = base64.b64encode(content).decode()
    assert read_data(f"data:image/png;base64,{text}", 1000) == content
    assert read_data(f"DATA:;base64,{text[:40]}\n{text[40:]}", 1000) == content
    assert read_data("data:text/plain,a%20b", 1000) == b"a b"


@pytest.mark.parametrize(
    "text", ["data:image/png;base64,@@@", "data:nothing", "data:;base64,QUJ", "data:,123456789"]
)
def test_a_data_uri_that_cannot_be_read_or_is_too_large_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_data(text, 8)
