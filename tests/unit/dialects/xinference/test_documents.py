from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stelae.catalog.catalog import Catalog
from stelae.catalog.registered import MAX_BYTES, card_of, check_registration
from stelae.catalog.variants import Wish
from stelae.dialects.xinference.documents import registration_of
from stelae.dialects.xinference.families import document_of
from stelae.dialects.xinference.kinds import KINDS, TYPES, abilities_told, kind_of
from stelae.errors import InvalidInput, StelaeError
from stelae.types import Registration, Weights

LLM_1 = {
    "version": 1,
    "context_length": 2048,
    "model_name": "custom-llama-2",
    "model_lang": ["en"],
    "model_ability": ["embed", "generate"],
    "model_family": "other",
    "model_specs": [
        {
            "model_format": "pytorch",
            "model_size_in_billions": 7,
            "quantizations": ["4-bit", "8-bit", "none"],
            "model_id": "meta-llama/Llama-2-7b",
            "model_uri": "file:///srv/llama-2-7b",
        },
        {
            "model_format": "ggufv2",
            "model_size_in_billions": "1_8",
            "quantizations": ["q4_0", "q8_0"],
            "model_id": "TheBloke/Llama-2-7B-GGUF",
            "model_file_name_template": "llama-2-7b.{quantization}.gguf",
        },
    ],
    "prompt_style": {"style_name": "LLAMA2", "roles": ["[INST]", "[/INST]"]},
}

LLM_2 = {
    "version": 2,
    "model_name": "custom-qwen",
    "model_description": "A model of our own.",
    "context_length": 32768,
    "model_lang": ["en", "zh"],
    "model_ability": ["chat", "tools", "hybrid"],
    "model_family": "qwen3",
    "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
    "stop_token_ids": [151643],
    "stop": ["<|im_end|>"],
    "tool_parser": "qwen",
    "architectures": ["Qwen3ForCausalLM"],
    "virtualenv": {"packages": ["evil"]},
    "model_specs": [
        {
            "model_format": "pytorch",
            "model_size_in_billions": 0.6,
            "quantization": "none",
            "model_id": "Qwen/Qwen3-0.6B",
            "model_hub": "huggingface",
            "model_revision": "main",
        },
        {
            "model_format": "gptq",
            "model_size_in_billions": 8,
            "model_src": {
                "modelscope": {"model_id": "other/hub", "quantizations": ["Int4"]},
                "huggingface": {
                    "model_id": "org/Qwen3-8B-{quantization}",
                    "quantizations": ["Int4", "Int8"],
                },
            },
        },
        {"model_format": "pytorch", "model_id": "other/hub", "model_hub": "modelscope"},
    ],
}

EMBEDDING_1 = {
    "model_name": "custom-bge",
    "dimensions": 768,
    "max_tokens": 512,
    "language": ["en"],
    "model_id": "BAAI/bge-base-en",
    "model_uri": "file:///srv/bge-base-en",
    "version": 1,
}

RERANK_2 = {
    "version": 2,
    "model_name": "custom-rerank",
    "type": "normal",
    "language": ["en", "zh"],
    "max_tokens": 512,
    "model_specs": [
        {"model_format": "pytorch", "model_id": "BAAI/bge-reranker-base", "quantization": "none"}
    ],
}

IMAGE_1 = {
    "model_name": "custom-sd",
    "model_family": "stable_diffusion",
    "model_id": "org/sd",
    "model_uri": None,
    "model_revision": None,
    "controlnet": [],
    "model_ability": ["text2image", "image2image"],
}

AUDIO_1 = {
    "model_name": "custom-whisper",
    "model_family": "whisper",
    "multilingual": True,
    "model_id": "openai/whisper-tiny",
    "model_ability": ["audio2text"],
}

FLEXIBLE_1 = {
    "model_name": "custom-ner",
    "model_description": "Finds names.",
    "model_uri": "/srv/ner",
    "launcher": "xinference.model.flexible.launchers.transformers",
    "launcher_args": '{"task": "token-classification"}',
}

DOCUMENTS = [
    ("LLM", LLM_1),
    ("LLM", LLM_2),
    ("embedding", EMBEDDING_1),
    ("rerank", RERANK_2),
    ("image", IMAGE_1),
    ("audio", AUDIO_1),
    ("flexible", FLEXIBLE_1),
]


def read(model_type: str, document: dict[str, Any], **changes: Any) -> Registration:
    return registration_of(model_type, json.dumps(document | changes))


def test_first_version_of_a_language_model_is_read() -> None:
    found = read("LLM", LLM_1)
    assert (found.name, found.kind, found.context) == ("custom-llama-2", "llm", 2048)
    assert (found.languages, found.abilities, found.family) == (("en",), ("generate",), "other")
    plain, packed = found.weights
    assert plain == Weights(source="/srv/llama-2-7b", size=7.0)
    assert packed == Weights(
        source="TheBloke/Llama-2-7B-GGUF",
        format="ggufv2",
        size=1.8,
        quantizations=("q4_0", "q8_0"),
        files={"q4_0": "llama-2-7b.q4_0.gguf", "q8_0": "llama-2-7b.q8_0.gguf"},
    )


