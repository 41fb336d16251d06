"""OpenAI's answers to completions, whole or in events."""

from __future__ import annotations

from collections.abc import Sequence

from stelae.dialects.openai.chat_answers import Completion, TextChoice, TextLogprobs
from stelae.dialects.openai.chat_write import Shape, usage
from stelae.dialects.writing import Gathered
from stelae.types import Delta, TokenLogprob


class CompletionShape(Shape):
    """Answers of ``/v1/completions``.

    Args:
        model: Name of the model.
        echoed: What is told before each text; nothing if empty.
    """

    def __init__(self, model: str, echoed: Sequence[str] = ()) -> None:
        super().__init__(model, "cmpl", "text_completion", "text_completion")
        self._echoed = echoed
        self._told: dict[int, int] = {}

    def whole(self, gathered: Gathered) -> Completion:
        """The answer."""
        choices = [
            TextChoice(
                index=index,
                text=self._echo(index) + written.text,
                logprobs=text_logprobs(written.logprobs, 0),
                finish_reason=written.finish,
            )
            for index, written in enumerate(gathered.texts)
        ]
        return Completion(
            id=self._id,
            created=self._created,
            object=self._kind,
            model=self._model,
            choices=choices,
            usage=usage(gathered.usage),
        )

    def _echo(self, index: int) -> str:
        return self._echoed[index] if self._echoed else ""

    def opening(self, index: int) -> TextChoice | None:
        """The prompt, if it is wanted."""
        if not self._echoed:
            return None
        return TextChoice(index=index, text=self._echo(index), logprobs=None, finish_reason=None)

    def choice(self, piece: Delta) -> TextChoice:
        """A piece as the choice of an event."""
        start = self._told.get(piece.index, 0)
        told = text_logprobs(piece.logprobs, start)
        self._told[piece.index] = start + sum(len(lp.token) for lp in piece.logprobs)
        return TextChoice(
            index=piece.index, text=piece.text, logprobs=told, finish_reason=piece.finish
        )


def text_logprobs(told: list[TokenLogprob], start: int) -> TextLogprobs | None:
    """Log-probabilities of a completion; ``start`` is where its first token stands."""
    if not told:
        return None
    offsets = [start]
    for lp in told[:-1]:
        offsets.append(offsets[-1] + len(lp.token))
    return TextLogprobs(
        tokens=[lp.token for lp in told],
        token_logprobs=[lp.logprob for lp in told],
        top_logprobs=[{top.token: top.logprob for top in lp.top} for lp in told],
        text_offset=offsets,
    )
