"""From the rows of an encode call to its result, in which an item that failed is marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stelae.catalog.spec import ModelSpec
from stelae.engines.base import Prepared
from stelae.engines.text.drafts import Failed, Good, drafted
from stelae.engines.text.features import Output
from stelae.errors import StelaeError
from stelae.types import EncodeCall, EncodeResult, Usage

Columns = tuple[dict[str, Any], Failed]


def assemble(
    call: EncodeCall,
    spec: ModelSpec,
    fingerprint: str,
    prepared: Sequence[Prepared[Any]],
    rows: Sequence[Output | StelaeError],
) -> EncodeResult:
    """Put the representations of a call together.

    Args:
        call: What was asked for; ``check_call`` has accepted it.
        spec: The model.
        fingerprint: What is served.
        prepared: One per item, in order.
        rows: One per item, in order: what was wanted of it, or its error. They are emptied:
            of a large answer, rows and columns would fill the memory twice.

    Returns:
        One entry per item in every column; a failed item's vector is NaN (or zero,
        in dtypes without NaN), its terms and token vectors are none, and its error
        is told by index. An item of which a number is not finite, or does not fit
        the dtype asked for, fails.
    """
    errors = {i: e for i, e in enumerate(map(error_of, prepared, rows)) if e is not None}
    good = {i: row for i, row in enumerate(rows) if i not in errors and isinstance(row, Output)}
    columns, failed = _columns(call, spec, good, len(rows))
    errors |= failed
    tokens = [0 if i in errors else p.tokens for i, p in enumerate(prepared)]
    return EncodeResult(
        model=spec.name,
        fingerprint=fingerprint,
        **columns,
        tokens=np.array(tokens, np.int32),
        truncated=np.array([p.truncated for p in prepared], np.bool_),
        errors={i: error.info for i, error in sorted(errors.items())},
        usage=Usage(tokens=sum(tokens)),
    )


def error_of(prepared: Prepared[Any], row: Output | StelaeError) -> StelaeError | None:
    """Why an entry has no row, if it has none."""
    return prepared.error or (row if isinstance(row, StelaeError) else None)


def _columns(call: EncodeCall, spec: ModelSpec, good: Good, size: int) -> Columns:
    """Every column asked for; an item that fails in one of them is in none."""
    drafts = [drafted(kind, call, spec, good, size) for kind in dict.fromkeys(call.kinds)]
    for row in good.values():
        row.terms = row.vectors = None  # the drafts let go of them as they are written
    failed = {i: error for draft in drafts for i, error in draft.failed.items()}
    columns: dict[str, Any] = {}
    for draft in drafts:
        columns |= draft.written(failed)
    return columns, failed
