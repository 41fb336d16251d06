"""The server's certificate and its key, checked before anybody is shown them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from stelae.errors import InvalidInput

_EXPIRED, _NOT_YET = 10, 9
"""What OpenSSL says of a certificate out of its time (X509_V_ERR_CERT_HAS_EXPIRED and next)."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate with its key, ready for use.

    Attributes:
        context: For sockets of the standard library.
        chain: The certificates in PEM.
        key: The key in PEM; never shown.
    """

    context: ssl.SSLContext = field(repr=False)
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


def load(certificate: Path | None, key: Path | None) -> Tls | None:
    """Read and check a certificate and its key.

    Args:
        certificate: PEM file with the certificate and those above it.
        key: PEM file with the key; that of the certificate if not given.

    Returns:
        Nothing if there is no certificate.

    Raises:
        InvalidInput: A file cannot be read, the two do not belong together, the key has a
            password, or the certificate is out of its time.
    """
    if certificate is None:
        if key is not None:
            raise InvalidInput("tls.key is given without tls.certificate", param="tls.certificate")
        return None
    chain = _read(certificate, "tls.certificate")
    secret = chain if key is None else _read(key, "tls.key")
    context = _context(certificate, key or certificate)
    _try(context, certificate)
    return Tls(context, chain, secret)


def _read(file: Path, setting: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{setting} '{file}' cannot be read: {error.strerror}", param=setting
        ) from error


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=lambda: _refuse(key))
    except ssl.SSLError as error:
        raise InvalidInput(_reason(error, certificate, key), param="tls") from error
    return context


def _refuse(key: Path) -> NoReturn:
    raise InvalidInput(
        f"tls.key '{key}' has a password, which nobody is here to type",
        param="tls.key",
        hint="write it without one: openssl pkey -in KEY -out PLAIN_KEY",
    )


def _reason(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"tls.key '{key}' is not the key of tls.certificate '{certificate}'"
    return (
        f"tls.certificate '{certificate}' and tls.key '{key}' cannot be used: "
        f"{error.reason or 'no PEM certificate and key are in them'}"
    )


def _try(server: ssl.SSLContext, certificate: Path) -> None:
    """Shake hands with oneself in memory; only what speaks of time is judged.

    Who trusts the certificate is the client's business, when it is valid is not.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there, server_side=False)
    answering = server.wrap_bio(there, back, server_side=True)
    try:
        for end in (asking, answering, asking):
            _step(end)
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in {_EXPIRED, _NOT_YET}:
            raise InvalidInput(
                f"tls.certificate '{certificate}': {error.verify_message}",
                param="tls.certificate",
                hint="renew it, or set the clock of this machine",
            ) from error


def _step(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return
