from __future__ import annotations

import pytest

from stelae.service.profiles import Profiles, profile_of


@pytest.mark.parametrize(
    ("gpu", "profile"),
    [
        ("NVIDIA L4", "l4"),
        ("Tesla T4", "t4"),
        ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("NVIDIA A100 80GB PCIe", "a100-80gb"),
        ("NVIDIA H100 80GB HBM3", "h100-80gb"),
        ("NVIDIA H100 NVL", "h100"),
        ("NVIDIA H200", "h200"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA RTX A6000", "rtx-a6000"),
        ("NVIDIA", "cpu"),
    ],
)
def test_a_profile_is_the_short_name_of_the_gpu(gpu: str, profile: str) -> None:
    assert profile_of([gpu, gpu]) == profile


def test_a_machine_without_gpu_is_cpu() -> None:
    assert profile_of([]) == "cpu"


def test_a_bare_name_means_its_only_variant() -> None:
    profiles = Profiles("l4-spot", ["a100-40gb", "a100-80gb"])
    assert profiles.find("L4") == "l4-spot"
    assert profiles.find("a100") is None
    assert profiles.find("a100-80GB") == "a100-80gb"
    assert profiles.find("a") is None
    assert profiles.find("") is None


def test_an_exact_name_goes_before_its_variant() -> None:
    assert Profiles("cpu", ["l4-spot", "l4"]).find("l4") == "l4"
