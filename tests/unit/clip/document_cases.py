"""What is asked of documents, of ours and of docarray 0.21's.

    NO_VERSION_CHECK=1 python tests/unit/clip/document_cases.py > tests/unit/clip/documents.json

records docarray's answers when it runs in the environment of
``requirements/clients/clip-0.8.3.txt``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Case = Callable[[Any, Any], Any]
CASES: dict[str, Case] = {}


def case(asked: Case) -> Case:
    CASES[asked.__name__] = asked
    return asked


def answers(document: Any, array: Any) -> dict[str, Any]:
    return {name: plain(asked(document, array)) for name, asked in CASES.items()}


def plain(value: Any) -> Any:
    """A value as JSON says it; a document by its id."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (list, tuple)) or hasattr(value, "texts"):
        return [plain(inner) for inner in value]
    if hasattr(value, "mime_type"):
        return f"document {value.id}"
    return value.decode() if isinstance(value, bytes) else value


def nested(D: Any, A: Any) -> Any:
    """Two documents with matches, the first with chunks that have matches."""
    inner = D(id="c1", text="chunk", matches=[D(id="cm", text="match of chunk")])
    first = D(
        id="a",
        text="one",
        tags={"colour": {"name": "red"}, "sizes": [1, 2]},
        matches=[scored(D, "m1", 0.75), scored(D, "m2", 0.25), scored(D, "m3", 0.0)],
        chunks=[inner, D(id="c2", uri="b.png")],
    )
    second = D(id="b", uri="x/y.jpg", matches=[scored(D, "m4", 1.0)])
    return A([first, second])


def scored(D: Any, id: str, value: float) -> Any:
    made = D(id=id, text=f"text of {id}")
    made.scores["clip_score"].value = value
    return made


def with_vectors(D: Any, A: Any) -> Any:
    return A([D(id=str(n), text=f"t{n}", embedding=np.array([n, n + 0.5])) for n in range(4)])


def failing(work: Callable[[], Any]) -> str:
    try:
        work()
    except Exception as error:
        return "KeyError" if isinstance(error, KeyError) else "an error"
    return "nothing"


@case
def attributes_that_nobody_gave(D: Any, A: Any) -> Any:
    names = "text uri blob tensor embedding tags weight mime_type granularity adjacency parent_id"
    others = "offset location modality scores evaluations matches chunks content content_type"
    empty = D()
    return {name: getattr(empty, name) for name in f"{names} {others}".split()}


@case
def kinds_of_content(D: Any, A: Any) -> Any:
    given = [D(text="a"), D(blob=b"a"), D(tensor=np.zeros((1, 1, 3))), D(uri="a.png"), D()]
    return [document.content_type for document in given]


@case
def fields_in_order(D: Any, A: Any) -> Any:
    full = D(matches=[D()], embedding=np.zeros(2), tags={"x": 1}, uri="a.png", weight=2.0, text="t")
    return [full.non_empty_fields, D(text="").non_empty_fields, D(uri="a").non_empty_fields]


@case
def kinds_of_files(D: Any, A: Any) -> Any:
    uris = ["a.png", "A/b.JPG", "c.webp", "https://example.org/d.gif", "data:image/png;base64,AA=="]
    return [D(uri=uri).mime_type for uri in uris]


@case
def kind_given_stays(D: Any, A: Any) -> Any:
    return D(uri="a.png", mime_type="image/x-mine").mime_type


@case
def text_takes_bytes_away(D: Any, A: Any) -> Any:
    document = D(blob=b"abc")
    document.text = "now"
    return [document.blob, document.tensor, document.content_type, document.content]


@case
def bytes_take_text_away(D: Any, A: Any) -> Any:
    document = D(text="abc")
    document.blob = b"now"
    return [document.text, document.content_type, document.content]


@case
def unknown_attributes_are_tags(D: Any, A: Any) -> Any:
    document = D(text="a", colour="red", tags={"size": 1})
    return document.tags


@case
def a_data_uri_is_loaded(D: Any, A: Any) -> Any:
    document = D(uri="data:image/png;base64,aGVsbG8=").load_uri_to_blob()
    return [document.blob, document.uri, document.mime_type, document.content_type]


@case
def depth_of_matches_and_chunks(D: Any, A: Any) -> Any:
    (first, _) = nested(D, A)
    match, chunk = first.matches[0], first.chunks[0]
    return [
        [match.adjacency, match.granularity, match.parent_id],
        [chunk.adjacency, chunk.granularity, chunk.parent_id],
    ]


@case
def a_match_that_is_appended(D: Any, A: Any) -> Any:
    document = D(id="a")
    document.matches.append(D(id="m"))
    return [document.matches[0].adjacency, document.matches, document.non_empty_fields]


