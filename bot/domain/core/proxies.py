"""Choose the proxy for an outgoing connection from the environment, and say why.

The rules are those of Go's tools (``golang.org/x/net/http/httpproxy``), so that the bot and ``kubectl`` take the
same route: ``HTTPS_PROXY`` or ``HTTP_PROXY`` by the URL's scheme, upper case before lower case, and ``NO_PROXY``
with names, addresses, ports and CIDRs. Beyond Go: ``ALL_PROXY`` is used where the scheme's variable is not set, as
in curl, and ``NO_PROXY`` may have an IPv6 address in brackets without a port.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import quote, unquote, urlsplit

from bot.domain.core.lazy_dataclass import dataclass
from bot.errors import Permanent

Address = IPv4Address | IPv6Address
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "socks5": 1080, "socks5h": 1080}
_SCHEMES = ("http", "https", "socks5", "socks5h")
_OTHER_SCHEMES = {"": "empty"} | {name: name for name in ("ftp", "socks", "socks4", "socks4a", "ws", "wss")}
"""What messages call other schemes. One that is not here may be part of a password, so it is not shown."""
_VARIABLES = {
    "http": ("HTTP_PROXY", "http_proxy"),
    "https": ("HTTPS_PROXY", "https_proxy"),
    "ws": ("HTTP_PROXY", "http_proxy"),
    "wss": ("HTTPS_PROXY", "https_proxy"),
}
_ANY = ("ALL_PROXY", "all_proxy")
_NONE = ("NO_PROXY", "no_proxy")
_FROM_ENVIRONMENT = {name for names in (*_VARIABLES.values(), _ANY) for name in names}


@dataclass(frozen=True)
class Proxy:
    """One proxy. ``origin`` is the variable or setting that names it, such as ``HTTPS_PROXY``."""

    scheme: str
    host: str
    port: int
    origin: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def socks(self) -> bool:
        """Whether it is a SOCKS 5 proxy. The proxy then resolves host names, as in Go."""
        return self.scheme.startswith("socks")

    @property
    def shown(self) -> str:
        """Its URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """Its URL with user and password: a secret."""
        if not self.user and not self.password:
            return self.shown
        scheme, _, rest = self.shown.partition("://")
        return f"{scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{rest}"

    def __str__(self) -> str:
        """Its URL without credentials, and its origin, for messages."""
        return f"{self.shown} ({self.origin})"


@dataclass(frozen=True)
class Route:
    """How to connect to a URL: through ``proxy``, or directly for the reason in ``why``."""

    proxy: Proxy | None
    why: str = ""

    @property
    def through(self) -> str:
        """Suffix for a message about a failed request: a space and the proxy; empty for a direct connection."""
        return "" if self.proxy is None else f" through the proxy {self.proxy}"

    def remedy(self, name: str) -> str:
        """Suffix for the remedy of a failed request. ``name`` is the server, such as "the Pushgateway"."""
        if self.proxy is None:
            return ""
        direct = "" if self.proxy.origin not in _FROM_ENVIRONMENT else f", or put {name} into NO_PROXY"
        return f" See whether that proxy answers: check {self.proxy.origin}{direct}."

    def __str__(self) -> str:
        """Such as "direct (NO_PROXY has 10.0.0.0/8)"."""
        return f"direct ({self.why})" if self.proxy is None else f"through {self.proxy}"


def choose(url: str, environment: Mapping[str, str]) -> Route:
    """Choose the route to ``url``. Raises Permanent where the variable for it holds no valid proxy address."""
    try:
        parts = urlsplit(url)
        port = str(parts.port or _PORTS.get(parts.scheme) or "")
    except ValueError:  # reported by whoever connects
        return Route(None, "it is not a URL")
    name, value = _first(environment, *_VARIABLES.get(parts.scheme, ()), *_ANY)
    if not value:
        return Route(None, "no proxy is set")
    if why := _direct(_ascii((parts.hostname or "").lower()), port, environment):
        return Route(None, why)
    return Route(parse(value, name))


