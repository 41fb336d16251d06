"""The tokenizer files: there, whole, and of one mind.

transformers builds most tokenizers from ``tokenizer_config.json`` and takes only
the vocabulary from ``tokenizer.json``; we run ``tokenizer.json`` as it stands.
Where the two files say the same, so do we and the reference; where they do not,
the vectors would differ without a word, so the checkpoint is refused.

Source: transformers 5.17, ``tokenization_utils_tokenizers.py`` and
``models/*/tokenization_*.py`` of the families below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.files import MAX_TOKENIZER_BYTES, Json, exists, join, read_bytes, read_object
from stelae.catalog.spec import Backbone
from stelae.catalog.wordpiece import VOCABULARY
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

UNLIMITED = 2**31
"""Lengths from here on mean "no limit"; transformers writes 1e30 for it."""

CHAT_TEMPLATES = ("chat_template.jinja", "chat_template.json")
"""Files in which chat models keep their template, if not in ``tokenizer_config.json``."""

WORDS = frozenset({"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer"})
"""Classes that are built from a vocabulary alone."""

OTHER_FILES = (
    "vocab.txt", "vocab.json", "merges.txt", "sentencepiece.bpe.model", "spiece.model",
    "tokenizer.model", "spm.model",
)  # fmt: skip
"""Files of tokenizers without a fast form, for messages."""

WRITE = "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes it"

WITHOUT = {
    "SiglipTokenizer": "this class never writes it; take a copy of the checkpoint that has it",
}
"""What to do about classes that never write the file."""

MEND = (
    "save the tokenizer again: AutoTokenizer.from_pretrained(folder).save_pretrained(folder), "
    "and compare a few texts"
)


class TokenizerFile(msgspec.Struct):
    """The parts of ``tokenizer.json`` that are compared; the vocabulary is skipped."""

    normalizer: dict[str, Any] | None = None
    pre_tokenizer: dict[str, Any] | None = None
    post_processor: dict[str, Any] | None = None


def read_tokenizer(root: Path, backbone: Backbone) -> tuple[str, int | None]:
    """The tokenizer of a transformer; see ``read_tokenizer_file``."""
    return read_tokenizer_file(root, backbone.folder, str(backbone.config.get("model_type")))


def read_tokenizer_file(root: Path, folder: str, kind: str = "") -> tuple[str, int | None]:
    """The tokenizer in a folder of the checkpoint.

    Args:
        root: The checkpoint.
        folder: Where the tokenizer lies.
        kind: The model type, by which transformers chooses a class if the files name none.

    Returns:
        ``tokenizer.json`` (or ``vocab.txt``, where that is enough), relative to the
        checkpoint, and the longest input that ``tokenizer_config.json`` states.

    Raises:
        UnsupportedCheckpoint: There is no ``tokenizer.json``, or the two files
            contradict each other.
        ModelLoadFailed: A file is broken.
    """
    file = join(folder, "tokenizer.json")
    config = read_object(root, join(folder, "tokenizer_config.json")) or {}
    if not exists(root, file):
        return _vocabulary(root, folder, _class(config, kind)), _limit(config)
    facts = FACTS.get(_class(config, kind))
    if facts is not None:
        for what, stated, expected in facts(_parts(root, file), config):
            if stated != expected:
                raise _contradiction(root, file, what, stated, expected)
    return file, _limit(config)


def _vocabulary(root: Path, folder: str, kind: str) -> str:
    """BERT's vocabulary, which says all that its ``tokenizer.json`` would."""
    file = join(folder, VOCABULARY)
    if kind in WORDS and exists(root, file):
        return file
    found = [name for name in OTHER_FILES if exists(root, join(folder, name))]
    raise UnsupportedCheckpoint(
        f"no {join(folder, 'tokenizer.json')} in {root}"
        + (f", only {', '.join(found)} of a {kind or 'tokenizer'}" if found else "")
        + "; only fast tokenizers are read",
        hint=WITHOUT.get(kind, WRITE),
    )


