from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import numpy as np
import pytest

from stelae.dialects.sie.arrays import write
from stelae.dialects.sie.asked import Asked
from stelae.dialects.sie.encode import encode_call, encode_json, encode_pieces
from stelae.dialects.sie.extract import extract_call, extract_items
from stelae.dialects.sie.models import sie_detail
from stelae.dialects.sie.schema import EncodeRequest, ExtractRequest, ScoreRequest
from stelae.dialects.sie.score import ranking, score_calls
from stelae.errors import ErrorInfo, InvalidInput
from stelae.types import (
    DetectedObject,
    EmbeddingDtype,
    EncodeCall,
    EncodeResult,
    Entity,
    ExtractCall,
    Extraction,
    ExtractResult,
    Item,
    Modality,
    ModelInfo,
    Muvera,
    OutputType,
    Ragged,
    Role,
    Sparse,
    Task,
    Truncate,
)
from stelae.vectors.quantize import quantize
from stelae.wire.sie.arrays import read
from stelae.wire.sie.verbs import WEIGHTS

TEXTS = ModelInfo(name="m", source="/m", architecture="BertModel", max_tokens=256)
BOTH = msgspec.structs.replace(TEXTS, inputs=(Modality.TEXT, Modality.IMAGE))


def sent(plain: dict[str, Any], kind: type[Any]) -> Any:
    """A request as it comes."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=kind)


def encoded(plain: dict[str, Any], info: ModelInfo = TEXTS) -> Asked[EncodeCall]:
    return encode_call(sent(plain, EncodeRequest), "m", info)


def one(info: ModelInfo = TEXTS, item: dict[str, Any] | None = None, **params: Any) -> EncodeCall:
    items = [{"text": "a"} if item is None else item]
    return encoded({"items": items, "params": params}, info).call


def test_bare_request_asks_for_dense_vectors_of_documents() -> None:
    assert one() == EncodeCall(model="m", items=[Item(text="a")], role=Role.DOCUMENT)


def test_parameters_and_options_reach_the_call() -> None:
    call = one(
        output_types=["dense", "sparse"],
        output_dtype="int8",
        instruction="find",
        options={"is_query": True, "normalize": False, "dimensions": 64, "truncate": False},
    )
    assert call == EncodeCall(
        model="m",
        items=[Item(text="a")],
        outputs=(OutputType.DENSE, OutputType.SPARSE),
        role=Role.QUERY,
        instruction="find",
        dtype=EmbeddingDtype.INT8,
        normalize=False,
        dimensions=64,
        truncate=Truncate.ERROR,
    )


def test_precedence_is_that_of_the_contract() -> None:
    options = {
        "output_types": ["multivector"], "output_dtype": "int8",
        "instruction": "option", "default_instruction": "default",
    }  # fmt: skip
    call = one(output_types=["dense"], output_dtype="float16", instruction="param", options=options)
    assert call.outputs == (OutputType.MULTIVECTOR,)
    assert call.dtype is EmbeddingDtype.FLOAT16
    assert call.instruction == "param"
    assert one(options=options).instruction == "option"
    assert one(options={"default_instruction": "default"}).instruction == "default"


def test_templates_take_the_place_of_the_models_prompts() -> None:
    options = {"query_template": "{instruction}: {text}!", "is_query": True}
    call = one(instruction="find", options=options)
    assert [item.text for item in call.items] == ["find: a!"]
    assert (call.prompt, call.role, call.instruction) == ("", Role.QUERY, None)
    odd = one(instruction="{text}", options=options)
    assert [item.text for item in odd.items] == ["{text}: a!"]


def test_profile_is_part_of_the_name() -> None:
    assert one(options={"profile": "fast"}).model == "m:fast"


def test_options_that_mean_nothing_are_told() -> None:
    asked = encoded(
        {"items": [{"text": "a"}], "params": {"options": {"zeal": 1, "is_query": True}}}
    )
    assert asked.ignored == ("zeal",)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, Muvera()),
        (None, None),
        (
            {"num_repetitions": 3, "num_simhash_projections": 2},
            Muvera(repetitions=3, projections=2),
        ),
        ({"repetitions": 3, "dimensions": 64}, Muvera(repetitions=3, dimensions=64)),
    ],
)
def test_muvera_is_named_in_either_way(given: Any, expected: Muvera | None) -> None:
    assert one(options={"muvera": given}).muvera == expected


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"pooling": "cls"}, "options.pooling"),
        ({"max_seq_length": 12}, "options.max_seq_length"),
        ({"is_query": "yes"}, "options"),
        ({"muvera": {"repetitions": "x"}}, "options.muvera"),
        ({"doc_template": "no place"}, "options"),
    ],
)
def test_option_that_cannot_be_kept_is_refused(options: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        one(options=options)
    assert caught.value.param == param


def test_longest_input_of_the_model_itself_may_be_stated() -> None:
    assert one(options={"max_seq_length": 256}).items


PICTURE = {"images": [{"data": b"\x89PNG", "format": "jpeg"}]}


def test_picture_counts_where_the_model_reads_pictures() -> None:
    both = {"text": "a", **PICTURE}
    assert one(BOTH, both).items == [Item(image=b"\x89PNG")]
    assert one(TEXTS, both).items == [Item(text="a")]
    assert one(ModelInfo(name="m", source="s"), both).items == [Item(image=b"\x89PNG")]


@pytest.mark.parametrize("start", ["", "data:image/png;base64,"])
def test_picture_in_json_is_base64_or_a_data_uri(start: str) -> None:
    data = start + b64encode(b"\x89PNG").decode()
    assert one(BOTH, {"images": [{"data": data}]}).items == [Item(image=b"\x89PNG")]


def test_token_vectors_made_before_are_taken() -> None:
    matrix = np.ones((2, 3), np.float32)
    packed = msgspec.msgpack.decode(b"".join(write(matrix)))
    item = {"id": "", "multivector": packed}
    plain = {"query": {"text": "q"}, "items": [item, {"multivector": packed, "text": "a"}]}
    call = score_calls(sent(plain, ScoreRequest), "m", TEXTS)[0].call
    np.testing.assert_array_equal(call.documents[0].multivector, matrix)
    assert call.documents[0].id == ""
    assert call.documents[1].text is None
    assert one(item={"multivector": packed, "text": "a"}).items == [Item(text="a")]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({}, "has nothing; give text"),
        ({"multivector": [[1.0]]}, "has token vectors, which only score reads; give text"),
        ({"audio": {"data": b"x"}}, "has audio, which no model here reads"),
        ({"images": [{"data": b"a"}, {"data": b"b"}]}, "2 pictures"),
        ({"images": [{"data": 3}]}, "is a int; bytes were expected"),
        ({"images": [{"data": "%%%"}]}, "is not base64"),
    ],
)
def test_item_that_cannot_be_read_is_named(item: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        encoded({"items": [{"text": "good"}, item]}, TEXTS)
    assert str(caught.value.param).startswith("items[1]")


@pytest.mark.parametrize(
    ("matrix", "said"), [([1.0, 2.0], "1 dimensions"), ("x", "expected an array")]
)
def test_token_vectors_that_are_none_are_refused(matrix: Any, said: str) -> None:
    plain = {"query": {"text": "q"}, "items": [{"multivector": matrix}]}
    with pytest.raises(InvalidInput, match=said):
        score_calls(sent(plain, ScoreRequest), "m", TEXTS)


def test_what_is_not_used_is_not_read_and_too_many_items_are_not_made() -> None:
    start = b"\x81\xa5items\x91\x82\xa4text\xa1a\xa8metadata\xdd"
    wide = start + (10**5).to_bytes(4, "big") + b"\x90" * 10**5
    (item,) = msgspec.msgpack.decode(wide, type=EncodeRequest).items
    assert item.text == "a"
    assert len(bytes(item.metadata)) == 10**5 + 5
    many = b"\x81\xa5items\xdd" + (10**7).to_bytes(4, "big") + b"\x80" * 100
    with pytest.raises(msgspec.ValidationError, match="length <= 131072"):
        msgspec.msgpack.decode(many, type=EncodeRequest)


def test_no_items_are_refused_by_every_verb() -> None:
    for verb, kind, more in (
        (encode_call, EncodeRequest, {}),
        (extract_call, ExtractRequest, {}),
        (score_calls, ScoreRequest, {"query": {"text": "q"}}),
    ):
        with pytest.raises(InvalidInput, match="items is empty"):
            verb(sent({"items": [], **more}, kind), "m", TEXTS)  # type: ignore[operator]


COUNTS = {"tokens": np.ones(3, np.int32), "truncated": np.zeros(3, np.bool_)}


def made(dtype: EmbeddingDtype) -> EncodeResult:
    rows = np.random.default_rng(5).standard_normal((3, 12)).astype(np.float32)
    dense, reading = quantize(rows, dtype)
    tokens, token_reading = quantize(rows[:, :6], dtype, output=OutputType.MULTIVECTOR)
    return EncodeResult(
        model="m",
        fingerprint="f",
        dense=dense,
        quantization=reading,
        sparse=Sparse(
            indices=np.array([4, 9], np.int32),
            values=np.array([0.5, 2], np.float32),
            offsets=np.array([0, 0, 2, 2]),
        ),
        multivector=Ragged(
            values=tokens, offsets=np.array([0, 1, 1, 3]), quantization=token_reading
        ),
        **COUNTS,
    )


@pytest.mark.parametrize("dtype", EmbeddingDtype)
def test_answer_holds_every_output_in_every_dtype(dtype: EmbeddingDtype) -> None:
    result = made(dtype)
    call = EncodeCall(model="m", items=[Item(text="a")] * 3, dtype=dtype)
    asked = Asked(call, ["a", None, "ü"])
    body = msgspec.msgpack.decode(b"".join(encode_pieces(result, asked, "org/m")))
    plain = msgspec.json.decode(b"".join(encode_json(result, asked, "org/m")))
    assert body["model"] == plain["model"] == "org/m"
    assert [item.get("id") for item in body["items"]] == ["a", None, "ü"]
    assert {"total_ms", "queue_ms", "tokenization_ms", "inference_ms"} <= body["timing"].keys()
    bits = dtype in (EmbeddingDtype.BINARY, EmbeddingDtype.UBINARY)
    for index, item in enumerate(body["items"]):
        dense, sparse, late = item["dense"], item["sparse"], item["multivector"]
        np.testing.assert_array_equal(read(dense["values"]), result.dense[index])
        assert (dense["dims"], dense["dtype"]) == (12, "binary" if bits else dtype.value)
        assert ("scale" in dense) == (dtype in (EmbeddingDtype.INT8, EmbeddingDtype.UINT8))
        indices, values = result.sparse[index]
        np.testing.assert_array_equal(read(sparse["indices"]), indices)
        np.testing.assert_array_equal(read(sparse["values"]), values)
        assert read(sparse["indices"]).dtype == np.int32
        np.testing.assert_array_equal(read(late["values"]), result.multivector[index])
        assert (late["token_dims"], late["num_tokens"]) == (6, len(result.multivector[index]))
        assert plain["items"][index]["dense"]["values"] == pytest.approx(
            result.dense[index].tolist()
        )


def test_vectors_share_the_memory_they_came_in() -> None:
    """The body is the only copy: 512 vectors of 1024 numbers are 512 heads beside it."""
    dense = np.zeros((512, 1024), np.float32)
    result = EncodeResult(
        model="m", fingerprint="f", dense=dense, tokens=np.ones(512, np.int32),
        truncated=np.zeros(512, np.bool_),
    )  # fmt: skip
    call = EncodeCall(model="m", items=[Item(text="a")] * 512)
    body = b"".join(encode_pieces(result, Asked(call, [None] * 512), "m"))
    assert len(body) - dense.nbytes < 512 * 100


def test_ranking_is_stable_and_names_every_item() -> None:
    ranked = ranking(np.array([0.5, 2, 0.5], np.float32), ["a", None, None])
    assert [(row["item_id"], row["rank"]) for row in ranked] == [
        ("item-1", 0), ("a", 1), ("item-2", 2),
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="3 scores"):
        ranking(np.zeros((2, 3), np.float32), [None, None])


def scored(**options: Any) -> Any:
    plain = {"query": {"text": "q"}, "items": [{"text": "d"}], "options": options}
    return score_calls(sent(plain, ScoreRequest), "m", TEXTS)[1]


def test_score_mode_chooses_what_is_compared() -> None:
    assert [(w, c.by) for w, c in scored()] == [(1.0, None)]
    assert [(w, c.by) for w, c in scored(score_mode="colbert")] == [(1.0, OutputType.MULTIVECTOR)]
    assert [w for w, _ in scored(score_mode="hybrid")] == list(WEIGHTS.values())
    mixed = scored(score_mode="hybrid", score_weights=[0, 1, 2])
    assert [(w, c.by) for w, c in mixed] == [
        (1, OutputType.SPARSE), (2, OutputType.MULTIVECTOR),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [{"score_mode": "x"}, {"score_mode": "hybrid", "score_weights": [1]},
     {"score_mode": "hybrid", "score_weights": {"x": 1}},
     {"score_mode": "hybrid", "score_weights": [0, 0, 0]},
     {"score_mode": "hybrid", "score_weights": [1, 2, float("nan")]}],
)  # fmt: skip
def test_score_mode_that_is_none_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"options\.score_"):
        scored(**options)


def test_extraction_is_asked_for_and_told_in_the_sdks_words() -> None:
    options = {"threshold": 0.3, "hypothesis_template": "about {}", "num_beams": 2}
    plain = {
        "items": [{"text": "Ada"}, {"text": "b"}],
        "params": {"labels": ["x"], "options": options},
    }
    asked = extract_call(sent(plain, ExtractRequest), "m", TEXTS)
    assert asked.call == ExtractCall(
        model="m", items=[Item(text="Ada"), Item(text="b")], labels=("x",), threshold=0.3,
        hypothesis="about {}", beams=2,
    )  # fmt: skip
    found = Extraction(
        entities=(Entity(text="Ada", label="x", score=0.9, start=0, end=3),),
        objects=(DetectedObject(label="x", score=0.5, bbox=(1.4, 2.6, 3, 4)),),
    )
    result = ExtractResult(
        model="m", fingerprint="f", items=(found, Extraction()),
        tokens=np.ones(2, np.int32), truncated=np.zeros(2, np.bool_),
        errors={1: ErrorInfo(code="input_too_long", message="long", status=400)},
    )  # fmt: skip
    first, second = extract_items(result, asked)
    entity = {"text": "Ada", "label": "x", "score": 0.9, "start": 0, "end": 3, "bbox": None}
    assert (first["id"], first["entities"]) == ("item-0", [entity])
    assert first["objects"][0]["bbox"] == [1, 3, 3, 4]
    assert "error" not in first
    assert second["error"] == {"code": "INPUT_TOO_LONG", "message": "long"}
    assert second["entities"] == []


def test_model_says_what_it_makes() -> None:
    info = msgspec.structs.replace(
        TEXTS, outputs=(OutputType.MULTIVECTOR,), token_dimensions=128,
        tasks=(Task.ENCODE, Task.SCORE), source="org/m@abc",
    )  # fmt: skip
    told = sie_detail(info, "m", 7)
    assert told.outputs == ("multivector", "score")
    assert told.dims == {"multivector": 128}
    assert (told.revision, told.id, told.created) == ("abc", "m", 7)
    finds = msgspec.structs.replace(TEXTS, outputs=(), tasks=(Task.EXTRACT,))
    assert sie_detail(finds, "m", 7).outputs == ("json",)
