from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stelae.catalog.abilities import YesNo
from stelae.catalog.catalog import Catalog
from stelae.catalog.entry import Ask, ModelEntry
from stelae.catalog.families import BUILT_IN, advices, known_models
from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput, UnsupportedCheckpoint
from stelae.types import Task

Read = Callable[..., ModelSpec]
Edit = Callable[..., Path]


def test_own_prompts_of_the_checkpoint_count_if_nothing_is_set(zoo: Path, read: Read) -> None:
    spec = read(zoo / "bert-dense")
    assert spec.prompts == {"query": "search query: ", "document": "passage: "}
    assert not any("prompts" in note for note in spec.notes)


def test_prompts_that_are_set_go_before_those_of_the_checkpoint(zoo: Path, read: Read) -> None:
    spec = read(
        zoo / "bert-dense", prompts={"query": "q: ", "other": "o: "}, default_prompt="other"
    )
    assert spec.prompts == {"query": "q: ", "document": "passage: ", "other": "o: "}
    assert spec.default_prompt == "other"
    assert "prompts as set: query, other" in spec.notes


def test_default_prompt_that_is_not_there_is_refused(zoo: Path, read: Read) -> None:
    with pytest.raises(InvalidInput, match=r"default_prompt='x'.*document, query"):
        read(zoo / "bert-dense", default_prompt="x")


@pytest.mark.parametrize("instruction", ["Instruct: ", "{instruction} {instruction}", "{other}"])
def test_instruction_needs_one_place(zoo: Path, read: Read, instruction: str) -> None:
    with pytest.raises(InvalidInput, match=r"place \{instruction\}"):
        read(zoo / "bert-mean", instruction=instruction)


def test_instruction_is_taken_over(zoo: Path, read: Read) -> None:
    assert read(zoo / "bert-mean").instruction is None
    template = "Instruct: {instruction}\nQuery: "
    assert read(zoo / "bert-mean", instruction=template).instruction == template


FAMILY = """
family: own
prompts: {query: "search: "}
models:
  - {name: short, hub: acme/short}
  - {name: other, hub: acme/other, prompts: {query: "find: ", document: "text: "}}
  - {name: bare, hub: acme/bare, prompts: {}}
  - {name: told, hub: acme/told, instruction: "Do {instruction}: "}
"""


def catalog(folder: Path, *entries: ModelEntry) -> Catalog:
    home = folder / "families"
    home.mkdir()
    (home / "own.yaml").write_text(FAMILY, "utf-8")
    return Catalog(entries, families=home)


def entry(name: str, folder: Path, **options: object) -> ModelEntry:
    return ModelEntry(name=name, source=str(folder), **options)  # type: ignore[arg-type]


def test_prompts_of_the_family_stand_in_where_the_checkpoint_has_none(
    zoo: Path, tmp_path: Path
) -> None:
    spec = catalog(tmp_path, entry("short", zoo / "bert-mean")).spec("short")
    assert spec.prompts == {"query": "search: "}
    assert any("as the authors of own advise" in note for note in spec.notes)


def test_checkpoint_with_prompts_needs_no_family(zoo: Path, tmp_path: Path) -> None:
    spec = catalog(tmp_path, entry("other", zoo / "bert-dense")).spec("other")
    assert spec.prompts["query"] == "search query: "


@pytest.mark.parametrize(
    ("name", "prompts"),
    [("other", {"query": "find: ", "document": "text: "}), ("bare", {}), ("unknown", {})],
)
def test_member_says_its_own_prompts(
    zoo: Path, tmp_path: Path, name: str, prompts: dict[str, str]
) -> None:
    spec = catalog(tmp_path, entry(name, zoo / "bert-mean")).spec(name)
    assert spec.prompts == prompts


def test_person_is_heard_before_the_family(zoo: Path, tmp_path: Path) -> None:
    own = entry("told", zoo / "bert-mean", prompts={"query": "mine: "}, instruction="{instruction}")
    spec = catalog(tmp_path, own).spec("told")
    assert (spec.prompts, spec.instruction) == ({"query": "mine: "}, "{instruction}")


def test_instruction_of_a_member_is_taken_over(zoo: Path, tmp_path: Path) -> None:
    spec = catalog(tmp_path, entry("told", zoo / "bert-mean")).spec("told")
    assert spec.instruction == "Do {instruction}: "


def test_built_in_families_say_what_they_should() -> None:
    for name, advice in advices(BUILT_IN).items():
        assert all(advice.prompts.values()), name
        assert advice.instruction is None or advice.instruction.count("{instruction}") == 1
        if advice.ask is not None:
            places = {"{query}", "{document}", "{instruction}"}
            assert all(advice.ask.pair.count(place) == 1 for place in places)
    assert advices(BUILT_IN)["intfloat/e5-small-v2"].prompts["document"] == "passage: "
    assert advices(BUILT_IN).keys() >= known_models().keys()


@pytest.fixture
def bare_reranker(zoo: Path, tmp_path: Path) -> Path:
    """The published folder: a language model with a chat template, and no word of scores."""
    folder = tmp_path / "reranker"
    shutil.copytree(zoo / "qwen3-reranker", folder)
    shutil.rmtree(folder / "1_LogitScore")
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (folder / name).unlink()
    return folder


ASK = Ask(prefix="<|im_start|>", pair="{query} {document}", suffix="<|im_end|>")


def test_language_model_is_asked_as_a_person_says(bare_reranker: Path, read: Read) -> None:
    spec = read(bare_reranker, ask=ASK)
    assert isinstance(spec.scoring, YesNo)
    assert spec.scoring.pair == "{query} {document}"
    assert spec.scoring.yes != spec.scoring.no
    assert spec.chains == ()


def test_published_reranker_is_known_by_its_name(bare_reranker: Path) -> None:
    """Asked as its authors say, it reads the same prompt as the saved form of the library."""
    name = "Qwen3-Reranker-0.6B"
    spec = Catalog([entry(name, bare_reranker)]).spec(name)
    scoring = spec.scoring
    assert isinstance(scoring, YesNo)
    assert scoring.instruction.startswith("Given a web search query")
    assert scoring.suffix.endswith("<think>\n\n</think>\n\n")


def test_language_model_without_a_question_is_chatted_with(bare_reranker: Path, read: Read) -> None:
    assert read(bare_reranker).tasks == (Task.CHAT,)


def test_answers_must_be_tokens(bare_reranker: Path, read: Read) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="'certainly'"):
        read(bare_reranker, ask=Ask(pair="{query}{document}", yes="certainly"))


def test_only_a_language_model_can_be_asked(zoo: Path, read: Read) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="causal language model"):
        read(zoo / "bert-plain", ask=ASK)
