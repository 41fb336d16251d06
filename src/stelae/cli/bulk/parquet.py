"""A Parquet file that can be continued: parts first, joined at the end.

The index of a Parquet file is its last part, so a killed run would leave nothing
to go on with. Rows are therefore committed as small Arrow files in ``OUT.parts``,
and written into one Parquet file, row group by row group, when all are there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from stelae.cli.bulk.rows import Row, Shape
from stelae.cli.bulk.sink import Mark, claim
from stelae.cli.needs import need
from stelae.errors import Conflict

GROUP = 8192
"""Rows of a row group, and at most of a part."""

MOST_BYTES = 128 * 2**20
"""Bytes of embeddings from which a part, and a row group, is closed with fewer rows."""


class ParquetSink:
    """A table with the columns of ``stelae.cli.bulk.columns``.

    Raises:
        Conflict: Another run writes it, or parts of the earlier run are gone.
        MissingDependency: pyarrow is not installed.
    """

    commit_seconds = 2.0

    def __init__(
        self, path: Path, shape: Shape, *, with_ids: bool, mark: Mark | None = None
    ) -> None:
        need("Parquet", "pyarrow", extra="parquet")
        self._path = path
        self._shape = shape
        self._with_ids = with_ids
        self._folder = path.with_name(f"{path.name}.parts")
        self._folder.mkdir(exist_ok=True)
        # Windows opens no folders, and has no locks of this kind either.
        self._lock = os.open(self._folder, os.O_RDONLY) if os.name != "nt" else None
        self._waiting: list[Row] = []
        self._bytes = 0
        self._finished = False
        self._parts = mark.parts if mark else 0
        try:
            if self._lock is not None:
                claim(self._lock, path)
            self._keep()
        except Conflict:
            self.close()
            raise

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:08d}.arrow"

    def _keep(self) -> None:
        kept = {self._part(number) for number in range(self._parts)}
        for file in set(self._folder.iterdir()) - kept:
            file.unlink()
        lost = [file.name for file in sorted(kept) if not file.exists()]
        if lost:
            raise Conflict(
                f"output '{self._path}': parts of the earlier run are gone: {', '.join(lost[:3])}",
                hint="start anew with --no-resume",
            )

    def write(self, rows: Sequence[Row]) -> None:
        """Take rows; a full part is written at once."""
        for row in rows:
            self._waiting.append(row)
            self._bytes += row.nbytes
            if len(self._waiting) >= GROUP or self._bytes >= MOST_BYTES:
                self._write_part()

    def _write_part(self) -> None:
        from stelae.cli.bulk import arrow

        file = self._part(self._parts)
        arrow.write_part(file, self._waiting, self._shape, with_ids=self._with_ids)
        with file.open("rb") as written:
            os.fsync(written.fileno())
        self._parts += 1
        self._waiting, self._bytes = [], 0

    def commit(self) -> Mark:
        """Write what waits as a part."""
        if self._waiting:
            self._write_part()
        return Mark(parts=self._parts)

    def finish(self) -> None:
        """Join the parts into the Parquet file; they are kept until ``close``."""
        from stelae.cli.bulk import arrow

        joined = self._folder / "joined.parquet"
        parts = [self._part(number) for number in range(self._parts)]
        arrow.join_parts(
            parts, joined, self._shape, with_ids=self._with_ids, group=GROUP, most=MOST_BYTES
        )
        joined.replace(self._path)
        self._finished = True

    def close(self) -> None:
        """Let go of the folder, and remove it if it is needed no more."""
        if self._finished:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
