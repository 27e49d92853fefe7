"""Who the bot is at the API server: the credential in use, and how it gets the next one.

A credential is read anew when the API server refuses it, when it is about to end, and, for a service account's
token, once a minute. A plugin takes as long as it takes: calls wait for it within their own deadline, and leave it
running.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from bot.adapters.kubernetes import config, credentials, plugin
from bot.adapters.kubernetes.config import Access, ConfigSource
from bot.adapters.transport.sessions import by_environment
from bot.domain.core.proxies import Route
from bot.errors import AgentpodError, NotAllowed, Transient

EARLY = timedelta(seconds=60)
"""So long before a credential ends the next one is asked for, while the old one is still used."""
AGAIN = 5.0
"""Seconds in which a plugin is not run once more for a credential that was refused."""
_SHARE = 0.8
"""Of a call's deadline that is waited for a plugin: what is left is for saying so."""


class Login:
    """The credential, and the address that it is for."""

    def __init__(self, access: Access, timeout: float, patience: float, kubeconfig: str | None = None) -> None:
        """``timeout`` is a call's deadline in seconds, ``patience`` that of a plugin; see :meth:`open`."""
        self._access, self._timeout, self._patience, self._kubeconfig = access, timeout, patience, kubeconfig
        self._renewal: asyncio.Task[None] | None = None
        self._renewed_at = float("-inf")
        self.tls = config.tls(access.configuration, access.source)
        self.generation = 0
        """Counts the certificates that the bot has had."""
        self.own_route = access.route

    @classmethod
    async def open(
        cls,
        context: str | None,
        timeout: float,  # noqa: ASYNC109 - kept
        patience: float | None,
        kubeconfig: str | None = None,
    ) -> Login:
        """Read the configuration and get the first credential. Raises Permanent, or a plugin's failure.

        ``kubeconfig`` is the one file to read; else it is found by the client's usual rules.
        """
        patience = plugin.SECONDS if patience is None else patience
        login = cls(await config.load(context, patience, kubeconfig), timeout, patience, kubeconfig)
        _ = login.route  # a proxy that is none is found out now
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
        """The way to the API server. Raises Permanent for a proxy that is none."""
        return self.own_route or by_environment(self.server)

    @property
    def tls_name(self) -> str:
        """The name that its certificate must have; empty for that of its address."""
        return str(self._access.configuration.tls_server_name or "")

    def close(self) -> None:
        """End what is under way."""
        if self._renewal is not None:
            self._renewal.cancel()

    async def authorization(self) -> str:
        """The value of the ``Authorization`` header, renewed where it is about to end; empty for a certificate."""
        expires = self._access.expires
        if expires is not None and (left := expires - datetime.now(UTC)) < EARLY:
            renewal = self._renewing()
            if left <= timedelta():
                await self._wait_for(renewal)
        auth = await self._access.configuration.auth_settings()
        return str((auth.get("BearerToken") or {}).get("value") or "").strip()

    async def renewed(self, refused: str) -> bool:
        """Whether there is another credential than the ``refused`` one by now. Raises a plugin's failure."""
        if await self.authorization() != refused:
            return True  # many calls are refused together: one of them has got it
        if self._access.plugin and asyncio.get_running_loop().time() - self._renewed_at < AGAIN:
            return False
        generation = self.generation
        await self._wait_for(self._renewing())
        return self.generation != generation or await self.authorization() != refused

    def not_accepted(self, said: str, authorization: str) -> NotAllowed:
        """The error for a 401: whose credentials were not accepted."""
        return credentials.not_accepted(said, authorization, self.source, datetime.now(UTC))

    def _renewing(self) -> asyncio.Task[None]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.get_running_loop().create_task(self._renew(), name="renew-credential")
            self._renewal.add_done_callback(_looked_at)
        return self._renewal

    async def _renew(self) -> None:
        fresh = await config.load(self.source.context, self._patience, self._kubeconfig)
        self._renewed_at = asyncio.get_running_loop().time()
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
            async with asyncio.timeout(self._timeout * _SHARE):
                await asyncio.shield(renewal)
        except TimeoutError:
            # Not TimedOut: it is not the API server that does not answer.
            raise Transient(
                f"The credential has ended, and {self._access.plugin} gave no new one in {self._timeout:g} s.",
                remedy="See what it waits for. The bot uses its credential as soon as it comes.",
            ) from None


def _looked_at(task: asyncio.Task[None]) -> None:
    """A renewal that nobody waits for may fail: whoever needs the credential tries again, and says so."""
    if not task.cancelled() and not isinstance(task.exception(), AgentpodError | None):
        task.get_loop().call_exception_handler({"message": "renewing a credential failed", "task": task})
