"""Network addresses and host names in one spelling each, so that two of them can be compared. Pure."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def normal(text: str) -> str:
    """An IP address as RFC 5952 writes it, IPv4-mapped ones as IPv4; a host name in lower case without a last dot.

    Brackets go, a zone (``fe80::1%eth0``) stays. What is neither comes back in lower case.
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
    """A name as DNS has it (RFC 4343: case does not count; RFC 5890: letters beyond ASCII are encoded)."""
    plain = name.removesuffix(".").lower()
    try:
        return plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def same(one: str, other: str) -> bool:
    """Whether both are the same address or name. A zone, which only its own machine knows, does not count."""
    return _without_zone(normal(one)) == _without_zone(normal(other))


def _without_zone(address: str) -> str:
    return address.partition("%")[0]


def in_url(address: str) -> str:
    """The address as it stands in a URL or before a port: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def split_port(text: str) -> tuple[str, int]:
    """``host:port`` and ``[IPv6]:port``. Raises ValueError that says what is wrong with another one."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535):
        raise ValueError(f"{text!r} has no port from 1 to 65535 at its end: write host:port")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"put the IPv6 address in brackets: [{host}]:{port}")
    if not host.strip("[]"):
        raise ValueError(f"{text!r} has no host before its port: write host:port")
    return normal(host), int(port)
