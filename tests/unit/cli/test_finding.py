"""What texts hold, as rows and for programs."""

from __future__ import annotations

from stelae.cli.finding import listed, rows, summary
from stelae.client import Extracted
from stelae.errors import InvalidInput
from stelae.types import Classification, DetectedObject, Entity, Relation

FOUND = Extracted(
    entities=(Entity(text="Ada\n Lovelace", label="person", score=0.91, start=4, end=17),),
    relations=(Relation(head="Ada", tail="London", relation="lives in", score=0.5),),
    classifications=(Classification(label="sport", score=0.25),),
    objects=(DetectedObject(label="cat", score=1.0, bbox=(0.0, 1.0, 2.0, 3.0)),),
    data={"price": 12},
)


def test_labels_are_parted_by_commas() -> None:
    assert listed(" person, good thing ,,place") == ("person", "good thing", "place")
    assert listed("") == ()


def test_everything_found_has_a_row() -> None:
    shown = [(r["found"], r["label"], r["score"], r["text"]) for r in rows(7, FOUND)]
    assert shown == [
        ("name", "person", "0.9100", "Ada Lovelace"),
        ("relation", "lives in", "0.5000", "Ada - London"),
        ("class", "sport", "0.2500", None),
        ("object", "cat", "1.0000", None),
        ("field", "price", None, "12"),
    ]
    assert all(row["item"] == 7 for row in rows(7, FOUND))
    assert next(rows(7, FOUND))["start"] == 4


def test_programs_get_the_values_as_they_are() -> None:
    told = summary(FOUND)
    assert told["entities"][0]["text"] == "Ada\n Lovelace"
    assert told["data"] == {"price": 12}
    failed = summary(Extracted(error=InvalidInput("no text")))
    assert failed["error"] == {"code": "invalid_input", "message": "no text"}
