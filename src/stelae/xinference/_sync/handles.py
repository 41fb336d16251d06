# Generated from src/stelae/xinference/_async/handles.py by tools/unasync.py: do not edit.
"""What is done with models that read and write, as Xinference's handles have it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, cast

from stelae.xinference import _work
from stelae.xinference._asks import Ask
from stelae.xinference._sync.rest import Rest
from stelae.xinference.types import (
    ChatCompletion,
    ChatCompletionChunk,
    Completion,
    CompletionChunk,
    Embedding,
    Ranking,
)

Config = dict[str, Any]
"""How a text is made, as ``{"max_tokens": 1024, "stream": True}``."""


class ModelHandle:
    """A model that is up; made by ``get_model`` of a client.

    Args:
        model_uid: The name it is served under.
        base_url: Address of the server.
        auth_headers: Headers of all requests.
        rest: Connections to share, of the client that made this.
    """

    def __init__(
        self,
        model_uid: str,
        base_url: str,
        auth_headers: dict[str, str] | None = None,
        *,
        rest: Rest | None = None,
    ) -> None:
        self._model_uid = model_uid
        self._shared = rest is not None
        self._rest = rest or Rest(base_url, {} if auth_headers is None else auth_headers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._model_uid!r}, {self._rest.address!r})"

    @property
    def model_uid(self) -> str:
        """The name it is served under."""
        return self._model_uid

    def close(self) -> None:
        """Close the connections, unless they are those of a client; the model stays up."""
        if not self._shared:
            self._rest.close()


class EmbeddingModelHandle(ModelHandle):
    """A model that makes vectors."""

    def create_embedding(self, input: Any, **kwargs: Any) -> Embedding:
        """Turn inputs into vectors.

        Args:
            input: A text, a list of them, token ids, or dicts with ``text`` or ``image``.
            kwargs: What else the server should know, as ``dimensions`` or ``return_sparse``.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        ask = _work.embeddings(self._model_uid, input, kwargs)
        return cast("Embedding", self._rest.value(ask))

    def convert_ids_to_tokens(
        self, input: Sequence[int] | Sequence[Sequence[int]], **kwargs: Any
    ) -> list[Any]:
        """The tokens that ids stand for, in lists as the ids are."""
        ask = _work.tokens(self._model_uid, input, kwargs)
        return cast("list[Any]", self._rest.value(ask))


class RerankModelHandle(ModelHandle):
    """A model that ranks documents."""

    def rerank(
        self,
        documents: list[str | dict[str, Any]] | list[str],
        query: str | dict[str, Any],
        top_n: int | None = None,
        max_chunks_per_doc: int | None = None,
        return_documents: bool | None = None,
        return_len: bool | None = None,
        **kwargs: Any,
    ) -> Ranking:
        """Say how well documents fit a query.

        Args:
            documents: What is ranked.
            query: What is looked for.
            top_n: Most documents in the answer; all if not given.
            max_chunks_per_doc: Most parts of a long document.
            return_documents: Whether the answer has the documents, as dicts; as plain texts if
                not given.
            return_len: Whether the answer has the tokens read.
            kwargs: What else the server should know.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        fields = {
            "documents": documents,
            "query": query,
            "top_n": top_n,
            "max_chunks_per_doc": max_chunks_per_doc,
            "return_documents": return_documents,
            "return_len": return_len,
        }
        return cast(
            "Ranking", self._rest.value(_work.ranking(self._model_uid, fields, kwargs))
        )


class GenerateModelHandle(ModelHandle):
    """A model that goes on with texts."""

    def generate(
        self, prompt: str, generate_config: Config | None = None
    ) -> Completion | Generator[CompletionChunk]:
        """Go on with a text.

        Args:
            prompt: How it begins.
            generate_config: How it is made; with ``stream`` it comes piece by piece.

        Returns:
            The answer, or its pieces; leave those, and the model stops.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        ask = _work.completion(self._model_uid, prompt, generate_config)
        return cast("Completion | Generator[CompletionChunk]", self._made(ask))

    def _made(self, ask: Ask) -> Any:
        if _work.in_pieces(ask):
            return self._rest.events(ask)
        return self._rest.value(ask)


class ChatModelHandle(GenerateModelHandle):
    """A model that talks."""

    def chat(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None = None,
        enable_thinking: bool | None = None,
        generate_config: Config | None = None,
    ) -> ChatCompletion | Generator[ChatCompletionChunk]:
        """Go on with a conversation.

        Args:
            messages: The conversation, as ``[{"role": "user", "content": "..."}]``.
            tools: What the model may call, in OpenAI's shape.
            enable_thinking: Whether it reasons first; as the model was launched if not given.
            generate_config: How it is made; with ``stream`` it comes piece by piece.

        Returns:
            The answer, or its pieces; leave those, and the model stops.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        ask = _work.chat(self._model_uid, messages, tools, enable_thinking, generate_config)
        return cast("ChatCompletion | Generator[ChatCompletionChunk]", self._made(ask))


class FlexibleModelHandle(ModelHandle):
    """A model of no other kind: one that finds what texts hold, or compares pictures and texts."""

    def infer(self, *args: Any, **kwargs: Any) -> Any:
        """Let it do what it does.

        Args:
            args: What it does that with.
            kwargs: How.

        Raises:
            XinferenceError: The server refuses it, or cannot be reached.
        """
        return self._rest.value(_work.inference(self._model_uid, args, kwargs))
