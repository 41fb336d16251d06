"""Late interaction: which tokens of a text count, and what stands around it.

Source: sentence-transformers 6.0.1, ``multi_vector_encoder/model.py`` and
``modules/multi_vector_mask.py``, which read the files of PyLate too.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stelae.catalog.files import join, read_object
from stelae.catalog.operations import LateInteraction, Marking
from stelae.catalog.options import positive, refuse_unknown, require, take
from stelae.catalog.place import Place
from stelae.catalog.reading import Expansion, Reading, read_expansion
from stelae.catalog.settings import NAME, Settings
from stelae.catalog.steps import Mask
from stelae.catalog.vocabulary import Vocabulary
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint
from stelae.types import Role

MASK_KEYS = {"skiplist_words", "skiplist_tasks", "keep_only_token_ids"}

POOLING_KEYS = {"pool_factor", "num_protected_tokens", "tasks"}

QUERY_LENGTH = 32
"""Tokens that PyLate and Stanford's ColBERT fill queries up to if nothing is stated."""

PREFIXES = {Role.QUERY: "query_prefix", Role.DOCUMENT: "document_prefix"}

LEFT = frozenset({"CohereTokenizer", "GemmaTokenizer", "LlamaTokenizer", "XLNetTokenizer"})
"""Classes of transformers that fill texts up on the left where nothing is stated."""

PROBES = ("a", "Hello, world!", "x y", "1", "é")
"""Texts by which two ways of reading are compared."""


def read_mask(place: Place) -> Mask:
    """Which tokens do not count.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    config, file = place.config("skip list"), place.label("config.json")
    refuse_unknown(config, MASK_KEYS, file)
    require(config, {"keep_only_token_ids": (None, [])}, file)
    words = take(config, "skiplist_words", list, file, []) or []
    tasks = config.get("skiplist_tasks")
    tasks = [tasks] if isinstance(tasks, str) else tasks or [Role.DOCUMENT.value]
    if not all(isinstance(word, str) for word in words) or not set(tasks) <= set(Role):
        raise ModelLoadFailed(f"{file} has a skip list that is not one of words, for {tasks!r}")
    return Mask(place.kind, tuple(words), frozenset(map(Role, tasks)))


def read_token_pooling(place: Place) -> None:
    """Joining of similar tokens; done where it does nothing.

    Raises:
        UnsupportedCheckpoint: It does something.
    """
    config, file = place.config("pooling of tokens"), place.label("config.json")
    refuse_unknown(config, POOLING_KEYS, file)
    require(config, {"pool_factor": (1,)}, file)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long texts of late interaction are; ``None`` for as long as the model reads."""

    query: int | None = None
    document: int | None = None
    expansion: Expansion | None = None


def lengths_of(root: Path, settings: Settings, reading: Reading) -> Lengths:
    """Lengths by the transformer's file, and where it is silent by PyLate's options.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: An option has a wrong type, or contradicts another.
    """
    old = _pylate_lengths(settings, f"{NAME} in {root}")
    stated = reading.stated
    lengths = Lengths(
        reading.query_length if "query_length" in stated else old.query,
        reading.document_length if "document_length" in stated else old.document,
        reading.expansion if "query_expansion" in stated else old.expansion,
    )
    expansion = lengths.expansion
    if expansion is not None and lengths.query is not None and lengths.query < expansion.length:
        raise ModelLoadFailed(
            f"the checkpoint in {root} reads {lengths.query} tokens of a query and fills it up to "
            f"{expansion.length}"
        )
    return lengths


def _pylate_lengths(settings: Settings, file: str) -> Lengths:
    config = settings.pylate
    query = positive(config, "query_length", file)
    document = positive(config, "document_length", file)
    if "query_expansion" in config:
        expansion = read_expansion(take(config, "query_expansion", dict, file), file)
        return Lengths(query, document, expansion)
    if not config or take(config, "do_query_expansion", bool, file) is False:
        return Lengths(query, document)
    seen = config.get("attend_to_expansion_tokens", config.get("attend_to_mask_tokens"))
    return Lengths(None, document, Expansion(length=query or QUERY_LENGTH, attend=seen is True))


def read_late(
    root: Path, settings: Settings, reading: Reading, mask: Mask | None, table: int | None
) -> LateInteraction:
    """How texts are read for late interaction.

    Args:
        root: The checkpoint.
        settings: Of the model as a whole.
        reading: How its transformer reads texts.
        mask: Which tokens do not count, if the modules say.
        table: Tokens for which the transformer has positions, if it has a table.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: An option is wrong.
    """
    file = f"{NAME} in {root}"
    words = take(settings.pylate, "skiplist_words", list, file, list(string.punctuation)) or []
    if mask is None:
        mask = Mask("", tuple(map(str, words)) if settings.implied else ())
    prefixes = {
        role: prefix
        for role, key in PREFIXES.items()
        if (prefix := take(settings.pylate, key, str, file))
    }
    return marked(
        Vocabulary(root, reading.tokenizer, reading.folder),
        lengths_of(root, settings, reading),
        mask,
        prefixes,
        limit=reading.limit,
        table=table,
        side=reading.side,
        mean=settings.mean,
    )


