"""Facts about machines, read from what their kernels and tools print."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from stelae.cli import machine

X86 = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8488C
flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 amx_bf16 amx_tile amx_int8
processor\t: 1
flags\t\t: fpu
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd bf16 sve\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (X86, ("AVX2", "AVX-512", "AVX512-BF16", "AMX", "AMX-BF16")),
        (ARM, ("NEON", "BF16", "SVE")),
        ("", ()),
    ],
)
def test_instructions_are_those_of_the_first_processor(
    text: str, expected: tuple[str, ...]
) -> None:
    assert machine.instructions(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("max 100000\n", None), ("150000 100000\n", 1.5), ("", None), ("nonsense", None)],
)
def test_quota_of_a_container(text: str, expected: float | None) -> None:
    assert machine.quota(text) == expected


def test_memory_is_bounded_by_the_container() -> None:
    text = "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n"
    assert machine.memory(text) == (16_384_000, 8_192_000)
    assert machine.memory(text, "max\n") == (16_384_000, 8_192_000)
    assert machine.memory(text, "4096000\n") == (4_096_000, 4_096_000)
    assert machine.memory("") == (0, 0)


def test_gpu_line_of_nvidia_smi() -> None:
    assert machine.parse_gpu("NVIDIA A100-SXM4-80GB, 81920, 550.54.15") == machine.Gpu(
        "NVIDIA A100-SXM4-80GB", 81920, "550.54.15"
    )
    assert machine.parse_gpu("No devices were found") is None


def test_gpus_come_from_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert machine.gpus() == []
    program.write_text("#!/bin/sh\necho 'Tesla T4, 15360, 535.1'\n")
    program.chmod(0o755)
    assert machine.gpus() == [machine.Gpu("Tesla T4", 15360, "535.1")]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert machine.gpus() == []


def test_requirements_of_an_extra_include_those_of_its_own_extras() -> None:
    assert {"typer", "rich"} == set(machine.requirements("cli"))
    assert {"typer", "torch", "starlette"} <= set(machine.requirements("server"))
    assert machine.requirements("no-such-extra") == []


def test_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not machine.port_free(port)
    assert machine.port_free(port)


def test_folder_that_can_be_made_is_writable(tmp_path: Path) -> None:
    assert machine.writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not machine.writable(tmp_path / "file")
