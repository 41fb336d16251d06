"""``stelae verify``: the same texts through two engines, and how far apart they come out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stelae.catalog.spec import ModelSpec
from stelae.cli import fetching, reach, samples
from stelae.cli.needs import need
from stelae.cli.output import Output
from stelae.engines import registry
from stelae.engines.base import EngineOptions
from stelae.errors import InvalidInput
from stelae.scheduler.runner import Runner
from stelae.types import ComputeDtype, EncodeCall, Item

Vectors = NDArray[np.float32]


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far vectors may be apart.

    Attributes:
        difference: Most per number, for vectors of unit length; ``None`` if not limited.
        cosine: Least cosine of any pair.
    """

    difference: float | None
    cosine: float


TOLERANCES = {
    "float32": Tolerance(difference=2e-6, cosine=0.999999),
    "bfloat16": Tolerance(difference=None, cosine=0.9995),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The command line of ``stelae verify``."""

    model: str
    samples: int
    against: str
    engine: str | None
    dtype: str | None
    server: str | None
    served_as: str
    config: Path | None
    key: str | None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one side made of the texts.

    Attributes:
        vectors: Shape ``(N, D)``; NaN where a text failed.
        tokens: Tokens run per text, shape ``(N,)``.
        engine: Who ran them.
        dtype: Number format they were computed in.
        fingerprint: Identifies what ran.
    """

    vectors: Vectors
    tokens: NDArray[np.int32]
    engine: str
    dtype: str
    fingerprint: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """How far two sides are apart.

    Attributes:
        ok: Whether that is within the tolerance.
        difference: Greatest difference of two numbers, relative to vectors of unit length.
        cosine: Least cosine of a pair.
        worst: Index of the text with the least cosine.
        failed: Texts that failed on one side only.
        tokens_differ: Texts that were cut into other tokens.
    """

    ok: bool
    difference: float
    cosine: float
    worst: int
    failed: int
    tokens_differ: int


def run(request: Request, out: Output) -> bool:
    """Compare and print the verdict.

    Returns:
        Whether the vectors agree.

    Raises:
        ModelNotFound: There is no such model.
        MissingDependency: The reference library is not installed.
    """
    need("stelae verify", "sentence_transformers", "torch", extra="server")
    catalog = fetching.catalog_of(request.config)
    spec, _ = fetching.read(catalog, catalog.register_argument(request.model), out)
    texts = samples.varied(request.samples, spec.max_tokens)
    ours = ask(request, texts) if request.server else load(request, spec, texts)
    reference = measure(spec, request.against, ComputeDtype.FLOAT32, texts)
    tolerance = tolerance_of(ours.dtype)
    verdict = compare(ours, reference, tolerance)
    tell(spec, ours, verdict, tolerance, texts, request.against, out)
    return verdict.ok


def load(request: Request, spec: ModelSpec, texts: list[str]) -> Measured:
    """Our side, loaded in this process."""
    engine = registry.choose(spec, request.engine).manifest.name
    return measure(spec, engine, ComputeDtype(request.dtype or "auto"), texts)


def ask(request: Request, texts: list[str]) -> Measured:
    """Our side, as a server has it."""
    with reach.connect(request.server, request.key, timeout=600.0) as client:
        found = client.encode(texts, model=request.served_as, errors="return")
        info = client.model(request.served_as)
    return Measured(
        vectors=np.asarray(found.dense, np.float32),
        tokens=found.tokens,
        engine=f"{info.engine} at {request.server}",
        dtype=info.dtype,
        fingerprint=found.fingerprint,
    )


def measure(spec: ModelSpec, engine: str, dtype: ComputeDtype, texts: list[str]) -> Measured:
    """Load an engine, run the texts in one call and let it go."""
    manifest = registry.choose(spec, engine).manifest
    runner = Runner(registry.load(manifest, spec, EngineOptions(dtype=dtype)))
    call = EncodeCall(model=spec.name, items=[Item(text=text) for text in texts])
    try:
        result = runner.submit(call).result()
        info = runner.engine.info
    finally:
        runner.close()
    return Measured(
        vectors=result.dense,
        tokens=result.tokens,
        engine=engine,
        dtype=info.dtype,
        fingerprint=info.fingerprint,
    )


def tolerance_of(dtype: str) -> Tolerance:
    """The tolerance for a number format.

    Raises:
        InvalidInput: None is agreed for it.
    """
    if dtype not in TOLERANCES:
        raise InvalidInput(f"the model computes in {dtype!r}, for which no tolerance is agreed")
    return TOLERANCES[dtype]


def compare(ours: Measured, reference: Measured, tolerance: Tolerance) -> Verdict:
    """How far two sides are apart.

    Raises:
        InvalidInput: Their vectors do not even have the same shape.
    """
    if ours.vectors.shape != reference.vectors.shape:
        raise InvalidInput(
            f"vectors have {ours.vectors.shape[1]} numbers, those of the reference "
            f"{reference.vectors.shape[1]}: these are different models"
        )
    mine, theirs = ours.vectors.astype(np.float64), reference.vectors.astype(np.float64)
    there = np.isfinite(mine).all(axis=1) & np.isfinite(theirs).all(axis=1)
    failed = int((np.isfinite(mine).all(axis=1) ^ np.isfinite(theirs).all(axis=1)).sum())
    cosines = np.where(there, _cosines(mine, theirs), np.inf)
    difference = float(_differences(mine, theirs)[there].max(initial=0.0))
    cosine = float(cosines.min(initial=np.inf)) if there.any() else 0.0
    close = tolerance.difference is None or difference <= tolerance.difference
    return Verdict(
        ok=bool(there.any() and not failed and close and cosine >= tolerance.cosine),
        difference=difference,
        cosine=cosine,
        worst=int(cosines.argmin()),
        failed=failed,
        tokens_differ=int((ours.tokens != reference.tokens)[there].sum()),
    )


def _cosines(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: NDArray[np.float64] = (a * b).sum(axis=1) / np.maximum(lengths, 1e-300)
    return cosines


def _differences(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Greatest difference of each pair, relative to vectors of unit length."""
    scale = np.maximum(np.linalg.norm(b, axis=1), 1e-300)
    differences: NDArray[np.float64] = np.abs(a - b).max(axis=1) / scale
    return differences


def tell(
    spec: ModelSpec,
    ours: Measured,
    verdict: Verdict,
    tolerance: Tolerance,
    texts: list[str],
    against: str,
    out: Output,
) -> None:
    """Print the verdict."""
    worst = texts[verdict.worst]
    if out.json:
        out.document(
            {
                "model": spec.name,
                "engine": ours.engine,
                "dtype": ours.dtype,
                "fingerprint": ours.fingerprint,
                "reference": against,
                "samples": len(texts),
                "max_abs_difference": verdict.difference,
                "min_cosine": verdict.cosine,
                "worst_text": worst[:80],
                "failed": verdict.failed,
                "tokens_differ": verdict.tokens_differ,
                "tolerance": msgspec.to_builtins(tolerance),
                "ok": verdict.ok,
            }
        )
    elif not out.quiet:
        limit = "no limit" if tolerance.difference is None else f"at most {tolerance.difference:g}"
        out.facts(
            {
                "model": spec.name,
                "engine": f"{ours.engine}, {ours.dtype}",
                "reference": f"{against}, float32",
                "texts": str(len(texts)),
                "max difference": f"{verdict.difference:.2e} ({limit})",
                "min cosine": f"{verdict.cosine:.8f} (at least {tolerance.cosine:g})",
                "worst text": repr(worst if len(worst) <= 60 else f"{worst[:57]}…"),
                "failed": str(verdict.failed),
                "other tokens": str(verdict.tokens_differ),
                "verdict": "ok" if verdict.ok else "failed",
            }
        )