def test_second_version_of_a_language_model_is_read() -> None:
    found = read("LLM", LLM_2)
    assert found.abilities == ("chat", "tools", "hybrid")
    assert (found.stops, found.tool_format) == (("<|im_end|>",), "hermes")
    assert found.chat_template == LLM_2["chat_template"]
    assert found.weights == (
        Weights(source="Qwen/Qwen3-0.6B", size=0.6, revision="main"),
        Weights(
            source="org/Qwen3-8B-{quantization}",
            format="gptq",
            size=8.0,
            quantizations=("Int4", "Int8"),
        ),
    )


def test_weights_at_the_top_of_a_document_are_read() -> None:
    found = read("embedding", EMBEDDING_1)
    assert found.weights == (Weights(source="/srv/bge-base-en"),)
    assert (found.dimensions, found.context, found.languages) == (768, 512, ("en",))


def test_words_for_abilities_are_ours() -> None:
    assert read("image", IMAGE_1).abilities == ("text-to-image", "image-to-image")
    found = read("audio", AUDIO_1)
    assert (found.abilities, found.languages) == (("transcribe", "translate"), ("multilingual",))
    assert abilities_told("audio", found.abilities) == ["audio2text"]


@pytest.mark.parametrize(("model_type", "document"), DOCUMENTS)
def test_documents_can_be_registered_and_come_back_as_they_were(
    model_type: str, document: dict[str, Any]
) -> None:
    found = read(model_type, document)
    check_registration(found)
    told = document_of(card_of(found), found)
    assert {name: told[name] for name in document} == document
    again = registration_of(model_type, json.dumps(told))
    assert again.weights == found.weights


@pytest.mark.parametrize("kind", list(TYPES))
def test_documents_of_well_known_models_can_be_read_again(kind: Any) -> None:
    for card in Catalog().cards(kind):
        told = document_of(card)
        again = registration_of(TYPES[kind], json.dumps(told))
        assert (again.name, again.languages) == (card.name, card.languages)
        assert again.weights[0].source == card.variants[0].hub
        assert len(again.weights) == len(card.variants)


@pytest.mark.parametrize(
    ("kind", "name", "fields"),
    [
        ("llm", "baichuan-2-chat", {"model_lang": ["en", "zh"], "model_ability": ["chat"]}),
        ("embedding", "bge-base-en", {"language": ["en"], "dimensions": 768}),
        ("image", "sd-turbo", {"model_family": "stable_diffusion"}),
        ("audio", "whisper-base", {"model_family": "whisper", "multilingual": True}),
        ("audio", "whisper-base.en", {"model_family": "whisper", "multilingual": False}),
    ],
)
def test_tables_of_the_command_line_find_their_columns(
    kind: Any, name: str, fields: dict[str, Any]
) -> None:
    card = Catalog().card(name)
    assert card is not None
    assert card.kind == kind
    told = document_of(card)
    assert {key: told[key] for key in fields if key != "model_ability"} == {
        key: value for key, value in fields.items() if key != "model_ability"
    }
    assert {*fields.get("model_ability", ())} <= {*told.get("model_ability", ())}


def test_file_that_is_cut_in_several_is_named_by_its_first_part() -> None:
    spec = {
        "model_format": "ggufv2",
        "model_id": "org/big",
        "quantizations": ["Q2_K", "Q8_0"],
        "quantization_parts": {"Q8_0": ["00001-of-00002", "00002-of-00002"]},
        "model_file_name_template": "big-{quantization}.gguf",
        "model_file_name_split_template": "{quantization}/big-{quantization}-{part}.gguf",
    }
    found = read("LLM", {"model_name": "big", "model_specs": [spec]})
    assert found.weights[0].files == {
        "Q2_K": "big-Q2_K.gguf",
        "Q8_0": "Q8_0/big-Q8_0-00001-of-00002.gguf",
    }


def test_registered_variants_are_launched_by_their_words() -> None:
    catalog = Catalog()
    catalog.add_registration(read("LLM", LLM_1))
    entry = catalog.variant(
        "custom-llama-2", Wish(format="GGUFv2", size="1.8", quantization="Q4_0")
    )
    assert entry.files == ("llama-2-7b.q4_0.gguf",)


def test_folder_of_a_gguf_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    spec = {"model_format": "ggufv2", "model_uri": str(file), "quantization": "Q4_0"}
    found = read("LLM", {"model_name": "m", "model_specs": [spec]})
    assert found.weights[0] == Weights(source=str(file), format="ggufv2", quantizations=("Q4_0",))


@pytest.mark.parametrize("name", [*KINDS, "llm", "EMBEDDING"])
def test_types_are_known_in_any_case(name: str) -> None:
    assert kind_of(name) in TYPES


