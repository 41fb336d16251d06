"""SIE's options as fields of a call."""

from __future__ import annotations

from typing import Any

import pytest

from stelae.types import EmbeddingDtype, OutputType
from stelae.wire.sie.options import Options
from stelae.wire.sie.verbs import encode_fields

OPTIONS = {"normalize": True, "dimensions": 8, "output_dtype": EmbeddingDtype.INT8}
NAMES = {"normalize": "normalize", "dimensions": "dimensions", "output_dtype": "dtype"}


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        (["sparse"], set()),
        (["multivector"], {"dtype"}),
        (["sparse", "multivector"], {"dtype"}),
        (["dense", "sparse"], {"normalize", "dimensions", "dtype"}),
        (None, {"normalize", "dimensions", "dtype"}),
    ],
)
def test_options_that_say_nothing_about_the_kinds_are_left_out(
    kinds: list[str] | None, kept: set[str]
) -> None:
    """SIE answers them: small formats leave weights of terms at float32."""
    wanted = None if kinds is None else [OutputType(kind) for kind in kinds]
    options: dict[str, Any] = OPTIONS
    fields = encode_fields(Options(**options), output_types=wanted)
    assert {name for name in NAMES.values() if fields[name] is not None} == kept


def test_halves_are_kept_for_weights_of_terms() -> None:
    fields = encode_fields(Options(), output_types=["sparse"], output_dtype="float16")
    assert fields["dtype"] == EmbeddingDtype.FLOAT16
