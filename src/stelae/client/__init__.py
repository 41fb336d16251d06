"""The Python client: the same verbs with and without ``await``.

    Client, AsyncClient        what you call
    Encoding, Encodings        what you get from encode
    Score, Scores              what you get from score
    Extracted, Extractions     what you get from extract
    Reply, tool_result         what you get from chat, and what a tool says to it
    Picture, Pictures          what you get from image
    Transcript                 what you get from transcribe
    Speech                     what you get from speak
    Collection, Indexed        what keeps things with their vectors, and what it took
    RetryPolicy                how it behaves when the server is busy or away
    Backend, AsyncBackend      what answers it, if that is not a server

Importing this package loads neither an HTTP library nor anything of the server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stelae.client._chat import ChatOptions, Reply
from stelae.client._collections import Indexed
from stelae.client._hearing import TranscribeOptions, Transcript
from stelae.client._imaging import ImageOptions, Picture, Pictures
from stelae.client._items import ItemLike
from stelae.client._launches import LaunchOptions
from stelae.client._messages import tool_result
from stelae.client._options import EncodeOptions, ExtractOptions, ScoreOptions
from stelae.client._retry import RetryPolicy
from stelae.client._speaking import Speech, SpeechOptions
from stelae.client._sync import Backend, Client, Collection
from stelae.client._values import ServerInfo
from stelae.client.encodings import Encoding, Encodings
from stelae.client.extractions import Extracted, Extractions
from stelae.client.scores import Score, Scores

if TYPE_CHECKING:
    from stelae.client._async import AsyncBackend, AsyncClient, AsyncCollection

__all__ = [
    "AsyncBackend",
    "AsyncClient",
    "AsyncCollection",
    "Backend",
    "ChatOptions",
    "Client",
    "Collection",
    "EncodeOptions",
    "Encoding",
    "Encodings",
    "ExtractOptions",
    "Extracted",
    "Extractions",
    "ImageOptions",
    "Indexed",
    "ItemLike",
    "LaunchOptions",
    "Picture",
    "Pictures",
    "Reply",
    "RetryPolicy",
    "Score",
    "ScoreOptions",
    "Scores",
    "ServerInfo",
    "Speech",
    "SpeechOptions",
    "TranscribeOptions",
    "Transcript",
    "tool_result",
]


def __getattr__(name: str) -> Any:
    # asyncio is loaded for those who use it.
    if name not in ("AsyncBackend", "AsyncClient", "AsyncCollection"):
        raise AttributeError(f"module 'stelae.client' has no attribute {name!r}")
    value = getattr(import_module("stelae.client._async"), name)
    globals()[name] = value
    return value
