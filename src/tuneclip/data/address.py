"""Which addresses may be fetched from: public ones, checked when they are connected to, so that no name can lie."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import httpcore
import httpx

Address = IPv4Address | IPv6Address
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_TRANSLATED = ip_network("64:ff9b::/96")  # NAT64, RFC 6052: the last 32 bits are an IPv4 address


class PrivateAddressError(Exception):
    """A name or address that leads into a private network; the message is the reason."""


@dataclass(frozen=True)
class Guard:
    """Refuses private, loopback, link-local and reserved addresses, but for those in `allowed`."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = ()

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them checked; raises PrivateAddressError, or OSError for an unknown name."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            self.check(address, host)
        return addresses

    def check(self, address: str, host: str) -> None:
        """Raise PrivateAddressError unless `address` is public or allowed."""
        meant = _meant(ip_address(address.split("%", 1)[0]))
        if any(meant in network for network in self.allowed if network.version == meant.version):
            return
        if not meant.is_global or meant.is_multicast or meant.is_reserved:
            named = str(meant) if host == address else f"{host} ({meant})"
            raise PrivateAddressError(f"a private address, refused without --allow-private: {named}")


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


class _GuardedBackend(httpcore.SyncBackend):
    """Connects only to addresses that the guard has checked: the very ones, so a second lookup cannot differ."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self.guard.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"unknown host: {host}") from error
        for address in addresses[:-1]:
            try:
                return super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return super().connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


def guarded_transport(guard: Guard, connections: int) -> httpx.HTTPTransport:
    """A transport of httpx whose every connection, whichever redirect led to it, passes the guard."""
    transport = httpx.HTTPTransport()
    assert hasattr(transport, "_pool"), "httpx keeps its connections elsewhere now: the guard would be passed by"
    transport._pool = httpcore.ConnectionPool(
        ssl_context=httpx.create_ssl_context(),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=10.0,
        network_backend=_GuardedBackend(guard),
    )
    return transport
