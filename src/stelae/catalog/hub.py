"""Fetching a checkpoint from the model hub, into the hub library's own cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from stelae.catalog.hub_errors import translated
from stelae.catalog.hub_progress import Progress, bar_class
from stelae.catalog.hub_room import check_room
from stelae.catalog.imaging_files import SMALL, pipeline_files
from stelae.catalog.imaging_layouts import INDEX
from stelae.catalog.open_clip import OPEN_CLIP, WEIGHTS, only_open_clip
from stelae.errors import MissingDependency, ModelNotFound, UnsupportedCheckpoint

CALIBRATION = "stelae-int8.safetensors"
"""What int8 needs to know of a model, which is no weights."""

FILES = (
    "config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_*_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "router_config.json",
    "artifact.metadata",
    "sparse_linear.pt",
    "colbert_linear.pt",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "speaker_embeddings_path.json",
    "speaker_embeddings/*.npy",
    "gliner_config.json",
    "glirel_config.json",
    "wordembedding_config.json",
    "whitespacetokenizer_config.json",
    "phrasetokenizer_config.json",
    "cnn_config.json",
    "lstm_config.json",
    OPEN_CLIP,
    CALIBRATION,
    *SMALL,
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
)
"""Files that decide a vector or an answer; nothing else is fetched."""

WANTED = [*FILES, *(f"*/{name}" for name in FILES)]
DECIDING = ["config.json", "*/config.json", OPEN_CLIP, INDEX]
"""Small files that tell which weights are fetched, and how their numbers are stored."""
UNWANTED = ["onnx/*", "openvino/*", "original/*", "gguf/*", "coreml/*", "safety_checker/*", ".*"]
"""Folders that hold the same model for other runtimes, or what no model here needs."""

TORCH_WEIGHTS = re.compile(r"(?P<folder>([^/]+/)?)pytorch_model(-\d+-of-\d+)?\.bin(\.index\.json)?")
"""Torch's own files of weights; fetched where a folder has no others."""

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
"""``organisation/name``."""

REVISION = re.compile(r"(?!.*\.\.)[\w][\w./+-]*", re.ASCII)
"""Branch, tag, commit, or ``refs/pr/N``; never a path that leads out of the cache."""


class HubOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the hub.

    Attributes:
        offline: Use only what is in the cache.
        token: Access token for gated and private models; ``None`` is the one that
            the hub library finds by itself.
        cache: Folder of the cache; ``None`` is the hub library's own.
        endpoint: Address of the hub; ``None`` is the public one.
    """

    offline: bool = False
    token: str | None = None
    cache: str | None = None
    endpoint: str | None = None

    def __repr__(self) -> str:
        """The options without the token, which belongs in no log."""
        token = "None" if self.token is None else "'***'"
        return (
            f"HubOptions(offline={self.offline}, token={token}, cache={self.cache!r}, "
            f"endpoint={self.endpoint!r})"
        )


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A fetched checkpoint: its folder and its commit."""

    folder: Path
    revision: str


def is_hub_id(text: str) -> bool:
    """Whether a text has the form ``organisation/name``."""
    return HUB_ID.fullmatch(text) is not None and ".." not in text


def fetch(
    repo: str, revision: str | None, options: HubOptions, progress: Progress | None = None
) -> Snapshot:
    """Fetch a checkpoint, or find it in the cache.

    Only what is missing is fetched, and what broke off is resumed. A branch or tag
    is asked for anew each time; a commit that is in the cache needs no network.
    Without a network the cached state of the branch is used.

    Args:
        repo: Hub id.
        revision: Branch, tag or commit; ``None`` is the main branch.
        options: How to reach the hub.
        progress: Told of the bytes that came in; called from several threads.

    Returns:
        The folder in the cache, and the commit it holds.

    Raises:
        ModelNotFound: No such model or revision, or it is not in the cache and
            the hub may not be asked.
        Unauthorized: The token is not valid.
        Forbidden: The model is gated and the token has not been let in.
        HubUnreachable: The hub does not answer, and the cache has not got it.
        UnsupportedCheckpoint: The model has no weights in a format that is read.
        MissingDependency: ``huggingface_hub`` is not installed.
    """
    if revision is not None and not REVISION.fullmatch(revision):
        raise ModelNotFound(f"revision={revision!r}: not a branch, tag or commit", param="revision")
    hub = _library()
    with translated(repo, revision, offline=options.offline or hub.is_offline_mode()):
        download = _download(hub, repo, revision, options, progress)
        folder = download(allow_patterns=WANTED)
        names = list(_tree(hub, repo, Path(folder).name, options))
        if others := further(Path(folder), names):
            folder = download(allow_patterns=[*WANTED, *others])
    snapshot = Snapshot(folder=Path(folder), revision=Path(folder).name)
    _check_formats(repo, snapshot, names)
    return snapshot


def fetch_files(
    repo: str,
    revision: str | None,
    options: HubOptions,
    names: Sequence[str],
    progress: Progress | None = None,
) -> Path:
    """Fetch a few files of a repository, as far as it has them.

    Args:
        repo: Hub id.
        revision: Branch, tag or commit; ``None`` is the main branch.
        options: How to reach the hub.
        names: The files, or patterns of them.
        progress: Told of the bytes that came in; called from several threads.

    Returns:
        The folder in the cache, named like the commit it holds.

    Raises:
        StelaeError: As for ``fetch``.
    """
    if revision is not None and not REVISION.fullmatch(revision):
        raise ModelNotFound(f"revision={revision!r}: not a branch, tag or commit", param="revision")
    hub = _library()
    with translated(repo, revision, offline=options.offline or hub.is_offline_mode()):
        download = _download(hub, repo, revision, options, progress)
        return Path(download(allow_patterns=list(names)))


