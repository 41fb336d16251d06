"""The library as ``stelae verify`` loads it, against models that the library saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fix_library import LOCAL, bert, colbert, reranker, saved, splade
from PIL import Image
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from tiny.vision import clip_weights
from transformers import AutoTokenizer, ChineseCLIPConfig, ChineseCLIPModel

from stelae.catalog.abilities import Classify
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import ModelEntry
from stelae.catalog.spec import Backbone, Chain, ModelSpec, Source
from stelae.engines.references import open_clip
from stelae.engines.references.choice import load_reference
from stelae.engines.references.layouts import readable
from stelae.engines.references.made import Made
from stelae.engines.references.open_clip import as_clip
from stelae.errors import NoReference
from stelae.types import OutputType, Role

TEXTS = ["a river", "", "the king, of Ur?", "word " * 90]


def spec_of(folder: Path, *outputs: OutputType) -> ModelSpec:
    """As much of a spec as a reference looks at."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return ModelSpec(
        name="mine",
        source=Source(kind="folder", location=str(folder)),
        folder=str(folder),
        backbone=Backbone(
            folder="", architecture=config["architectures"][0], config=config, weights=()
        ),
        chains=tuple(Chain(output=output, steps=()) for output in outputs),
        scoring=None if outputs else Classify(labels=("LABEL_0",)),
        max_tokens=40,
    )


def array(made: Made) -> Any:
    assert made.value is not None
    assert not isinstance(made.value, tuple)
    return made.value


@pytest.mark.parametrize("role", [None, *Role])
def test_sparse_weights_are_those_of_the_saved_model(tmp_path: Path, role: Role | None) -> None:
    model = splade(tmp_path)
    reference = load_reference(spec_of(tmp_path / "made", OutputType.SPARSE), OutputType.SPARSE)
    for text in TEXTS:
        made = reference.encode(text, role)
        assert isinstance(made.value, tuple)
        weights = model.encode([text], convert_to_sparse_tensor=False)[0].numpy()
        np.testing.assert_array_equal(made.value[0], np.flatnonzero(weights))
        np.testing.assert_allclose(made.value[1], weights[made.value[0]], atol=1e-6)


def test_token_vectors_are_those_of_the_saved_model_on_either_side(tmp_path: Path) -> None:
    model = colbert(tmp_path)
    kind = OutputType.MULTIVECTOR
    reference = load_reference(spec_of(tmp_path / "made", kind), kind)
    assert reference.two_sided
    for text in TEXTS:
        query, document = (array(reference.encode(text, role)) for role in Role)
        np.testing.assert_allclose(query, model.encode_query([text])[0], atol=1e-6)
        np.testing.assert_allclose(document, model.encode_document([text])[0], atol=1e-6)


@pytest.mark.parametrize("labels", [1, 3])
def test_scores_are_those_of_the_saved_model(tmp_path: Path, labels: int) -> None:
    model = reranker(tmp_path, labels)
    reference = load_reference(spec_of(tmp_path / "made"), None)
    for text in TEXTS:
        expected = model.predict([("who?", text)])
        made = array(reference.score("who?", text, plain=False))
        np.testing.assert_allclose(made, np.atleast_1d(expected[0]), atol=1e-6)


def test_plain_scores_are_before_the_activation(tmp_path: Path) -> None:
    reranker(tmp_path)
    reference = load_reference(spec_of(tmp_path / "made"), None)
    plain, score = (array(reference.score("a", "b", plain=plain)) for plain in (True, False))
    np.testing.assert_allclose(score, 1 / (1 + np.exp(-plain)), atol=1e-6)


def dense(folder: Path, prompts: dict[str, str], default: str | None = None) -> Any:
    model = SentenceTransformer(bert(folder / "bert", "BertModel"), **LOCAL)
    model.prompts = prompts
    model.default_prompt_name = default
    return saved(model, folder / "made")


