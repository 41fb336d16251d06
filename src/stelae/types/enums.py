"""The closed sets of words that calls, results and models are described with."""

from __future__ import annotations

from enum import StrEnum


class Task(StrEnum):
    """What a model can be asked to do."""

    ENCODE = "encode"
    SCORE = "score"
    EXTRACT = "extract"
    CHAT = "chat"
    IMAGE = "image"
    TRANSCRIBE = "transcribe"
    SPEAK = "speak"


class Modality(StrEnum):
    """What a model can read."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


class OutputType(StrEnum):
    """Kinds of representation that ``encode`` can return."""

    DENSE = "dense"
    SPARSE = "sparse"
    MULTIVECTOR = "multivector"


class Role(StrEnum):
    """Which side of a search a text stands on; selects the model's prompt."""

    QUERY = "query"
    DOCUMENT = "document"


class Truncate(StrEnum):
    """What to do with a text longer than the model reads.

    ``END`` drops tokens at the end, ``START`` drops them at the beginning, and
    ``ERROR`` refuses the item. Whatever was cut is marked in the result.
    """

    ERROR = "error"
    END = "end"
    START = "start"


class EmbeddingDtype(StrEnum):
    """Number format of returned vectors; ``binary`` and ``ubinary`` hold 8 numbers in a byte."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    UINT8 = "uint8"
    BINARY = "binary"
    UBINARY = "ubinary"

    @property
    def floating(self) -> bool:
        """Whether it holds floating-point numbers, as weights of terms always are."""
        return self in (EmbeddingDtype.FLOAT32, EmbeddingDtype.FLOAT16)


class ComputeDtype(StrEnum):
    """Number format that a model computes in; not every engine has the last two."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"


class Similarity(StrEnum):
    """How two vectors of a model are meant to be compared."""

    COSINE = "cosine"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"


class ModelState(StrEnum):
    """Where a model stands between known and served."""

    AVAILABLE = "available"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"
