"""NumPy under its usual name, loaded when something of it is first used.

It takes longer to import than all else a client needs. Annotations may name it
freely: they are only evaluated by whoever decodes a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        def __getattr__(self, name: str) -> Any:
            import numpy

            value = getattr(numpy, name)
            setattr(self, name, value)  # found directly from now on
            return value

    np = _Numpy()

__all__ = ["np"]
