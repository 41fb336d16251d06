"""Where a model's checkpoint lies on this machine; from the hub it is fetched first."""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.embedded import PACKAGE, embedded_folder
from stelae.catalog.encoders import fetch_encoders
from stelae.catalog.entry import EMBEDDED, ModelEntry, is_local
from stelae.catalog.hub import HubOptions, fetch, fetch_files, is_hub_id
from stelae.catalog.hub_progress import Progress
from stelae.catalog.spec import Source


def placed(
    entry: ModelEntry, hub: HubOptions, progress: Progress | None = None
) -> tuple[Path, Source]:
    """The folder or GGUF file of a model, and where it came from.

    Args:
        entry: The model.
        hub: How to reach the hub.
        progress: Told of the bytes that come in from it.

    Raises:
        StelaeError: It cannot be had; see ``fetch``.
    """
    if entry.source == EMBEDDED:
        return embedded_folder(), Source(kind="embedded", location=PACKAGE)
    folder = Path(entry.source).expanduser()
    if is_local(entry.source) or not is_hub_id(entry.source):
        return folder.absolute(), Source(kind="folder", location=entry.source)
    if entry.files:
        folder = fetch_files(entry.source, entry.revision, hub, entry.files, progress)
        return folder, Source(kind="hub", location=entry.source, revision=folder.name)
    snapshot = fetch(entry.source, entry.revision, hub, progress)
    source = Source(
        kind="hub",
        location=entry.source,
        revision=snapshot.revision,
        beside=fetch_encoders(entry.source, snapshot.folder, hub),
    )
    return snapshot.folder, source
