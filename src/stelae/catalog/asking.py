"""Language models that are asked whether a document fits, and how the prompt is cut up.

Source: sentence-transformers 6.0.1, ``cross_encoder/modules/logit_score.py`` and
``base/modules/transformer.py`` (``_restore_chat_template_suffix``).
"""

from __future__ import annotations

from pathlib import Path

from stelae.catalog.abilities import YesNo
from stelae.catalog.backbone import read_backbone
from stelae.catalog.chat_template import PLACES, Template, read_template
from stelae.catalog.entry import Ask
from stelae.catalog.found import Found
from stelae.catalog.options import refuse_unknown, require, take
from stelae.catalog.place import Place
from stelae.catalog.reading import Reading, read_reading
from stelae.catalog.vocabulary import Vocabulary
from stelae.errors import ModelLoadFailed, UnsupportedCheckpoint

KEYS = {"true_token_id", "false_token_id", "module_input_name"}

SPECIALS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)

PROBES = ("a", "Is it so?", "x\ny", " é", "1")
"""Texts by which two ways of reading are compared."""


def read_answers(place: Place) -> tuple[int, int | None]:
    """The tokens of the two answers.

    Raises:
        UnsupportedCheckpoint: An option is not implemented.
        ModelLoadFailed: The file is missing or broken.
    """
    config, file = place.config("answers"), place.label("config.json")
    refuse_unknown(config, KEYS, file)
    require(config, {"module_input_name": ("causal_logits",)}, file)
    yes = take(config, "true_token_id", int, file)
    no = take(config, "false_token_id", int, file)
    if yes is None or yes < 0 or (no is not None and no < 0):
        raise ModelLoadFailed(f"{file} sets true_token_id={yes!r}, false_token_id={no!r}")
    return yes, no


def read_prompt(
    root: Path, reading: Reading, answers: tuple[int, int | None], default: str | None
) -> YesNo:
    """How a checkpoint with a chat template is asked.

    Args:
        root: The checkpoint.
        reading: How its texts are read.
        answers: Tokens of the two answers.
        default: The instruction if the caller gives none; ``None`` if the template has
            one of its own.

    Raises:
        UnsupportedCheckpoint: The template is not implemented.
        ModelLoadFailed: There is none.
    """
    vocabulary = Vocabulary(root, reading.tokenizer, reading.folder)
    specials = {part: token for part in SPECIALS if (token := vocabulary.special(part))}
    name = f"the chat template of {reading.folder or 'the model'} in {root}"
    template = Template(read_template(root, reading.folder), specials, name)
    whole = template.placed("instruction", "query", "document")
    if default is None:
        default = _own(whole, template.placed("query", "document"), name)
    return asked(vocabulary, whole, answers, default, name)


def read_asked(root: Path, ask: Ask) -> Found:
    """A causal language model without ``modules.json``, asked as its authors say.

    Raises:
        UnsupportedCheckpoint: It is no such model, or its tokenizer has not the answers.
        ModelLoadFailed: A file is missing or broken.
    """
    backbone = read_backbone(root, "")
    if not backbone.architecture.endswith("ForCausalLM"):
        raise UnsupportedCheckpoint(
            f"config.json in {root} names the class {backbone.architecture!r}; only a causal "
            "language model can be asked whether a document fits"
        )
    reading, _ = read_reading(root, backbone)
    vocabulary = Vocabulary(root, reading.tokenizer)
    yes, no = (vocabulary.id_of(answer) for answer in (ask.yes, ask.no))
    if yes is None or no is None:
        raise UnsupportedCheckpoint(
            f"{reading.tokenizer} in {root} has no tokens {ask.yes!r} and {ask.no!r}, which are "
            "the answers"
        )
    prompt = YesNo(
        yes=yes,
        no=no,
        prefix=ask.prefix,
        pair=ask.pair,
        suffix=ask.suffix,
        instruction=ask.instruction,
    )
    return Found(
        trunk=backbone,
        reading=reading,
        scoring=prompt,
        limit=reading.limit,
        notes=("asked as its authors say; the checkpoint itself does not",),
    )


def _own(whole: str, without: str, name: str) -> str:
    """What the template itself says in the place of an instruction."""
    before, place, after = whole.partition(PLACES["instruction"])
    if not place and whole == without:
        return ""
    if not without.startswith(before) or not without.endswith(after):
        raise UnsupportedCheckpoint(
            f"{name} asks differently where no instruction is given, which is not implemented"
        )
    return without[len(before) : len(without) - len(after)]


def asked(
    vocabulary: Vocabulary, whole: str, answers: tuple[int, int | None], default: str, name: str
) -> YesNo:
    """Cut a prompt into its fixed ends and the middle, where the tokenizer cuts it too.

    Args:
        vocabulary: The tokens.
        whole: The prompt, with a sign for each text.
        answers: Tokens of the two answers.
        default: The instruction if the caller gives none.
        name: Whose prompt it is, for messages.

    Raises:
        UnsupportedCheckpoint: Cut up, it would be read as other tokens.
    """
    signs = sorted(whole.index(sign) for sign in PLACES.values() if sign in whole)
    start, end = signs[0], signs[-1] + 1
    cuts = vocabulary.edges(whole[:start]), vocabulary.edges(whole[end:])
    first = max(cuts[0], default=0)
    last = end + min(cuts[1], default=0)
    prefix, middle, suffix = whole[:first], whole[first:last], whole[last:]
    for probe in PROBES:
        parts = [prefix, _filled(middle, probe), suffix]
        if vocabulary.read("".join(parts)) != [i for part in parts for i in vocabulary.read(part)]:
            raise UnsupportedCheckpoint(
                f"{name} cannot be cut up: its parts are other tokens than the whole"
            )
    yes, no = answers
    for place, sign in PLACES.items():
        middle = middle.replace(sign, "{" + place + "}")
    return YesNo(yes=yes, no=no, prefix=prefix, pair=middle, suffix=suffix, instruction=default)


def _filled(middle: str, text: str) -> str:
    for sign in PLACES.values():
        middle = middle.replace(sign, text)
    return middle
