# Generated from src/stelae/sie/_async/files.py by tools/unasync.py: do not edit.
"""Files, and batches of the requests in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from stelae.sie import _rest, _uploads
from stelae.sie._sync.rest import Rest
from stelae.sie._rest import path_of
from stelae.sie._uploads import Upload
from stelae.sie.errors import renamed
from stelae.sie.works import Batch, BatchList, File, FileDeleted, FileList

Order = Literal["asc", "desc"]


class Files:
    """The files that a server keeps for batches.

    Args:
        rest: Asks it.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def upload(
        self, file: Upload, *, purpose: str = "batch", filename: str | None = None
    ) -> File:
        """Keep a file.

        Args:
            file: Its path, its bytes, or the file opened with ``rb``.
            purpose: What it is for.
            filename: Its name; that of the path if not given.
        """
        with renamed():
            data, name = _uploads.content_of(file, filename)
        asked = {"purpose": purpose, "filename": name}
        made = self._rest.raw("POST", "/v1/files", data, asked, _uploads.JSONL)
        with renamed():
            return cast("File", _rest.read("/v1/files", made))

    def create(self, *, file: Upload, purpose: str = "batch") -> File:
        """Keep a file; ``upload`` under the name that OpenAI's client has for it."""
        return self.upload(file, purpose=purpose)

    def retrieve(self, file_id: str) -> File:
        """One file, without what it holds."""
        return cast("File", self._rest.ask("GET", self._path(file_id)))

    def content(self, file_id: str) -> bytes:
        """What a file holds."""
        return self._rest.raw("GET", self._path(file_id, "content"))

    def delete(self, file_id: str) -> FileDeleted:
        """Forget a file."""
        return cast("FileDeleted", self._rest.ask("DELETE", self._path(file_id)))

    def list_page(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Order | None = None,
        purpose: str | None = None,
    ) -> FileList:
        """A page of files.

        Args:
            after: The file that it comes after.
            limit: Files at most.
            order: ``desc`` for the newest first.
            purpose: Only those for this.
        """
        asked = {"after": after, "limit": limit, "order": order, "purpose": purpose}
        return cast("FileList", self._rest.ask("GET", "/v1/files", query=asked))

    def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Order | None = None,
        purpose: str | None = None,
    ) -> Sequence[File]:
        """The files of a page; see ``list_page``."""
        page = self.list_page(after=after, limit=limit, order=order, purpose=purpose)
        return page["data"]

    def _path(self, file_id: str, verb: str = "") -> str:
        with renamed():
            return path_of("files", file_id, verb)


class Batches:
    """The batches of a server: requests in a file, answered in the background into another.

    Args:
        rest: Asks it.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def create(
        self,
        *,
        input_file_id: str,
        endpoint: str = "/v1/embeddings",
        completion_window: str = "24h",
        metadata: dict[str, Any] | None = None,
    ) -> Batch:
        """Let the requests in a file be answered.

        Args:
            input_file_id: The file, of ``files.upload``.
            endpoint: What all of its lines ask for.
            completion_window: Time that there is for it.
            metadata: Told back.
        """
        asked: dict[str, Any] = {"input_file_id": input_file_id, "endpoint": endpoint}
        asked["completion_window"] = completion_window
        if metadata is not None:
            asked["metadata"] = metadata
        return cast("Batch", self._rest.ask("POST", "/v1/batches", asked))

    def retrieve(self, batch_id: str) -> Batch:
        """One batch and how far it is."""
        return cast("Batch", self._rest.ask("GET", self._path(batch_id)))

    def cancel(self, batch_id: str) -> Batch:
        """Stop a batch; the answers that are there stay."""
        return cast("Batch", self._rest.ask("POST", self._path(batch_id, "cancel")))

    def list_page(self, *, after: str | None = None, limit: int | None = None) -> BatchList:
        """A page of batches, the newest first.

        Args:
            after: The batch that it comes after.
            limit: Batches at most.
        """
        asked = {"after": after, "limit": limit}
        return cast("BatchList", self._rest.ask("GET", "/v1/batches", query=asked))

    def list(self, *, after: str | None = None, limit: int | None = None) -> Sequence[Batch]:
        """The batches of a page; see ``list_page``."""
        return (self.list_page(after=after, limit=limit))["data"]

    def _path(self, batch_id: str, verb: str = "") -> str:
        with renamed():
            return path_of("batches", batch_id, verb)
