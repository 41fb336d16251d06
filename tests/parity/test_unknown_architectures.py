"""Models of which our engine has not got the transformer: the library serves every kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fix_arch import reference_of
from fix_classic import TINY
from fix_engine import answer
from fix_outputs import ENDS, FAMILIES, LIMIT, assert_close, encode, parts, saved, score, spec_of
from fix_unknown import LOCAL, UNKNOWN, colbert, dense_terms, engine_of, fresh, pairs, splade
from safetensors.torch import load_file, save_file
from sentence_transformers import (
    CrossEncoder,
    MultiVectorEncoder,
    SentenceTransformer,
    SparseEncoder,
)
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import LayerNorm, Pooling
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from stelae.engines import registry
from stelae.engines.base import Device, EngineOptions
from stelae.engines.text.engine import TextEngine
from stelae.errors import (
    InputTooLong,
    InvalidInput,
    ModelLoadFailed,
    UnsupportedCheckpoint,
    UnsupportedTask,
    from_info,
)
from stelae.types import ComputeDtype, EncodeCall, Item, OutputType, Role, ScoreCall, Truncate

TEXTS = [
    "a stone",
    "naïve 中文 Σ 12.5% , .",
    "The stone tablet of Ur, and (the) other; stone!",
    "a long river " * 60,
    "x " * (LIMIT - 3),
    "a river",
]
"""Of several lengths, two of one length, two that are cut or nearly so."""


@pytest.mark.parametrize("name", UNKNOWN)
def test_vectors_equal_the_library(zoo: Path, tmp_path: Path, name: str) -> None:
    folder = saved(zoo, tmp_path, UNKNOWN[name], "Model")
    library = SentenceTransformer(str(folder), **LOCAL)
    expected = np.stack([fresh(library).encode(text) for text in TEXTS])
    engine = engine_of(folder)
    together = encode(engine, TEXTS, OutputType.DENSE)
    assert_close(together.dense, expected)
    read = [library.preprocess([text])["input_ids"].numel() for text in TEXTS]
    assert together.tokens.tolist() == read
    whole = [len(library.tokenizer(text)["input_ids"]) for text in TEXTS]
    assert together.truncated.tolist() == [count > LIMIT for count in whole]
    for text, row in zip(TEXTS, expected, strict=True):
        assert_close(encode(engine, [text], OutputType.DENSE).dense[0], row)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("name", UNKNOWN)
def test_scores_equal_the_library(zoo: Path, tmp_path: Path, name: str, labels: int) -> None:
    folder = pairs(zoo, tmp_path, name, labels)
    library, engine = CrossEncoder(str(folder), **LOCAL), engine_of(folder)
    for query in ("where is the stone?", "a long river " * 30):
        made = [fresh(library).predict([(query, text)])[0] for text in TEXTS]
        ours = score(engine, query, TEXTS)
        assert_close(ours.scores, made)
        read = [library.preprocess([(query, text)])["input_ids"].numel() for text in TEXTS]
        assert ours.tokens.tolist() == read
        whole = [len(library.tokenizer(query, text)["input_ids"]) for text in TEXTS]
        assert ours.truncated.tolist() == [count > LIMIT for count in whole]
        for text, theirs in zip(TEXTS, made, strict=True):
            assert_close(score(engine, query, [text]).scores[0], theirs)


@pytest.mark.filterwarnings("ignore:Implicit dimension choice for softmax")
@pytest.mark.parametrize("activation", ["Sigmoid", "Identity", "Softmax"])
def test_activation_and_prompt_of_a_cross_encoder_are_the_librarys(
    zoo: Path, tmp_path: Path, activation: str
) -> None:
    source = pairs(zoo, tmp_path / "trunk", "convbert", 3)
    prompts = {"prompts": {"ask": "find: "}, "default_prompt_name": "ask"}
    function = getattr(torch.nn, activation)()
    library = CrossEncoder(str(source), activation_fn=function, **prompts, **LOCAL)
    library.save_pretrained(str(tmp_path / "made"), create_model_card=False)
    engine = engine_of(tmp_path / "made")
    expected = np.stack([library.predict([("a stone", text)])[0] for text in TEXTS])
    assert_close(score(engine, "a stone", TEXTS).scores, expected)
    plain = {"activation_fn": torch.nn.Identity()}
    logits = np.stack([library.predict([("a stone", text)], **plain)[0] for text in TEXTS])
    assert_close(score(engine, "a stone", TEXTS, normalize=False).scores, logits)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("family", ["convbert", "bert"])
def test_scores_of_a_head_of_several_modules_equal_the_library(
    zoo: Path, tmp_path: Path, family: str, labels: int
) -> None:
    """Whichever engine has the transformer."""
    known = UNKNOWN | FAMILIES
    source = saved(zoo, tmp_path / "trunk", known[family], "Model")
    torch.manual_seed(4)
    modules = [
        Transformer(str(source)),
        Pooling(32, "cls"),
        Dense(32, 24, bias=False, activation_function=torch.nn.GELU()),
        LayerNorm(24),
        Dense(24, labels, activation_function=torch.nn.Identity(), module_output_name="scores"),
    ]
    library = CrossEncoder(modules=modules, activation_fn=torch.nn.Sigmoid(), device="cpu")
    library.save_pretrained(str(tmp_path / "made"), create_model_card=False)
    spec = spec_of(tmp_path / "made")
    choice = registry.choose(spec)
    assert choice.manifest.name == ("encoder" if family == "bert" else "sentence_transformers")
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    engine: Any = registry.load(choice.manifest, spec, options)
    for text in TEXTS:
        made = library.predict([("a stone", text)])
        assert_close(score(engine, "a stone", [text]).scores, made)
    made = np.stack([library.predict([("a stone", text)])[0] for text in TEXTS])
    assert_close(score(engine, "a stone", TEXTS).scores, made)


def test_causal_reranker_has_the_librarys_scores(zoo: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(zoo / "qwen3-reranker", tmp_path / "made")
    given = json.loads((folder / "config.json").read_text("utf-8"))
    options = {"vocab_size": given["vocab_size"], "max_position_embeddings": 256} | ENDS
    trunk = reference_of(GPTNeoXForCausalLM, GPTNeoXConfig(**TINY | options))
    trunk.save_pretrained(folder)
    library = CrossEncoder(str(folder), **LOCAL)
    expected = np.concatenate([library.predict([("a stone", text)]) for text in TEXTS])
    assert_close(score(engine_of(folder), "a stone", TEXTS).scores, expected)


@pytest.mark.parametrize("name", ["convbert", "funnel", "bigbird", "fnet"])
def test_term_weights_equal_the_library(zoo: Path, tmp_path: Path, name: str) -> None:
    folder = splade(zoo, tmp_path, name)
    library, engine = SparseEncoder(str(folder), **LOCAL), engine_of(folder)
    plain = {"convert_to_sparse_tensor": False}
    expected = np.stack([fresh(library).encode([text], **plain)[0].numpy() for text in TEXTS])
    for texts, rows in [(TEXTS, expected), (TEXTS[2:3], expected[2:3])]:
        column = encode(engine, texts, OutputType.SPARSE).sparse
        assert_close(dense_terms(column, expected.shape[1]), rows)
    query, *documents = expected
    assert_close(score(engine, TEXTS[0], TEXTS[1:]).scores, np.stack(documents) @ query)


WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "cut": {"query_length": 9, "document_length": 17},
    "filled": {"query_expansion": {"strategy": "fixed", "length": 24, "attend": False}},
    "filled and seen": {"query_expansion": {"strategy": "min", "length": 12, "attend": True}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["convbert", "funnel", "bigbird", "fnet"])
def test_token_vectors_equal_the_library(zoo: Path, tmp_path: Path, name: str, way: str) -> None:
    folder = colbert(zoo, tmp_path, name, **WAYS[way])
    library, engine = MultiVectorEncoder(str(folder), **LOCAL), engine_of(folder)
    for role in Role:
        column = encode(engine, TEXTS, OutputType.MULTIVECTOR, role=role).multivector
        assert column is not None
        for text, part in zip(TEXTS, parts(column), strict=True):
            assert_close(column.values[part], late_of(library, text, role))
    query = torch.from_numpy(late_of(library, TEXTS[2], Role.QUERY))
    documents = [torch.from_numpy(late_of(library, text, Role.DOCUMENT)) for text in TEXTS]
    theirs = library.similarity([query], documents)[0].numpy()
    assert_close(score(engine, TEXTS[2], TEXTS).scores, theirs)


def test_what_our_engine_does_not_hide_the_library_does(zoo: Path, tmp_path: Path) -> None:
    """DeBERTa's queries that are filled up unseen; found out on loading."""
    expansion = {"strategy": "fixed", "length": 24, "attend": False}
    folder = colbert(zoo, tmp_path, "deberta", query_expansion=expansion)
    spec = spec_of(folder)
    options = EngineOptions(dtype=ComputeDtype.FLOAT32, device=Device.CPU, threads=1)
    choice, engine = registry.load_chosen(registry.choose(spec), spec, options)
    assert choice.manifest.name == "sentence_transformers"
    assert "attend=false is not implemented for Deberta" in choice.reason
    assert isinstance(engine, TextEngine)
    column = encode(engine, TEXTS, OutputType.MULTIVECTOR, role=Role.QUERY).multivector
    library = MultiVectorEncoder(str(folder), **LOCAL)
    for text, part in zip(TEXTS, parts(column), strict=True):
        assert column is not None
        assert_close(column.values[part], late_of(library, text, Role.QUERY))