def stated_limit(root: Path, folder: str) -> int | None:
    """The longest input that ``tokenizer_config.json`` states, if it does.

    Raises:
        ModelLoadFailed: The file is broken.
    """
    return _limit(read_object(root, join(folder, "tokenizer_config.json")) or {})


def _limit(config: Json) -> int | None:
    value = config.get("model_max_length")
    if not isinstance(value, int | float) or not 1 <= value < UNLIMITED:
        return None
    return int(value)


def _class(config: Json, kind: str) -> str:
    """The class that transformers builds."""
    name = config.get("tokenizer_class")
    if isinstance(name, str):
        return name.removesuffix("Fast")
    return CLASSES.get(kind, "")


def _words(parts: TokenizerFile, config: Json, *, ends: tuple[str, str]) -> Iterator[Fact]:
    """WordPiece, as BERT has it."""
    stated = parts.normalizer or {}
    expected = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": config.get("tokenize_chinese_chars", True),
        "strip_accents": config.get("strip_accents"),
        "lowercase": config.get("do_lower_case", True),
    }
    for key, value in expected.items():
        yield f"normalizer {key}", stated.get(key), value
    yield "pre_tokenizer", (parts.pre_tokenizer or {}).get("type"), "BertPreTokenizer"
    yield from _frame(parts, config, ends)


def _bytes(parts: TokenizerFile, config: Json) -> Iterator[Fact]:
    """BPE on bytes, as RoBERTa has it."""
    before = parts.pre_tokenizer or {}
    yield "normalizer", _kinds(parts.normalizer), []
    yield "pre_tokenizer", before.get("type"), "ByteLevel"
    spaced = config.get("add_prefix_space", False)
    yield "pre_tokenizer add_prefix_space", before.get("add_prefix_space"), spaced
    yield from _frame(parts, config, ("<s>", "</s>"))


def _pieces(parts: TokenizerFile, config: Json) -> Iterator[Fact]:
    """Unigram pieces, as XLM-RoBERTa has them: characters are replaced, and no more."""
    del config
    yield "normalizer", [kind for kind in _kinds(parts.normalizer) if kind not in KEPT], []


def _plain_pieces(parts: TokenizerFile, config: Json) -> Iterator[Fact]:
    """Unigram pieces without accents or capital letters, as ALBERT has them."""
    kinds = _kinds(parts.normalizer)
    yield "normalizer Lowercase", "Lowercase" in kinds, config.get("do_lower_case", True)
    bare = not config.get("keep_accents", False)
    yield "normalizer StripAccents", "StripAccents" in kinds, bare


def _lowered_bytes(parts: TokenizerFile, config: Json) -> Iterator[Fact]:
    """BPE on bytes of lower-cased words, as CLIP has it."""
    before = (parts.pre_tokenizer or {}).get("pretokenizers")
    kinds = [step.get("type") for step in before] if isinstance(before, list) else []
    yield "normalizer", _kinds(parts.normalizer), ["NFC", "Replace", "Lowercase"]
    yield "pre_tokenizer", kinds, ["Split", "ByteLevel"]
    ends = [_token(config, "bos_token", "<|startoftext|>"), "A"]
    ends.append(_token(config, "eos_token", "<|endoftext|>"))
    yield "post_processor", _order(parts.post_processor or {}), ends


def _bare_pieces(parts: TokenizerFile, config: Json) -> Iterator[Fact]:
    """Unigram pieces of words without punctuation, as SigLIP has them."""
    lowered = config.get("do_lower_case", True)
    made = _normalized(parts.normalizer, "Aé, (b)-C!").replace("▁", " ").strip()
    yield "normalizer('Aé, (b)-C!')", made, "aé bc" if lowered else "Aé bC"


