"""Compare vectors where they are, without a server.

    from stelae.client.scoring import maxsim

``cosine`` and ``dot`` compare dense vectors, ``sparse_dot`` and ``sparse_scores`` sparse
ones, ``maxsim`` and ``maxsim_batch`` token vectors, ``hamming_similarity`` packed bits.
``dequantize`` reads numbers back from small formats. Importing loads NumPy only when
something is compared.
"""

from stelae.vectors.maxsim import maxsim, maxsim_batch
from stelae.vectors.quantize import dequantize
from stelae.vectors.similarity import cosine, dot, hamming_similarity, sparse_dot, sparse_scores

__all__ = [
    "cosine",
    "dequantize",
    "dot",
    "hamming_similarity",
    "maxsim",
    "maxsim_batch",
    "sparse_dot",
    "sparse_scores",
]
