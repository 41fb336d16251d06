"""How SentencePiece replaces characters before it cuts a text: a trie in a blob.

Source: the double array of Aoe 1989 (doi:10.1109/32.31365) in the layout of
Darts-clone, behind its size in bytes, before the replacements.
"""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

LEAF, END = 1 << 8, 1 << 31
SPACES = "\t\n\r\u00a0\u2003\u3000"
FORMS = "ﬁﬂ…™№½①②③ªºℓ"
"""Characters that have a compatible form of plain letters."""


def replacements() -> dict[str, str]:
    """A small part of what real checkpoints replace: wide letters, ligatures, spaces."""
    wide = map(chr, range(0xFF01, 0xFF5F))
    forms = {one: unicodedata.normalize("NFKC", one) for one in (*wide, *FORMS)}
    return forms | dict.fromkeys(SPACES, " ") | {"\u200b": " ", "\x07": ""}


def charsmap(table: Mapping[str, str]) -> str:
    """The blob in base64, as ``tokenizer.json`` holds it."""
    texts, trie = b"", _Node()
    for key, value in sorted(table.items()):
        node = trie
        for byte in key.encode():
            node = node.children.setdefault(byte, _Node())
        node.value = len(texts)
        texts += value.encode() + b"\0"
    units = b"".join(unit.to_bytes(4, "little") for unit in _units(trie))
    return base64.b64encode(len(units).to_bytes(4, "little") + units + texts).decode()


@dataclass(slots=True)
class _Node:
    """A byte of a key; ``value`` is where its replacement starts."""

    children: dict[int, _Node] = field(default_factory=dict)
    value: int | None = None

    def labels(self) -> list[int]:
        """Places that it needs behind it; 0 is that of the value."""
        return [*([] if self.value is None else [0]), *sorted(self.children)]


def _units(root: _Node) -> list[int]:
    """The double array: each node in the first block of 256 where its children fit."""
    units: dict[int, int] = {0: 0}
    waiting = [(0, root)]
    for place, node in waiting:
        labels = node.labels()
        base = next(b for b in range(1, 1 << 20) if not any(b ^ n in units for n in labels))
        leaf = 0 if node.value is None else LEAF
        units[place] |= (place ^ base) << 10 | leaf
        if node.value is not None:
            units[base] = END | node.value
        for label, child in sorted(node.children.items()):
            units[base ^ label] = label
            waiting.append((base ^ label, child))
    size = -(-(max(units) + 1) // 256) * 256
    return [units.get(place, 0) for place in range(size)]
