"""The bot's credential at the API server, and its renewal.

A credential is read again when the API server refuses it, when it is about to expire, and, for a service account's
token, once a minute. A plugin may take longer than a call: a call waits for it within its own deadline and then
leaves it running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from bot.adapters.kubernetes import config, credentials, plugin
from bot.adapters.kubernetes.config import Access, ConfigSource
from bot.adapters.transport.sessions import by_environment
from bot.domain.core.proxies import Route
from bot.errors import AgentpodError, NotAllowed, Permanent, Transient

EARLY = timedelta(seconds=60)
"""How long before its expiry a credential is renewed, in the background."""
AGAIN = 5.0
"""Seconds after a renewal in which a refused credential does not run the plugin again."""
_PLUGIN_SHARE = 0.8
"""The share of a call's deadline for waiting on a plugin; the rest is for reporting that it did not answer."""


Learn = Callable[[str], Awaitable[None]]
"""Called with each token that redaction can't recognise by its shape, before the token is used."""


class Login:
    """The credential in use, with the address of its API server."""

    def __init__(
        self,
        access: Access,
        timeout: float,
        patience: float,
        kubeconfig: str | None = None,
        learn: Learn | None = None,
    ) -> None:
        """Call :meth:`open` instead. ``timeout`` is a call's deadline in seconds, ``patience`` a plugin's."""
        self._access, self._timeout, self._patience, self._kubeconfig = access, timeout, patience, kubeconfig
        self._learn, self._learnt = learn, ""
        self._renewal: asyncio.Task[None] | None = None
        self._renewed_at = float("-inf")
        self.tls = config.tls(access.configuration, access.source)
        self.generation = 0
        """The number of client certificates so far; a new one needs new connections."""
        self.own_route = access.route

    @classmethod
    async def open(
        cls,
        context: str | None,
        timeout: float,  # noqa: ASYNC109 - kept
        patience: float | None,
        kubeconfig: str | None = None,
        learn: Learn | None = None,
    ) -> Login:
        """Read the configuration and get the first credential. Raises Permanent, and what a plugin's `run` raises.

        ``kubeconfig`` is the one file to read; None finds it by the client's usual rules. ``learn`` gets the first
        token and every later one.
        """
        patience = plugin.SECONDS if patience is None else patience
        login = cls(await config.load(context, patience, kubeconfig), timeout, patience, kubeconfig, learn)
        _ = login.route  # raises now if the proxy setting is invalid
        await login._current()
        return login

    @property
    def source(self) -> ConfigSource:
        """Which configuration is in use."""
        return self._access.source

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._access.configuration.host)

    @property
    def route(self) -> Route:
        """The route to the API server: direct or through a proxy. Raises Permanent for an invalid proxy."""
        return self.own_route or by_environment(self.server)

    @property
    def tls_name(self) -> str:
        """The name that the server's certificate must have; empty for the name in its address."""
        return str(self._access.configuration.tls_server_name or "")

    def close(self) -> None:
        """Cancel a renewal that is under way."""
        if self._renewal is not None:
            self._renewal.cancel()

    async def authorization(self) -> str:
        """Return the ``Authorization`` header's value; empty for a certificate.

        Starts a renewal if the credential is about to expire, and waits for it if it has expired.
        """
        expires = self._access.expires
        if expires is not None and (left := expires - datetime.now(UTC)) < EARLY:
            renewal = self._renewing()
            if left <= timedelta():
                await self._wait_for(renewal)
        return await self._current()

    async def _current(self) -> str:
        """Return the header's value as it is now. Every token that is used passes here, and is learned first."""
        value = await _authorization_of(self._access)
        if value != self._learnt:
            self._learnt = value
            scheme, _, token = value.partition(" ")
            if self._learn is not None and scheme == "Bearer" and credentials.claims_of(value) is None:
                await self._learn(token)
        return value

    async def renewed(self, refused: str) -> bool:
        """Renew the credential; return whether it differs from ``refused``. Raises what the plugin raises."""
        if await self.authorization() != refused:
            return True  # another call's refusal has renewed it already
        if self._access.plugin and asyncio.get_running_loop().time() - self._renewed_at < AGAIN:
            return False
        generation = self.generation
        await self._wait_for(self._renewing())
        return self.generation != generation or await self.authorization() != refused

    def not_accepted(self, said: str, authorization: str) -> NotAllowed:
        """Return the error for a 401, which says whose credentials were not accepted."""
        return credentials.not_accepted(said, authorization, self.source, datetime.now(UTC))

    def _renewing(self) -> asyncio.Task[None]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._renew(), name="renew-credential")
            self._renewal.add_done_callback(_report_unexpected)
        return self._renewal

    async def _renew(self) -> None:
        fresh = await config.load(self.source.context, self._patience, self._kubeconfig)
        self._renewed_at = asyncio.get_running_loop().time()
        await _authorization_of(fresh)  # an unusable one is not taken over: no call could have it renewed
        old, new = self._access.configuration, fresh.configuration
        if fresh.source.in_cluster != self.source.in_cluster or new.host != old.host:
            return
        if (new.cert_file, new.key_file) != (old.cert_file, old.key_file):
            self.tls = config.tls(new, fresh.source)
            self.generation += 1
        self._access = fresh

    async def _wait_for(self, renewal: asyncio.Task[None]) -> None:
        if not self._access.plugin:
            await asyncio.shield(renewal)
            return
        try:
            async with asyncio.timeout(self._timeout * _PLUGIN_SHARE):
                await asyncio.shield(renewal)
        except TimeoutError:
            # Not TimedOut, which means that the API server did not answer.
            raise Transient(
                f"The credential has ended, and {self._access.plugin} gave no new one in {self._timeout:g} s.",
                remedy="See what it waits for. The bot uses its credential as soon as it comes.",
            ) from None


async def _authorization_of(access: Access) -> str:
    """Return the header's value. Raises Permanent for a token that no header can hold."""
    auth = await access.configuration.auth_settings()
    value = str((auth.get("BearerToken") or {}).get("value") or "").strip()
    if len(value.splitlines()) > 1:
        raise Permanent(
            f"The token of {access.source.described} has a line break in it.",
            remedy="Write the token alone, in one line, into the token file or the kubeconfig.",
        )
    return value


def _report_unexpected(task: asyncio.Task[None]) -> None:
    """Ignore a renewal's AgentpodError: the next call tries again and raises it. Report any other exception."""
    if not task.cancelled() and not isinstance(task.exception(), AgentpodError | None):
        task.get_loop().call_exception_handler({"message": "renewing a credential failed", "task": task})
