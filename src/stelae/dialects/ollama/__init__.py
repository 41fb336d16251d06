"""The protocol of Ollama's clients: chats, prompts, vectors and models."""

from stelae.dialects.base import Dialect
from stelae.dialects.ollama.embed import EMBED_OPERATIONS
from stelae.dialects.ollama.errors import render_error, speaks
from stelae.dialects.ollama.models import MODEL_OPERATIONS
from stelae.dialects.ollama.pulling import PULL_OPERATIONS
from stelae.dialects.ollama.writing_routes import WRITING_OPERATIONS

DIALECT = Dialect(
    "ollama",
    "Ollama's API",
    (*WRITING_OPERATIONS, *EMBED_OPERATIONS, *MODEL_OPERATIONS, *PULL_OPERATIONS),
    render_error,
    speaks=speaks,
    places=("/api",),
)
