from __future__ import annotations

from typing import Any

import pytest

from stelae.dialects.xinference.launch_read import of_version, understand
from stelae.dialects.xinference.launch_schema import XinferenceInstance
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.types import ComputeDtype, LaunchCall

DEFAULTS: dict[str, Any] = {
    "model_uid": None, "model_name": "m", "model_engine": None, "peft_model_config": None,
    "model_type": "embedding", "model_size_in_billions": None, "model_format": None,
    "quantization": None, "replica": 1, "n_worker": 1, "n_gpu": "auto", "request_limits": None,
    "worker_ip": None, "gpu_idx": None, "replica_config": None, "model_path": None,
    "enable_thinking": None, "enable_virtual_env": None, "virtual_env_packages": None,
    "virtual_env_find_links": None, "envs": None,
}  # fmt: skip
"""What the client sends where its caller gives the name alone."""

ONE_DEVICE = {"devices": [{"gpu_idx": [1]}]}


def call(cards: int = 2, **fields: Any) -> LaunchCall:
    return understand({**DEFAULTS, **fields}, cards=cards).call


def test_what_the_client_sends_of_itself_asks_for_nothing() -> None:
    asked = understand(DEFAULTS)
    assert asked.call == LaunchCall(model="m", kind="embedding")
    assert asked.ignored == ()


@pytest.mark.parametrize(
    ("field", "value", "name", "means"),
    [
        ("model_uid", "u", "uid", "u"),
        ("model_type", "LLM", "kind", "llm"),
        ("model_type", "Flexible", "kind", "extract"),
        ("model_format", "ggufv2", "format", "ggufv2"),
        ("model_size_in_billions", 7, "size", 7),
        ("model_size_in_billions", "1_8", "size", "1_8"),
        ("quantization", "Q4_K", "quantization", "Q4_K"),
        ("replica", "3", "replicas", 3),
        ("request_limits", 4, "calls", 4),
        ("model_path", "/x", "path", "/x"),
        ("envs", {"A": "b"}, "environment", {"A": "b"}),
        ("max_model_len", 512, "max_tokens", 512),
        ("context_length", 512, "max_tokens", 512),
        ("n_ctx", 512, "max_tokens", 512),
        ("torch_dtype", "torch.float16", "dtype", ComputeDtype.FLOAT16),
        ("use_fp16", True, "dtype", ComputeDtype.FLOAT16),
        ("idle_seconds", 5, "idle_seconds", 5),
        ("pinned", True, "pinned", True),
        ("model_engine", "vLLM", "engine", "vllm"),
        ("model_engine", "llama.cpp", "engine", "llama_cpp"),
        ("model_engine", "PyTorch", "engine", None),
        ("model_engine", "encoder", "engine", "encoder"),
        ("n_gpu", None, "gpus", ((),)),
        ("n_gpu", 0, "gpus", ((),)),
        ("n_gpu", "2", "gpus", ((0, 1),)),
        ("gpu_idx", 1, "gpus", ((1,),)),
        ("gpu_idx", [0, 1], "gpus", ((0, 1),)),
        ("device", "cpu", "gpus", ((),)),
        ("device", "cuda:1", "gpus", ((1,),)),
        ("replica_config", [ONE_DEVICE], "gpus", ((1,),)),
    ],
)
def test_an_option_counts(field: str, value: Any, name: str, means: Any) -> None:
    asked = understand({**DEFAULTS, field: value}, cards=2)
    assert getattr(asked.call, name) == means
    assert asked.ignored == ()


def test_adapters_are_named() -> None:
    config = {"lora_list": [{"lora_name": "a", "local_path": "/a"}]}
    assert call(peft_model_config=config).loras == {"a": "/a"}


def test_transformers_means_ours_for_texts_and_the_best_for_others() -> None:
    assert call(model_type="LLM", model_engine="Transformers").engine == "transformers_text"
    assert call(model_engine="transformers").engine is None


