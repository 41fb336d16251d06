"""Forms are read as the format says, and hostile ones are refused, all of them typed."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stelae.errors import BodyTooLarge, InvalidInput
from stelae.wire.multipart import HEADER_BYTES, PARTS, WINDOW, Part, boundary_of, is_form, parts_of


def form(*parts: str, boundary: str = "B", tail: str = "--B--\r\n") -> bytes:
    """A form of parts that are written out."""
    return "".join(f"--{boundary}\r\n{part}\r\n" for part in parts).encode() + tail.encode()


def field(name: str, text: str = "x", more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n{text}'


def read(body: bytes, boundary: str = "B") -> list[Part]:
    return list(parts_of(body, boundary))


# The example of RFC 7578, sections 4.2 and 4.4, in the syntax of RFC 2046.
PUBLISHED = (
    b"--AaB03x\r\n"
    b'content-disposition: form-data; name="field1"\r\n'
    b"content-type: text/plain;charset=UTF-8\r\n"
    b"\r\n"
    b"Joe owes =E2=82=AC100.\r\n"
    b"--AaB03x\r\n"
    b'Content-Disposition: form-data; name="pics"; filename="file1.txt"\r\n'
    b"Content-Type: image/png\r\n"
    b"\r\n"
    b"\x89PNG\r\n--AaB03\r\n\r\n"
    b"--AaB03x--"
)


def test_published_example_is_read() -> None:
    assert read(PUBLISHED, "AaB03x") == [
        Part("field1", None, "text/plain", b"Joe owes =E2=82=AC100."),
        Part("pics", "file1.txt", "image/png", b"\x89PNG\r\n--AaB03\r\n"),
    ]


@given(
    st.lists(st.tuples(st.text("abc[]", min_size=1), st.binary(max_size=60)), max_size=5),
    st.sampled_from(["simpleboundary", "-" * 70, "X"]),
)
def test_what_a_client_writes_is_read_back(files: list[tuple[str, bytes]], mark: str) -> None:
    sent = [(name, (f"{name}.bin", data)) for name, data in files]
    headers = {"content-type": f"multipart/form-data; boundary={mark}"}
    request = httpx.Request("POST", "http://x", files=sent, headers=headers)
    body = request.read()
    if not files or any(b"\r\n--" + mark.encode() in data for _, data in files):
        return
    parts = read(body, boundary_of(request.headers["content-type"]))
    assert [(part.name, part.filename, part.data) for part in parts] == [
        (name, f"{name}.bin", data) for name, data in files
    ]


def test_empty_parts_blanks_after_boundaries_and_a_preamble_are_read() -> None:
    body = b"ignored\r\n--B \t\r\n" + field("a", "").encode() + b"\r\n--B--"
    assert read(body) == [Part("a", None, "", b"")]
    assert read(b"--B--") == []


def test_what_only_begins_like_a_boundary_belongs_to_the_part() -> None:
    assert read(form(field("a", "1\r\n--Bx\r\n--B\n2")))[0].data == b"1\r\n--Bx\r\n--B\n2"


@pytest.mark.parametrize("shift", range(-8, 2))
def test_boundary_is_found_where_two_windows_meet(shift: int) -> None:
    head = field("a", "").encode()
    data = b"x" * (WINDOW - len(head) - len(b"--B\r\n") + shift)
    body = b"--B\r\n" + head + data + b"\r\n--B\r\n" + field("b").encode() + b"\r\n--B--"
    assert [part.data for part in read(body)] == [data, b"x"]


def test_names_of_files_come_as_they_were_sent() -> None:
    sent = ('; filename="../../a \\" b"', "; filename*=UTF-8''x.png", "; filename=bare", "")
    names = [read(form(field("f", more=more)))[0].filename for more in sent]
    assert names == ['../../a " b', "UTF-8''x.png", "bare", None]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "first boundary is missing"),
        (b"no form at all", "first boundary is missing"),
        (b"--A\r\n", "first boundary is missing"),
        (form(field("a"), tail=""), "last boundary is missing"),
        (form(field("a"), tail="--B"), "last boundary is missing"),
        (b"--B\r\nContent-Disposition: form-data", "does not end"),
        (form("no header\r\n\r\nx"), "does not say the name"),
        (form("\r\nx"), "does not say the name"),
        (form('Content-Disposition: attachment; name="a"\r\n\r\nx'), "does not say the name"),
        (form("Content-Disposition: form-data\r\n\r\nx"), "does not say the name"),
        (b"--B\r\n\xff: x\r\n\r\nx\r\n--B--", "not UTF-8"),
        (form(*[field("a")] * (PARTS + 1)), f"more than {PARTS} parts"),
        (form(*[field("a")] * 100_000), f"more than {PARTS} parts"),
    ],
)
def test_broken_and_endless_forms_are_refused(body: bytes, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        read(body)


def test_as_many_parts_as_are_allowed_are_read() -> None:
    assert len(read(form(*[field("a")] * PARTS))) == PARTS


def test_endless_header_is_refused_as_too_large() -> None:
    with pytest.raises(BodyTooLarge, match="header of part 0"):
        read(form(field("a" * HEADER_BYTES)))


def test_body_of_dashes_holds_nothing() -> None:
    assert read(b"-" * 1_000_000, "-" * 70) == []
    with pytest.raises(InvalidInput):
        read((b"\r\n--" + b"-" * 69) * 20_000, "-" * 70)


@pytest.mark.parametrize("boundary", ["", '""', "a" * 71, "-" * 1_000_000, "\xe9"])
def test_boundary_that_the_format_forbids_is_refused(boundary: str) -> None:
    with pytest.raises(InvalidInput, match="boundary"):
        boundary_of(f"multipart/form-data; boundary={boundary}")


def test_boundary_is_found_among_parameters() -> None:
    assert boundary_of('Multipart/Form-Data; charset=utf-8; Boundary="a b"') == "a b"


def test_forms_are_known_by_their_media_type() -> None:
    assert is_form("multipart/form-data; boundary=x")
    assert is_form("Multipart/Form-Data")
    assert not is_form("multipart/mixed; boundary=x")
    assert not is_form("application/json")
    assert not is_form("")
