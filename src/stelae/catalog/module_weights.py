"""The weights of the small modules: in one file, and exactly those that are needed."""

from __future__ import annotations

from collections.abc import Mapping

from stelae.catalog.files import inside
from stelae.catalog.place import Place
from stelae.catalog.weights import FLOATS, TensorHead, read_header, weight_files
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint


def single_file(place: Place) -> str:
    """The one weight file of a module.

    Raises:
        UnsupportedCheckpoint: There are several, or none in a format that is read.
        ModelLoadFailed: There is none.
    """
    files = weight_files(place.root, place.folder)
    if len(files) != 1:
        raise UnsupportedCheckpoint(
            f"the {place.kind} {place.folder} in {place.root} has its weights in {len(files)} "
            "files; one is implemented"
        )
    return files[0]


def check_tensors(
    place: Place,
    file: str,
    shapes: Mapping[str, tuple[int, ...]],
    unused: frozenset[str] = frozenset(),
) -> None:
    """Refuse weights that are not those a module needs.

    Args:
        place: The module.
        file: Its weight file.
        shapes: Shapes of its tensors by name.
        unused: Tensors that may be there and that nothing depends on.

    Raises:
        ModelLoadFailed: A tensor is missing, or is not what was expected.
        UnsupportedCheckpoint: There is a tensor that nothing reads.
    """
    heads = read_header(inside(place.root, place.path(file)))
    label = place.label(file)
    for name, shape in shapes.items():
        _check_tensor(heads, name, shape, label)
    if surplus := sorted(set(heads) - set(shapes) - unused):
        raise UnsupportedCheckpoint(
            f"{label} holds {', '.join(surplus)}, which is not implemented; "
            f"expected are {', '.join(shapes)}"
        )


def _check_tensor(
    heads: dict[str, TensorHead], name: str, shape: tuple[int, ...], file: str
) -> None:
    head = heads.get(name)
    if head is None:
        raise ModelLoadFailed(f"{file} lacks the tensor {name!r}")
    if head.shape != shape or head.dtype not in FLOATS:
        raise ModelLoadFailed(
            f"{file} holds {name!r} as {head.dtype} of shape {list(head.shape)}; "
            f"floats of shape {list(shape)} were expected"
        )
