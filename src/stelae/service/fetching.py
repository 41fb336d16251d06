"""How far a checkpoint is on its way to this machine."""

from __future__ import annotations

from stelae.errors import Cancelled
from stelae.types import FileProgress


class Fetching:
    """Told of the bytes that come in, and ends the fetching once nobody wants them.

    Told from several threads; see ``catalog.hub_progress.Progress``.
    """

    def __init__(self) -> None:
        self._files: dict[str, FileProgress] = {}
        self._over = False

    def __call__(self, repo: str, done: int, total: int) -> None:
        """Note the bytes that are there of a repository.

        Raises:
            Cancelled: Nobody wants them any more.
        """
        if self._over:
            raise Cancelled(f"nobody wants {repo} any more; what came in stays in the cache")
        before = self._files.get(repo)
        if before is not None:  # it comes in several goes, and told out of order
            done, total = max(done, before.done), max(total, before.total)
        self._files[repo] = FileProgress(name=repo, done=done, total=max(done, total))

    @property
    def files(self) -> tuple[FileProgress, ...]:
        """What was told of each repository."""
        return tuple(self._files.values())

    @property
    def part(self) -> float:
        """Bytes there of those in all, as far as known, 0 to 1."""
        files = self.files
        total = sum(file.total for file in files)
        return sum(file.done for file in files) / total if total else 0.0

    def cancel(self) -> None:
        """Whoever fetches is to stop at the next bytes."""
        self._over = True