def test_prompts_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    model = dense(tmp_path, {"query": "find: ", "passage": "text: "}, "passage")
    reference = load_reference(spec_of(tmp_path / "made", OutputType.DENSE), OutputType.DENSE)
    assert (reference.two_sided, reference.prompted) == (True, True)
    for role, prompt in ((Role.QUERY, "find: "), (Role.DOCUMENT, "text: "), (None, "text: ")):
        made = reference.encode("a river", role)
        expected = model.encode([prompt + "a river"], prompt="")[0]
        np.testing.assert_allclose(array(made), expected, atol=1e-6)
        assert made.tokens == len(model.tokenizer(prompt + "a river")["input_ids"])


def test_model_without_prompts_has_one_side(tmp_path: Path) -> None:
    dense(tmp_path, {})
    reference = load_reference(spec_of(tmp_path / "made", OutputType.DENSE), OutputType.DENSE)
    assert (reference.two_sided, reference.prompted) == (False, False)


def test_texts_are_cut_where_a_person_asks_and_never_run_off_the_positions(tmp_path: Path) -> None:
    model = dense(tmp_path, {})
    file = tmp_path / "made" / "tokenizer_config.json"
    settings = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(settings | {"model_max_length": 4000}), "utf-8")
    spec = spec_of(tmp_path / "made", OutputType.DENSE)
    whole = load_reference(spec, OutputType.DENSE).encode("word " * 90, None)
    assert whole.tokens == 40
    np.testing.assert_allclose(array(whole), model.encode(["word " * 90])[0], atol=1e-6)
    assert load_reference(spec, OutputType.DENSE, longest=8).encode("word " * 90, None).tokens == 8


def test_text_that_the_library_cannot_read_spoils_no_other(tmp_path: Path) -> None:
    dense(tmp_path, {})
    reference = load_reference(spec_of(tmp_path / "made", OutputType.DENSE), OutputType.DENSE)
    assert reference.encode("lone \ud800", None) == Made(None, 0)
    assert reference.encode("a", None).value is not None


def test_padding_named_in_a_text_is_read_as_the_checkpoint_has_it(zoo: Path) -> None:
    folder = zoo / "chinese-clip"
    model: Any = ChineseCLIPModel(ChineseCLIPConfig.from_pretrained(folder))
    model.load_state_dict(load_file(folder / "model.safetensors"), strict=False)
    model.eval()
    read = AutoTokenizer.from_pretrained(folder)
    spec = Catalog([ModelEntry(name="mine", source=str(folder))]).spec("mine")
    reference = load_reference(spec, OutputType.DENSE)
    for text in ("[PAD]", "a river [PAD] of stone", "word " * 90):
        given = read(text, return_tensors="pt", truncation=True, max_length=64)
        expected = model.get_text_features(**given).pooler_output[0].detach().numpy()
        made = reference.encode(text, None)
        np.testing.assert_allclose(array(made), expected, atol=1e-5)
        assert made.tokens == given["input_ids"].numel()


def test_weights_made_up_differ_from_seed_to_seed(tmp_path: Path) -> None:
    spec = spec_of(Path(bert(tmp_path / "bert", "BertModel")), OutputType.MULTIVECTOR)
    made = [
        array(load_reference(spec, OutputType.MULTIVECTOR, seed=seed).encode("a", None))
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.allclose(made[0], made[2])


def change(folder: Path, name: str, **values: Any) -> None:
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | values), "utf-8")


def own_modules(folder: Path) -> None:
    rows = json.loads((folder / "modules.json").read_text("utf-8"))
    rows[1]["type"] = "mine.Pooling"
    (folder / "modules.json").write_text(json.dumps(rows), "utf-8")
    (folder / "mine.py").write_text("raise SystemExit('foreign code was run')", "utf-8")


def own_model(folder: Path) -> None:
    change(folder, "config.json", model_type="mine", auto_map={"AutoConfig": "mine.Config"})
    (folder / "mine.py").write_text("raise SystemExit('foreign code was run')", "utf-8")


def own_class(folder: Path) -> None:
    change(folder, "config.json", architectures=["New"], auto_map={"AutoModel": "mine.New"})


def other_class(folder: Path) -> None:
    change(folder, "config_sentence_transformers.json", model_type="SparseEncoder")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


