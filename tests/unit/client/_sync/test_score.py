# Generated from tests/unit/client/_async/test_score.py by tools/unasync.py: do not edit.
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from unit.client._sync.fix_client import client_of
from unit.client.fix_server import Server, array, failure, packed, score, scored

from stelae.client import Scores
from stelae.errors import InputTooLong, InvalidInput, ProtocolError, UnsupportedTask
from stelae.types import Item, OutputType, Truncate

DOCUMENTS = [f"word{n % 4} other{n}" for n in range(300)]


def test_scores_come_in_the_order_of_the_documents() -> None:
    with client_of(Server()) as client:
        scores = client.score("a b c", ["a x", "b c", "z"])
    assert isinstance(scores, Scores)
    assert scores.scores.tolist() == [1.0, 2.0, 0.0]
    assert scores.scores.dtype == np.float32
    assert scores.tokens.tolist() == [4, 4, 3]
    assert (scores.model, scores.fingerprint, scores.usage.tokens) == ("toy", "f00d", 11)
    assert [row.index for row in scores.ranked()] == [1, 0, 2]


def test_long_list_is_cut_and_every_request_has_the_query() -> None:
    server = Server()
    with client_of(server, max_in_flight=1) as client:
        scores = client.score("word1", DOCUMENTS)
    assert server.texts == [DOCUMENTS[:128], DOCUMENTS[128:256], DOCUMENTS[256:]]
    assert [call["query"] for call in server.calls] == [{"text": "word1"}] * 3
    assert scores.scores.tolist() == [score("word1", text) for text in DOCUMENTS]


def test_stream_of_documents_is_read_to_its_end() -> None:
    server = Server()
    with client_of(server) as client:
        scores = client.score("word1", iter(DOCUMENTS), batch_size=50)
    assert scores.scores.tolist() == [score("word1", text) for text in DOCUMENTS]
    assert len(server.calls) == 6


def test_names_stay_at_home() -> None:
    server = Server()
    documents = [Item(text="a", id="first", metadata={"page": 1}), {"text": "b", "id": "second"}]
    with client_of(server) as client:
        scores = client.score({"text": "b", "id": "asked"}, documents)
    assert server.calls == [
        {"model": "default", "query": {"text": "b"}, "documents": [{"text": "a"}, {"text": "b"}]}
    ]
    best = scores.ranked()[0]
    assert (best.id, best.index, best.score) == ("second", 1, 1.0)
    assert scores[0].metadata == {"page": 1}


def test_options_are_sent_as_documented() -> None:
    server = Server()
    with client_of(server, model="other") as client:
        client.score("q", ["d"])
        client.score(
            "q",
            ["d"],
            model="toy",
            instruction="find",
            by=OutputType.SPARSE,
            normalize=False,
            truncate=Truncate.ERROR,
        )
    common = {"query": {"text": "q"}, "documents": [{"text": "d"}]}
    assert server.calls == [
        {"model": "other", **common},
        {
            **common,
            "model": "toy",
            "instruction": "find",
            "by": "sparse",
            "normalize": False,
            "truncate": "error",
        },
    ]


@pytest.mark.parametrize(
    ("query", "documents", "message"),
    [
        ("q", [], "documents is empty"),
        ("q", iter(()), "documents is empty"),
        ("q", "one text", "documents is one document"),
        ("q", Item(text="a"), "documents is one document"),
        ("q", {"a", "b"}, "documents: a set has no order"),
        ("q", None, "documents: NoneType is not an item"),
        ("q", ["a", 3], r"documents\[1\] is a number"),
        ("q", ["a", {}], r"documents\[1\] needs exactly one of"),
        ("q", ["a", "\ud800"], r"documents\[1\]: character 0 is a lone surrogate"),
        (None, ["a"], "query is of type NoneType"),
        (["q"], ["a"], "query is of type list"),
        ("\ud800", ["a"], "query: character 0 is a lone surrogate"),
    ],
)
def test_what_cannot_be_sent_is_named_before_anything_is(
    query: Any, documents: Any, message: str
) -> None:
    server = Server()
    with client_of(server) as client:
        with pytest.raises(InvalidInput, match=message):
            client.score(query, documents)
    assert server.requests == []


def test_wrong_option_is_refused_by_name() -> None:
    with client_of(Server()) as client:
        with pytest.raises(InvalidInput, match="by='thick': choose one of 'dense', 'sparse'"):
            client.score("q", ["a"], by="thick")
        with pytest.raises(InvalidInput, match="normalize"):
            client.score("q", ["a"], normalize="yes")


def test_first_failed_document_is_raised_with_its_index() -> None:
    documents = ["a"] * 130 + ["!bad", "b"]
    with client_of(Server()) as client:
        with pytest.raises(InvalidInput, match="told to refuse") as caught:
            client.score("a", documents)
        returned = client.score("a", documents, errors="return")
    assert caught.value.details == {"index": 130}
    assert list(returned.errors) == [130]
    assert np.isnan(returned.scores[130])
    assert returned[130].error is returned.errors[130]
    assert 130 not in returned.order()
    assert len(returned.order()) == 131


def test_refusal_of_a_request_is_typed_and_counts_from_the_first_document() -> None:
    refusal = failure("input_too_long", 400, "too long", details={"index": 1})
    unable = failure("unsupported_task", 400, "cannot score")
    first = packed(scored({"query": {"text": "q"}, "documents": [{"text": "a"}] * 2}))
    with client_of(Server(first, refusal, unable), max_in_flight=1) as client:
        with pytest.raises(InputTooLong) as caught:
            client.score("q", ["a"] * 4, batch_size=2)
        with pytest.raises(UnsupportedTask):
            client.score("q", ["a"])
    assert caught.value.details == {"index": 3, "request_id": "r1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": array("<f4", [1.0])},
        {"scores": array("<f4", [[1.0], [2.0]])},
        {"scores": array("<f4", [1.0, 2.0]), "labels": ["no", "yes"]},
        {"scores": array("<f4", [[1.0], [2.0]]), "labels": ["no", "yes"]},
        {"tokens": array("<i4", [1])},
        {"scores": None},
    ],
    ids=str,
)
def test_answer_that_does_not_fit_is_a_protocol_error(changes: dict[str, Any]) -> None:
    answer = scored({"query": {"text": "q"}, "documents": [{"text": "a"}] * 2}, **changes)
    with client_of(Server(packed(answer))) as client:
        with pytest.raises(ProtocolError):
            client.score("q", ["a", "b"])


def test_scores_of_two_models_are_never_mixed() -> None:
    answers = [
        packed(scored({"query": {"text": "q"}, "documents": [{"text": "a"}]}, fingerprint=name))
        for name in ("one", "two")
    ]
    with client_of(Server(*answers), max_in_flight=1) as client:
        with pytest.raises(ProtocolError, match="from fingerprint one to two"):
            client.score("q", ["a", "b"], batch_size=1)


def test_progress_counts_documents() -> None:
    told: list[tuple[int, int | None]] = []
    with client_of(Server()) as client:
        tell = lambda *facts: told.append(facts)  # noqa: E731
        client.score("q", ["a"] * 3, batch_size=2, progress=tell)
        client.score("q", iter("ab"), progress=tell)
    assert told == [(2, 3), (3, 3), (2, None)]


def test_progress_bar_says_score(capsys: pytest.CaptureFixture[str]) -> None:
    with client_of(Server()) as client:
        client.score("q", ["a"] * 3, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip().startswith("score")
    assert "3/3" in err
