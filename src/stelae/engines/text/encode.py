"""A call to encode, on its way through an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from stelae.engines.base import Prepared
from stelae.engines.text.assemble import assemble
from stelae.engines.text.features import Features, Output
from stelae.engines.text.given import as_given, matrix_error
from stelae.engines.text.intake import Ids, Intake, light, prepared
from stelae.engines.text.media import is_media, read_all
from stelae.engines.text.options import check_call, choose_prompt, item_error, wanted_of_device
from stelae.engines.text.pictures import Allowance
from stelae.engines.text.sizes import check_size
from stelae.errors import InputTooLong, StelaeError
from stelae.types import EncodeCall, EncodeResult, Item, Truncate


class EncodeJob:
    """One entry per item.

    Args:
        call: What is asked.
        intake: Reads texts.
        fingerprint: What is served.
        given: Whether token vectors that were made before stand for their items.

    Raises:
        InvalidInput: The call as a whole cannot be run.
    """

    def __init__(
        self, call: EncodeCall, intake: Intake, fingerprint: str, *, given: bool = False
    ) -> None:
        check_call(intake.spec, call)
        self._given = given
        self._call, self._intake, self._fingerprint = call, intake, fingerprint
        check_size(intake.spec, call, self.estimate)
        self._outputs, self._allowance = wanted_of_device(call), Allowance()
        marking = intake.marking(self._outputs, call.role)
        self._prompt = (marking.text if marking else "") + choose_prompt(intake.spec, call)

    @property
    def size(self) -> int:
        return len(self._call.items)

    @cached_property
    def estimate(self) -> int:
        return sum(map(self._intake.guess, self._call.items))

    @property
    def light(self) -> bool:
        return light(self._call.items)

    @cached_property
    def _prompt_ids(self) -> Ids:
        return self._read([self._prompt])[0] if self._prompt else ()

    def _read(self, texts: Sequence[str]) -> Sequence[Ids]:
        return self._intake.read(texts, self._call.truncate)

    def prepare(self, start: int, stop: int) -> list[Prepared[Features]]:
        items = self._call.items[start:stop]
        errors = [self._error(item) for item in items]
        texts = [
            self._prompt + item.text
            for item, error in zip(items, errors, strict=True)
            if error is None and item.text is not None
        ]
        read, seen = iter(self._read(texts)), iter(self._seen(items, errors))
        return [
            as_given(item)
            if error is None and item.multivector is not None
            else prepared(error or (next(seen) if is_media(item) else self._features(item, read)))
            for item, error in zip(items, errors, strict=True)
        ]

    def _seen(
        self, items: Sequence[Item], errors: Sequence[StelaeError | None]
    ) -> list[Features | StelaeError]:
        """What of the items is no text; it stands as it is, without a prompt."""
        media = self._intake.media
        if media is None:
            return []
        given = [i for i, e in zip(items, errors, strict=True) if e is None and is_media(i)]
        refusals = [self._allowance.refusal(item) for item in given]
        wanted = [i for i, refusal in zip(given, refusals, strict=True) if refusal is None]
        found = iter(read_all(media, wanted, self._outputs, self._call.role))
        return [refusal or self._whole(next(found)) for refusal in refusals]

    def _whole(self, found: Features | StelaeError) -> Features | StelaeError:
        """What was read of an item, if all of it was or need not be."""
        if isinstance(found, StelaeError) or not found.truncated:
            return found
        if self._call.truncate is not Truncate.ERROR:
            return found
        return InputTooLong(
            "the recording is longer than the model hears at once; send parts of it, or choose "
            "truncate 'end'",
            param="items",
        )

    def _error(self, item: Item) -> StelaeError | None:
        spec = self._intake.spec
        if self._given and item.multivector is not None:
            return matrix_error(item, spec.token_dimensions)
        return item_error(item, self._intake.tokenizer.vocabulary, spec.inputs)

    def _features(self, item: Item, read: Iterator[Ids]) -> Features | StelaeError:
        """Given ids stand as they are, without a prompt."""
        call = self._call
        ids, prompt = (
            (next(read), self._prompt_ids) if item.token_ids is None else (item.token_ids, ())
        )
        return self._intake.single(
            ids, call.truncate, prompt, self._outputs, call.role, call.max_tokens
        )

    def finish(
        self, prepared: Sequence[Prepared[Features]], rows: Sequence[Output | StelaeError]
    ) -> EncodeResult:
        return assemble(self._call, self._intake.spec, self._fingerprint, prepared, rows)