BREAKS = [
    (own_modules, "mine.Pooling"),
    (own_model, r"own code \(auto_map\), which is never run$"),
    (own_class, "never run"),
    (other_class, "reads it as SparseEncoder, without dense"),
    (no_weights, "cannot load"),
]


@pytest.mark.parametrize(("spoil", "message"), BREAKS)
def test_what_the_library_cannot_load_has_no_reference(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    dense(tmp_path, {})
    spoil(tmp_path / "made")
    spec = spec_of(tmp_path / "made", OutputType.DENSE)
    with pytest.raises(NoReference, match=message):
        load_reference(spec, OutputType.DENSE)


def test_heads_beside_a_dense_model_have_no_reference(tmp_path: Path) -> None:
    dense(tmp_path, {})
    spec = spec_of(tmp_path / "made", OutputType.DENSE, OutputType.SPARSE)
    assert load_reference(spec, OutputType.DENSE).encode("a", None).value is not None
    with pytest.raises(NoReference, match="without sparse"):
        load_reference(spec, OutputType.SPARSE)


def catalogued(folder: Path) -> ModelSpec:
    return Catalog([ModelEntry(name="mine", source=str(folder))]).spec("mine")


def png(height: int, width: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "tokens"),
    [("clip", 4 * 4 + 1), ("clip-vision", 4 * 4 + 1), ("open-clip", 4 * 4 + 1), ("siglip", 4 * 4)],
)
def test_patches_of_a_picture_are_counted(zoo: Path, name: str, tokens: int) -> None:
    """Pictures of 32 x 32 in patches of 8, and the token of the class where there is one."""
    reference = load_reference(catalogued(zoo / name), OutputType.DENSE)
    assert reference.see(png(50, 40)).tokens == tokens


def test_patches_that_fill_a_picture_up_are_not_counted(zoo: Path) -> None:
    """Of 16 patches, a picture nine times as wide as high fills one row of eleven or twelve."""
    reference = load_reference(catalogued(zoo / "siglip2"), OutputType.DENSE)
    assert reference.see(png(32, 32)).tokens == 16
    assert 9 <= reference.see(png(10, 90)).tokens <= 12


def test_broken_picture_spoils_no_other(zoo: Path) -> None:
    reference = load_reference(catalogued(zoo / "clip"), OutputType.DENSE)
    assert reference.see(b"no picture").value is None
    assert reference.see(png(32, 32)).value is not None


def test_parts_of_open_clip_have_the_names_of_the_library(zoo: Path) -> None:
    found = as_clip(load_file(zoo / "open-clip" / "open_clip_model.safetensors"))
    words = len(found["text_model.embeddings.token_embedding.weight"])
    expected = clip_weights("open-clip", words)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor.numpy(), expected[name])


def test_middle_of_a_picture_is_that_of_open_clip() -> None:
    """An odd rest is halved to the even neighbour: of 3 spare columns 2 go on the left."""
    picture = Image.fromarray(np.arange(35, dtype=np.uint8)[None].repeat(32, axis=0))
    shown = open_clip.shown({"model_cfg": {"vision_cfg": {"image_size": 32}}})(picture)
    assert np.asarray(shown)[0, [0, -1], 0].tolist() == [2, 33]


def test_folder_written_anew_is_gone_when_the_model_is_loaded(zoo: Path) -> None:
    spec = catalogued(zoo / "bert-torch")
    with readable(spec) as plain:
        assert (Path(plain.folder) / "model.safetensors").is_file()
        assert plain.folder != spec.folder
    assert not Path(plain.folder).exists()
    with readable(catalogued(zoo / "bert-mean")) as same:
        assert same.folder == str(zoo / "bert-mean")


def test_long_question_keeps_what_the_model_thinks_in(zoo: Path) -> None:
    reference = load_reference(catalogued(zoo / "colpali"), OutputType.MULTIVECTOR, longest=30)
    assert array(reference.encode("a river " * 50, None)).shape[0] == 30
    assert reference.encode("a", None).tokens < 30
