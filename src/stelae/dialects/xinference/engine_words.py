"""Engines by the names that Xinference's clients give them."""

from __future__ import annotations

from stelae.engines import registry
from stelae.errors import InvalidInput
from stelae.types import ModelKind

NAMED = {"vllm": "vllm", "llama.cpp": "llama_cpp", "diffusers": "diffusers"}
"""Theirs that are one of ours."""

BEST = frozenset({"pytorch", "flag", "auto"})
"""Theirs that mean checkpoints of PyTorch: the best of ours serves them."""

SHOWN = {"llama_cpp": "llama.cpp", "vllm": "vLLM", "transformers_text": "Transformers"}
"""Ours as they show them; others keep their names."""


def engine_of(word: str, kind: ModelKind) -> str | None:
    """The engine that a name means; ``None`` is the best one.

    Raises:
        InvalidInput: This server has no such engine.
    """
    plain = word.strip().casefold()
    if plain in BEST:
        return None
    if plain == "transformers":
        return "transformers_text" if kind == "llm" else None
    known = registry.manifests()
    name = NAMED.get(plain, plain.replace("-", "_").replace(".", "_"))
    if name not in known:
        words = ", ".join(["Transformers", "PyTorch", *NAMED, *sorted(known.keys())])
        raise InvalidInput(
            f"model_engine={word[:80]!r}: this server has no such engine; leave it out for the "
            f"best one, or choose from {words}",
            param="model_engine",
        )
    return name
