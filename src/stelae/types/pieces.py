"""What a model writes, piece by piece."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Finish(StrEnum):
    """Why a text ends: by itself or at a stop string, by its length, or to wait for tools."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


class TopToken(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A token that might have been next, and how likely it was.

    Attributes:
        token: Its text; bytes that are no text alone are shown as U+FFFD.
        id: Its number.
        logprob: Natural logarithm of its probability, before penalties and temperature.
    """

    token: str
    id: int
    logprob: float


class TokenLogprob(TopToken, frozen=True, kw_only=True, omit_defaults=True):
    """A chosen token.

    Attributes:
        top: The likeliest tokens in its place, likeliest first.
    """

    top: list[TopToken] = []


class ChatUsage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens of an answer.

    Attributes:
        prompt_tokens: Tokens of the conversation, as the template writes it.
        completion_tokens: Tokens written, over all texts, the one that ends a text included.
        cached_tokens: Tokens of the conversation whose keys and values were still there.
        reasoning_tokens: Tokens written that are thought, not said.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Both."""
        return self.prompt_tokens + self.completion_tokens


class ToolPiece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of a call of a tool; what joins the pieces of one ``index`` is that call.

    Attributes:
        index: Which of the text's calls it belongs to, from 0.
        id: The call's name in the conversation, with its first piece.
        name: The tool, with the first piece.
        arguments: More of the arguments, as JSON text.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Delta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of an answer; what joins the texts of one ``index`` is that text.

    The last piece of an answer, and only that, has ``usage``: without it the answer is not whole.
    The first piece may have ``read``, for protocols that tell the tokens of the conversation first.

    Attributes:
        index: Which of the ``n`` texts it belongs to.
        text: More of the text; whole characters only.
        reasoning: More of what is thought before the text.
        tool: More of a call of a tool.
        tokens: Ids of the tokens that became known with it.
        logprobs: Of these tokens, if asked for.
        finish: Why the text ends, with its last piece.
        stopped_by: The stop string that ended it, if one did.
        read: Tokens of the conversation, and how many of them were still there.
        usage: Tokens of the whole answer.
    """

    index: int = 0
    text: str = ""
    reasoning: str = ""
    tool: ToolPiece | None = None
    tokens: list[int] = []
    logprobs: list[TokenLogprob] = []
    finish: Finish | None = None
    stopped_by: str | None = None
    read: ChatUsage | None = None
    usage: ChatUsage | None = None
