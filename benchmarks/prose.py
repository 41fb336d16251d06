"""What pages about figures say whatever the figures are."""

from __future__ import annotations

HEAD = "<!-- Written by benchmarks/pages.py from the .json files here: do not edit. -->\n"

TITLES = {
    "http": "Over HTTP",
    "offered": "Latency against offered load",
    "growth": "As work grows",
    "flood": "Beside a flood",
    "sie": "From SIE's own client",
    "xinference-embeddings": "Embeddings beside Xinference",
    "xinference-ranking": "Rankings beside Xinference",
}
"""Headings of comparisons; others are called by their names."""

NOWHERE = "Nowhere, in what was measured.\n"

METHOD = """
* One machine, one run: every server is started, then they take turns, round after round, on the
  same weights (all-MiniLM-L6-v2), texts and cores. Figures are medians over the rounds; ratios are
  taken round by round. The load comes from the same machine, which makes all rates lower.
* *texts/s* and latency count after a warm-up. In a closed loop (so many requests in flight) a
  connection asks again when it has its answer. In an open loop (so many requests offered per
  second, at random moments) latency counts from when a request was due, sent or not.
  A turn is up to six times as long where much is in flight, for the slowest server to answer too.
* *texts/CPU s* is what was answered over the CPU time of all processes of a server. *peak MB* adds
  up the peaks of their resident memory, so what they share is counted more than once.
* Up to 64 answers of embeddings of a turn are kept and compared with sentence-transformers in fp32
  when the timing is over. A vector with a cosine below 0.99 makes its request a failed one, as do
  errors, broken connections and answers that never came; beside a flood, those of its texts too.
  Scores are compared by `rerank`, in a table of its own, not in the rankings beside Xinference.
* *mixed* texts have 8 to 510 tokens (log-normal, median 64), *short* 8 to 16, *passage* about 128.
"""

REPEAT = """
```sh
make bench ARGS="all --out docs/benchmarks"                 # everything; tells how long it takes
make bench ARGS="all --out docs/benchmarks --no-peers"      # this project alone
make bench ARGS="http --cells mixed-16 --rounds 5 --out docs/benchmarks"
make bench ARGS="pages --out docs/benchmarks"               # pages and pictures, from the figures
```

Pictures need `pip install 'matplotlib>=3.10,<4'`. Peers run in environments of their own, and a
comparison whose peer is missing prints how to make it. Leave the machine alone meanwhile: the load
before the start is among the figures. [benchmarks/README.md](../../benchmarks/README.md) lists more
comparisons.
"""
