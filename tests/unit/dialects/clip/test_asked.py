from __future__ import annotations

from typing import Any

import pytest

from stelae.dialects.clip import plain, protobuf
from stelae.dialects.clip.asked import Asked
from stelae.dialects.clip.schema import Doc
from stelae.dialects.clip.select import select
from stelae.errors import InvalidInput
from stelae.wire.clip.messages import Document


def asked(endpoint: str = "/encode", **parameters: Any) -> Asked[Doc]:
    return Asked(endpoint, parameters, [], plain.FORM)


@pytest.mark.parametrize(
    ("endpoint", "verb", "model"),
    [
        ("/", "encode", None),
        ("", "encode", None),
        ("/encode", "encode", None),
        ("/encode/", "encode", None),
        ("/encode/ViT-B/32", "encode", "ViT-B/32"),
        ("/encode/ViT-B-32::openai", "encode", "ViT-B-32::openai"),
        ("/rank/M-CLIP/LABSE-Vit-L-14", "rank", "M-CLIP/LABSE-Vit-L-14"),
        ("/rank", "rank", None),
        ("/search", "search", None),
        ("/foo", "encode", None),
        ("/foo/bar", "encode", None),
    ],
)
def test_endpoints_name_what_to_do_and_the_model(
    endpoint: str, verb: str, model: str | None
) -> None:
    assert (asked(endpoint).verb, asked(endpoint).model) == (verb, model)


def test_the_model_among_the_parameters_counts_where_the_endpoint_names_none() -> None:
    assert asked("/encode", model_name="a").model == "a"
    assert asked("/encode/b", model_name="a").model == "b"


def test_the_older_name_of_access_paths_wins() -> None:
    assert asked().path == "r"
    assert asked(access_paths="@c").path == "c"
    assert asked(access_paths="@c", traversal_paths="@m").path == "m"


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", float("nan"), float("inf")])
def test_limits_that_are_no_counts_are_refused(value: Any) -> None:
    assert asked(limit=3.0).count("limit", 9) == 3
    with pytest.raises(InvalidInput, match="limit"):
        asked(limit=value).count("limit", 9)


def test_parameters_of_a_wrong_kind_are_refused() -> None:
    with pytest.raises(InvalidInput, match="drop_image_content"):
        _ = asked(drop_image_content="yes").drops
    with pytest.raises(InvalidInput, match="model_name"):
        _ = asked(model_name=3.0).model


def nested(name: str, **inner: Any) -> Doc:
    return Doc(id=name, **inner)


TREE = [
    nested(
        "a",
        chunks=[nested("a.c1", chunks=[nested("a.c1.c")], matches=[nested("a.c1.m")])],
        matches=[nested("a.m1"), nested("a.m2")],
    ),
    nested("b"),
]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("r", ["a", "b"]),
        ("c", ["a.c1"]),
        ("m", ["a.m1", "a.m2"]),
        ("r,m", ["a", "b", "a.m1", "a.m2"]),
        ("r,r", ["a", "b"]),
        ("cc", ["a.c1.c"]),
        ("cm", ["a.c1.m"]),
        ("m[0]", ["a.m1"]),
        ("mc", []),
    ],
)
def test_access_paths_select_documents_in_both_forms(path: str, names: list[str]) -> None:
    assert [doc.id for doc in select(TREE, path, plain.FORM)] == names
    messages = [_message(doc) for doc in TREE]
    assert [doc.id for doc in select(messages, path, protobuf.FORM)] == names


def test_what_is_no_access_path_is_refused() -> None:
    with pytest.raises(InvalidInput, match="access path"):
        select(TREE, "x", plain.FORM)


def _message(doc: Doc) -> Document:
    made = Document()
    made.id = doc.id or ""
    made.chunks.MergeFrom([_message(each) for each in doc.chunks or ()])
    made.matches.MergeFrom([_message(each) for each in doc.matches or ()])
    return made
