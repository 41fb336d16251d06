"""A cross-encoder in a process of its own, so that its memory and CPU time can be told.

    python -m benchmarks.rank_inside LIBRARY DTYPE FOLDER

reads a line of JSON for each request, ``{"query": ..., "documents": [...]}``, and answers it with
a line of scores.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

Rank = Callable[[str, list[str]], Sequence[float]]


def theirs(dtype: str, folder: str) -> Rank:
    """``CrossEncoder.predict`` of sentence-transformers, at its defaults but for the format."""
    import torch
    from sentence_transformers import CrossEncoder

    given: dict[str, Any] = {} if dtype == "float32" else {"torch_dtype": getattr(torch, dtype)}
    model = CrossEncoder(folder, device="cpu", model_kwargs=given)

    def rank(query: str, documents: list[str]) -> Sequence[float]:
        scores: list[float] = model.predict([(query, text) for text in documents]).tolist()
        return scores

    return rank


def ours(dtype: str, folder: str) -> Rank:
    """Our engine behind its scheduler, as the embedded client uses it."""
    from stelae.catalog.catalog import Catalog
    from stelae.engines.base import EngineOptions
    from stelae.engines.encoder.engine import load
    from stelae.engines.hardware import bound_onednn, calm_openmp
    from stelae.scheduler.runner import Runner
    from stelae.types import ComputeDtype, Item, ScoreCall

    calm_openmp()
    bound_onednn()
    catalog = Catalog()
    spec = catalog.spec(catalog.register_argument(f"ranker={folder}").name)
    runner = Runner(load(spec, EngineOptions(dtype=ComputeDtype(dtype))))

    def rank(query: str, documents: list[str]) -> Sequence[float]:
        items = [Item(text=text) for text in documents]
        call = ScoreCall(model="ranker", query=Item(text=query), documents=items)
        scores: list[float] = runner.submit(call).result().scores.tolist()
        return scores

    return rank


LIBRARIES = {"sentence-transformers": theirs, "stelae": ours}


def main(library: str, dtype: str, folder: str) -> None:
    """Answer until there is no more to read."""
    rank = LIBRARIES[library](dtype, folder)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(rank(asked["query"], asked["documents"])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
