"""The library's Whisper behind the loop of windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, GenerationMixin
from transformers.generation.logits_process import (
    LogitsProcessor,
    LogitsProcessorList,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    WhisperTimeStampLogitsProcessor,
)
from transformers.modeling_outputs import BaseModelOutput

from stelae.catalog.files import Json
from stelae.engines.listening.aligning import aligned_at, ticks_of
from stelae.engines.listening.hearer import HEARS, Aligned, Decoding, Floats, Written
from stelae.engines.listening.vocabulary import Vocabulary

NEVER = -1e9
"""In place of the logarithm of 0."""

FIRST_TIME = 50
"""The latest tick of the first time, where the checkpoint does not say."""


class TorchHearer:
    """A loaded model; see ``Hearer``.

    Args:
        model: The library's.
        vocabulary: Its tokens.
        written: Tokens of a window, prompt included.
        generation: Content of ``generation_config.json``.
        heads: Layer and number of the heads that show when words are said.
    """

    def __init__(
        self,
        model: Any,
        vocabulary: Vocabulary,
        written: int,
        generation: Json,
        heads: Sequence[Sequence[int]],
    ) -> None:
        self._model, self._vocabulary, self._written = model, vocabulary, written
        self._heads = [(layer, head) for layer, head in heads]
        config = model.config
        self._never = _tokens(generation, config, "suppress_tokens")
        self._not_first = _tokens(generation, config, "begin_suppress_tokens")
        latest = generation.get("max_initial_timestamp_index", FIRST_TIME)
        self._rules = GenerationConfig.from_dict(
            {
                "eos_token_id": vocabulary.end,
                "pad_token_id": vocabulary.end,
                "decoder_start_token_id": vocabulary.start,
                "no_timestamps_token_id": vocabulary.no_times,
                "max_initial_timestamp_index": latest,
            }
        )
        model.generation_config = GenerationConfig.from_dict({})  # nothing counts but our own

    @property
    def hears(self) -> int:
        return HEARS[self._model.device.type]

    @torch.inference_mode()
    def hear(self, features: Floats) -> list[Tensor]:
        given = torch.from_numpy(features).to(self._model.device, self._model.dtype)
        return list(self._model.model.encoder(given).last_hidden_state)

    @torch.inference_mode()
    def languages(self, heard: Sequence[Tensor]) -> list[dict[int, float]]:
        scores = self._after(heard, [[self._vocabulary.start]] * len(heard))
        ids = list(self._vocabulary.languages.values())
        chances = scores[:, ids].softmax(-1).tolist()
        return [dict(zip(ids, row, strict=True)) for row in chances]

    @torch.inference_mode()
    def write(
        self, heard: Sequence[Tensor], prompts: Sequence[Sequence[int]], how: Decoding
    ) -> list[Written]:
        start = list(prompts[0]).index(self._vocabulary.start) + 1
        opened = [list(prompt[:start]) for prompt in prompts]
        silent = self._after(heard, opened).softmax(-1)[:, self._vocabulary.no_speech].tolist()
        made = self._generate(heard, prompts, how)
        skip = len(prompts[0])
        texts = [self._text(row) for row in made.sequences[:, skip:].tolist()]
        chances = self._logprobs(made, how)
        return [
            Written(text, total / (len(text) + 1), quiet)
            for text, total, quiet in zip(texts, chances, silent, strict=True)
        ]

    @torch.inference_mode()
    def align(
        self,
        heard: Sequence[Tensor],
        prefix: Sequence[int],
        texts: Sequence[Sequence[int]],
        frames: Sequence[int],
    ) -> list[Aligned]:
        found = zip(heard, texts, frames, strict=True)
        with self._looking():
            return [self._align(one, prefix, text, length) for one, text, length in found]

    def close(self) -> None:
        del self._model

    def _after(self, heard: Sequence[Tensor], prompts: Sequence[Sequence[int]]) -> Tensor:
        """Scores of the token behind each prompt, shape (B, V)."""
        made: Tensor = self._model(
            encoder_outputs=_memory(heard),
            decoder_input_ids=self._ids(prompts),
        ).logits
        return made[:, -1].float()

    def _ids(self, rows: Sequence[Sequence[int]]) -> Tensor:
        return torch.tensor([list(row) for row in rows], device=self._model.device)

    def _generate(
        self, heard: Sequence[Tensor], prompts: Sequence[Sequence[int]], how: Decoding
    ) -> Any:
        begin = len(prompts[0])
        drawn = how.temperature > 0
        return GenerationMixin.generate(
            self._model,
            encoder_outputs=_memory(heard),
            decoder_input_ids=self._ids(prompts),
            logits_processor=self._processors(begin),
            generation_config=self._rules,
            # The last token is written and never read, so it needs no position.
            max_new_tokens=min(self._written // 2, self._written - begin + 1),
            do_sample=drawn,
            temperature=how.temperature if drawn else None,
            top_k=0 if drawn else None,
            num_beams=1 if drawn else how.beams,
            return_dict_in_generate=True,
            output_scores=True,
        )

    def _text(self, row: list[int]) -> list[int]:
        """What stands before the end."""
        return row[: row.index(self._vocabulary.end)] if self._vocabulary.end in row else row

    def _processors(self, begin: int) -> LogitsProcessorList:
        device = self._model.device
        rules: list[LogitsProcessor] = [
            SuppressTokensAtBeginLogitsProcessor(self._not_first, begin, device=device),
            SuppressTokensLogitsProcessor(self._never, device=device),
            WhisperTimeStampLogitsProcessor(self._rules, begin_index=begin),
        ]
        return LogitsProcessorList(rules)

    def _logprobs(self, made: Any, how: Decoding) -> list[float]:
        """The sum of the logarithms of the tokens' probabilities at temperature 1, per text."""
        scale = how.temperature or 1.0
        scores = tuple(step.float() * scale for step in made.scores)
        beams = getattr(made, "beam_indices", None)
        steps = self._model.compute_transition_scores(
            made.sequences, scores, beams, normalize_logits=beams is None
        )
        written = made.sequences[:, -steps.shape[1] :]
        ended = (written == self._vocabulary.end).int().cumsum(-1)
        after = ended - (written == self._vocabulary.end).int() > 0
        sums: list[float] = torch.where(after, 0.0, steps.clamp(min=NEVER)).sum(-1).tolist()
        return sums

    def _align(
        self, heard: Tensor, prefix: Sequence[int], text: Sequence[int], frames: int
    ) -> Aligned:
        ids = [*prefix, self._vocabulary.no_times, *text, self._vocabulary.end]
        made = self._model(
            encoder_outputs=_memory([heard]),
            decoder_input_ids=self._ids([ids]),
            output_attentions=True,
        )
        seen = torch.stack([made.cross_attentions[layer][0, head] for layer, head in self._heads])
        ticks = ticks_of(seen.float().cpu().numpy(), len(prefix), frames // 2)
        behind = made.logits[0, len(prefix) : -2, : self._vocabulary.end].float().softmax(-1)
        chances = behind[torch.arange(len(text)), list(text)].tolist()
        return aligned_at(ticks, chances)

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """With an attention that tells what it looked at."""
        usual = self._model.config._attn_implementation
        self._model.set_attn_implementation("eager")
        try:
            yield
        finally:
            self._model.set_attn_implementation(usual)


def _memory(heard: Sequence[Tensor]) -> BaseModelOutput:
    """What the library's encoder would give."""
    rows: Any = torch.stack(list(heard))
    return BaseModelOutput(last_hidden_state=rows)


def _tokens(generation: Json, config: Any, key: str) -> list[int]:
    return list(generation.get(key) or getattr(config, key, None) or [])
