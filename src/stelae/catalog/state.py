"""Where a user's own things are kept."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Where things are kept unless somebody says: the user's folder for states."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "stelae"
