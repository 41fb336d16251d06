"""Chat models that are one GGUF file: weights, tokenizer and chat template together.

Source: ggml ``docs/gguf.md`` (names of metadata); llama.cpp, ``src/llama-vocab.cpp`` (tokens that
end a text whatever a file says).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stelae.catalog.chat_template import MAX_BYTES
from stelae.catalog.entry import GGUF, ModelEntry
from stelae.catalog.files import exists
from stelae.catalog.gguf import Gguf, read_gguf
from stelae.catalog.reading import lowered
from stelae.catalog.speaking import speaking
from stelae.catalog.spec import Backbone, Generation, ModelSpec, Source
from stelae.errors import ModelLoadFailed, ModelNotFound, UnsupportedCheckpoint

PART = re.compile(r"(?P<name>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf")
"""Name of one of the files of a model that is cut in several."""

TOKENS = "tokenizer.ggml."

SPECIALS = {"bos": "bos_token_id", "eos": "eos_token_id", "pad": "padding_token_id",
            "unk": "unknown_token_id"}  # fmt: skip
"""Special tokens that templates may name."""

ENDS = ("eos_token_id", "eot_token_id", "eom_token_id")

END_TOKENS = frozenset({
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<end_of_turn>",
    "<|endoftext|>", "<|end_of_text|>", "<|eom_id|>", "<EOT>", "<end_of_utterance>",
})  # fmt: skip
"""Tokens that end a text by their name, if they are no part of texts."""

CONTROL = 3
"""The kind of token that is no part of texts."""

STORED = "stored"
"""Names of the ways in which matrices are stored, among the facts of the transformer."""


def gguf_in(root: Path) -> str | None:
    """The GGUF file in a folder without ``config.json``, the first if it is cut in several.

    Raises:
        UnsupportedCheckpoint: There are several models.
    """
    if exists(root, "config.json") or exists(root, "modules.json"):
        return None
    names = sorted(path.name for path in root.glob(f"*{GGUF}"))
    firsts = [name for name in names if (cut := PART.fullmatch(name)) is None or _first(cut)]
    if len(firsts) > 1:
        raise UnsupportedCheckpoint(
            f"{root} holds {len(firsts)} GGUF files: {', '.join(firsts[:5])}",
            hint="give the file itself in place of the folder",
        )
    return firsts[0] if firsts else None


def gguf_named(root: Path, entry: ModelEntry) -> str:
    """The GGUF file that an entry names, the first if it is cut in several.

    Raises:
        ModelNotFound: There is none.
    """
    for pattern in entry.files:
        for path in sorted(root.glob(pattern)):
            return path.relative_to(root).as_posix()
    raise ModelNotFound(
        f"{entry.source} has no file {' or '.join(entry.files)}",
        hint="another quantization may be there",
    )


def _first(cut: re.Match[str]) -> bool:
    return int(cut["part"]) == 1


def read_gguf_chat(root: Path, file: str, entry: ModelEntry, source: Source) -> ModelSpec:
    """The chat model of a GGUF file.

    Args:
        root: Its folder.
        file: Its name.
        entry: What a person says about the model.
        source: Where it came from.

    Raises:
        UnsupportedCheckpoint: It has no chat template, or states no length.
        ModelLoadFailed: The file is broken, or one of its parts is missing.
        InvalidInput: The entry asks for what the model does not have.
    """
    names = _parts(root, file)
    read = [read_gguf(root, name) for name in names]
    values = read[0].values
    architecture = _text(values, "general.architecture", root, file)
    limit = values.get(f"{architecture}.context_length")
    if limit is not None and (type(limit) is not int or not 0 < limit < 2**31):
        raise _wrong(root, file, f"{architecture}.context_length", limit)
    return ModelSpec(
        name=entry.name,
        aliases=entry.aliases,
        source=source,
        folder=str(root),
        backbone=Backbone(
            folder="",
            architecture=architecture,
            config=_plain(values) | {STORED: _stored(read)},
            weights=names,
        ),
        generation=speaking(
            _generation(values, root, file, entry), entry, _ids(values, entry.stops).get
        ),
        max_tokens=lowered(limit, entry.max_tokens, root),
        tokenizer="",
    )


def _parts(root: Path, file: str) -> tuple[str, ...]:
    cut = PART.fullmatch(file)
    if cut is None:
        return (file,)
    count = int(cut["parts"])
    names = tuple(f"{cut['name']}-{i + 1:05d}-of-{count:05d}{GGUF}" for i in range(count))
    if not _first(cut):
        raise ModelLoadFailed(f"{file} is a part of a model; give the first, {names[0]}")
    missing = [name for name in names if not exists(root, name)]
    if missing:
        raise ModelLoadFailed(f"{file} in {root} is cut in {count}, and {missing[0]} is missing")
    return names


def _ids(values: dict[str, Any], tokens: Sequence[str]) -> dict[str, int]:
    """Ids of the tokens among some texts."""
    names = values.get(f"{TOKENS}tokens")
    known = names if isinstance(names, list) else []
    return {token: known.index(token) for token in tokens if token in known}


def _generation(values: dict[str, Any], root: Path, file: str, entry: ModelEntry) -> Generation:
    template = entry.chat_template or values.get("tokenizer.chat_template")
    if template is None:
        raise UnsupportedCheckpoint(
            f"{file} in {root} has no chat template, so how it is talked to is not known",
            hint="use a file that was made for chats, often named Instruct",
        )
    if not isinstance(template, str) or len(template) > MAX_BYTES:
        raise ModelLoadFailed(f"the chat template of {file} in {root} is no text, or too long")
    names = values.get(f"{TOKENS}tokens")
    if not isinstance(names, list) or not names:
        raise ModelLoadFailed(f"{file} in {root} has no tokens: {TOKENS}tokens is missing")
    ids = {key: _token(values, key, len(names), root, file) for key in (*SPECIALS.values(), *ENDS)}
    specials = {
        f"{part}_token": names[i] for part, key in SPECIALS.items() if (i := ids[key]) is not None
    }
    ends = {i for key in ENDS if (i := ids[key]) is not None} | _named_ends(values, names)
    return Generation(template=template, ends=tuple(sorted(ends)), specials=specials)


def _token(values: dict[str, Any], key: str, count: int, root: Path, file: str) -> int | None:
    token = values.get(TOKENS + key)
    if token is not None and (type(token) is not int or not 0 <= token < count):
        raise _wrong(root, file, TOKENS + key, token)
    return token


def _named_ends(values: dict[str, Any], names: list[str]) -> set[int]:
    kinds = values.get(f"{TOKENS}token_type", ())
    pairs = zip(names, kinds, strict=False)
    return {i for i, (name, kind) in enumerate(pairs) if kind == CONTROL and name in END_TOKENS}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The facts that are one number or a short text."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 64)
    }


def _stored(read: list[Gguf]) -> list[str]:
    return sorted({t.kind for part in read for t in part.tensors.values() if len(t.shape) > 1})


def _text(values: dict[str, Any], name: str, root: Path, file: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise _wrong(root, file, name, value)
    return value


def _wrong(root: Path, file: str, name: str, value: Any) -> ModelLoadFailed:
    return ModelLoadFailed(f"{file} in {root} sets {name}={value!r:.80}, which cannot be")
