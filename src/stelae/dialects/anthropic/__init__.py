"""The protocol of Anthropic's clients: messages, their tokens, and the models."""

from stelae.dialects.anthropic.errors import render_error
from stelae.dialects.anthropic.routes import OPERATIONS, speaks
from stelae.dialects.base import Dialect

DIALECT = Dialect(
    "anthropic",
    "Anthropic's Messages API",
    OPERATIONS,
    render_error,
    speaks,
    places=("/anthropic", "/v1/messages"),
)
