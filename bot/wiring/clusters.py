"""The targets' clusters: a connection to each, made in the background, and what stands in for it until then."""

from __future__ import annotations

import asyncio
import importlib
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from bot.domain.core.outside import Outside
from bot.domain.core.proxies import Route
from bot.domain.core.target import Target
from bot.errors import AgentpodError, Transient
from bot.ports.cluster import Cluster
from bot.settings.model import Settings
from bot.wiring.lazy import LazyCluster

if TYPE_CHECKING:
    from bot.adapters.kubernetes import KubernetesCluster


_PATIENCE = 0.8
"""The share of a call's deadline for waiting on the first connect; the rest is for reporting that it waits."""
_TOKENS = 50
"""How many tokens of a cluster stay redacted, the newest: a short-lived one is replaced every few minutes."""


class ClusterLink:
    """The connection to one cluster, for the targets that are in it."""

    def __init__(self, settings: Settings, name: str, outside: Outside) -> None:
        """``name`` is as ``kubernetes.clusters`` has it; empty for the cluster of ``kubernetes.context``."""
        self.name = name
        self.targets = tuple(target for target in settings.targets if target.cluster == name)
        self.attempted = asyncio.Event()
        """Set once connecting was tried."""
        self._settings, self._outside = settings, outside
        self._tokens: deque[str] = deque(maxlen=_TOKENS)
        self._connection: KubernetesCluster | None = None
        self._error: AgentpodError | None = None

    @property
    def place(self) -> str:
        """How errors name it: not at all where the settings name no cluster."""
        return f"cluster {self.name}" if self.name else ""

    @property
    def route(self) -> Route | None:
        """The way to its API server, once it is known where that is."""
        return self._connection.route if self._connection is not None else None

    async def connect(self) -> AgentpodError | None:
        """Connect to the API server; gives the reason when it can't be configured at all."""
        try:
            self._connection = await self._connected()
        except AgentpodError as error:
            self._error = error.within(self.place)
            return self._error
        finally:
            self.attempted.set()
        return None

    async def _connected(self) -> KubernetesCluster:
        # The client's models take a third of a second to import: in a thread, so that Slack is heard meanwhile.
        module = await asyncio.to_thread(importlib.import_module, "bot.adapters.kubernetes")
        connect: Callable[..., Awaitable[KubernetesCluster]] = module.KubernetesCluster.connect
        conf = self._settings
        named = next((c for c in conf.kubernetes.clusters if c.name == self.name), None)
        return await connect(
            self.targets[0].namespace,
            context=named.context if named else conf.kubernetes.context,
            kubeconfig=named.kubeconfig if named else None,
            timeout=conf.probes.timeout.total_seconds(),
            fingerprints=fingerprint_key(conf),
            learn=self._learn,
        )

    async def _learn(self, token: str) -> None:
        """Redact a token, and still those before it: they may be in texts that are shown later."""
        if token not in self._tokens:
            self._tokens.append(token)
            self._outside.learn(f"cluster {self.name}", self._tokens)
            await asyncio.to_thread(self._outside.prepare)

    async def soon(self, target: Target) -> Cluster:
        """The target's namespace there, as :meth:`of`. Raises Transient if connecting takes too long."""
        seconds = self._settings.probes.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds * _PATIENCE):
                return await self.of(target)
        except TimeoutError:
            raise Transient(
                "The cluster is not connected yet: its credential is still awaited.",
                remedy="Try again in a few seconds. `agentpod check` says what it waits for.",
            ).within(self.place) from None

    async def of(self, target: Target) -> Cluster:
        """The target's namespace there, once connecting was tried. Raises why there is none."""
        await self.attempted.wait()
        if self._connection is None:
            raise self._error or Transient("The cluster is not connected yet.").within(self.place)
        return self._connection.in_namespace(target.namespace)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()


class Clusters:
    """Every cluster that a target is in, and the target's namespace there."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        """Nothing is connected yet; ``outside`` learns the token of each cluster."""
        names = dict.fromkeys(target.cluster for target in settings.targets)
        self.links = tuple(ClusterLink(settings, name, outside) for name in names)
        each = [(link, target) for link in self.links for target in link.targets]
        self._of = {t.name: LazyCluster(partial(link.soon, t), link.place) for link, t in each}
        self._once_connected = {t.name: LazyCluster(partial(link.of, t), link.place) for link, t in each}

    def of(self, target: str) -> Cluster:
        """The target's cluster. Its calls wait until connecting was tried, within their deadline."""
        return self._of[target]

    def once_connected(self, target: str) -> Cluster:
        """The target's cluster, for background work: its calls wait however long connecting takes."""
        return self._once_connected[target]

    def links_of(self, target: str | None) -> tuple[ClusterLink, ...]:
        """The link of the target of that name, none for an unknown one; without a name all links."""
        if target is None:
            return self.links
        return tuple(link for link in self.links if target in [t.name for t in link.targets])

    async def connect(self) -> None:
        """Try to connect to each of them once, side by side."""
        await asyncio.gather(*(link.connect() for link in self.links))

    async def close(self) -> None:
        """Close every connection."""
        for link in self.links:
            await link.close()


def fingerprint_key(settings: Settings) -> bytes | None:
    """What only the bot has, and all its replicas have: else fingerprints could be tried out.

    None without a token, as in many terminals: a key that ends with the process compares nothing.
    """
    token = settings.slack.bot_token
    return (
        None if token is None else sha256(b"agentpod fingerprints " + token.get_secret_value().encode()).digest()
    )