def _normalized(normalizer: Json | None, text: str) -> str:
    from tokenizers import Tokenizer  # most checkpoints are read without it

    if normalizer is None:
        return text
    words = {"type": "WordLevel", "vocab": {}, "unk_token": ""}
    file = {"version": "1.0", "added_tokens": [], "model": words, "normalizer": normalizer}
    try:
        step = Tokenizer.from_str(msgspec.json.encode(file).decode()).normalizer
    except Exception as error:  # the library raises bare Exception
        raise UnsupportedCheckpoint(
            f"tokenizer.json has a normalizer that fails: {error}"
        ) from error
    made: str = step.normalize_str(text)
    return made


def _frame(parts: TokenizerFile, config: Json, ends: tuple[str, str]) -> Iterator[Fact]:
    """What is put around one text."""
    order = _order(parts.post_processor or {})
    if order is not None:
        first, last = ends
        expected = [_token(config, "cls_token", first), "A", _token(config, "sep_token", last)]
        yield "post_processor", order, expected


def _kinds(normalizer: Json | None) -> list[Any]:
    """Kinds of all steps of a normalizer."""
    steps = (normalizer or {}).get("normalizers")
    found = steps if isinstance(steps, list) else [normalizer] if normalizer else []
    return [step.get("type") if isinstance(step, dict) else step for step in found]


KEPT = frozenset({"Precompiled", "Replace", "Strip"})
"""Steps that transformers keeps, or whose work splitting at white space does too."""

Fact = tuple[str, Any, Any]
"""What is compared, how ``tokenizer.json`` has it, and how it would be built."""

_bert = partial(_words, ends=("[CLS]", "[SEP]"))

FACTS: dict[str, Callable[[TokenizerFile, Json], Iterator[Fact]]] = {
    "BertTokenizer": _bert,
    "DistilBertTokenizer": _bert,
    "ElectraTokenizer": _bert,
    "MPNetTokenizer": partial(_words, ends=("<s>", "</s>")),
    "RobertaTokenizer": _bytes,
    "XLMRobertaTokenizer": _pieces,
    "CamembertTokenizer": _pieces,
    "AlbertTokenizer": _plain_pieces,
    "CLIPTokenizer": _lowered_bytes,
    "SiglipTokenizer": _bare_pieces,
}
"""What can be compared, by class of tokenizer."""

CLASSES = {
    "albert": "AlbertTokenizer",
    "bert": "BertTokenizer",
    "camembert": "CamembertTokenizer",
    "clip_text_model": "CLIPTokenizer",
    "distilbert": "BertTokenizer",
    "electra": "BertTokenizer",
    "mpnet": "MPNetTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
}
"""Classes by model type, where ``tokenizer_config.json`` names none."""


def _parts(root: Path, file: str) -> TokenizerFile:
    data = read_bytes(root, file, limit=MAX_TOKENIZER_BYTES) or b""
    try:
        return msgspec.json.decode(data, type=TokenizerFile)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelLoadFailed(f"{file} in {root} is not a tokenizer: {error}") from error


def _token(config: Json, key: str, default: str) -> Any:
    value = config.get(key, default)
    return value.get("content") if isinstance(value, dict) else value


def _order(processor: Json) -> list[Any] | None:
    """Pieces around one text; ``None`` if the processor is the one made for BERT."""
    if processor.get("type") == "BertProcessing":
        return None
    if processor.get("type") == "RobertaProcessing":
        return [_first(processor.get("cls")), "A", _first(processor.get("sep"))]
    pieces = processor.get("single")
    return [_piece(piece) for piece in pieces] if isinstance(pieces, list) else []


def _first(pair: Any) -> Any:
    return pair[0] if isinstance(pair, list) and pair else None


def _piece(piece: Any) -> Any:
    inner = next(iter(piece.values()), None) if isinstance(piece, dict) else None
    return inner.get("id") if isinstance(inner, dict) else None


def _contradiction(
    root: Path, file: str, what: str, stated: Any, expected: Any
) -> UnsupportedCheckpoint:
    return UnsupportedCheckpoint(
        f"{file} in {root} has {what}={stated!r}, by tokenizer_config.json it would be "
        f"{expected!r}; which of them the weights were trained with is not known",
        hint=MEND,
    )