def marked(
    vocabulary: Vocabulary,
    lengths: Lengths,
    mask: Mask,
    prefixes: dict[Role, str],
    *,
    limit: int | None,
    table: int | None,
    side: str | None,
    mean: bool = False,
) -> LateInteraction:
    """Token ids for everything that files name by words.

    Args:
        vocabulary: The tokens.
        lengths: How long texts are.
        mask: Which tokens do not count.
        prefixes: What stands before a text.
        limit: Longest text where ``lengths`` say nothing.
        table: Tokens for which the transformer has positions, if it has a table.
        side: On which side queries are filled up; ``None`` as the tokenizer's files say.
        mean: Whether the mean of the best matches is taken.

    Raises:
        UnsupportedCheckpoint: No length is known, or no token fills queries up, or they
            are filled up on the left.
    """
    skip = tuple(_ids(vocabulary, mask.words))
    expansion = lengths.expansion
    if expansion is not None:
        _check_side(vocabulary, side)
    longest = {Role.QUERY: lengths.query or limit, Role.DOCUMENT: lengths.document or limit}
    if expansion is not None and (expansion.fixed or lengths.query):
        longest[Role.QUERY] = expansion.length if expansion.fixed else lengths.query
    sides = {}
    for role in Role:
        ids, text = _prefix(vocabulary, prefixes.get(role, ""))
        filled = expansion if role is Role.QUERY else None
        sides[role] = Marking(
            text=text,
            ids=ids,
            max_tokens=_shortest(vocabulary.root, longest[role], table),
            expand=None if filled is None else _filling(vocabulary, filled),
            expand_to=0 if filled is None else _shortest(vocabulary.root, filled.length, table),
            attend_expansion=filled is not None and filled.attend,
            skip=skip if role in mask.roles else (),
        )
    return LateInteraction(query=sides[Role.QUERY], document=sides[Role.DOCUMENT], mean=mean)


def without_markers(root: Path, settings: Settings) -> dict[str, str]:
    """Prompts without PyLate's prefixes, which stand before them in any case.

    Raises:
        ModelLoadFailed: A prefix is no text.
    """
    prompts = dict(settings.prompts)
    for role, key in PREFIXES.items():
        prefix = take(settings.pylate, key, str, f"{NAME} in {root}")
        if prefix and role.value in prompts:
            prompts[role.value] = prompts[role.value].removeprefix(prefix)
    return prompts


def _shortest(root: Path, wanted: int | None, table: int | None) -> int:
    limits = [limit for limit in (wanted, table) if limit is not None]
    if not limits:
        raise UnsupportedCheckpoint(f"the checkpoint in {root} states no longest input")
    return min(limits)


def _check_side(vocabulary: Vocabulary, stated: str | None) -> None:
    file = join(vocabulary.folder, "tokenizer_config.json")
    config = read_object(vocabulary.root, file) or {}
    kind = str(config.get("tokenizer_class", "")).removesuffix("Fast")
    if (stated or config.get("padding_side") or ("left" if kind in LEFT else "right")) == "left":
        raise UnsupportedCheckpoint(
            f"{file} in {vocabulary.root} fills queries up on the left, which is not implemented"
        )


def _filling(vocabulary: Vocabulary, expansion: Expansion) -> int:
    """The token that fills queries up: the one that is named, the mask, or the end of a text."""
    if expansion.token is not None:
        found = vocabulary.id_of(expansion.token)
    else:
        parts = ("mask_token", "eos_token")
        found = next((i for p in parts if (i := vocabulary.special_id(p)) is not None), None)
    if found is None:
        raise UnsupportedCheckpoint(
            f"{vocabulary.file} in {vocabulary.root} has no token "
            f"{expansion.token or 'for masks'!r}, with which queries would be filled up"
        )
    return found


def _ids(vocabulary: Vocabulary, words: Iterable[str]) -> list[int]:
    """Ids of the words that are tokens; the unknown token stands for no other word."""
    unknown = vocabulary.special("unk_token")
    hidden = None if unknown is None else vocabulary.id_of(unknown)
    found = ((word, vocabulary.id_of(word)) for word in words)
    return sorted({i for word, i in found if i is not None and (i != hidden or word == unknown)})


def _prefix(vocabulary: Vocabulary, prefix: str) -> tuple[tuple[int, ...], str]:
    """A prefix as a token where it is one, and what of it stands there as text.

    The prefix or its first word is one token if the vocabulary has it, even where the
    tokenizer would not find it in a text.
    """
    if not prefix.split():
        return (), prefix
    for word in (prefix, prefix.split(None, 1)[0]):
        found = vocabulary.id_of(word)
        if found is not None:
            rest = prefix[len(word) :]
            idle = all(vocabulary.read(rest + p) == vocabulary.read(p) for p in PROBES)
            return (found,), "" if idle else rest
    return (), prefix
