"""docarray's documents since 0.30 given to our client; runs where that is installed.

    PYTHONPATH=src python foreign_new.py URL

The server answers with the lengths of text, bytes and pixels (``fix_clip``).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
from docarray import BaseDoc, DocList
from docarray.documents import ImageDoc, TextDoc
from docarray.typing import ImageBytes, NdArray

from stelae.clip import Client
from stelae.errors import InvalidInput

client = Client(sys.argv[1])
Path("five.png").write_bytes(b"12345")

# Lists and typed lists come back as typed lists of the same objects.
texts = [TextDoc(text="four"), TextDoc(text="sixsix")]
for content in (texts, DocList[TextDoc](texts)):
    found = client.encode(content)
    assert found.doc_type is TextDoc, found
    assert [document.embedding.tolist() for document in found] == [[4, 0, 0], [6, 0, 0]]
    assert found[0] is texts[0]

pictures = DocList[ImageDoc](
    [
        ImageDoc(url="five.png"),
        ImageDoc(bytes_=ImageBytes(b"123")),
        ImageDoc(tensor=np.zeros((2, 2, 3), np.uint8)),
    ]
)
found = asyncio.run(client.aencode(pictures, batch_size=2))
assert found.doc_type is ImageDoc
assert found.embedding[0].tolist() == [0, 5, 0]
assert [document.embedding.tolist() for document in found] == [[0, 5, 0], [0, 3, 0], [0, 0, 12]]
assert found[0].bytes_ is None

mixed = client.encode([TextDoc(text="abc"), ImageDoc(url="five.png")])
assert [type(document) for document in mixed] == [TextDoc, ImageDoc]


# Classes of one's own.
class Match(BaseDoc):
    text: str | None = None
    uri: str | None = None
    scores: dict[str, float] = {}  # noqa: RUF012  # pydantic copies a default
    tags: dict[str, Any] = {}  # noqa: RUF012  # pydantic copies a default
    embedding: NdArray | None = None


class Query(Match):
    matches: DocList[Match] = DocList[Match]()


query = Query(text="root", matches=[Match(text="a"), Match(text="bbbb"), Match(uri="five.png")])
first = query.matches[1]
(found,) = client.rank([query])
assert found is query
assert [match.text for match in found.matches] == ["bbbb", "a", None]
assert [match.scores["clip_score"] for match in found.matches] == [0.5, 0.125, 0.0]
assert found.matches[0] is first

(found,) = client.search(DocList[Query]([Query(text="query")]), limit=1)
(match,) = found.matches
assert (match.text, match.tags, match.scores) == ("near", {"n": 1.0}, {"cosine": 0.25})

seen = []
assert client.encode(texts, on_done=lambda response: seen.append(response.docs)) is None
assert seen[0].doc_type is TextDoc


# What cannot hold the answer is told.
class Bare(BaseDoc):
    text: str


try:
    client.encode([Bare(text="a")])
except InvalidInput as error:
    assert "Bare has no field 'embedding'" in str(error), error  # noqa: PT017  # no pytest there
else:
    raise AssertionError
