"""Grammars in EBNF, as llama.cpp and XGrammar read them, in the notation of Lark.

Source: llama.cpp, ``grammars/README.md`` (GBNF).
"""

from __future__ import annotations

import re

DEFINED = "::="
"""Between a rule's name and what it stands for."""

_LARK = re.compile(r"^\s*start\s*:(?!:=)", re.MULTILINE)
"""The rule that every grammar in the notation of Lark has; a text in it may hold ``::=``."""

_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*")|(?P<letters>\[(?:\\.|[^\]\\])*\])|(?P<note>\#[^\n]*)"""
    r"""|(?P<defined>::=)|(?P<name>[A-Za-z_][\w-]*)|(?P<any>\.)|(?P<rest>.)""",
    re.DOTALL,
)


def is_ebnf(grammar: str) -> bool:
    """Whether a grammar is in EBNF."""
    return DEFINED in grammar and _LARK.search(grammar) is None


def lark_of(grammar: str) -> str:
    """A grammar in EBNF in the notation of Lark; what is none stays wrong."""
    return _TOKEN.sub(_rewritten, grammar)


def _rewritten(token: re.Match[str]) -> str:
    said = token[0]
    match token.lastgroup:
        case "letters":
            return "/" + said.replace("/", r"\/") + "/"
        case "note":
            return ""
        case "defined":
            return ":"
        case "any":
            return r"/[^\n]/"
        case "name":
            return "start" if said == "root" else "r_" + said.replace("-", "_").lower()
    return said
