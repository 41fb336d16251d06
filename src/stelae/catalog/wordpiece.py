"""BERT's tokenizer from its vocabulary alone, for checkpoints without ``tokenizer.json``.

Source: transformers 5.17, ``models/bert/tokenization_bert.py``, which builds the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stelae.catalog.files import Json, inside, join, read_object
from stelae.catalog.options import require, take
from stelae.catalog.spec import WordPiece
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY = "vocab.txt"
MAX_VOCABULARY_BYTES = 32 * 2**20

SPECIALS = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}  # fmt: skip
"""Special tokens where no file names them; they are added in this order."""


def is_words(file: str) -> bool:
    """Whether a tokenizer is its vocabulary alone."""
    return file.rpartition("/")[2] == VOCABULARY


def read_words(root: Path, file: str) -> WordPiece:
    """How texts are cut into the words of a vocabulary.

    Args:
        root: The checkpoint.
        file: The vocabulary, relative to it.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is broken, or a special token is not in the vocabulary.
    """
    folder = file.removesuffix(VOCABULARY).rstrip("/")
    name = join(folder, "tokenizer_config.json")
    config, label = read_object(root, name) or {}, f"{name} in {root}"
    require(config, {"do_basic_tokenize": (True,), "never_split": (None, [])}, label)
    words = WordPiece(
        lowercase=take(config, "do_lower_case", bool, label, True) is not False,
        strip_accents=take(config, "strip_accents", bool, label),
        chinese=take(config, "tokenize_chinese_chars", bool, label, True) is not False,
        specials=_specials(root, folder, config),
    )
    _check_added(root, folder, config, words)
    known = _vocabulary(inside(root, file))
    if lacking := [token for token in words.specials.values() if token not in known]:
        raise ModelLoadFailed(f"{file} in {root} lacks the special tokens {', '.join(lacking)}")
    return words


def _specials(root: Path, folder: str, config: Json) -> dict[str, str]:
    table = read_object(root, join(folder, "special_tokens_map.json")) or {}
    found = {}
    for part, default in SPECIALS.items():
        value = config.get(part, table.get(part, default))
        token = value.get("content") if isinstance(value, dict) else value
        if not isinstance(token, str):
            raise ModelLoadFailed(f"the tokenizer in {root} sets {part}={value!r}")
        found[part] = token
    return found


def _check_added(root: Path, folder: str, config: Json, words: WordPiece) -> None:
    """Refuse tokens beside the vocabulary."""
    added = read_object(root, join(folder, "added_tokens.json")) or {}
    table = config.get("added_tokens_decoder") or {}
    contents = [row.get("content") for row in table.values() if isinstance(row, dict)]
    surplus = {*added, *map(str, contents)} - set(words.specials.values())
    if surplus:
        raise UnsupportedCheckpoint(
            f"the tokenizer in {root} adds {', '.join(sorted(surplus)[:5])} to {VOCABULARY}; "
            "without tokenizer.json this is not implemented",
            hint="AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes it",
        )


def _vocabulary(path: Path) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_VOCABULARY_BYTES)
        lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadFailed(f"{path} is no vocabulary: {error}") from error
    return {token: i for i, token in enumerate(lines if lines[-1] else lines[:-1])}


def open_tokenizer(path: Path, words: WordPiece | None = None) -> Tokenizer:
    """A checkpoint's tokenizer, without padding and truncation.

    Args:
        path: ``tokenizer.json``, or the vocabulary if there is ``words``.
        words: How texts are cut into the words of the vocabulary.

    Raises:
        UnsupportedCheckpoint: The file cannot be read.
        ModelLoadFailed: The vocabulary cannot be read.
    """
    from tokenizers import Tokenizer  # most checkpoints are read without it

    if words is not None:
        return _built(_vocabulary(path), words)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise UnsupportedCheckpoint(f"{path} cannot be read: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _built(vocabulary: dict[str, int], words: WordPiece) -> Tokenizer:
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    specials = words.specials
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=specials["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=words.chinese,
        strip_accents=words.strip_accents,
        lowercase=words.lowercase,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    added = [AddedToken(token, normalized=False, special=True) for token in specials.values()]
    tokenizer.add_special_tokens(added)
    first, last = specials["cls_token"], specials["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{first}:0 $A:0 {last}:0",
        pair=f"{first}:0 $A:0 {last}:0 $B:1 {last}:1",
        special_tokens=[(token, vocabulary[token]) for token in (first, last)],
    )
    return tokenizer