@case
def a_score_that_is_not_there(D: Any, A: Any) -> Any:
    document = D(id="a")
    before = document.non_empty_fields
    document.scores["x"].value = 0.5
    return [before, document.scores["x"].value, document.scores["y"].op_name]


@case
def popped(D: Any, A: Any) -> Any:
    document = D(id="a", text="x", tags={"a": 1})
    document.pop("text", "tags")
    return document.non_empty_fields


@case
def equal_by_what_they_hold(D: Any, A: Any) -> Any:
    same = D(id="a", text="x", tags={"y": 1})
    return [D(id="a", text="x", tags={"y": 1}) == same, D(id="a", text="z") == same, D() == D()]


PATHS = (
    *("@r", "@m", "@c", "@r,m", "@c,m", "@cm", "@rm", "@rc", "@mm", "@r,c,cm", "@ r , m"),
    *("@m[0]", "@m[:2]", "@m[1:]", "@r[0]m", "@r[1]m", "@r[:1]c[1]", "@m0", "@m:2"),
    *("@m[::2]", "@r0c1"),
)


@case
def access_paths(D: Any, A: Any) -> Any:
    array = nested(D, A)
    return {path: array[path] for path in PATHS}


@case
def broken_access_paths(D: Any, A: Any) -> Any:
    array = nested(D, A)
    return {path: failing(lambda path=path: array[path]) for path in ("@", "@x", "@r,,m", "@r m]")}


@case
def attributes_of_a_selection(D: Any, A: Any) -> Any:
    array = nested(D, A)
    return {
        "seed": array["@m", ["text", "scores__clip_score__value"]],
        "one": array["@m", "text"],
        "one in a list": array["@m", ["id"]],
        "all": array[:, "text"],
        "some": array[:1, ["id", "uri"]],
        "tags": array[:, "tags__colour__name"],
        "place in a list": array[:1, "tags__sizes__1"],
        "of one": array[0, "text"],
        "of an id": array["b", "uri"],
        "deep": array[..., "id"],
        "numbers": array[[1, 0], "id"],
    }


@case
def embeddings_and_other_columns(D: Any, A: Any) -> Any:
    array = with_vectors(D, A)
    return {
        "embeddings": array.embeddings,
        "column": array[:2, "embedding"],
        "with text": array[:2, ["text", "embedding"]],
        "before text": array[:2, ["embedding", "text"]],
        "texts": array.texts,
        "contents": array.contents,
        "blobs": array.blobs,
        "none": [A().embeddings, A([D()]).embeddings],
    }


@case
def selections(D: Any, A: Any) -> Any:
    array = with_vectors(D, A)
    return {
        "number": array[1],
        "last": array[-1],
        "slice": array[1:3],
        "step": array[::-1],
        "id": array["2"],
        "ids": array[["3", "1"]],
        "numbers": array[[3, 0]],
        "mask": array[[True, False, False, True]],
        "numpy": array[np.array([2, 2])],
        "numpy number": array[np.int64(2)],
        "two ids": array["0", "1"],
        "everything": nested(D, A)[...],
        "absent": failing(lambda: array["absent"]),
        "beyond": failing(lambda: array[9]),
        "wrong": failing(lambda: array[{}]),
    }


@case
def what_a_list_does(D: Any, A: Any) -> Any:
    array = with_vectors(D, A)
    array.append(D(id="x"))
    array.extend([D(id="y"), D(id="z")])
    array.insert(0, D(id="w"))
    del array["1"]
    del array[-1]
    array["2"] = D(id="q")
    array[0] = D(id="first")
    has = ["y" in array, "z" in array, array[0] in array, D(id="1") in array]
    return [array, len(array), has, array + A([D(id="more")]), bool(A()), bool(array)]


@case
def columns_that_are_set(D: Any, A: Any) -> Any:
    array = with_vectors(D, A)
    array[:, "text"] = ["a", "b", "c", "d"]
    array[:2, ["text", "weight"]] = [["x", "y"], [1.0, 2.0]]
    array.embeddings = np.ones((4, 3))
    tree = nested(D, A)
    tree["@m", "text"] = ["1", "2", "3", "4"]
    return [array[:, ["text", "weight"]], array.embeddings, tree["@m", "text"]]


@case
def the_same_objects(D: Any, A: Any) -> Any:
    document = D(id="a")
    array = A([document])
    return [array[0] is document, array["@r"][0] is document, A(array)[0] is document]


@case
def one_document_alone(D: Any, A: Any) -> Any:
    return A(D(id="a"))


def _real() -> Iterator[Any]:
    import docarray

    yield from (docarray.Document, docarray.DocumentArray)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answers(*_real()), indent=1, sort_keys=True) + "\n")
