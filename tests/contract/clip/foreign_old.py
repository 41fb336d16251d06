"""docarray's documents, as of 0.21, given to our client; runs where that is installed.

    PYTHONPATH=src python foreign_old.py URL

The server answers with the lengths of text, bytes and pixels (``fix_clip``).
"""

from __future__ import annotations

import asyncio
import sys

import numpy as np
from docarray import Document, DocumentArray

from stelae.clip import Client

client = Client(sys.argv[1])

# Their own objects come back, in their own array.
given = [
    Document(text="four"),
    Document(blob=b"12345"),
    Document(tensor=np.zeros((2, 2, 3), np.uint8)),
    Document(uri="data:image/png;base64,aGVsbG8="),
]
for content in (given, DocumentArray(given)):
    found = client.encode(content, batch_size=3)
    assert isinstance(found, DocumentArray), found
    np.testing.assert_array_equal(found.embeddings, [[4, 0, 0], [0, 5, 0], [0, 0, 12], [0, 5, 0]])
    assert [document.id for document in found] == [document.id for document in given]
assert given[0].embedding is not None
assert given[3].blob == b""

# A generator, and an event loop.
found = client.encode(Document(text="x" * n) for n in range(1, 6))
assert found.embeddings[:, 0].tolist() == [1, 2, 3, 4, 5]
found = asyncio.run(client.aencode(DocumentArray([Document(text="abc")])))
assert isinstance(found, DocumentArray)
assert found[0].embedding.tolist() == [3, 0, 0]

# Matches keep their objects and get their scores.
matches = [
    Document(text="a"),
    Document(text="bbbb"),
    Document(uri="data:image/png;base64,aGVsbG8="),
]
document = Document(text="root", matches=matches, tags={"colour": {"name": "red"}})
found = client.rank([document])
assert isinstance(found, DocumentArray)
order, scores = found["@m", ["text", "scores__clip_score__value"]]
assert order == ["bbbb", "a", ""], order
assert scores == [0.5, 0.125, 0.0], scores
assert found[0].tags == {"colour": {"name": "red"}}
assert found[0].matches[0].scores["clip_score"].op_name == "softmax"
assert found[0].matches[2].uri.startswith("data:")

# What a search finds is of their class.
found = client.search([Document(text="query")], limit=2)
(match,) = found[0].matches
assert isinstance(match, Document)
assert (match.text, match.tags, match.scores["cosine"].value) == ("near", {"n": 1.0}, 0.25)
found[0].summary()

# So are the documents that callbacks see.
seen = []
assert client.encode(given, on_done=lambda response: seen.append(response.data.docs)) is None
assert isinstance(seen[0], DocumentArray)
assert seen[0].embeddings.shape == (4, 3)

assert client.encode(DocumentArray()) == DocumentArray()
