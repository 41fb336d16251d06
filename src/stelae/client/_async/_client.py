"""The client: one item, a list or a stream in, what models make of it out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from stelae.client import _items, _options
from stelae.client._async._backend import AsyncBackend
from stelae.client._async._chat import AsyncChats
from stelae.client._async._collections import AsyncCollections
from stelae.client._async._crew import STREAMS, AnyIterable, async_each
from stelae.client._async._http import AsyncHttpBackend
from stelae.client._async._launches import AsyncLaunches
from stelae.client._async._media import AsyncMedia
from stelae.client._async._pools import AsyncPools
from stelae.client._async._registry import AsyncRegistry
from stelae.client._async._sender import AsyncSender
from stelae.client._gather import EncodingTable, ExtractTable, Gathered, ScoreTable
from stelae.client._items import Chunk, ItemLike, Packer
from stelae.client._options import (
    ComputeDtypeName,
    DtypeName,
    EncodeOptions,
    ExtractOptions,
    OutputName,
    Plan,
    Progress,
    ScoreOptions,
)
from stelae.client._place import Place
from stelae.client._progress import shown
from stelae.client._retry import Retries, RetryPolicy, policy_of
from stelae.client._values import ServerInfo
from stelae.client.encodings import Encoding, Encodings
from stelae.client.extractions import Extracted, Extractions
from stelae.client.scores import Scores
from stelae.errors import InvalidInput
from stelae.types import (
    ComputeDtype,
    EncodeCall,
    ModelInfo,
    Muvera,
    Role,
    Truncate,
)

if TYPE_CHECKING:
    import httpx


class AsyncClient(
    AsyncChats, AsyncMedia, AsyncCollections, AsyncLaunches, AsyncRegistry, AsyncPools
):
    """Asks the models of a Stelae server: for vectors, scores, texts, pictures and sound.

    A client keeps its connections open between calls; use it as a context
    manager, or close it when done.

    Args:
        url: Address of the server.
        api_key: Key to show to the server; never part of a message. ``None`` shows the one
            that ``stelae login`` has kept for the address, if there is one.
        model: Name of the model for calls that name none. ``"default"`` is the
            server's own choice.
        timeout: Seconds for each request, its retries included; ``None`` waits for ever.
        retries: Further attempts when a request breaks on the way, or a whole
            ``RetryPolicy``; 0 sends every request once.
        max_in_flight: Requests that one call has under way at once.
        http_client: An HTTP client of your own (for proxies, certificates or
            sockets), which you also close.
        backend: Answers in place of the server at ``url``.

    Raises:
        InvalidInput: An argument is not one of those it takes.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8080",
        *,
        api_key: str | None = None,
        model: str = "default",
        timeout: float | None = 60.0,
        retries: int | RetryPolicy = 3,
        max_in_flight: int = 4,
        http_client: httpx.AsyncClient | None = None,
        backend: AsyncBackend | None = None,
    ) -> None:
        self._model = model
        self._sender = AsyncSender(
            Retries(policy_of(retries)),
            _options.seconds(timeout, "timeout"),
            _options.count(max_in_flight, "max_in_flight"),
        )
        self._backend = backend or AsyncHttpBackend(url, api_key, http_client)

    def __repr__(self) -> str:
        state = ", closed" if self._sender.closed else ""
        return f"AsyncClient({self._backend.address!r}, model={self._model!r}{state})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calling it again does nothing."""
        if not self._sender.closed:
            self._sender.closed = True
            await self._backend.aclose()

    # The overloads overlap because a str is a collection of str: the first that fits is meant.
    @overload
    def encode(  # type: ignore[overload-overlap]
        self, items: ItemLike, **options: Unpack[EncodeOptions]
    ) -> Coroutine[Any, Any, Encoding]: ...
    @overload
    def encode(  # type: ignore[overload-overlap]
        self, items: Collection[ItemLike], **options: Unpack[EncodeOptions]
    ) -> Coroutine[Any, Any, Encodings]: ...
    @overload
    def encode(
        self,
        items: AnyIterable[ItemLike],
        **options: Unpack[EncodeOptions],
    ) -> AsyncGenerator[Encoding]: ...
    def encode(
        self,
        items: ItemLike | AnyIterable[ItemLike],
        *,
        model: str | None = None,
        outputs: OutputName | Sequence[OutputName] | None = None,
        role: Role | Literal["query", "document"] | None = None,
        prompt_name: str | None = None,
        prompt: str | None = None,
        instruction: str | None = None,
        dimensions: int | None = None,
        dtype: DtypeName | None = None,
        normalize: bool | None = None,
        truncate: Truncate | Literal["end", "start", "error"] = "end",
        max_tokens: int | None = None,
        gpu: str | None = None,
        pool_factor: int | None = None,
        muvera: Muvera | None = None,
        lora: str | None = None,
        errors: Literal["raise", "return"] = "raise",
        progress: Progress = False,
        timeout: float | None = None,
        batch_size: int | None = None,
    ) -> Coroutine[Any, Any, Encoding] | Coroutine[Any, Any, Encodings] | AsyncGenerator[Encoding]:
        """Turn texts or pictures into vectors.

        Items are texts, pictures (the bytes of a file, its ``pathlib.Path``, a Pillow
        image, an array of pixels), ``Item`` values or dicts with the fields of one.
        What comes back follows what is given:

        * one item: its ``Encoding``;
        * a list, a tuple, a NumPy array of texts or another sized collection:
          ``Encodings``, in the same order. Anything that is not an item is
          refused before a request is sent;
        * any other iterable: an iterator of ``Encoding`` in the same order, which
          reads ahead no further than ``max_in_flight`` requests. Stop early, or
          close it, and the rest is not asked for.

        Long lists are cut into requests of at most 128 items and 512 KiB of
        text or 8 MiB of pictures; several are under way at once. Pictures are
        read from their files when their request is sent.

        Args:
            items: What to encode.
            model: Name of the model; the client's own if not given.
            outputs: Kinds of representation wanted, one or several of ``"dense"``,
                ``"sparse"`` and ``"multivector"``; they come from one run of the model.
                ``None`` for dense vectors, unless the model's profile says others.
            role: Side of the search, ``"query"`` or ``"document"``: selects the
                prompt of that name, if the model has one.
            prompt_name: Name of one of the model's prompts.
            prompt: A prompt given in full; excludes ``prompt_name``.
            instruction: The task in words, for models trained with instructions.
            dimensions: Keep the first so many numbers of each vector and normalise
                again; only for models trained for it (Matryoshka).
            dtype: Number format of the vectors: ``"float32"``, ``"float16"``, or one of
                the small ones ``"int8"``, ``"uint8"``, ``"binary"`` and ``"ubinary"``,
                which ``Encodings.dequantized`` reads back. ``None`` for float32, unless
                the profile says another.
            normalize: Whether vectors get unit length; ``None`` as the model says.
            truncate: What to do with items longer than the model reads: drop
                tokens at the ``"end"`` or the ``"start"`` (the item is marked
                ``truncated``), or fail them with ``"error"``.
            max_tokens: Longest text in tokens, special ones included, where it should
                be shorter than the model reads.
            gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``.
            pool_factor: Keep one token vector of so many, by joining similar ones.
            muvera: Make the dense vector of the token vectors, so that dot products
                stand for late interaction.
            lora: Name of one of the model's adapters; ``None`` for the model itself.
            errors: ``"raise"`` the error of the first failed item, with its
                ``index`` in ``details``, or ``"return"`` each in its ``Encoding``.
            progress: ``True`` shows a bar on standard error; a function is called
                with the items done and the items in all, ``None`` if not known.
            timeout: Seconds for the whole call, retries included; for a stream,
                for each request. ``None`` gives each request the client's own.
            batch_size: Most items in one request. Small ones bring the first
                results of a slow stream earlier.

        Returns:
            What was asked for, with the tokens run per item and whether it was cut.

        Raises:
            InvalidInput: An item or an option is not one that can be sent, or the
                server refuses it; an empty list is refused too.
            ModelNotFound: The server does not know the model.
            ServerUnreachable: No answer, after all retries.
            DeadlineExceeded: The time was not enough.
            StelaeError: The root of these and of all others.

        Example:
            >>> async with AsyncClient() as client:
            ...     one = await client.encode("a text")
            ...     many = await client.encode(["a text", "another"], role="document")
            ...     stream = client.encode(str(number) for number in range(1000))
            ...     total = sum([encoding.tokens async for encoding in stream])
            >>> one.dense.shape, many.dense.shape
            ((384,), (2, 384))
        """
        plan = _options.encode_plan(
            EncodeOptions(
                model=model,
                outputs=outputs,
                role=role,
                prompt_name=prompt_name,
                prompt=prompt,
                instruction=instruction,
                dimensions=dimensions,
                dtype=dtype,
                normalize=normalize,
                truncate=truncate,
                max_tokens=max_tokens,
                gpu=gpu,
                pool_factor=pool_factor,
                muvera=muvera,
                lora=lora,
                errors=errors,
                progress=progress,
                timeout=timeout,
                batch_size=batch_size,
            ),
            self._model,
        )
        given = _items.sorted_out(items, STREAMS)
        if isinstance(given, _items.One):
            return self._encode_one(given.item, plan)
        if isinstance(given, _items.Many):
            return self._encode_many(given.items, plan)
        return self._encode_stream(given.items, plan)

    async def score(
        self,
        query: ItemLike,
        documents: AnyIterable[ItemLike],
        *,
        model: str | None = None,
        instruction: str | None = None,
        by: OutputName | None = None,
        normalize: bool | None = None,
        truncate: Truncate | Literal["end", "start", "error"] = "end",
        gpu: str | None = None,
        lora: str | None = None,
        errors: Literal["raise", "return"] = "raise",
        progress: Progress = False,
        timeout: float | None = None,
        batch_size: int | None = None,
    ) -> Scores:
        """Say how well documents fit a query.

        A cross-encoder or another reranker reads the query with each document; of
        other models the representations are compared: by cosine or as the model says,
        or by late interaction. Scores of different models must not be compared.

        Long lists are cut into requests as by ``encode``; an iterator is read as
        far ahead as requests are under way.

        Args:
            query: What is looked for: a text, a picture, an ``Item`` or a dict.
            documents: What is scored, any iterable of the same.
            model: Name of the model; the client's own if not given.
            instruction: The task in words, for models trained with instructions.
            by: Kind of representation to compare, for models that make several.
            normalize: ``False`` for the plain logits of a model that reads pairs;
                ``None`` for scores as the model says.
            truncate: What to do with texts longer than the model reads.
            gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``.
            lora: Name of one of the model's adapters.
            errors: ``"raise"`` the error of the first failed document, with its
                ``index`` in ``details``, or ``"return"`` each in its ``Score``.
            progress: ``True`` shows a bar on standard error; a function is called
                with the documents done and the documents in all, ``None`` if not known.
            timeout: Seconds for the whole call, retries included. ``None`` gives each
                request the client's own.
            batch_size: Most documents in one request.

        Returns:
            The scores in the order given; ``ranked()`` has the best first.

        Raises:
            InvalidInput: The query, a document or an option is not one that can be
                sent, or the server refuses it; an empty list is refused too.
            UnsupportedTask: The model cannot score.
            StelaeError: As from ``encode``.

        Example:
            >>> async with AsyncClient() as client:
            ...     scores = await client.score("how tall?", ["it is red", "it is 9 m tall"])
            >>> scores.scores.shape, scores.ranked()[0].index
            ((2,), 1)
        """
        plan = _options.score_plan(
            ScoreOptions(
                model=model,
                instruction=instruction,
                by=by,
                normalize=normalize,
                truncate=truncate,
                gpu=gpu,
                lora=lora,
                errors=errors,
                progress=progress,
                timeout=timeout,
                batch_size=batch_size,
            ),
            query,
            self._model,
        )
        given = _items.sorted_out(documents, STREAMS, "documents")
        if isinstance(given, _items.One):
            raise Place("documents").wrong("is one document", hint="put it in a list")
        table = ScoreTable(Gathered(plan.raises))
        await self._fill(table, given, plan, self._backend.score, "documents")
        if not table.scores:
            raise Place("documents").wrong("is empty: give at least one")
        return table.result()

    @overload
    def extract(  # type: ignore[overload-overlap]
        self, items: ItemLike, **options: Unpack[ExtractOptions]
    ) -> Coroutine[Any, Any, Extracted]: ...
    @overload
    def extract(
        self, items: AnyIterable[ItemLike], **options: Unpack[ExtractOptions]
    ) -> Coroutine[Any, Any, Extractions]: ...
    async def extract(
        self,
        items: ItemLike | AnyIterable[ItemLike],
        *,
        model: str | None = None,
        labels: Sequence[str] = (),
        relations: Sequence[str] = (),
        output_schema: dict[str, Any] | None = None,
        instruction: str | None = None,
        threshold: float | None = None,
        nested: bool = False,
        multi_label: bool | None = None,
        hypothesis: str | None = None,
        max_new_tokens: int | None = None,
        beams: int | None = None,
        truncate: Truncate | Literal["end", "start", "error"] = "end",
        gpu: str | None = None,
        errors: Literal["raise", "return"] = "raise",
        progress: Progress = False,
        timeout: float | None = None,
        batch_size: int | None = None,
    ) -> Extracted | Extractions:
        """Find what items hold: names, relations, classes, objects or fields.

        Long texts are read in windows that overlap, and lists are cut into requests
        as by ``encode``; an iterator is read as far ahead as requests are under way.

        Args:
            items: A text, a picture, an ``Item``, a dict, or any iterable of those.
            model: Name of the model; the client's own if not given.
            labels: What to look for: kinds of names, classes or objects. None for what
                the model was trained to find.
            relations: Kinds of relation to look for between the names found.
            output_schema: JSON Schema of the fields wanted, for models that write.
            instruction: The task in words, for models that take one.
            threshold: Least score of what is returned, 0 to 1; ``None`` as the model says.
            nested: Whether names may lie within each other.
            multi_label: Whether classes do not exclude each other; ``None`` as the
                model says.
            hypothesis: Sentence with a place ``{}`` for a class, for models that judge
                whether a text supports a sentence.
            max_new_tokens: Most tokens written, for models that write.
            beams: Width of the search, for models that write.
            truncate: What to do with items that are too long and are not read in windows.
            gpu: Pool and kind of machine that should answer, as ``pool/kind`` or ``kind``.
            errors: ``"raise"`` the error of the first failed item, with its ``index`` in
                ``details``, or ``"return"`` each in its ``Extracted``.
            progress: ``True`` shows a bar on standard error; a function is called
                with the items done and the items in all, ``None`` if not known.
            timeout: Seconds for the whole call, retries included. ``None`` gives each
                request the client's own.
            batch_size: Most items in one request.

        Returns:
            What the item holds, or of several items in the order given.

        Raises:
            InvalidInput: An item or an option is not one that can be sent, or the server
                refuses it; an empty list is refused too.
            UnsupportedTask: The model finds nothing in items.
            StelaeError: As from ``encode``.
        """
        plan = _options.extract_plan(
            ExtractOptions(
                model=model,
                labels=labels,
                relations=relations,
                output_schema=output_schema,
                instruction=instruction,
                threshold=threshold,
                nested=nested,
                multi_label=multi_label,
                hypothesis=hypothesis,
                max_new_tokens=max_new_tokens,
                beams=beams,
                truncate=truncate,
                gpu=gpu,
                errors=errors,
                progress=progress,
                timeout=timeout,
                batch_size=batch_size,
            ),
            self._model,
        )
        given = _items.sorted_out(items, STREAMS)
        one = isinstance(given, _items.One)
        table = ExtractTable(Gathered(plan.raises))
        several = _items.Many([given.item]) if isinstance(given, _items.One) else given
        await self._fill(table, several, plan, self._backend.extract, "items")
        if not table.items:
            raise InvalidInput("items is empty: give at least one", param="items")
        found = table.result()
        return found[0] if one else found

    async def models(self, *, timeout: float | None = None) -> list[ModelInfo]:
        """The models that the server knows, loaded or not."""
        return await self._sender.ask(self._backend.models, timeout)

    async def model(self, name: str | None = None, *, timeout: float | None = None) -> ModelInfo:
        """One model, by any of its names; the client's own if none is given.

        Raises:
            ModelNotFound: The server does not know it.
        """
        return await self._sender.ask(partial(self._backend.model, name or self._model), timeout)

    async def load(
        self,
        name: str | None = None,
        *,
        engine: str | None = None,
        dtype: ComputeDtype | ComputeDtypeName | None = None,
        timeout: float | None = None,
    ) -> ModelInfo:
        """Load a model, so that the first request for it does not wait.

        Args:
            name: Name of the model; the client's own if not given.
            engine: Name of the engine to use and no other.
            dtype: Number format to compute in.
            timeout: Seconds to wait; the client's own if not given.

        Raises:
            ModelNotFound: The server does not know it.
            Conflict: It is loaded with another engine or number format.
        """
        wanted = None if dtype is None else _options.compute_dtype(dtype)
        return await self._sender.ask(
            lambda left: self._backend.load(name or self._model, engine, wanted, left), timeout
        )

    async def unload(self, name: str | None = None, *, timeout: float | None = None) -> ModelInfo:
        """Unload a model; requests that it has accepted are still answered."""
        return await self._sender.ask(partial(self._backend.unload, name or self._model), timeout)

    async def server(self, *, timeout: float | None = None) -> ServerInfo:
        """What the server says of itself."""
        return await self._sender.ask(self._backend.server, timeout)

    async def _encode_one(self, item: ItemLike, plan: Plan[EncodeCall]) -> Encoding:
        chunk = Chunk(0, [_items.checked(item, Place("items", 0))[0]])
        with shown(plan.progress, plan.verb, 1) as advance:
            result = await self._sender.run(chunk, plan, self._backend.encode)
            advance(1)
        return next(Gathered(plan.raises, plan.template.outputs).encodings(chunk, result))

    async def _encode_many(self, items: Collection[ItemLike], plan: Plan[EncodeCall]) -> Encodings:
        chunks = list(Packer(plan.batch_size).pack(items))
        if not chunks:
            raise InvalidInput("items is empty: give at least one", param="items")
        rows = chunks[-1].start + len(chunks[-1].items)
        table = EncodingTable(rows, Gathered(plan.raises, plan.template.outputs))
        await self._sender.fill(table, chunks, plan, self._backend.encode)
        return table.encodings()

    async def _encode_stream(
        self, items: AnyIterable[ItemLike], plan: Plan[EncodeCall]
    ) -> AsyncGenerator[Encoding]:
        gathered = Gathered(plan.raises, plan.template.outputs)
        send = partial(self._sender.at_once, plan=plan, limit=None, ask=self._backend.encode)
        with shown(plan.progress, plan.verb, None) as advance:
            async with (
                aclosing(_packed(items, Packer(plan.batch_size))) as chunks,
                aclosing(send(chunks)) as results,
            ):
                async for chunk, result in results:
                    for encoding in gathered.encodings(chunk, result):
                        yield encoding
                    advance(len(chunk.items))

    async def _fill(self, table: Any, given: Any, plan: Plan[Any], ask: Any, name: str) -> None:
        packer = Packer(plan.batch_size, name=name)
        if isinstance(given, _items.Many):
            await self._sender.fill(table, list(packer.pack(given.items)), plan, ask)
            return
        async with aclosing(_packed(given.items, packer)) as stream:
            await self._sender.fill_from(table, stream, None, plan, ask)


async def _packed(items: AnyIterable[ItemLike], packer: Packer) -> AsyncGenerator[Chunk]:
    async for item in async_each(items):
        if (chunk := packer.add(item)) is not None:
            yield chunk
    if (chunk := packer.rest()) is not None:
        yield chunk