def test_gpus_are_dealt_out_to_replicas() -> None:
    assert call(replica=2, n_gpu=1).gpus == ((0,), (1,))
    assert call(replica=2, gpu_idx=[3, 1, 0, 2]).gpus == ((3, 1), (0, 2))
    two = [{"devices": [{"n_gpu": 0}]}, {"devices": [{"n_gpu": 2}]}]
    configured = call(replica_config=two)
    assert (configured.replicas, configured.gpus) == (2, ((), (0, 1)))
    assert call(replica_config=[{"devices": [{"n_gpu": "auto"}]}]).gpus is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model_name": " "}, "model_name"),
        ({"model_name": 3}, "model_name"),
        ({"model_type": "poem"}, "model_type"),
        ({"model_engine": "SGLang"}, "model_engine"),
        ({"model_engine": "MLX"}, "model_engine"),
        ({"replica": 0}, "replica"),
        ({"replica": True}, "replica"),
        ({"replica": 1.5}, "replica"),
        ({"replica": "two"}, "replica"),
        ({"replica": 10**9}, "replica"),
        ({"n_gpu": 3}, "n_gpu"),
        ({"n_gpu": -1}, "n_gpu"),
        ({"n_gpu": "many"}, "n_gpu"),
        ({"gpu_idx": []}, "gpu_idx"),
        ({"gpu_idx": [0], "replica": 2}, "gpu_idx"),
        ({"device": "cuda:2"}, "device"),
        ({"device": "mps:0:1"}, "device"),
        ({"torch_dtype": "float7"}, "torch_dtype"),
        ({"download_hub": "modelscope"}, "download_hub"),
        ({"quantization_config": {"a": 1}}, "quantization_config"),
        ({"controlnet": [{}]}, "controlnet"),
        ({"replica_config": []}, "replica_config"),
        ({"replica_config": [{"devices": []}]}, "replica_config[0].devices"),
        ({"replica_config": [ONE_DEVICE], "gpu_idx": 0}, "replica_config"),
        ({"replica_config": [ONE_DEVICE], "worker_ip": "a"}, "replica_config"),
        ({"replica_config": [ONE_DEVICE], "n_gpu": 1}, "replica_config"),
        ({"replica_config": [ONE_DEVICE], "replica": 3}, "replica"),
        ({"replica_config": [ONE_DEVICE, {"devices": [{}]}]}, "replica_config"),
        ({"envs": {"A": 1}}, "envs[...]"),
        ({"peft_model_config": {"image_lora_load_kwargs": {"a": 1}}},
         "peft_model_config.image_lora_load_kwargs"),
        ({"peft_model_config": {"image_lora_fuse_kwargs": {"a": 1}}},
         "peft_model_config.image_lora_fuse_kwargs"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        call(**fields)
    assert caught.value.param == param
    assert param.split("[")[0] in str(caught.value)


@pytest.mark.parametrize("kind", ["video", "world"])
def test_types_without_an_engine_are_refused_in_so_many_words(kind: str) -> None:
    with pytest.raises((InvalidInput, UnsupportedTask), match="no engine"):
        call(model_type=kind)


def test_what_means_nothing_here_is_told_back() -> None:
    asked = understand(
        {
            **DEFAULTS,
            "n_worker": 2,
            "worker_ip": "10.0.0.7:1",
            "enable_virtual_env": True,
            "virtual_env_packages": ["a"],
            "virtual_env_find_links": ["b"],
            "trust_remote_code": True,
            "reasoning_content": False,
            "enable_xavier": True,
            "batch_size": None,
        },
        hosts={"127.0.0.1"},
    )
    assert asked.ignored == (
        "n_worker", "worker_ip", "enable_virtual_env", "virtual_env_packages",
        "virtual_env_find_links", "trust_remote_code", "reasoning_content", "enable_xavier",
    )  # fmt: skip
    assert asked.call == LaunchCall(model="m", kind="embedding")


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"enable_thinking": True}, ("enable_thinking",)),
        ({"enable_thinking": True, "model_type": "LLM"}, ()),
        ({"gpu_idx": [0], "n_gpu": 2}, ("n_gpu",)),
        ({"gpu_idx": [0], "device": "cpu"}, ("device",)),
        ({"n_gpu": None, "device": "cuda"}, ("device",)),
        ({"replica_config": [ONE_DEVICE], "device": "cuda:0"}, ("device",)),
    ],
)
def test_of_two_ways_to_ask_the_one_that_does_not_count_is_told_back(
    fields: dict[str, Any], ignored: tuple[str, ...]
) -> None:
    assert understand({**DEFAULTS, **fields}, cards=2).ignored == ignored


def test_models_that_talk_take_a_habit_of_reasoning() -> None:
    assert call(model_type="LLM", enable_thinking=False).thinking is False


@pytest.mark.parametrize(
    ("fields", "given"),
    [({"device": "cuda"}, "device='cuda'"), ({"replica": 1234567890}, "replica=1234567890")],
)
def test_what_is_refused_is_told_as_it_was_given(fields: dict[str, Any], given: str) -> None:
    with pytest.raises(InvalidInput, match=given):
        call(cards=0, **fields)


def test_this_machine_is_a_worker() -> None:
    asked = understand({**DEFAULTS, "worker_ip": "127.0.0.1:3"}, hosts={"127.0.0.1"})
    assert asked.ignored == ()


def test_versions_are_read_from_their_names() -> None:
    fields = of_version(XinferenceInstance(model_version="a-b--1.8B--ggufv2--Q4_K"))
    asked = call(**fields)
    assert (asked.model, asked.size) == ("a-b", "1.8")
    assert (asked.format, asked.quantization) == ("ggufv2", "Q4_K")
    plain = of_version(XinferenceInstance(model_version="a-b", model_type="embedding"))
    assert call(**plain) == LaunchCall(model="a-b", kind="embedding")
