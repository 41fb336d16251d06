"""A folder of a checkpoint, as the readers of its modules are given it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stelae.catalog.files import Json, join, read_object
from stelae.errors import ModelLoadFailed


@dataclass(frozen=True, slots=True)
class Place:
    """Where a module's files lie.

    Attributes:
        root: The checkpoint.
        folder: The module's folder, relative to it; empty for its root.
        kind: The module's class.
        late: Whether the model is for late interaction, where dense layers read token
            vectors unless their file says otherwise.
    """

    root: Path
    folder: str
    kind: str = ""
    late: bool = False

    def path(self, name: str) -> str:
        """A file of the module, relative to the checkpoint."""
        return join(self.folder, name)

    def label(self, name: str) -> str:
        """A file of the module, for messages."""
        return f"{self.path(name)} in {self.root}"

    def config(self, what: str, name: str = "config.json") -> Json:
        """The module's options.

        Args:
            what: What is not known without the file, for the message.
            name: Of the file.

        Raises:
            ModelLoadFailed: The file is missing or broken.
        """
        config = read_object(self.root, self.path(name))
        if config is None:
            raise ModelLoadFailed(f"no {self.label(name)}, so its {what} is not known")
        return config
