"""Embeddings as people serve them in an afternoon: FastAPI around SentenceTransformer.encode.

    python fastapi_server.py FOLDER PORT

runs in a peer's environment. A request is one call of ``encode`` in a thread of Starlette's pool,
as FastAPI runs what blocks; nothing is batched across requests, vectors go out as lists in JSON.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
from starlette.concurrency import run_in_threadpool

app = FastAPI()
model = SentenceTransformer(sys.argv[1], device="cpu")


class Wish(BaseModel):
    """What the ``openai`` client sends."""

    input: str | list[str]
    model: str = ""


@app.get("/health")
def health() -> dict[str, str]:
    """The model is loaded before the first connection."""
    return {"status": "ok"}


@app.post("/v1/embeddings")
async def embeddings(wish: Wish) -> dict[str, object]:
    """Vectors of all texts of a request."""
    texts = [wish.input] if isinstance(wish.input, str) else wish.input
    vectors = await run_in_threadpool(model.encode, texts)
    rows = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(vectors)]
    return {"object": "list", "model": wish.model, "data": rows}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
