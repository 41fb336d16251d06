"""The embedded model with its length limit at 512, so that all systems see equal work."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer

from stelae.catalog.catalog import Catalog

CACHE = Path(__file__).parent.parent / ".cache"


def folder(max_tokens: int = 512) -> Path:
    """A folder with the embedded checkpoint, reading up to ``max_tokens`` tokens."""
    source = Path(Catalog().spec("default").folder)
    target = CACHE / f"minilm-{max_tokens}"
    if not (target / "ready").exists():
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())
        _edit(target / "sentence_bert_config.json", max_seq_length=max_tokens)
        _edit(target / "tokenizer_config.json", model_max_length=max_tokens)
        (target / "ready").touch()
    return target


def tokenizer() -> Tokenizer:
    """Its tokenizer, without padding or truncation."""
    found = Tokenizer.from_file(str(folder() / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def _edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
