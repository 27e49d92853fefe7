"""The requests of one question to a registry: redirects, tokens and credentials, each within limits.

Credentials go to the registry's own host and to the token server that it names, and only over HTTPS. Each
question opens its own connections, since questions are rare and far apart.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from bot.adapters.transport.clients import Answered, BadAddress, Client, CutOff, NotSent
from bot.domain.core import retry_after
from bot.domain.core.images import Reference
from bot.errors import NotAllowed, NotFound, Permanent, Transient

MOST_REDIRECTS = 3
MOST_TOKEN_BYTES = 64 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_PARAMETER = re.compile(r'([A-Za-z_]+)="([^"\\]{0,2000})"')

Pair = tuple[str, str]


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


class Session:
    """Asks one registry about one repository."""

    def __init__(
        self, base: str, named: Reference, timeout: float, credentials: Callable[[str], Pair | None]
    ) -> None:
        """``base`` is the registry's address; ``credentials`` returns those for a host, and may block."""
        self._base, self._named, self._timeout, self._credentials = base, named, timeout, credentials
        self._clients: dict[str, Client] = {}
        self._authorization = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.close()

    async def ask(self, method: str, what: str, accept: str, limit: int) -> Answered:
        """Send a request for a part of the repository, such as ``manifests/latest``. Raises `bot.errors`."""
        url = f"{self._base}/v2/{self._named.path}/{what}"
        answer, own = await self._send(method, url, accept, limit)
        if answer.status == 401 and own and not self._authorization:
            self._authorization = await self._authorise(answer.headers.get("WWW-Authenticate", ""))
            answer, _ = await self._send(method, url, accept, limit)
        if not 200 <= answer.status < 300:
            if answer.status == 404:
                raise NotFound(
                    f"The registry {self._named.registry} has no image {self._named.path} {self._named.version}."
                )
            raise self._refusal(answer, f"The registry {self._named.registry}")
        return answer

    async def _send(self, method: str, url: str, accept: str, limit: int) -> tuple[Answered, bool]:
        """Follow redirects; the credentials stay with the registry's own host.

        Also returns whether that host gave the answer: another one's challenge is not followed.
        """
        for _ in range(MOST_REDIRECTS + 1):
            headers, own = {"Accept": accept}, _origin(url) == _origin(self._base)
            if self._authorization and own:
                headers["Authorization"] = self._authorization
            answer = await self._once(method, url, limit, headers)
            if answer.status not in _REDIRECTS:
                return answer, own
            url = self._joined(url, answer.headers.get("Location", ""))
            if not url.startswith("https://") and _origin(url) != _origin(self._base):
                raise Permanent(f"The registry {self._named.registry} redirects to an address without TLS.")
        raise Permanent(f"The registry {self._named.registry} redirects more than {MOST_REDIRECTS} times.")

    def _joined(self, url: str, location: str) -> str:
        try:
            found = urljoin(url, location)
            _origin(found)
        except ValueError:
            raise Permanent(f"The registry {self._named.registry} redirects to an address that is none.") from None
        return found

    async def _once(self, method: str, url: str, limit: int, headers: Mapping[str, str]) -> Answered:
        try:
            client = self._clients.setdefault(_origin(url), Client(_origin(url), self._timeout))
            return await client.send(method, url, limit, headers=dict(headers))
        except (BadAddress, ValueError) as error:
            raise self._no_address() from error
        except (NotSent, CutOff) as error:
            raise Transient(
                f"The registry {self._named.registry} can't be asked: {error}.",
                remedy="See whether the registry runs, and whether the bot may connect to it.",
            ) from error

    async def _authorise(self, challenge: str) -> str:
        """Return the header that the registry asks for: a token, or the credentials themselves."""
        scheme = challenge.partition(" ")[0].lower()
        pair = await self._pair()
        if scheme == "basic" and pair is not None:
            return _basic(pair)
        if scheme != "bearer":
            raise self._refused()
        given = {name.lower(): value for name, value in _PARAMETER.findall(challenge)}
        return await self._token(given.get("realm", ""), given.get("service", ""), pair)

    async def _pair(self) -> Pair | None:
        """The credentials for the registry's own host; none without TLS."""
        if not self._base.startswith("https://"):
            return None
        return await asyncio.to_thread(self._credentials, urlsplit(self._base).netloc)

    async def _token(self, realm: str, service: str, pair: Pair | None) -> str:
        try:
            own = _origin(realm) == _origin(self._base)
        except ValueError:
            raise self._no_address() from None
        if not realm.startswith("https://") and not own:
            raise Permanent(f"The registry {self._named.registry} names a token server without TLS.")
        scope = {"service": service, "scope": f"repository:{self._named.path}:pull"}
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(scope)}"
        headers = {"Authorization": _basic(pair)} if pair is not None else {}
        answer = await self._once("GET", url, MOST_TOKEN_BYTES, {"Accept": "application/json", **headers})
        if answer.status != 200:
            raise self._refusal(answer, f"The token server of {self._named.registry}")
        try:
            found = msgspec.json.decode(answer.body, type=_Token)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Permanent(f"The token server of {self._named.registry} answered something else.") from None
        token = found.token or found.access_token
        if not token or not token.isascii() or not token.isprintable():
            raise Permanent(f"The token server of {self._named.registry} gave no token.")
        return f"Bearer {token}"

    def _no_address(self) -> Permanent:
        return Permanent(f"The registry {self._named.registry} names an address that is none.")

    def _refused(self) -> NotAllowed:
        return NotAllowed(
            f"The registry {self._named.registry} has no {self._named.path}, or does not let the bot read it.",
            remedy="Give the bot credentials that may read it: registry.credentials.",
        )

    def _refusal(self, answer: Answered, who: str) -> Permanent | Transient:
        now = datetime.now(UTC)
        if answer.status in (401, 403):
            return self._refused()
        what = f"{who} answered HTTP {answer.status}."
        if answer.status == 429 or answer.status >= 500:
            wish = answer.headers.get("Retry-After")
            return Transient(what + retry_after.said(wish, now), retry_after=retry_after.seconds(wish, now))
        return Permanent(what)


def _origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _basic(pair: Pair) -> str:
    return f"Basic {base64.b64encode(':'.join(pair).encode()).decode()}"
