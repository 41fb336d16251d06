"""Words with vectors or weights of their own, and layers on the vectors of tokens.

Only sentence-transformers itself has these modules; what is read here is what a model as a
whole depends on: which files decide its numbers, and how wide they are.

Source: sentence-transformers 6.0.1, ``sentence_transformer/modules``: ``word_embeddings.py``,
``bow.py``, ``word_weights.py``, ``cnn.py``, ``lstm.py``.
"""

from __future__ import annotations

from stelae.catalog.files import Json, inside
from stelae.catalog.module_weights import check_tensors, single_file
from stelae.catalog.operations import Foreign
from stelae.catalog.options import need, positive, refuse_unknown, take
from stelae.catalog.place import Place
from stelae.catalog.reading import Reading
from stelae.catalog.spec import Backbone
from stelae.catalog.static import LONGEST
from stelae.catalog.steps import Stage, Start, Step
from stelae.catalog.weights import read_header
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

TOKENIZERS = {
    "WhitespaceTokenizer": "whitespacetokenizer_config.json",
    "PhraseTokenizer": "phrasetokenizer_config.json",
}
"""Files of the tokenizers that cut texts into words, by their class."""

TABLE = "emb_layer.weight"


def read_word_embeddings(place: Place) -> Start:
    """A vector for each word.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken.
    """
    name = "wordembedding_config.json"
    config, file = place.config("tokenizer", name), place.label(name)
    refuse_unknown(config, {"tokenizer_class", "update_embeddings", "max_seq_length"}, file)
    weights = single_file(place)
    head = read_header(inside(place.root, place.path(weights))).get(TABLE)
    shape = (0, 0) if head is None or len(head.shape) != 2 else head.shape
    check_tensors(place, weights, {TABLE: shape})
    kind = need(config, "tokenizer_class", str, file).rpartition(".")[2]
    if kind not in TOKENIZERS:
        raise UnsupportedCheckpoint(
            f"{file} names the tokenizer {kind!r}, which is not implemented; known are "
            f"{', '.join(TOKENIZERS)}"
        )
    return _start(place, (weights,), TOKENIZERS[kind], Stage.TOKENS, shape[1])


def read_bag(place: Place) -> Start:
    """A vector with a place for each word, which counts how often it occurs.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    config, file = place.config("words"), place.label("config.json")
    known = {"vocab", "word_weights", "unknown_word_weight", "cumulative_term_frequency"}
    refuse_unknown(config, known, file)
    words = need(config, "vocab", list, file)
    if not words or not all(isinstance(word, str) for word in words):
        raise ModelLoadFailed(f"{file} sets a vocab that is no list of words")
    return _start(place, ("config.json",), "config.json", Stage.VECTOR, len(dict.fromkeys(words)))


def _start(
    place: Place, weights: tuple[str, ...], tokenizer: str, gives: Stage, width: int
) -> Start:
    trunk = Backbone(
        folder=place.folder, architecture=place.kind, config={}, weights=weights, bare=True
    )
    reading = Reading(tokenizer=place.path(tokenizer), folder=place.folder, limit=LONGEST)
    return Start(kind=place.kind, trunk=trunk, gives=gives, width=width, reading=reading)


def read_word_weights(place: Place) -> Step:
    """A factor for each token's vector.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    config, file = place.config("weights"), place.label("config.json")
    refuse_unknown(config, {"vocab", "word_weights", "unknown_word_weight"}, file)
    return _step(place, "config.json", 0, 0)


def read_convolution(place: Place) -> Step:
    """Convolutions over the vectors of neighbouring tokens.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken.
    """
    name = "cnn_config.json"
    config, file = place.config("widths", name), place.label(name)
    widths = ("in_embedding_dimension", "in_word_embedding_dimension")
    refuse_unknown(config, {*widths, "out_channels", "kernel_sizes"}, file)
    sizes = take(config, "kernel_sizes", list, file, [1, 3, 5]) or []
    if not sizes or not all(isinstance(size, int) and size % 2 == 1 for size in sizes):
        raise UnsupportedCheckpoint(
            f"{file} sets kernel_sizes={sizes!r}; odd ones are implemented, which leave as many "
            "tokens as there were"
        )
    channels = positive(config, "out_channels", file) or 256
    return _step(place, name, _width(config, widths, file), channels * len(sizes), weighed=True)


def read_recurrence(place: Place) -> Step:
    """A network that reads the vectors of tokens one after the other.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: A file is missing or broken.
    """
    name = "lstm_config.json"
    config, file = place.config("widths", name), place.label(name)
    widths = ("embedding_dimension", "word_embedding_dimension")
    known = {*widths, "hidden_dim", "num_layers", "dropout", "bidirectional"}
    refuse_unknown(config, known, file)
    need(config, "hidden_dim", int, file)
    both = take(config, "bidirectional", bool, file, True) is not False
    hidden = (positive(config, "hidden_dim", file) or 0) * (2 if both else 1)
    return _step(place, name, _width(config, widths, file), hidden, weighed=True)


def _width(config: Json, names: tuple[str, str], file: str) -> int:
    new, old = names
    return positive(config, new, file) or positive(config, old, file) or 0


def _step(place: Place, file: str, inputs: int, outputs: int, *, weighed: bool = False) -> Step:
    weights = (single_file(place),) if weighed else ()
    module = Foreign(
        kind=place.kind,
        folder=place.folder,
        files=(file, *weights),
        inputs=inputs,
        outputs=outputs,
    )
    return Step(place.kind, module, Stage.TOKENS, Stage.TOKENS)
