"""Files, and batches of the requests in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, cast

from stelae.sie import _rest, _uploads
from stelae.sie._async.rest import AsyncRest
from stelae.sie._rest import path_of
from stelae.sie._uploads import Upload
from stelae.sie.errors import renamed
from stelae.sie.works import Batch, BatchList, File, FileDeleted, FileList

Order = Literal["asc", "desc"]


class AsyncFiles:
    """The files that a server keeps for batches.

    Args:
        rest: Asks it.
    """

    def __init__(self, rest: AsyncRest) -> None:
        self._rest = rest

    async def upload(
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
        made = await self._rest.raw("POST", "/v1/files", data, asked, _uploads.JSONL)
        with renamed():
            return cast("File", _rest.read("/v1/files", made))

    async def create(self, *, file: Upload, purpose: str = "batch") -> File:
        """Keep a file; ``upload`` under the name that OpenAI's client has for it."""
        return await self.upload(file, purpose=purpose)

    async def retrieve(self, file_id: str) -> File:
        """One file, without what it holds."""
        return cast("File", await self._rest.ask("GET", self._path(file_id)))

    async def content(self, file_id: str) -> bytes:
        """What a file holds."""
        return await self._rest.raw("GET", self._path(file_id, "content"))

    async def delete(self, file_id: str) -> FileDeleted:
        """Forget a file."""
        return cast("FileDeleted", await self._rest.ask("DELETE", self._path(file_id)))

    async def list_page(
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
        return cast("FileList", await self._rest.ask("GET", "/v1/files", query=asked))

    async def list(
        self,
        *,
        after: str | None = None,
        limit: int | None = None,
        order: Order | None = None,
        purpose: str | None = None,
    ) -> Sequence[File]:
        """The files of a page; see ``list_page``."""
        page = await self.list_page(after=after, limit=limit, order=order, purpose=purpose)
        return page["data"]

    def _path(self, file_id: str, verb: str = "") -> str:
        with renamed():
            return path_of("files", file_id, verb)


class AsyncBatches:
    """The batches of a server: requests in a file, answered in the background into another.

    Args:
        rest: Asks it.
    """

    def __init__(self, rest: AsyncRest) -> None:
        self._rest = rest

    async def create(
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
        return cast("Batch", await self._rest.ask("POST", "/v1/batches", asked))

    async def retrieve(self, batch_id: str) -> Batch:
        """One batch and how far it is."""
        return cast("Batch", await self._rest.ask("GET", self._path(batch_id)))

    async def cancel(self, batch_id: str) -> Batch:
        """Stop a batch; the answers that are there stay."""
        return cast("Batch", await self._rest.ask("POST", self._path(batch_id, "cancel")))

    async def list_page(self, *, after: str | None = None, limit: int | None = None) -> BatchList:
        """A page of batches, the newest first.

        Args:
            after: The batch that it comes after.
            limit: Batches at most.
        """
        asked = {"after": after, "limit": limit}
        return cast("BatchList", await self._rest.ask("GET", "/v1/batches", query=asked))

    async def list(self, *, after: str | None = None, limit: int | None = None) -> Sequence[Batch]:
        """The batches of a page; see ``list_page``."""
        return (await self.list_page(after=after, limit=limit))["data"]

    def _path(self, batch_id: str, verb: str = "") -> str:
        with renamed():
            return path_of("batches", batch_id, verb)
