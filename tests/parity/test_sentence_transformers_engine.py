"""The library behind our engine gives the numbers of the library alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo as checkpoints
from fix_engine import answer, prepared_of

from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Device, EngineOptions
from stelae.engines.sentence_transformers import refuses
from stelae.engines.sentence_transformers.engine import load
from stelae.engines.text.engine import TextEngine
from stelae.errors import InvalidInput, ModelLoadFailed, StelaeError, UnsupportedCheckpoint
from stelae.types import ComputeDtype, EncodeCall, Item, OutputType, Role, Truncate

TEXTS = [
    "The King's stone tablets, ÄÖ zweimal Ünïcode 中文 Σίσυφος 1234 [SEP] hello\0world",
    "",
    "  \n\t ",
    "a long river " * 60,
    "query the river",
    "X",
]
DTYPES = (ComputeDtype.FLOAT32, ComputeDtype.BFLOAT16)
SOUND = [name for name in checkpoints.CHECKPOINTS if not name.startswith("broken")]


def spec_of(folder: Path) -> ModelSpec:
    entry = ModelEntry(
        name="m", source=str(folder), matryoshka=checkpoints.MATRYOSHKA.get(folder.name, ())
    )
    return Catalog([entry]).spec("m")


def engine_of(folder: Path, dtype: ComputeDtype = ComputeDtype.FLOAT32) -> Any:
    return load(spec_of(folder), EngineOptions(dtype=dtype, device=Device.CPU, threads=1))


def encode(engine: TextEngine, items: Sequence[Item], **options: Any) -> Any:
    return answer(engine, EncodeCall(model="m", items=list(items), **options))


def library(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    if getattr(model[0].model.config, "attn_logit_softcapping", None) is not None:
        model[0].model.set_attn_implementation("eager")  # the default form leaves the cap out
    return model


def texts(*values: str) -> list[Item]:
    return [Item(text=value) for value in values]


@pytest.mark.parametrize("name", SOUND)
def test_vectors_are_those_of_the_library(zoo: Path, name: str) -> None:
    spec = spec_of(zoo / name)
    if (refusal := refuses(spec)) is not None:
        pytest.skip(refusal)
    if OutputType.DENSE not in spec.outputs:
        pytest.skip("it makes no dense vectors")
    result = encode(engine_of(zoo / name), texts(*TEXTS))
    expected = library(zoo / name).encode(TEXTS)
    np.testing.assert_allclose(result.dense, expected, atol=3e-6)
    assert result.errors == {}


@pytest.fixture(scope="module")
def prompted(zoo: Path) -> Any:
    return engine_of(zoo / "bert-dense")


def test_prompts_are_those_of_the_library(zoo: Path, prompted: Any) -> None:
    model = library(zoo / "bert-dense")
    for options, expected in [
        ({"role": Role.QUERY}, model.encode_query(TEXTS)),
        ({"role": Role.DOCUMENT}, model.encode_document(TEXTS)),
        ({"prompt_name": "query"}, model.encode(TEXTS, prompt_name="query")),
        ({"prompt": "my own: "}, model.encode(TEXTS, prompt="my own: ")),
        ({"prompt": ""}, model.encode(TEXTS, prompt="")),
    ]:
        result = encode(prompted, texts(*TEXTS), **options)
        np.testing.assert_allclose(result.dense, expected, atol=3e-6)


def test_prompt_can_be_left_out_of_the_pooling_in_a_mixed_batch(zoo: Path) -> None:
    engine, model = engine_of(zoo / "bert-instruct"), library(zoo / "bert-instruct")
    calls = [EncodeCall(model="m", items=texts("a river"), prompt=p) for p in ("", "find: ", "x ")]
    features = [prepared_of(engine, call)[0].features for call in calls]
    rows = np.stack([output.dense for output in engine.run(features)])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = [model.encode("a river", prompt=call.prompt) for call in calls]
    np.testing.assert_allclose(rows, expected, atol=3e-6)


def test_cut_is_marked_and_tokens_are_those_that_ran(prompted: Any) -> None:
    result = encode(prompted, texts("river " * 500, "river"), prompt="")
    assert result.tokens.tolist() == [128, 3]
    assert result.truncated.tolist() == [True, False]
    assert result.usage.tokens == 131


def test_cut_at_the_start_keeps_the_end(prompted: Any) -> None:
    words = [f"{w} " for w in ("king", "river", "stone", "music") for _ in range(60)]
    cut = encode(prompted, texts("".join(words)), truncate=Truncate.START, prompt="")
    end = encode(prompted, texts("".join(words[-126:])), prompt="")
    assert cut.truncated.tolist() == [True]
    np.testing.assert_allclose(cut.dense, end.dense, atol=3e-6)


def test_text_that_is_too_long_can_be_an_error_of_its_own(prompted: Any) -> None:
    result = encode(prompted, texts("river", "river " * 500), truncate=Truncate.ERROR)
    assert {i: error.code for i, error in result.errors.items()} == {1: "input_too_long"}
    assert np.isfinite(result.dense[0]).all()
    assert np.isnan(result.dense[1]).all()


def test_bad_items_leave_their_neighbours_alone(prompted: Any) -> None:
    items = [Item(text="river"), Item(text="\ud800"), Item(), Item(token_ids=[10**6])]
    result = encode(prompted, items)
    assert sorted(result.errors) == [1, 2, 3]
    np.testing.assert_allclose(
        result.dense[0], encode(prompted, texts("river")).dense[0], atol=3e-6
    )


def test_token_ids_are_run_as_they_are(zoo: Path) -> None:
    engine, model = engine_of(zoo / "bert-mean"), library(zoo / "bert-mean")
    ids = model.tokenizer("the river", add_special_tokens=False)["input_ids"]
    result = encode(engine, [Item(token_ids=ids)])
    np.testing.assert_allclose(result.dense[0], model.encode("the river"), atol=3e-6)
    assert result.tokens.tolist() == [len(ids) + 2]


def test_matryoshka_cut_is_that_of_the_library_with_unit_length(zoo: Path) -> None:
    engine, model = engine_of(zoo / "bert-matryoshka"), library(zoo / "bert-matryoshka")
    result = encode(engine, texts(*TEXTS), dimensions=16)
    expected = model.encode(TEXTS, truncate_dim=16, normalize_embeddings=True)
    np.testing.assert_allclose(result.dense, expected, atol=3e-6)


def test_unit_length_can_be_declined(zoo: Path) -> None:
    result = encode(engine_of(zoo / "bert-cls"), texts("river"), normalize=False)
    raw = library(zoo / "bert-cls")
    expected = raw.encode("river", output_value="token_embeddings")[0]
    np.testing.assert_allclose(result.dense[0], expected.numpy(), atol=1e-5)


def test_call_that_cannot_be_run_is_refused(prompted: Any) -> None:
    with pytest.raises(InvalidInput, match="not known to be trained"):
        prompted.open(EncodeCall(model="m", items=texts("a"), dimensions=3))


def test_bfloat16_stays_near(zoo: Path) -> None:
    exact = encode(engine_of(zoo / "bert-matryoshka"), texts(*TEXTS)).dense
    engine = engine_of(zoo / "bert-matryoshka", ComputeDtype.BFLOAT16)
    near = encode(engine, texts(*TEXTS)).dense
    assert engine.info.dtype == "bfloat16"
    assert (exact * near).sum(axis=1).min() > 0.999
    assert (exact != near).any()


def test_dtype_is_part_of_the_fingerprint(zoo: Path) -> None:
    one, other = (engine_of(zoo / "bert-cls", dtype) for dtype in DTYPES)
    assert one.info.fingerprint != other.info.fingerprint


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("broken-missing", "encoder.layer.1.output.dense.weight is missing"),
        ("broken-shape", "has shape (64, 7), not (64, 128)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(zoo: Path, name: str, part: str) -> None:
    with pytest.raises(ModelLoadFailed) as caught:
        engine_of(zoo / name)
    assert part in str(caught.value)


def test_checkpoint_with_code_of_its_own_is_refused(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "bert-mean", tmp_path / "own")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"architectures": ["OwnBertModel"], "auto_map": {"AutoModel": "own.OwnBertModel"}}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "own.py").write_text("raise SystemExit('this must never run')\n", "utf-8")
    with pytest.raises(UnsupportedCheckpoint, match="brings its own code for OwnBertModel"):
        engine_of(folder)


def test_checkpoint_that_the_library_cannot_read_gives_a_typed_error(
    zoo: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(zoo / "bert-mean", tmp_path / "odd")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "odd"}), "utf-8")
    with pytest.raises(StelaeError, match="sentence-transformers cannot load"):
        engine_of(folder)
