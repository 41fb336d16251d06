"""Libraries for nearest neighbours on the same vectors: time to build, time to search, recall.

    python benchmarks/vector_index.py [--vectors 20000] [--rounds 3]

Compares FAISS with hnswlib and USearch where these are installed, in turn, on one thread.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WIDTH, NEAREST, QUERIES = 256, 10, 200
LINKS, BUILD = 16, 128
WIDTHS = (64, 128)

Floats = np.typing.NDArray[np.float32]
Search = Callable[[Floats], Any]


def data(count: int, seed: int) -> Floats:
    """Unit vectors in 500 clusters, each spread in few directions, as embeddings are."""
    base, own = np.random.default_rng(0), np.random.default_rng(seed)
    centres, ways = base.standard_normal((500, WIDTH)), base.standard_normal((32, WIDTH))
    spread = own.standard_normal((count, 32)) @ ways * 0.25
    noise = 0.3 * own.standard_normal((count, WIDTH))
    found = centres[own.integers(0, 500, count)] + spread + noise
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def with_faiss(vectors: Floats, width: int) -> Search:
    """FAISS."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexHNSWFlat(WIDTH, LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = BUILD, width
    index.add(vectors)
    return lambda query: index.search(query[None], NEAREST)[1][0]


def with_hnswlib(vectors: Floats, width: int) -> Search:
    """The library hnswlib."""
    import hnswlib

    index = hnswlib.Index("cosine", WIDTH)
    index.init_index(len(vectors), M=LINKS, ef_construction=BUILD)
    index.set_ef(width)
    index.add_items(vectors, np.arange(len(vectors)), num_threads=1)
    return lambda query: index.knn_query(query, NEAREST, num_threads=1)[0][0]


def with_usearch(vectors: Floats, width: int) -> Search:
    """USearch."""
    from usearch.index import Index

    index = Index(
        ndim=WIDTH, metric="cos", dtype="f32", connectivity=LINKS,
        expansion_add=BUILD, expansion_search=width,
    )  # fmt: skip
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return lambda query: index.search(query, NEAREST, threads=1).keys


LIBRARIES = {"faiss": with_faiss, "hnswlib": with_hnswlib, "usearch": with_usearch}


def main() -> None:
    """Print one line per library and width of search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    vectors, queries = data(given.vectors, 1), data(QUERIES, 2)
    truth = np.argsort(-(queries @ vectors.T), axis=1)[:, :NEAREST]
    there = {name: made for name, made in LIBRARIES.items() if importlib.util.find_spec(name)}
    for width in WIDTHS:
        figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in there}
        for _ in range(given.rounds):
            for name, made in there.items():
                figures[name].append(measured(made, vectors, queries, truth, width))
        for name, rows in figures.items():
            build, search, recall = (
                statistics.median(column) for column in zip(*rows, strict=True)
            )
            print(
                f"{name:8} ef {width:4} {build:7.0f} built/s  {search:5.0f} us  recall {recall:.3f}"
            )


def measured(
    made: Callable[[Floats, int], Search], vectors: Floats, queries: Floats, truth: Any, width: int
) -> tuple[float, float, float]:
    """Vectors built per second, microseconds per search, and recall."""
    begun = time.perf_counter()
    search = made(vectors, width)
    built = time.perf_counter()
    found = [search(query) for query in queries]
    ended = time.perf_counter()
    right = sum(len({int(n) for n in a} & set(b)) for a, b in zip(found, truth, strict=True))
    per_second = len(vectors) / (built - begun)
    return per_second, (ended - built) / len(queries) * 1e6, right / truth.size


if __name__ == "__main__":
    main()
