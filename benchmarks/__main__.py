"""Run a comparison: ``python -m benchmarks NAME [options]``; see ``benchmarks/README.md``."""

from __future__ import annotations

import sys
from importlib import import_module

NAMES = {
    "parity": "vectors against sentence-transformers, 1,000 real texts",
    "inprocess": "tokens/s against SentenceTransformer.encode, same weights and threads",
    "runtimes": "tokens/s against ONNX Runtime and OpenVINO in process, same threads",
    "rerank": "pairs/s of a query and 100 documents, against CrossEncoder and infinity",
    "http": "texts/s and latency over HTTP against infinity",
    "offered": "latency against offered load, in an open loop",
    "growth": "texts/s and memory as requests in flight and texts in a request grow",
    "sie": "texts/s from SIE's own client, against sie-server",
    "xinference": "embeddings, rankings, cold start and sizes against Xinference",
    "clip": "documents/s from the original CLIP client, against clip-server; --null: Jina",
    "chat": "tokens/s of chats over HTTP, against libraries in process and their servers",
    "pictures": "pictures/s in batches and one by one, against diffusers in process",
    "transcripts": "recordings/s in flight, against a loop around ctranslate2 in process",
    "clip_stream": "memory while a million documents stream through a null model",
    "startup": "time until ready and memory, against infinity",
    "openmp": "what waiting OpenMP threads do to latency beside a busy process",
    "roofline": "fraction of the matrix-multiply rate in process, and where the rest goes",
    "gpu": "texts and pictures on a GPU, tests and all, and the matrix rate reached",
    "floor": "processor time per request of servers that do nothing, beside this one",
    "linear": "matrix multiplies: plain and prepacked, fp32 and bf16",
    "int8": "int8 against bf16, whole encoders in turn",
    "architectures": "cost per token of each architecture at equal arithmetic",
    "memory": "how far one huge request makes the processes grow",
    "flood": "how long short texts wait while long ones saturate the server",
    "stalls": "how long others wait beside one huge answer",
    "adapters": "what adapters cost in a batch",
    "maxsim": "late interaction against plain NumPy",
    "jpeg_draft": "pixels of JPEG files decoded at a smaller scale",
    "all": "those whose figures are kept, into docs/benchmarks",
    "pages": "write docs/benchmarks anew from the figures that are there",
    "quality": "nDCG@10 of a real retrieval set against sentence-transformers",
}


def main() -> int:
    """Dispatch to the module of that name; without a name, list them."""
    if len(sys.argv) < 2 or sys.argv[1] not in NAMES:
        print("usage: python -m benchmarks NAME [options]\n")
        for name, about in NAMES.items():
            print(f"  {name:<10} {about}")
        return 0 if len(sys.argv) < 2 else 2
    module = import_module(f"benchmarks.{sys.argv[1]}")
    module.main(sys.argv[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
