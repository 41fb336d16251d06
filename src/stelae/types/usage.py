"""What a request used, and where its time went."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request used.

    Attributes:
        tokens: Tokens that the model read, special tokens included; those of remembered items
            count as if they were read again.
        remembered: Items answered from what was made before; see the setting ``cache.bytes``.
    """

    tokens: int = 0
    remembered: int = 0


class Timing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Milliseconds per stage of the walk; stages of one call may overlap.

    Attributes:
        prepare_ms: Tokenising.
        queue_ms: First entry ready until its batch started.
        run_ms: On the device, summed over the batches the call was part of.
        finish_ms: Putting rows together and casting.
        total_ms: From submission to result, in the worker.
    """

    prepare_ms: float = 0.0
    queue_ms: float = 0.0
    run_ms: float = 0.0
    finish_ms: float = 0.0
    total_ms: float = 0.0
