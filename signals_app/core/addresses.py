"""Which network addresses are public: what an outgoing request may reach."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# `ipaddress.is_global` differs between Python versions and calls some of these global, so the table is our own.
# Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and successors).
NOT_PUBLIC: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared between a carrier and its customers
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, with the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # protocol assignments, with Teredo, which carries any IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, carries any IPv4 address
        "3fff::/20",  # documentation
    )
)
# All other IPv6 is loopback, private, link-local, multicast, or IPv4 in disguise (NAT64, compatible addresses).
GLOBAL_IPV6 = IPv6Network("2000::/3")


def is_public(address: Address) -> bool:
    """Say whether the address is one of the public internet."""
    address = unmapped(address)
    if isinstance(address, IPv6Address) and address not in GLOBAL_IPV6:
        return False
    return not is_within(address, NOT_PUBLIC)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    address = unmapped(address)
    return any(address in network for network in networks if network.version == address.version)


def unmapped(address: Address) -> Address:
    """Return the IPv4 address that `::ffff:a.b.c.d` leads to; any other address as it is."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def parse(text: str) -> Address:
    """
    Return the address that `getaddrinfo` wrote.

    :raises ValueError: if it is none.
    """
    return ip_address(text.partition("%")[0])  # the part after % names a network card
