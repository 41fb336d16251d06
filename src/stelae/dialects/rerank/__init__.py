"""Reranking and embedding as Cohere's, Jina's, Voyage's and TEI's clients ask for them."""

from stelae.dialects.base import Dialect
from stelae.dialects.rerank.cohere import COHERE_OPERATIONS
from stelae.dialects.rerank.errors import BARE, render_error
from stelae.dialects.rerank.routes import RERANK_OPERATIONS
from stelae.dialects.rerank.tei_routes import TEI_OPERATIONS
from stelae.dialects.rerank.voyage import VOYAGE_OPERATIONS

DIALECT = Dialect(
    "rerank",
    "Reranking and vectors as Cohere's, Jina's, Voyage's and TEI's clients ask for them",
    (*RERANK_OPERATIONS, *COHERE_OPERATIONS, *VOYAGE_OPERATIONS, *TEI_OPERATIONS),
    render_error,
    places=BARE,
)