def listed(
    repo: str, revision: str | None, options: HubOptions, patterns: Sequence[str] = ()
) -> tuple[Path, dict[str, int]]:
    """What would be fetched of a repository; only the small files that decide it are.

    Args:
        repo: Hub id.
        revision: Branch, tag or commit; ``None`` is the main branch.
        options: How to reach the hub.
        patterns: What would be fetched, as for ``fetch_files``; a whole checkpoint if empty.

    Returns:
        The folder in the cache, and bytes of the files by path; of those in the folder
        alone where the hub's list is not known.

    Raises:
        StelaeError: As for ``fetch``.
    """
    if revision is not None and not REVISION.fullmatch(revision):
        raise ModelNotFound(f"revision={revision!r}: not a branch, tag or commit", param="revision")
    hub = _library()
    with translated(repo, revision, offline=options.offline or hub.is_offline_mode()):
        folder = Path(_download(hub, repo, revision, options, None)(allow_patterns=DECIDING))
        sizes = _tree(hub, repo, folder.name, options) or here(folder)
    wanted = patterns or [*WANTED, *further(folder, list(sizes))]
    names = hub.utils.filter_repo_objects(
        sizes, allow_patterns=list(wanted), ignore_patterns=UNWANTED
    )
    return folder, {name: sizes[name] for name in names}


def here(folder: Path) -> dict[str, int]:
    """Bytes of the files of a folder and of those in it, by path."""
    sizes = {}
    for file in (*folder.glob("*"), *folder.glob("*/*")):
        with suppress(OSError):  # whoever opens it tells why not
            if file.is_file():
                sizes[file.relative_to(folder).as_posix()] = file.stat().st_size
    return sizes


def further(folder: Path, names: Sequence[str]) -> list[str]:
    """Files of weights that do not lie where those of most checkpoints do.

    Args:
        folder: The repository as far as it is here, with what ``DECIDING`` names.
        names: All its files.

    Raises:
        ModelLoadFailed: A file that decides it is broken.
    """
    clip = [WEIGHTS] if only_open_clip(folder) else []  # often beside those of transformers
    return [*clip, *_only_torch(names), *pipeline_files(folder, names)]


def _download(
    hub: Any, repo: str, revision: str | None, options: HubOptions, progress: Progress | None
) -> Callable[..., str]:
    """Fetches what is asked for of one state of a repository; gives its folder.

    Only what the repository holds is fetched at once, so that what finds no room is refused.
    """
    get = partial(
        hub.snapshot_download,
        repo,
        cache_dir=options.cache,
        token=options.token,
        local_files_only=options.offline,
        ignore_patterns=UNWANTED,
        endpoint=options.endpoint,
        library_name="stelae",
        tqdm_class=bar_class(repo, progress),
    )
    folder = Path(get(revision=revision, allow_patterns=[]))
    sizes = _tree(hub, repo, folder.name, options)

    def download(allow_patterns: Sequence[str]) -> str:
        names = hub.utils.filter_repo_objects(
            sizes, allow_patterns=list(allow_patterns), ignore_patterns=UNWANTED
        )
        check_room(repo, folder, {name: sizes[name] for name in names})
        found: str = get(revision=folder.name, allow_patterns=list(allow_patterns))
        return found

    return download


def _library() -> Any:
    try:
        return import_module("huggingface_hub")  # late: most models need no hub
    except ImportError as error:
        raise MissingDependency(
            "fetching from the hub needs the package 'huggingface_hub'",
            hint="pip install 'stelae[server]'",
        ) from error


def _tree(hub: Any, repo: str, revision: str, options: HubOptions) -> dict[str, int]:
    """Bytes of all files of a commit by path, as far as the cache knows them."""
    try:
        found = hub.get_cached_repo_tree(repo, revision=revision, cache_dir=options.cache)
    except hub.errors.CachedRepoTreeNotFoundError:
        return {}
    return {entry.path: entry.size for entry in found}


def _only_torch(names: Sequence[str]) -> list[str]:
    """Torch's files of weights in folders without safetensors."""
    others = [name for name in names if name.endswith(".safetensors")]
    safe = {name.rpartition("/")[0] for name in others if not name.endswith(CALIBRATION)}
    found = [(name, match) for name in names if (match := TORCH_WEIGHTS.fullmatch(name))]
    return [name for name, match in found if match["folder"].rstrip("/") not in safe]


def _check_formats(repo: str, snapshot: Snapshot, names: list[str]) -> None:
    """Say that there are other formats only, where that is why no weights came."""
    folder = snapshot.folder
    if any(folder.rglob("*.safetensors")) or any(folder.rglob("pytorch_model*.bin")):
        return
    others = sorted(name for name in names if name.endswith((".bin", ".pt", ".h5", ".msgpack")))
    if others:
        raise UnsupportedCheckpoint(
            f"{repo}@{snapshot.revision} has its weights in {others[0]} only; safetensors files "
            "and pytorch_model.bin are read",
            hint="ask for a revision that has safetensors (often refs/pr/N), or convert a copy",
        )
