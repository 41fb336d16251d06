"""What every request passes, whichever transport carries it: id, key, counters, log."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Iterator

from stelae.dialects.base import Record
from stelae.security.browsers import BrowserGuard
from stelae.security.keys import Headers, KeyRing
from stelae.server.inbox import Ledger
from stelae.telemetry import log
from stelae.telemetry.metrics import Metrics

Fields = dict[str, str | int | float | None]
"""What the log tells of a request; what is ``None`` is left out."""

ID_BYTES = 8
"""Random bytes of which the id of a request is made."""

IDS = 128
"""Ids for which random bytes are drawn at once."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class Reception:
    """Receives requests of HTTP, WebSockets and gRPC, and notes how they ended.

    Attributes:
        ledger: Bytes held by all requests.
        metrics: Counts them.
        draining: Whether the server stops; nothing new is begun.

    Args:
        keys: Who may ask.
        browsers: Whose pages may.
        ledger: Bytes held by all requests.
        metrics: Counts them.
        quiet: Routes left out of the log.
        access: Whether requests are logged at all.
    """

    def __init__(
        self,
        *,
        keys: KeyRing,
        browsers: BrowserGuard,
        ledger: Ledger,
        metrics: Metrics,
        quiet: Iterable[str] = (),
        access: bool = True,
    ) -> None:
        self._keys = keys
        self._browsers = browsers
        self._quiet = frozenset(quiet)
        self._access = access
        self._log = log.get().bind()
        self._ids = _made_ids()
        self.ledger = ledger
        self.metrics = metrics
        self.draining = False

    def arrive(self, headers: Headers) -> Record:
        """Begin the record of a request; its id is the caller's, if that is a sane one."""
        record = Record(id=_given_id(headers) or next(self._ids))
        log.REQUEST.set(record.id)
        return record

    def admit(self, record: Record, headers: Headers, *, socket: bool = False) -> None:
        """Check the key that is shown, and the page that asks.

        Raises:
            Unauthorized: No key, or none that is known here.
            Forbidden: A page of somebody else asks.
        """
        record.key_id = self._keys.admit(headers)  # which looks at the file of keys, once
        if socket:
            self._browsers.admit_socket(headers)
        elif not self._keys.needed:
            self._browsers.check(headers)

    def count(self, record: Record) -> None:
        """Count a request that has ended."""
        metrics, served = self.metrics, record.served
        metrics.request(
            record.route, record.dialect, record.model, record.status, record.elapsed_ms / 1000
        )
        if served is not None:
            metrics.served(served)
        codes = (record.error,) if record.error else served.error_codes if served else ()
        for code in codes:
            metrics.error(code)

    def note(self, event: str, record: Record, **more: str | int) -> None:
        """Log a request that has ended."""
        if not self._access or record.route in self._quiet:
            return
        if not self._log.is_enabled_for(logging.INFO):
            return
        fields: Fields = {
            **more,
            "route": record.route or None,
            "status": record.status,
            "ms": round(record.elapsed_ms, 3),
            "dialect": record.dialect or None,
            "model": record.model or None,
            "error": record.error or None,
            "key": record.key_id,
        }
        if (served := record.served) is not None:
            fields |= {"items": served.items, "tokens": served.tokens}
            fields["truncated"] = served.truncated
        self._log.info(
            event, **{name: value for name, value in fields.items() if value is not None}
        )


def _given_id(headers: Headers) -> str | None:
    for name, value in headers:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            return given if _SANE_ID.fullmatch(given) else None
    return None


def _made_ids() -> Iterator[str]:
    """Names that no other request has; the system is asked for many at once."""
    while True:
        drawn = secrets.token_hex(ID_BYTES * IDS)
        for start in range(0, len(drawn), 2 * ID_BYTES):
            yield drawn[start : start + 2 * ID_BYTES]
