"""The judge of ``benchmarks/quality.py``, run in the environment of mteb: offline, from files.

python quality_mteb.py FOLDER NAME...    prints {"NAME": nDCG@10, ...} as JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import mteb
import numpy as np
from datasets import Dataset
from mteb.abstasks.retrieval import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.model_meta import ModelMeta

FOLDER = Path(sys.argv[1])
TASK = json.loads((FOLDER / "task.json").read_text())


class Docstrings(AbsTaskRetrieval):
    """Summaries of docstrings as queries, what follows them as documents."""

    metadata = TaskMetadata(
        name="Docstrings",
        description="Find what a docstring says below its summary.",
        reference=None,
        dataset={"path": "offline", "revision": "1"},
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score="ndcg_at_10",
        date=None,
        domains=["Programming"],
        task_subtypes=[],
        license=None,
        annotations_creators="derived",
        dialect=[],
        sample_creation="found",
        bibtex_citation=None,
    )

    def load_data(self, *_: Any, **__: Any) -> None:
        """Take the set from the file instead of a hub."""
        texts = {
            "corpus": [{"id": i, "title": "", "text": t} for i, t in TASK["documents"].items()],
            "queries": [{"id": i, "text": t} for i, t in TASK["queries"].items()],
        }
        split = {name: Dataset.from_list(rows) for name, rows in texts.items()}
        split |= {"relevant_docs": TASK["relevant"], "top_ranked": None}
        self.dataset = {"default": {"test": split}}
        self.data_loaded = True


class Recorded:
    """Gives the vectors that were recorded for a text."""

    def __init__(self, name: str) -> None:
        stored = np.load(FOLDER / f"{name}.npz")
        self.mteb_model_meta = ModelMeta.create_empty({"name": f"recorded/{name}"})
        self._vectors = {
            "query": dict(zip(TASK["queries"].values(), stored["queries"], strict=True)),
            "document": dict(zip(TASK["documents"].values(), stored["documents"], strict=True)),
        }

    def encode(self, inputs: Any, *, prompt_type: Any = None, **_: Any) -> np.ndarray:
        """Vectors of a loader's batches of texts."""
        own = self._vectors[prompt_type.value]
        return np.stack([own[text.strip()] for batch in inputs for text in batch["text"]])

    def similarity(self, a: Any, b: Any) -> Any:
        """All dot products, which of unit vectors are cosines."""
        return mteb.similarity_functions.dot_score(a, b)

    def similarity_pairwise(self, a: Any, b: Any) -> Any:
        """Dot products of pairs."""
        return mteb.similarity_functions.pairwise_dot_score(a, b)


def main() -> None:
    """Let mteb evaluate each set of vectors."""
    scores = {}
    for name in sys.argv[2:]:
        results = mteb.evaluate(Recorded(name), Docstrings(), cache=None)
        scores[name] = results.task_results[0].scores["test"][0]["ndcg_at_10"]
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
