from __future__ import annotations

import numpy as np
import pytest
from protos import FOLDERS, is_current

from stelae.wire.clip import arrays, structs
from stelae.wire.clip.messages import DataRequest, DecodeError, Document, Timestamp

# Source: recorded between clip-client 0.8.3 (jina 3.25.2) and its own server; ids are made up.
REQUEST_ID, FIRST, SECOND = b"a" * 32, b"b" * 32, b"c" * 32
REQUEST = b"".join(
    (
        bytes.fromhex("0a2b0a20"), REQUEST_ID, bytes.fromhex("1a072f656e636f6465"),
        bytes.fromhex("121a0a180a1264726f705f696d6167655f636f6e74656e7412022001"),
        bytes.fromhex("22540a52"),
        bytes.fromhex("0a290a20"), FIRST, bytes.fromhex("220568656c6c6f"),
        bytes.fromhex("0a250a20"), SECOND, bytes.fromhex("220161"),
    )
)  # fmt: skip


def test_the_descriptors_are_made_of_the_proto_files_as_they_are() -> None:
    assert all(map(is_current, FOLDERS))


def test_a_recorded_request_is_read() -> None:
    request = DataRequest.FromString(REQUEST)

    assert len(REQUEST) == 159
    assert request.header.request_id == "a" * 32
    assert request.header.exec_endpoint == "/encode"
    assert structs.plain(request.parameters) == {"drop_image_content": True}
    assert [doc.text for doc in request.data.docs.docs] == ["hello", "a"]
    assert request.SerializeToString() == REQUEST


def test_an_embedding_has_the_bytes_that_were_recorded() -> None:
    doc = Document()

    arrays.fill(doc.embedding, np.array([1, 2, 3, 4], np.float32))

    dense = b"\x0a\x10" + np.array([1, 2, 3, 4], "<f4").tobytes() + b"\x12\x01\x04\x1a\x03<f4"
    content = b"\x0a" + bytes([len(dense)]) + dense + b"\x1a\x05numpy"
    assert doc.SerializeToString() == b"\x82\x01" + bytes([len(content)]) + content


def test_documents_nested_without_end_are_refused_by_the_parser() -> None:
    nested = b""
    for _ in range(10_000):
        nested = b"\x72" + _length(nested) + nested

    with pytest.raises(DecodeError):
        Document.FromString(nested)


def test_text_that_is_no_unicode_is_refused_by_the_parser() -> None:
    with pytest.raises(DecodeError):
        Document.FromString(b"\x22\x02\xff\xfe")


def test_times_are_kept_to_the_nanosecond() -> None:
    time = Timestamp()

    time.FromNanoseconds(1_700_000_000_123_456_789)

    assert (time.seconds, time.nanos) == (1_700_000_000, 123_456_789)


def _length(data: bytes) -> bytes:
    left, written = len(data), b""
    while left > 0x7F:
        written += bytes([left & 0x7F | 0x80])
        left >>= 7
    return written + bytes([left])
