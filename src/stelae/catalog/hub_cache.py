"""What lies in the cache of the hub library, and taking parts of it away.

Only what is listed is ever touched: a name that a caller gives is compared, not followed, and
links that lead out of a repository are themselves removed, never what they lead to.

Source: huggingface_hub, "Understand caching": ``models--ORG--NAME`` with ``blobs``, ``refs`` and
``snapshots``, whose files link to blobs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from stelae.catalog.hub import HubOptions, is_hub_id
from stelae.errors import StelaeError

PREFIX = "models--"


@dataclass(frozen=True, slots=True)
class Cached:
    """A file of a repository.

    Attributes:
        name: Its path in the repository.
        path: Where it lies in a snapshot.
        blob: What it links to inside the repository; itself if it is no link, ``None`` if
            the link leads out or nowhere.
        bytes: Its size.
    """

    name: str
    path: Path
    blob: Path | None
    bytes: int


@dataclass(frozen=True, slots=True)
class CachedRepo:
    """A repository in the cache.

    Attributes:
        id: Hub id.
        folder: Where it lies.
        newest: The snapshot that is used, if there is one.
        files: Files of all snapshots.
        complete: Whether no download broke off.
    """

    id: str
    folder: Path
    newest: Path | None
    files: tuple[Cached, ...]
    complete: bool


def cache_folder(options: HubOptions) -> Path | None:
    """Where fetched models lie; ``None`` without the library that fetches them."""
    if options.cache is not None:
        return Path(options.cache).expanduser()
    try:
        constants = import_module("huggingface_hub.constants")
    except ImportError:
        return None
    return Path(constants.HF_HUB_CACHE)


def cached_repos(root: Path) -> list[CachedRepo]:
    """The repositories in a cache, by their ids.

    Raises:
        StelaeError: The cache cannot be read.
    """
    with _spoken(root, "read"):
        if not root.is_dir():
            return []
        found = [_repo(folder) for folder in sorted(root.iterdir()) if _is_repo(folder)]
    return sorted(found, key=lambda repo: repo.id.casefold())


def is_cached(root: Path, repo: str) -> bool:
    """Whether anything of a repository is in a cache."""
    return is_hub_id(repo) and (root / f"{PREFIX}{repo.replace('/', '--')}").is_dir()


def remove(repo: CachedRepo, paths: Collection[str]) -> None:
    """Take files out of the cache, and the repository with its last file.

    Args:
        repo: As ``cached_repos`` listed it.
        paths: Files of it, as they are listed; others are let be.

    Raises:
        StelaeError: Something cannot be removed.
    """
    going = [file for file in repo.files if str(file.path) in paths]
    staying = [file for file in repo.files if str(file.path) not in paths]
    with _spoken(repo.folder, "remove"):
        if not _is_repo(repo.folder):
            return
        if not staying:
            shutil.rmtree(repo.folder)
            return
        for file in going:
            file.path.unlink(missing_ok=True)
        used = {file.blob for file in staying}
        for blob in {file.blob for file in going} - used:
            if blob is not None:
                blob.unlink(missing_ok=True)


def _is_repo(folder: Path) -> bool:
    """Whether a folder of the cache is a repository of a model, and no link to another place."""
    if not folder.name.startswith(PREFIX) or folder.is_symlink():
        return False
    return is_hub_id(_id(folder)) and folder.is_dir()


def _id(folder: Path) -> str:
    return folder.name.removeprefix(PREFIX).replace("--", "/", 1)


def _repo(folder: Path) -> CachedRepo:
    return CachedRepo(
        id=_id(folder),
        folder=folder,
        newest=_newest(folder),
        files=tuple(_files(folder)),
        complete=not any(folder.glob("blobs/*.incomplete")),
    )


def _newest(folder: Path) -> Path | None:
    """The snapshot of the main branch, or else the one that came last."""
    snapshots = [path for path in folder.glob("snapshots/*") if _is_plain(path)]
    with suppress(OSError, UnicodeDecodeError):
        main = (folder / "refs" / "main").read_text("utf-8").strip()
        snapshots = [path for path in snapshots if path.name == main] or snapshots
    return max(snapshots, key=lambda path: path.stat().st_mtime, default=None)


def _files(folder: Path) -> Iterator[Cached]:
    home = folder.resolve()
    for snapshot in sorted(folder.glob("snapshots/*")):
        if not _is_plain(snapshot):
            continue
        for place, below, names in os.walk(snapshot):  # which follows no links
            links = [name for name in below if (Path(place) / name).is_symlink()]
            for name in sorted([*names, *links]):
                yield _file(Path(place) / name, snapshot, home)


def _is_plain(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink()


def _file(path: Path, snapshot: Path, home: Path) -> Cached:
    name = path.relative_to(snapshot).as_posix()
    with suppress(OSError, RuntimeError):
        target = path.resolve(strict=True)
        if target.is_relative_to(home) and target.is_file():
            return Cached(name, path, target, target.stat().st_size)
    return Cached(name, path, None, 0)


@contextmanager
def _spoken(place: Path, verb: str) -> Iterator[None]:
    """Errors of the disk as ours.

    Raises:
        StelaeError: There was one.
    """
    try:
        yield
    except OSError as error:
        raise StelaeError(
            f"cannot {verb} {place}: {error.strerror or error}",
            hint="the cache of the hub must belong to who runs the server",
        ) from error
