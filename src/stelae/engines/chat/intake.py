"""From a call to the tokens of its conversation, with every refusal that needs no model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stelae.engines.chat.abilities import Ability, refuse
from stelae.engines.chat.eyes import Eyes
from stelae.engines.chat.template import ChatTemplate
from stelae.engines.chat.tokens import Tokens
from stelae.engines.chat.typed import Typed
from stelae.errors import InputTooLong, InvalidInput
from stelae.types import ChatCall

LETTERS_PER_TOKEN = 64
"""A conversation with more letters than so many for each token that is read is too long."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Reads calls for one model.

    Attributes:
        template: Writes conversations as the model was trained to read them.
        tokens: Its tokenizer.
        vocabulary: Tokens that it knows.
        context: Tokens that it reads and writes in all.
        engine: Name of its engine, for messages.
        able: What can be asked of it, beyond going on with texts.
        eyes: Reads pictures, if the model sees.
    """

    template: ChatTemplate
    tokens: Tokens
    vocabulary: int
    context: int
    engine: str
    able: frozenset[Ability]
    eyes: Eyes[Any] | None = None

    def take(self, call: ChatCall) -> tuple[list[int], Any]:
        """Tokens of a conversation, and its pictures, if it has any.

        Raises:
            InvalidInput: As ``read``, or a picture cannot be read.
            InputTooLong: As ``read``.
        """
        images = [image for message in call.messages for image in message.images]
        if self.eyes is None or not images:
            return self.read(call), None
        sight = self.eyes.look(images)
        return self.eyes.expand(self.read(call), sight), sight

    def read(self, call: ChatCall) -> list[int]:
        """Tokens of a conversation, as its template writes it, or of a text as it stands.

        A picture is one token in it.

        Raises:
            InvalidInput: The model cannot do what is asked, the template refuses the conversation,
                it is empty, or a token is not known.
            InputTooLong: It is far longer than the model reads.
        """
        refuse(call, self.able, self.engine)
        self._known(call.sampling.logit_bias, "logit_bias")
        if call.prompt_tokens:
            return self._known(call.prompt_tokens, "prompt")
        plain = call.prompt is not None
        typed = Typed(self.tokens.spelled)
        text = call.prompt if call.prompt is not None else self.template.write(call, typed)
        if len(text) > LETTERS_PER_TOKEN * self.context:
            raise InputTooLong(
                f"the conversation has {len(text)} letters, far more than the {self.context} "
                "tokens that the model reads",
                param="messages",
            )
        ids = self.tokens.encode(text, plain=plain, typed=typed.letters)
        if not ids:
            raise InvalidInput("the conversation is empty: it has no token", param="messages")
        return self._known(ids, "prompt" if plain else "messages")

    def _known(self, ids: Iterable[int], param: str) -> list[int]:
        """Tokens, as a list.

        Raises:
            InvalidInput: The model does not have one of them.
        """
        tokens = list(ids)
        wrong = [i for i in tokens if not 0 <= i < self.vocabulary]
        if wrong:
            raise InvalidInput(
                f"{param} names the token {wrong[0]}; the model has 0..{self.vocabulary - 1}",
                param=param,
            )
        return tokens

    def limit(self, call: ChatCall, prompt: int) -> int:
        """Most tokens of the text that follows a conversation of so many.

        Raises:
            InputTooLong: There is no room for them.
        """
        room = self.context - prompt
        wanted = call.sampling.max_tokens
        if room < 1 or (wanted is not None and wanted > room):
            asked = "" if wanted is None else f" and {wanted} more are asked for"
            raise InputTooLong(
                f"the conversation has {prompt} tokens{asked}; the model reads and writes "
                f"{self.context} in all",
                param="messages" if room < 1 else "max_tokens",
                hint="shorten the conversation or lower max_tokens",
                details={"prompt_tokens": prompt, "max_tokens": self.context},
            )
        return room if wanted is None else wanted