def _direct(host: str, port: str, environment: Mapping[str, str]) -> str:
    """Why a host is connected to directly although a proxy is set; empty where it goes through the proxy."""
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return "it is this machine"
    name, exceptions = _first(environment, *_NONE)
    for entry in re.split(r"[,\s]+", exceptions.strip()):
        if entry and _excepted(entry.lower(), host, port, address):
            return f"{name} has {entry}"
    return ""


def parse(value: str, origin: str) -> Proxy:
    """Parse a proxy given as a URL or as host and port. Raises Permanent, whose message has no password."""
    text = value.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        raise _unusable(origin, "it is not a URL") from None
    if parts.scheme not in _SCHEMES:
        raise _unusable(origin, f"its scheme is {_OTHER_SCHEMES.get(parts.scheme, 'not known')}")
    if not parts.hostname or re.search(r"[\s\x00-\x1f\x7f]", text):
        raise _unusable(
            origin, "it names no host" if not parts.hostname else "it has a space or a control character"
        )
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme.startswith("socks") and not f"{user}{password}".isascii():
        raise _unusable(origin, "its user or password is not ASCII, as SOCKS needs it")
    return Proxy(parts.scheme, _ascii(parts.hostname), port or _PORTS[parts.scheme], origin, user, password)


def passwords(environment: Mapping[str, str]) -> frozenset[str]:
    """Passwords of the environment's proxies, both percent-encoded and decoded, to be redacted."""
    found = set()
    for name in {variable for names in (*_VARIABLES.values(), _ANY) for variable in names}:
        with contextlib.suppress(ValueError, Permanent):
            value = environment.get(name, "")
            found |= {parse(value, name).password, urlsplit(value).password or ""}
    return frozenset(found - {""})


def _unusable(origin: str, why: str) -> Permanent:
    return Permanent(
        f"{origin} is not the address of a proxy: {why}.",
        remedy=f"Write {origin} as http://host:port, https://host:port, socks5://host:port or socks5h://host:port.",
    )


def _first(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    return next(((name, environment[name]) for name in names if environment.get(name)), ("", ""))


def _excepted(entry: str, host: str, port: str, address: Address | None) -> bool:
    """Whether an entry of ``NO_PROXY`` matches the host."""
    if entry == "*":
        return True
    if "/" in entry and (network := _network(entry)) is not None:
        return address is not None and address in network
    name, only = _split(entry)
    if only and only != port:
        return False
    if (listed := _address(name)) is not None:
        return address == listed
    return address is None and bool(name) and _within(host, _ascii(name[1:] if name.startswith("*.") else name))


def _within(host: str, name: str) -> bool:
    """Whether a host is in a domain: ``.example.com`` matches only subdomains, ``example.com`` also itself."""
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _split(entry: str) -> tuple[str, str]:
    """Split an entry into host and port; an IPv6 address without brackets has no port."""
    if entry.startswith("["):
        host, _, rest = entry[1:].partition("]")
        return host, rest.removeprefix(":")
    host, colon, port = entry.rpartition(":")
    return (host, port) if colon and ":" not in host else (entry, "")


def _address(text: str) -> Address | None:
    """Parse an IP address; IPv4-mapped IPv6 becomes IPv4. None for anything else."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = found.network_address.ipv4_mapped if isinstance(found, IPv6Network) else None
    if mapped is None or found.prefixlen < 96:
        return found
    return IPv4Network((mapped, found.prefixlen - 96))


def _ascii(name: str) -> str:
    """Encode an internationalized domain name for DNS (IDNA)."""
    return name if name.isascii() else ".".join(_labels(name))


def _labels(name: str) -> Iterator[str]:
    for label in name.split("."):
        try:
            yield label.encode("idna").decode()
        except UnicodeError:
            yield label
