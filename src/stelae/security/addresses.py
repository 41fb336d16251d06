"""Which network addresses a server may be sent to by those who call it.

Whoever can make a server fetch an address of his choice can reach what only that server
reaches: the services of its own machine, its network, and the page from which machines in
a cloud read their credentials. So only addresses that anybody could reach are dialled.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_CREDENTIALS = ipaddress.IPv6Address("fd00:ec2::254")


def is_public(text: str) -> bool:
    """Whether an address is one host of the public internet.

    Addresses that carry another one inside (IPv4 in IPv6, by any of the ways in use) are
    public only if both are.

    Args:
        text: An IPv4 or IPv6 address as ``getaddrinfo`` writes it.
    """
    return all(_is_global(address) for address in _with_embedded(_parse(text)))


def is_private_host(text: str) -> bool:
    """Whether an address is one host of a private network or of this machine.

    False for the addresses from which clouds hand out credentials, and for those that
    name no single host.
    """
    return all(_is_single(address) for address in _with_embedded(_parse(text)))


def _parse(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


def _is_global(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _is_single(address: Address) -> bool:
    if address.is_loopback or _is_global(address):
        return True
    many = address.is_multicast or address.is_unspecified or address.is_reserved
    return not (many or address.is_link_local or address == _CREDENTIALS)


def _with_embedded(address: Address) -> Iterator[Address]:
    """The address that counts, and those inside it."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    if address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
