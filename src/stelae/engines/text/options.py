"""What a call may ask of a model, and what it means: checks, prompts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from stelae.catalog.spec import ModelSpec
from stelae.errors import InvalidInput, UnsupportedTask
from stelae.types import EncodeCall, Item, Modality, Muvera, OutputType, Role
from stelae.vectors import muvera

PROMPT_NAMES = {
    Role.QUERY: ("query",),
    Role.DOCUMENT: ("document", "passage", "corpus"),
}
"""Names under which checkpoints keep the prompt of a role; the first found counts."""

FORMS = {
    "text": Modality.TEXT,
    "token_ids": Modality.TEXT,
    "image": Modality.IMAGE,
    "pixels": Modality.IMAGE,
    "audio": Modality.AUDIO,
}
"""Forms of an item, and what a model must read to take them."""

GIVEN = (*FORMS, "multivector")
"""All forms of an item."""

LONGEST_NAME = 128
"""Characters of a wrong name that are looked at and shown."""


def check_call(spec: ModelSpec, call: EncodeCall) -> None:
    """Refuse a call that this model cannot run, whatever its items are.

    Raises:
        InvalidInput: An option is wrong; ``param`` names it.
        UnsupportedTask: The model does not make a representation asked for.
    """
    _check_outputs(spec, call)
    _check_prompt(spec, call)
    check_instruction(spec, call.instruction)
    if call.dimensions is not None:
        _check_dimensions(spec, call, call.dimensions)
    if call.max_tokens is not None and call.max_tokens < 1:
        raise InvalidInput(
            f"max_tokens={call.max_tokens}: 1 or more was expected", param="max_tokens"
        )


def _check_outputs(spec: ModelSpec, call: EncodeCall) -> None:
    if not call.kinds:
        raise InvalidInput(
            f"outputs=[]: nothing was asked for; choose from {_listed(spec.outputs)}",
            param="outputs",
        )
    for kind in wanted_of_device(call):
        check_kind(spec, kind, "outputs")
    _check_numbers(call)
    if call.muvera is not None:
        _check_muvera(spec, call, call.muvera)
    if call.pool_factor is not None:
        _check_pooling(call, call.pool_factor)


def _check_numbers(call: EncodeCall) -> None:
    """Refuse what would change none of the representations asked for."""
    if call.normalize is not None and OutputType.DENSE not in call.kinds:
        raise InvalidInput(
            f"normalize={call.normalize}: it is about the length of dense vectors, and outputs "
            f"are {_listed(call.kinds)}; add 'dense' to outputs or leave normalize out",
            param="normalize",
        )
    if not call.format.floating and set(call.kinds) == {OutputType.SPARSE}:
        raise InvalidInput(
            f"dtype={call.format.value!r}: weights of terms are float32 or float16; choose one "
            "of these, or add 'dense' or 'multivector' to outputs",
            param="dtype",
        )


def wanted_of_device(call: EncodeCall) -> tuple[OutputType, ...]:
    """Representations that the model must make; dense MUVERA vectors need token vectors."""
    if call.muvera is None:
        return call.kinds
    kinds = (OutputType.MULTIVECTOR if k is OutputType.DENSE else k for k in call.kinds)
    return tuple(dict.fromkeys(kinds))


def _check_muvera(spec: ModelSpec, call: EncodeCall, parameters: Muvera) -> None:
    if OutputType.DENSE not in call.kinds:
        raise InvalidInput(
            "muvera makes the dense vector of token vectors: add 'dense' to outputs",
            param="muvera",
        )
    for name, value in (("dimensions", call.dimensions), ("normalize", call.normalize)):
        if value is not None:
            raise InvalidInput(
                f"{name} and muvera were both given; the width is muvera.dimensions, and its "
                "vectors keep their length",
                param=name,
            )
    muvera.check(parameters, spec.token_dimensions)


def _check_pooling(call: EncodeCall, factor: int) -> None:
    if OutputType.MULTIVECTOR not in wanted_of_device(call):
        raise InvalidInput(
            "pool_factor joins token vectors: add 'multivector' to outputs", param="pool_factor"
        )
    if factor < 1:
        raise InvalidInput(f"pool_factor={factor}: it must be 1 or more", param="pool_factor")


def check_kind(spec: ModelSpec, kind: OutputType, param: str) -> None:
    """Refuse a kind of representation that the model does not make.

    Raises:
        UnsupportedTask: It does not.
    """
    if kind not in spec.outputs:
        made = _listed(spec.outputs) or "scores"
        raise UnsupportedTask(
            f"model {spec.name!r} makes {made} only, {kind.value} was asked for", param=param
        )


def _check_prompt(spec: ModelSpec, call: EncodeCall) -> None:
    if call.prompt is not None and call.prompt_name is not None:
        raise InvalidInput(
            f"prompt and prompt_name={call.prompt_name!r} were both given; give one of them",
            param="prompt",
        )
    given = call.prompt is not None or call.prompt_name is not None
    if given and call.instruction is not None:
        raise InvalidInput(
            "instruction and a prompt were both given; give one of them", param="instruction"
        )
    if call.prompt is not None and (reason := unreadable(call.prompt)) is not None:
        raise InvalidInput(f"prompt {reason}", param="prompt")
    if call.prompt_name is not None and call.prompt_name not in spec.prompts:
        raise _unknown_prompt(spec, call.prompt_name)


def check_instruction(spec: ModelSpec, instruction: str | None) -> None:
    """Refuse an instruction that the model cannot take or nobody can read.

    Raises:
        InvalidInput: Why.
    """
    if instruction is None:
        return
    if spec.instruction is None:
        raise InvalidInput(
            f"instruction: model {spec.name!r} is not known to be trained with instructions; "
            "leave it out, or give the whole text before each item as prompt",
            param="instruction",
            hint="if it was trained so, the prompt that holds its instructions is the setting "
            f"models.{spec.name}.instruction",
        )
    if (reason := unreadable(instruction)) is not None:
        raise InvalidInput(f"instruction {reason}", param="instruction")


def _unknown_prompt(spec: ModelSpec, name: str) -> InvalidInput:
    if not spec.prompts:
        known = "it has no prompts; leave prompt_name out, or give the text itself as prompt"
    else:
        known = f"it has {_listed(sorted(spec.prompts))}"
    short = name[:LONGEST_NAME]
    near = get_close_matches(short, list(spec.prompts), n=1)
    return InvalidInput(
        f"prompt_name={short!r}: model {spec.name!r} has no such prompt; {known}",
        param="prompt_name",
        hint=f"did you mean {near[0]!r}?" if near else None,
    )


def _check_dimensions(spec: ModelSpec, call: EncodeCall, wanted: int) -> None:
    width = spec.dimensions
    if not width:
        raise InvalidInput(
            f"dimensions={wanted}: model {spec.name!r} makes no dense vectors, and only "
            "these are cut; leave dimensions out",
            param="dimensions",
        )
    if OutputType.DENSE not in call.kinds:
        raise InvalidInput(
            f"dimensions={wanted}: only dense vectors are cut, and outputs are "
            f"{_listed(call.kinds)}; add 'dense' to outputs or leave dimensions out",
            param="dimensions",
        )
    if not 1 <= wanted <= width:
        choice = f"1..{width}" if spec.matryoshka else f"{width} or leave it out"
        raise InvalidInput(
            f"dimensions={wanted}: model {spec.name!r} makes {width}-wide vectors; choose {choice}",
            param="dimensions",
            hint=_trained_widths(spec),
        )
    if wanted != width and not spec.matryoshka:
        raise InvalidInput(
            f"dimensions={wanted}: model {spec.name!r} is not known to be trained to have its "
            f"{width}-wide vectors cut (Matryoshka); leave dimensions out",
            param="dimensions",
            hint=f"if it was trained so, its widths are the setting models.{spec.name}.matryoshka",
        )


def _trained_widths(spec: ModelSpec) -> str | None:
    if not spec.matryoshka:
        return None
    return f"it was trained for {_listed(spec.matryoshka)}"


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def choose_prompt(spec: ModelSpec, call: EncodeCall) -> str:
    """The text to put before each item; empty for none.

    A prompt given in full or by name counts first, then an instruction, then the
    role, then the model's default. A role for which the model has no prompt means
    none.
    """
    if call.prompt is not None:
        return call.prompt
    if call.prompt_name is not None:
        return spec.prompts[call.prompt_name]
    if call.role is not None or call.instruction is not None:
        return role_prompt(spec, call.role or Role.QUERY, call.instruction)
    return spec.prompts[spec.default_prompt] if spec.default_prompt is not None else ""


def role_prompt(spec: ModelSpec, role: Role, instruction: str | None) -> str:
    """The prompt of one side of a search; instructions are for queries."""
    if instruction is not None and spec.instruction is not None and role is Role.QUERY:
        return spec.instruction.replace("{instruction}", instruction)
    return next((spec.prompts[n] for n in PROMPT_NAMES[role] if n in spec.prompts), "")


def item_error(
    item: Item, vocabulary: int, inputs: Collection[Modality] = (Modality.TEXT,)
) -> InvalidInput | None:
    """Why an item cannot be run, or ``None`` if it can; files are not yet opened.

    Args:
        item: The item.
        vocabulary: Number of token ids that the model has.
        inputs: What the model reads.
    """
    given = [form for form in GIVEN if getattr(item, form) is not None]
    if len(given) != 1 or FORMS.get(given[0]) not in inputs:
        forms = [form for form, kind in FORMS.items() if kind in inputs]
        return InvalidInput(
            f"for this model an item needs either {' or '.join(forms)}; "
            f"it has {' and '.join(given) or 'nothing'}",
            param="items",
        )
    if FORMS[given[0]] is not Modality.TEXT:
        return None
    if item.text is not None:
        reason = unreadable(item.text)
        return InvalidInput(f"text {reason}", param="items") if reason else None
    wrong = next((i for i in item.token_ids or () if not 0 <= i < vocabulary), None)
    if wrong is not None:
        return InvalidInput(
            f"token_ids has {wrong}; ids of this model are 0..{vocabulary - 1}", param="items"
        )
    return None


def unreadable(text: str) -> str | None:
    """Why a text is not one, or ``None`` if it is: lone surrogates have no UTF-8."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        return (
            f"has the lone surrogate U+{code:04X} at position {error.start}, which is no character"
        )
    return None
