"""When kernels multiply in the tiles of a processor; nothing is harmed where they cannot."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from fix_kernels import MODEL_OF_TILES, MODELLED, TRAPPED, needs_compiler, watched

from stelae.nn.kernels import build, linear, tiles, variants
from stelae.nn.kernels.build import BuildFailed
from stelae.nn.kernels.variants import TILED, WITHOUT_TILES, best

pytestmark = pytest.mark.skipif(
    not MODELLED.runs(), reason="the processor lacks AVX512-BF16, with which all else is computed"
)


def forget() -> None:
    for remembered in (tiles.work, best):
        remembered.cache_clear()


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A processor that has tiles, and a system that lets them be used."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_init_amx", lambda: True)
    forget()
    yield
    forget()


@needs_compiler
@pytest.mark.usefixtures("offered")
def test_where_they_multiply_rightly_they_work() -> None:
    assert tiles.work(*MODELLED.flags)


@needs_compiler
@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("denormal_as_zero(sums[n]) + more", "denormal_as_zero(sums[n]) - more"),
        ("numbers[a][row] + 4 * cell + 2 * i", "numbers[a][row] + 4 * cell"),
        ("static_cast<char*>(to) + row * stride", "static_cast<char*>(to)"),
        ("demand(valid);", "demand(false);"),
    ],
)
def test_where_they_multiply_wrongly_or_end_the_program_they_do_not(
    right: str, wrong: str, tmp_path: Path
) -> None:
    sound = MODEL_OF_TILES.read_text("utf-8")
    assert right in sound
    broken = tmp_path / "tiles_model.h"
    broken.write_text(sound.replace(right, wrong), "utf-8")
    assert not tiles.work(*TILED.flags, "-DSTELAE_TILES_MODEL", "-include", str(broken))


@needs_compiler
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O3"])
def test_the_instructions_themselves_multiply_rightly(level: str, tmp_path: Path) -> None:
    """As they are compiled, and carried out by the model where the processor refuses them."""
    compiler = next(filter(None, map(shutil.which, build.COMPILERS)))
    source, tried = Path(build.__file__).parent / "tiles.cpp", tmp_path / "tried"
    options = (*build.FLAGS, *TILED.flags, level)
    subprocess.run(
        [compiler, *options, str(source), str(TRAPPED), "-ldl", "-o", str(tried)], check=True
    )
    assert subprocess.run([str(tried)]).returncode == 0


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("name", ["linear", "attention"])
def test_the_instructions_read_and_write_no_byte_out_of_place(name: str, tmp_path: Path) -> None:
    watched(name, TRAPPED.with_name(f"{name}_harness.cpp"), TILED, tmp_path, TRAPPED)


def script(folder: Path, text: str) -> Callable[..., Path]:
    """Stands for the program that tries tiles."""
    file = folder / "tried"
    file.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    file.chmod(0o755)
    return lambda name, *flags: file


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("text", "works"),
    [("exit 0", True), ("exit 2", False), ("kill -ILL $$", False), ("exec sleep 60", False)],
)
def test_whatever_becomes_of_the_program_that_tries_them_nothing_else_is_harmed(
    text: str, works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "program", script(tmp_path, text))
    monkeypatch.setattr(tiles, "SECONDS", 5.0 if works else 0.5)
    assert tiles.work() == works


@pytest.mark.usefixtures("offered")
def test_without_a_compiler_they_do_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *flags: str) -> Path:
        raise BuildFailed("none is installed")

    monkeypatch.setattr(tiles, "program", refuse)
    assert not tiles.work()


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize("lacks", ["_is_amx_tile_supported", "_init_amx"])
def test_what_the_processor_or_the_system_does_not_offer_is_not_used(
    lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "program", script(tmp_path, "exit 0"))
    monkeypatch.setattr(torch.cpu, lacks, lambda: False)
    assert not tiles.work()


@pytest.mark.usefixtures("offered")
@pytest.mark.parametrize(
    ("most", "wanted"),
    [("AVX512_CORE_BF16", False), ("avx2", False), ("AVX512_CORE_AMX", True), ("ALL", True)],
)
def test_who_keeps_onednn_from_them_keeps_kernels_from_them(
    most: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
    assert tiles.offered() == wanted


@needs_compiler
@pytest.mark.usefixtures("offered")
def test_where_they_work_bfloat16_is_laid_out_for_them_and_models_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compiled for the real ones, which is not run here."""
    monkeypatch.setattr(tiles, "work", cache(lambda *flags: True))
    panels = linear.lay_out(torch.zeros(70, 48, dtype=torch.bfloat16), None)
    assert panels is not None
    assert panels.kernel.variant is TILED
    assert "(AMX-BF16)" in linear.note(torch.bfloat16)


@needs_compiler
@pytest.mark.usefixtures("offered")
def test_weights_lie_for_them_as_for_registers() -> None:
    """So that layers in int8, which has no tiles, can be in a stack with others."""
    weight, bias = torch.randn(70, 48).bfloat16(), torch.randn(70).bfloat16()
    laid = [
        linear.panels(variants.compiled(linear.SOURCE, variant), weight, bias).parts
        for variant in (WITHOUT_TILES, replace(TILED, runs=lambda: True))
    ]
    for one, other in zip(*laid, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)