def late_of(library: Any, text: str, role: Role) -> Any:
    """The library's token vectors of one text."""
    fresh(library)
    read = library.encode_query if role is Role.QUERY else library.encode_document
    return read([text], convert_to_numpy=True)[0]


def test_sparse_attention_does_not_depend_on_what_was_read_before(
    zoo: Path, tmp_path: Path
) -> None:
    folder = saved(zoo, tmp_path, UNKNOWN["bigbird"], "Model")
    engine = engine_of(folder)
    short, long = "a stone", "a long river " * 60
    encode(engine, [short], OutputType.DENSE)
    fresh = SentenceTransformer(str(folder), **LOCAL)
    assert_close(encode(engine, [long], OutputType.DENSE).dense[0], fresh.encode(long))


def dense(zoo: Path, folder: Path, name: str) -> Path:
    """A transformer by itself."""
    return saved(zoo, folder, UNKNOWN[name], "Model")


Make = Callable[[Path, Path, str], Path]

KINDS: dict[str, tuple[Make, OutputType | None]] = {
    "dense": (dense, OutputType.DENSE),
    "sparse": (splade, OutputType.SPARSE),
    "late": (colbert, OutputType.MULTIVECTOR),
    "pairs": (pairs, None),
}
"""How a model of each kind is made, and what it makes."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(kind: str, zoo: Path, tmp_path: Path) -> Path:
    """A model of each kind."""
    return KINDS[kind][0](zoo, tmp_path / "model", "convbert")


BAD = [Item(text="half \ud800"), Item(), Item(token_ids=[10**7]), Item(text="a " * 500)]


def call_of(kind: str, items: list[Item], truncate: Truncate = Truncate.END) -> Any:
    """A call for what a model of a kind makes."""
    output = KINDS[kind][1]
    if output is None:
        query = Item(text="a stone")
        return ScoreCall(model="m", query=query, documents=items, truncate=truncate)
    return EncodeCall(model="m", items=items, outputs=(output,), truncate=truncate)


def test_bad_items_fail_alone_with_the_errors_of_our_engine(made: Path, kind: str) -> None:
    good = [Item(text=text) for text in ("a stone", "")]
    result = answer(engine_of(made), call_of(kind, [*good, *BAD], Truncate.ERROR))
    errors = [from_info(result.errors[i]) for i in sorted(result.errors)]
    assert sorted(result.errors) == [2, 3, 4, 5]
    assert [type(error) for error in errors] == [InvalidInput] * 3 + [InputTooLong]
    assert result.tokens[2:].tolist() == [0] * 4


def test_what_a_model_does_not_make_is_refused(made: Path, kind: str) -> None:
    others = set(OutputType) - {KINDS[kind][1]}
    engine = engine_of(made)
    for output in others:
        with pytest.raises(UnsupportedTask, match="makes"):
            engine.open(EncodeCall(model="m", items=[Item(text="a")], outputs=(output,)))


def test_reason_names_what_our_engine_lacks_and_no_plan(made: Path) -> None:
    choice = registry.choose(spec_of(made))
    assert choice.manifest.name == "sentence_transformers"
    assert choice.reason.startswith("encoder: it has no architecture ConvBert")
    assert "; " not in choice.reason  # of engines for other models nothing is told
    assert "yet" not in choice.reason


def test_each_text_can_run_alone(made: Path, kind: str) -> None:
    items = [Item(text=text) for text in TEXTS]
    engine: TextEngine = engine_of(made, deterministic=True)
    together, alone = (
        [answer(engine, call_of(kind, part)) for part in ways]
        for ways in ([items], [[item] for item in items])
    )
    made = [numbers(result, kind) for result in (*together, *alone)]
    np.testing.assert_array_equal(made[0], np.concatenate(made[1:]))


def test_code_of_the_checkpoint_is_said_to_be_never_run(zoo: Path, tmp_path: Path) -> None:
    folder = edited(pairs(zoo, tmp_path, "convbert"), model_type="odd", auto_map=OWN)
    with pytest.raises(UnsupportedCheckpoint, match=r"needs code of its checkpoint .* never run"):
        engine_of(folder)


def test_class_of_the_checkpoints_own_is_not_passed_over(zoo: Path, tmp_path: Path) -> None:
    name = "OwnForSequenceClassification"
    folder = edited(pairs(zoo, tmp_path, "convbert"), architectures=[name], auto_map=OWN)
    with pytest.raises(UnsupportedCheckpoint, match="brings its own code for Own"):
        engine_of(folder)


OWN = dict.fromkeys(("AutoConfig", "AutoModelForSequenceClassification"), "own.Any")


def edited(folder: Path, **changes: Any) -> Path:
    """The same checkpoint with other values in its ``config.json``."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")
    return folder


