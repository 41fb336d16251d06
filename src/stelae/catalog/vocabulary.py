"""Token ids of a checkpoint, where its files name tokens by their text."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.files import inside, join, read_object
from stelae.catalog.wordpiece import is_words, open_tokenizer, read_words

FILES = ("tokenizer_config.json", "special_tokens_map.json")
"""Where special tokens are named; the first that names one counts."""

BERT = {
    "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}  # fmt: skip
ROBERTA = {
    "unk_token": "<unk>", "sep_token": "</s>", "pad_token": "<pad>", "cls_token": "<s>",
    "mask_token": "<mask>", "bos_token": "<s>", "eos_token": "</s>",
}  # fmt: skip
DEFAULTS = {
    "BertTokenizer": BERT,
    "DistilBertTokenizer": BERT,
    "ElectraTokenizer": BERT,
    "RobertaTokenizer": ROBERTA,
    "XLMRobertaTokenizer": ROBERTA,
    "CamembertTokenizer": ROBERTA,
    "MPNetTokenizer": ROBERTA | {"unk_token": "[UNK]"},
}
"""Special tokens that classes of transformers have where no file names them."""


class Vocabulary:
    """A checkpoint's tokens.

    Args:
        root: The checkpoint.
        file: Its ``tokenizer.json``, or its vocabulary.
        folder: Where the tokenizer's other files lie.

    Attributes:
        size: Number of ids.

    Raises:
        UnsupportedCheckpoint: The file cannot be read.
    """

    def __init__(self, root: Path, file: str, folder: str = "") -> None:
        words = read_words(root, file) if is_words(file) else None
        self._tokenizer = open_tokenizer(inside(root, file), words)
        self.root, self.file, self.folder = root, file, folder
        self.size: int = self._tokenizer.get_vocab_size(with_added_tokens=True)

    def id_of(self, token: str) -> int | None:
        """The id of a token, or ``None`` if there is no such token."""
        found: int | None = self._tokenizer.token_to_id(token)
        return found

    def read(self, text: str, *, specials: bool = False) -> list[int]:
        """Ids of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=specials).ids
        return ids

    def edges(self, text: str) -> list[int]:
        """Places in a text before and after each token that is added to the vocabulary.

        There a tokenizer cuts a text in any case.
        """
        added = set(self._tokenizer.get_added_tokens_decoder())
        found = self._tokenizer.encode(text, add_special_tokens=False)
        spans = [s for i, s in zip(found.ids, found.offsets, strict=True) if i in added]
        return sorted({edge for span in spans for edge in span})

    def special(self, name: str) -> str | None:
        """The token that plays a part such as ``mask_token``, if there is one."""
        kind = ""
        for file in FILES:
            config = read_object(self.root, join(self.folder, file)) or {}
            value = config.get(name)
            token = value.get("content") if isinstance(value, dict) else value
            if isinstance(token, str):
                return token
            kind = kind or str(config.get("tokenizer_class", "")).removesuffix("Fast")
        return DEFAULTS.get(kind, {}).get(name)

    def special_id(self, name: str) -> int | None:
        """The id of that token, if there is one."""
        token = self.special(name)
        return None if token is None else self.id_of(token)
