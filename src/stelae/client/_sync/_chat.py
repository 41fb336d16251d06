# Generated from src/stelae/client/_async/_chat.py by tools/unasync.py: do not edit.
"""Chats, as a part of the client."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from functools import partial
from typing import Unpack

from stelae.client import _chat
from stelae.client._sync._backend import Backend
from stelae.client._sync._sender import Sender
from stelae.client._chat import ChatOptions, Reply
from stelae.client._messages import MessageLike
from stelae.client._streams import CHAT
from stelae.types import ChatCall, Delta


class Chats:
    """What a client can ask of models that write."""

    _sender: Sender
    _backend: Backend
    _model: str

    def chat(
        self,
        messages: str | Iterable[MessageLike],
        *,
        model: str | None = None,
        timeout: float | None = None,
        **options: Unpack[ChatOptions],
    ) -> Reply:
        """Go on with a conversation, and wait for the whole of it.

        Args:
            messages: The conversation: ``Message`` values, or dicts with ``role`` and
                ``content``, which is a text, a picture, or a list of both; a plain text is one
                message of the user.
            model: Name of the model; the client's own if not given.
            timeout: Seconds to wait; the client's own if not given.
            options: How tokens are chosen, and how many, tools, the form of the answer; see
                ``ChatOptions``, ``Sampling`` and ``ChatCall``.

        Returns:
            What the model says.

        Raises:
            InvalidInput: The conversation or an option is not valid.
            InputTooLong: The model does not read so much.
            StelaeError: It failed.
        """
        call = _chat.chat_call(messages, model or self._model, options)
        pieces: list[Delta] = []
        with closing(self._told(call, timeout)) as made:
            for piece in made:
                pieces.append(piece)  # noqa: PERF401 - the synchronous side is made of this
        return Reply.of(pieces, call.n)

    def stream_chat(
        self,
        messages: str | Iterable[MessageLike],
        *,
        model: str | None = None,
        timeout: float | None = None,
        **options: Unpack[ChatOptions],
    ) -> Generator[Delta]:
        """Go on with a conversation, piece by piece; see ``chat``.

        Returns:
            The pieces as they are made; only the last has ``usage``. Close it, or leave it, and
            the model stops. A request is sent again while no piece has come, never later.
        """
        call = _chat.chat_call(messages, model or self._model, options)
        return self._told(call, timeout)

    def _told(self, call: ChatCall, timeout: float | None) -> Generator[Delta]:
        return self._sender.told(partial(self._backend.stream, CHAT, call), timeout)
