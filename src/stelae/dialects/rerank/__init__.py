"""Reranking and embedding as Cohere's, Jina's, Voyage's and TEI's clients ask for them."""

from stelae.dialects.answers import house_error
from stelae.dialects.base import Dialect

DIALECT = Dialect("rerank", "Reranking, in every spelling", (), house_error)