@pytest.mark.parametrize(
    "tensor", ["classifier.dense.weight", "convbert.embeddings.LayerNorm.bias"]
)
def test_weights_are_never_made_up(zoo: Path, tmp_path: Path, tensor: str) -> None:
    folder = pairs(zoo, tmp_path, "convbert")
    tensors = load_file(folder / "model.safetensors")
    del tensors[tensor]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelLoadFailed, match=f"{tensor} is missing"):
        engine_of(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_in_files_of_torch_give_the_same_numbers(
    zoo: Path, tmp_path: Path, kind: str
) -> None:
    folder = KINDS[kind][0](zoo, tmp_path / "model", "convbert")
    items = [Item(text=text) for text in TEXTS]
    before = numbers(answer(engine_of(folder), call_of(kind, items)), kind)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    after = numbers(answer(engine_of(folder), call_of(kind, items)), kind)
    assert_close(after, before, 1e-6)


def test_files_of_torch_that_lack_a_tensor_are_refused(zoo: Path, tmp_path: Path) -> None:
    folder = pairs(zoo, tmp_path, "convbert")
    tensors = load_file(folder / "model.safetensors")
    del tensors["classifier.dense.weight"]
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelLoadFailed, match=r"classifier.dense.weight is missing"):
        engine_of(folder)


def numbers(result: Any, kind: str) -> Any:
    """All numbers of a result."""
    column = {"sparse": "sparse", "late": "multivector", "pairs": "scores"}.get(kind, "dense")
    value = getattr(result, column)
    return np.asarray(getattr(value, "values", value))