@pytest.mark.parametrize("name", ["video", "world", "", "LLMs", "../LLM", "x" * 5000])
def test_types_that_are_not_served_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        registration_of(name, json.dumps(LLM_2))
    assert refused.value.param == "model_type"
    assert len(refused.value.message) < 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "{}",
        '"text"',
        '{"model_name": null}',
        '{"model_name": 7, "model_id": "a/b"}',
        '{"model_name": "a"}',
        '{"model_name": "a", "model_id": "a/b", "version": 3}',
        '{"model_name": "a", "model_specs": []}',
        '{"model_name": "a", "model_specs": [null]}',
        '{"model_name": "a", "model_specs": {"x": 1}}',
        '{"model_name": "a", "model_specs": [{"model_format": "pickle", "model_id": "a/b"}]}',
        '{"model_name": "a", "model_specs": [{"model_format": "ggufv2", "model_id": "a/b"}]}',
        '{"model_name": "a", "model_id": "a/b", "model_size_in_billions": "huge"}',
        '{"model_name": "a", "model_id": "a/b", "model_size_in_billions": true}',
        '{"model_name": "a", "model_id": "a/b", "model_size_in_billions": -7}',
        '{"model_name": "a", "model_id": "a/b", "model_size_in_billions": 1e400}',
        '{"model_name": "a", "model_id": "a/b", "model_size_in_billions": NaN}',
        '{"model_name": "a", "model_id": "a/b", "model_hub": "modelscope"}',
        '{"model_name": "a", "model_id": "https://example.com/m"}',
        '{"model_name": "a", "model_uri": "https://example.com/m"}',
        '{"model_name": "a", "model_uri": "s3://bucket/m"}',
        '{"model_name": "a", "model_uri": "file://host/m"}',
        '{"model_name": "a", "model_uri": "file:///srv/../../etc"}',
        '{"model_name": "a", "model_uri": "etc"}',
        '{"model_name": "a", "model_uri": "/a\\u0000b"}',
        '{"model_name": "../a", "model_id": "a/b"}',
        '{"model_name": "..%2fa", "model_id": "a/b"}',
        '{"model_name": "a\\nb", "model_id": "a/b"}',
        '{"model_name": "\\ud800", "model_id": "a/b"}',
        '{"model_name": "a", "model_id": "a/b", "launcher": "os.system"}',
        '{"model_name": "a", "model_id": "a/b", "model_revision": "--upload-pack=x"}',
        '{"model_name": "a", "model_id": "a/b", "context_length": -1}',
        '{"model_name": "a", "model_id": "a/b", "context_length": 100000000000000000000}',
        '{"model_name": "a", "model_id": "a/b", "dimensions": 0}',
        '{"model_name": "a", "model_id": "a/b", "quantizations": ["../x"], "model_format": "fp8"}',
        '{"model_name": "a", "model_specs": [{"model_format": "ggufv2", "model_id": "a/b",'
        ' "model_file_name_template": "../../{quantization}.gguf"}]}',
    ],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Catalog().add_registration(registration_of("LLM", text))
    assert len(refused.value.message) < 400


@pytest.mark.parametrize(
    "text",
    [
        '{"model_name": "a", "model_id": "a/b", "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"model_name": "a", "model_id": "a/b", "deep": ' + '{"a":' * 200 + "1" + "}" * 201,
        '{"model_name": "a", "model_id": "a/b", "long": "' + "x" * (MAX_BYTES + 1) + '"}',
        '{"model_name": "a", "model_specs": ['
        + ",".join(f'{{"model_id": "a/b", "model_size_in_billions": {n}}}' for n in range(1, 2000))
        + "]}",
    ],
    ids=["arrays", "objects", "long", "variants"],
)
def test_deep_and_large_documents_are_refused(text: str) -> None:
    with pytest.raises(StelaeError) as refused:
        Catalog().add_registration(registration_of("LLM", text))
    assert refused.value.status == 400


@pytest.mark.parametrize("own", [5, [], {}, {"model_specs": 5}, {"model_name": "other"}, LLM_1])
def test_extras_that_are_not_its_document_are_not_told(own: Any) -> None:
    mine = Registration(
        name="mine", kind="llm", weights=(Weights(source="org/repo"),), extra={"xinference": own}
    )
    told = document_of(card_of(mine), mine)
    assert (told["model_name"], told["version"]) == ("mine", 2)
    assert told["model_specs"][0]["model_id"] == "org/repo"


def test_document_that_is_told_can_be_changed_without_changing_what_is_kept() -> None:
    mine = read("LLM", LLM_2)
    document_of(card_of(mine), mine)["model_specs"][0]["cache_status"] = True
    assert document_of(card_of(mine), mine)["model_specs"] == LLM_2["model_specs"]


def test_a_spec_that_says_no_place_is_told_what_it_lacks() -> None:
    with pytest.raises(InvalidInput) as refused:
        read("LLM", {"model_name": "m", "model_specs": [{"model_format": "pytorch"}]})
    assert str(refused.value).startswith("model_specs[0].model_id: missing, and so is model_uri;")
    assert refused.value.param == "model_specs[0].model_id"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "[" * 5000, '{"a":' * 5000, "\0"])
def test_what_is_wrong_with_a_whole_document_is_said_of_the_field_that_holds_it(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^model: ") as caught:
        registration_of("LLM", text)
    assert caught.value.param == "model"
    assert "body" not in caught.value.message
