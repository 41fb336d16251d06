"""What GLiNER cuts texts into words with, and the packages that it takes.

Source: gliner 0.2.24, ``data_processing/tokenizer.py``.
"""

from __future__ import annotations

from importlib.util import find_spec

from stelae.errors import UnsupportedCheckpoint

WHITESPACE = "whitespace"

PACKAGES: dict[str, dict[str, str]] = {
    WHITESPACE: {},
    "spacy": {"spacy": "spacy"},
    "mecab": {"mecab": "python-mecab-ko"},
    "jieba": {"jieba": "jieba", "jieba3": "jieba3"},
    "janome": {"janome": "janome"},
    "camel": {"camel_tools": "camel-tools"},
    "hindi": {"indicnlp": "indic-nlp-library"},
    "stanza": {"stanza": "stanza", "langdetect": "langdetect"},
}
"""Modules, and the packages that they come with, by the name in ``gliner_config.json``."""

PACKAGES["universal"] = {
    "langdetect": "langdetect",
    **{m: p for k in ("spacy", "mecab", "jieba", "janome", "camel", "hindi")
       for m, p in PACKAGES[k].items()},
}  # fmt: skip


def check_splitter(kind: str, file: str) -> None:
    """Refuse a checkpoint whose words cannot be told here as they were in its training.

    Args:
        kind: What its file names.
        file: The file, for the message.

    Raises:
        UnsupportedCheckpoint: It is of an unknown kind, or a package is not installed.
    """
    said = f"{file} sets words_splitter_type={kind!r}"
    if kind not in PACKAGES:
        raise UnsupportedCheckpoint(f"{said}; implemented: {', '.join(PACKAGES)}")
    lacking = [package for module, package in PACKAGES[kind].items() if find_spec(module) is None]
    if lacking:
        raise UnsupportedCheckpoint(
            f"{said}, for which {' and '.join(lacking)} must be installed; texts are not cut into "
            "words in another way than in training",
            hint=f"pip install {' '.join(lacking)}",
        )
