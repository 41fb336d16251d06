"""Messages of Xinference's clients: what they ask with, and what they read."""

from __future__ import annotations

from typing import Any

import msgspec

from stelae.dialects.listing import ListedModel

Unset = msgspec.UnsetType
UNSET = msgspec.UNSET


class XinferenceModel(ListedModel, frozen=True, kw_only=True):
    """A model as ``GET /v1/models`` shows it: keys of all types, and those of its own type.

    Attributes:
        model_uid: The name to ask for, once more.
        model_type: ``LLM``, ``embedding``, ``rerank``, ``image``, ``audio`` or ``flexible``; the
            clients choose by it how they speak to the model.
        model_name: Name of the model that was launched.
        model_engine: Engine that serves it.
        address: Where its worker is.
        accelerators: Numbers of its GPUs.
        replica: How many times it is loaded.
        model_family: Whose model it is.
        model_description: A sentence for people.
        model_hub: Where its weights come from: ``huggingface`` or ``local``.
        model_revision: Commit of its weights, if known.
        revision: The same for language models.
        model_ability: What it can do, in the words of its type.
        model_lang: Languages of a language model.
        language: Languages of others.
        model_format: Format of its weights.
        model_size_in_billions: Billions of parameters, if models of its name differ in it.
        quantization: Quantisation of its weights; ``none`` for weights as they are.
        context_length: Longest input and output of a language model, in tokens.
        multimodal_projector: Always ``None``.
        strict_system_first: Always false.
        type: Kind of a reranker.
        controlnet: Always ``None``.
        launcher: How a model is run that finds things; always ``stelae``.
        launcher_args: Always empty.
    """

    model_uid: str
    model_type: str
    model_name: str
    model_engine: str | None
    address: str
    accelerators: list[str]
    replica: int
    model_family: str
    model_description: str
    model_hub: str
    model_revision: str | None
    revision: str | Unset | None = UNSET
    model_ability: list[str] | Unset = UNSET
    model_lang: list[str] | Unset = UNSET
    language: list[str] | Unset = UNSET
    model_format: str | Unset = UNSET
    model_size_in_billions: float | Unset | None = UNSET
    quantization: str | Unset = UNSET
    context_length: int | Unset | None = UNSET
    multimodal_projector: Unset | None = UNSET
    strict_system_first: bool | Unset = UNSET
    type: str | Unset = UNSET
    controlnet: Unset | None = UNSET
    launcher: str | Unset = UNSET
    launcher_args: dict[str, Any] | Unset = UNSET


class XinferenceModels(msgspec.Struct, frozen=True, kw_only=True):
    """What ``GET /v1/models`` answers."""

    object: str
    data: list[XinferenceModel]
