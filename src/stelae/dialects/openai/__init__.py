"""The protocol of OpenAI's clients: embeddings and models."""

from stelae.dialects.base import Dialect
from stelae.dialects.openai.convert import render_error
from stelae.dialects.openai.routes import OPERATIONS

DIALECT = Dialect("openai", "OpenAI's embeddings and models API", OPERATIONS, render_error)
