"""Normalize and compare IP addresses and host names. Pure."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def normal(text: str) -> str:
    """Normalize an IP address (RFC 5952, IPv4-mapped as IPv4) or a host name (lower case, no trailing dot).

    Brackets are removed, a zone (``fe80::1%eth0``) stays. Anything else is returned in lower case.
    """
    bare = text.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    try:
        address = ip_address(bare)
    except ValueError:
        return _host(bare)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _host(name: str) -> str:
    """Normalize a host name for DNS: case-insensitive (RFC 4343), IDNA for letters beyond ASCII (RFC 5890)."""
    plain = name.removesuffix(".").lower()
    try:
        return plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def same(one: str, other: str) -> bool:
    """Whether both are the same address or name. Zones are ignored: they mean something on one machine only."""
    return _without_zone(normal(one)) == _without_zone(normal(other))


def _without_zone(address: str) -> str:
    return address.partition("%")[0]


def in_url(address: str) -> str:
    """Format an address for a URL or before a port: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def split_port(text: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[IPv6]:port``. Raises ValueError that says what is wrong with anything else."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise ValueError(f"{text!r} has no port from 1 to 65535 at its end: write host:port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"put the IPv6 address in brackets: [{host}]:{port}")
    if not host.strip("[]"):
        raise ValueError(f"{text!r} has no host before its port: write host:port")
    return normal(host), int(port)
