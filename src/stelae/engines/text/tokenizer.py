"""A checkpoint's ``tokenizer.json``, read by the Rust library alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers.normalizers import Lowercase, Normalizer
from tokenizers.normalizers import Sequence as Sequential
from torch import nn

from stelae.catalog.abilities import Classify
from stelae.catalog.spec import ModelSpec, Static, WordPiece
from stelae.catalog.wordpiece import open_tokenizer
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.nn.backbone import Backbone
from stelae.types import Truncate

CHARS_PER_TOKEN = 16
"""A text is first read up to so many characters per token wanted; rarely must it be read on."""


BRIEF = 1000
"""Characters of a text that is read before another thread could use the interpreter meanwhile."""


class FileTokenizer:
    """Texts to ids.

    Args:
        file: The ``tokenizer.json``, or a vocabulary if there is ``words``.
        lowercase: Whether texts are lower-cased first.
        unused: Ids that are left out of every text.
        words: How texts are cut into the words of the vocabulary.
        pairs: How two texts are read together, if they are.

    Attributes:
        vocabulary: Number of ids.
        prefix: Special tokens before a text.
        suffix: Special tokens after a text.
        middle: Special tokens between the two texts of a pair.
        typed: Whether the second text of a pair has token type ids of its own.
        surplus: Tokens that a text may hold and the model has no vector for, by id.

    Raises:
        UnsupportedCheckpoint: The file cannot be read, or puts special tokens in a way
            that is not implemented.
    """

    def __init__(
        self,
        file: Path,
        *,
        lowercase: bool = False,
        unused: Sequence[int] = (),
        words: WordPiece | None = None,
        pairs: Classify | None = None,
    ) -> None:
        self._tokenizer = open_tokenizer(file, words)
        self._unused = frozenset(unused)
        if lowercase:
            self._tokenizer.normalizer = _lowered(self._tokenizer.normalizer)
        self.vocabulary: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self.prefix, self.suffix = self._specials()
        self.middle, self.typed = ([], False) if pairs is None else self._between(pairs)
        self.surplus: dict[int, str] = {}

    def fit(self, rows: int) -> None:
        """Let no token pass that the model has no vector for.

        Checkpoints may name tokens beside the vocabulary that none of their weights are for, as
        those that stand for pictures in a model of texts: they are refused where they are used.

        Args:
            rows: Vectors that it has.

        Raises:
            ModelLoadFailed: The vocabulary is that of another model.
        """
        known = self._tokenizer.get_vocab(with_added_tokens=True)
        self.surplus = {i: token for token, i in known.items() if i >= rows}
        self.vocabulary = min(self.vocabulary, rows)
        spare = {*self._tokenizer.get_added_tokens_decoder()}
        needed = self.surplus.keys() - (spare - {*self.prefix, *self.middle, *self.suffix})
        if needed:
            first = min(needed)
            raise ModelLoadFailed(
                f"the tokenizer has {self.surplus[first]!r} as token {first}, and the weights have "
                f"vectors of the tokens 0..{rows - 1}; take both from the same checkpoint"
            )

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        """Ids of each text, or of so much of it that ``room`` is surely passed."""
        if any(len(text) > CHARS_PER_TOKEN * room for text in texts):
            return [self._read_long(text, room, truncate) for text in texts]
        if len(texts) == 1:
            return [self._ids(texts[0])]
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [self._used(encoding.ids) for encoding in found]

    def _read_long(self, text: str, room: int, truncate: Truncate) -> list[int]:
        """Ids of a long text, read only as far as the limit reaches.

        It is cut at white space, where tokenizers break in any case, and the id at
        the cut is not relied on. What is refused need not be read to its end either.
        """
        reach = CHARS_PER_TOKEN * room
        while reach < len(text):
            part = _clip(text, reach, from_end=truncate is Truncate.START)
            ids = self._ids(part)
            if len(ids) > room + 1 or len(part) == len(text):
                return ids
            reach *= 4
        return self._ids(text)

    def _ids(self, text: str, *, specials: bool = False) -> list[int]:
        if len(text) <= BRIEF:
            return self._used(self._tokenizer.encode(text, add_special_tokens=specials).ids)
        # One text as a batch: only then does the library let other threads go on.
        (found,) = self._tokenizer.encode_batch_fast([text], add_special_tokens=specials)
        return self._used(found.ids)

    def _used(self, ids: list[int]) -> list[int]:
        return [i for i in ids if i not in self._unused] if self._unused else ids

    def _specials(self) -> tuple[list[int], list[int]]:
        """Special tokens before and after a single text, found by looking."""
        bare, full = self._ids("a"), self._ids("a", specials=True)
        for start in range(len(full) - len(bare) + 1):
            if full[start : start + len(bare)] == bare:
                return full[:start], full[start + len(bare) :]
        raise UnsupportedCheckpoint(
            "tokenizer.json changes a text's own tokens when it adds special ones; "
            "this is not implemented"
        )

    def _between(self, pairs: Classify) -> tuple[list[int], bool]:
        """Special tokens between two texts, found by looking, and whether types count."""
        bare = self._ids("a")
        pair = self._tokenizer.encode("a", "a")
        middle = pair.ids[len(self.prefix) + len(bare) : len(pair.ids) - len(self.suffix)]
        middle = middle[: len(middle) - len(bare)]
        if pair.ids != [*self.prefix, *bare, *middle, *bare, *self.suffix]:
            raise UnsupportedCheckpoint(
                "tokenizer.json puts other special tokens around two texts than around one; "
                "this is not implemented"
            )
        typed = pairs.typed and any(pair.type_ids)
        first = len(self.prefix) + len(bare) + len(middle)
        if typed and pair.type_ids != [0] * first + [1] * (len(pair) - first):
            raise UnsupportedCheckpoint(
                f"tokenizer.json gives two texts the token types {pair.type_ids}; 0 up to the "
                "second text and 1 from there on are implemented"
            )
        return middle, typed


class NoTokenizer:
    """Stands where a model reads no texts."""

    def __init__(self) -> None:
        self.vocabulary = 0
        self.prefix: list[int] = []
        self.suffix: list[int] = []
        self.middle: list[int] = []
        self.typed = False
        self.surplus: dict[int, str] = {}

    def fit(self, rows: int) -> None:
        """There is no token."""

    def read(self, texts: Sequence[str], room: int, truncate: Truncate) -> list[list[int]]:
        """Nothing of each text."""
        del room, truncate
        return [[] for _ in texts]


def tokenizer_of(spec: ModelSpec) -> FileTokenizer | NoTokenizer:
    """The tokenizer of a model.

    Raises:
        UnsupportedCheckpoint: Its file cannot be read.
    """
    if not spec.tokenizer:
        return NoTokenizer()
    unused = spec.backbone.unused if isinstance(spec.backbone, Static) else ()
    return FileTokenizer(
        Path(spec.folder, spec.tokenizer),
        lowercase=spec.lowercase,
        unused=unused,
        words=spec.words,
        pairs=spec.scoring if isinstance(spec.scoring, Classify) else None,
    )


def fitted(spec: ModelSpec, trunk: nn.Module) -> FileTokenizer | NoTokenizer:
    """The tokenizer of a model whose weights are loaded.

    Raises:
        UnsupportedCheckpoint: Its file cannot be read.
        ModelLoadFailed: It is that of other weights.
    """
    tokenizer = tokenizer_of(spec)
    if isinstance(trunk, Backbone):  # a table of vectors was checked when it was read
        tokenizer.fit(len(trunk.words.weight))
    return tokenizer


def _lowered(normalizer: Normalizer | None) -> Normalizer:
    """Lower-casing before the tokenizer's own steps, which leaves special tokens alone."""
    lower = Lowercase()
    return lower if normalizer is None else Sequential([lower, normalizer])


def _clip(text: str, reach: int, *, from_end: bool) -> str:
    """A part of a text that starts or ends at white space, at least ``reach`` long."""
    if from_end:
        edge = max(text.rfind(" ", 0, len(text) - reach), text.rfind("\n", 0, len(text) - reach))
        return text[max(edge, 0) :]
    edges = [edge for edge in (text.find(" ", reach), text.find("\n", reach)) if edge >= 0]
    return text[: min(edges, default=len(text))]
