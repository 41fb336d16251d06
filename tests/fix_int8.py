"""Where int8 runs, and prose to calibrate models on."""

from __future__ import annotations

import shutil
from functools import cache

import pytest
from repo import ROOT

from stelae.nn.kernels import build
from stelae.nn.kernels.variants import INT8_VARIANTS

needs_int8 = pytest.mark.skipif(
    not (any(v.runs() for v in INT8_VARIANTS) and any(map(shutil.which, build.COMPILERS))),
    reason="the processor lacks AVX512-VNNI, or no C++ compiler is installed",
)


@cache
def prose() -> tuple[str, ...]:
    """Different paragraphs of the documentation, without tables and code."""
    pages = (file.read_text("utf-8") for file in sorted((ROOT / "docs").glob("*.md")))
    parts = (" ".join(part.split()) for page in pages for part in page.split("\n\n"))
    kept = (part for part in parts if len(part) > 60 and not part.startswith(("|", "`", "#")))
    return tuple(dict.fromkeys(kept))
