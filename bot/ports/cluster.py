"""The pod's namespace, and the pod as the outside world reaches it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from bot.domain.core.workload import (
    Application,
    Claim,
    ClusterInfo,
    Deployment,
    Endpoint,
    Event,
    ExecResult,
    ExternalSecret,
    LogText,
    Pod,
    Right,
    Rules,
    SecretFacts,
    Service,
)


class Cluster(Protocol):
    """One namespace of a Kubernetes cluster, read and repaired with the bot's own rights.

    Every method may raise `TimedOut`, `Transient`, `NotAllowed`, `NotFound`, `Denied` or `Permanent`,
    each with a sentence a person understands and, where there is one, a remedy. Those that change something
    may also raise `Conflict` (nothing was done) and `Uncertain` (nobody knows), and are never tried twice.
    """

    async def info(self) -> ClusterInfo:
        """The API server's address, its version, and as whom the bot speaks to it."""

    async def pods(self, selector: str) -> Sequence[Pod]:
        """Pods by label selector, oldest first."""

    def follow(self, selector: str, *, patience: float = 60.0) -> AsyncGenerator[Sequence[Pod], None]:
        """The pods by label selector, oldest first: as they are now, and whenever one of them changes.

        Lasts until it is closed (`contextlib.aclosing`) or raises: `NotAllowed` and other permanent errors at
        once, `Transient` after an outage of ``patience`` seconds; shorter ones show only as a pause. Cancelling
        a wait for the next list ends it as well, as with every generator.
        """

    async def deployment(self, name: str) -> Deployment:
        """A Deployment by name: what it asks for, and how far its controller has come."""

    async def events(self) -> Sequence[Event]:
        """The namespace's events, newest first."""

    async def services(self) -> Sequence[Service]:
        """The namespace's Services by name."""

    async def endpoints(self) -> Sequence[Endpoint]:
        """All addresses behind the namespace's Services, from EndpointSlices."""

    async def claims(self) -> Sequence[Claim]:
        """The namespace's PersistentVolumeClaims by name."""

    async def application(self, namespace: str, name: str) -> Application:
        """An Argo CD Application. NotFound where the CRD or the object is absent."""

    async def logs(
        self,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        since: timedelta | None = None,
        tail: int | None = None,
        limit_bytes: int = 4_000_000,
    ) -> LogText:
        """A container's log; ``previous`` the run before the last restart."""

    async def exec(
        self,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        seconds: float | None = None,
    ) -> ExecResult:
        """Run a command in a container and collect what it says. A non-zero exit is a result, not an error.

        ``seconds`` is a deadline of its own, for commands that take longer than a read may.
        """

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        """Annotate the pod template of a Deployment that is still as ``seen``, and give what it is now.

        A new template is a rollout, so this restarts the pod. `Conflict` when it changed since; `Permanent`, with
        nothing sent, when it is paused; `Uncertain` when the answer was lost.
        """

    async def delete_pod(self, pod: Pod) -> None:
        """Delete that very pod (by its uid), gracefully; its Deployment makes another.

        `NotFound` when it is gone, `Conflict` when another one has its name, `Uncertain` when the answer was lost.
        """

    async def secret(self, name: str) -> SecretFacts:
        """A Secret without its values: of each key the length, and a fingerprint to compare by.

        The fingerprint is keyed with something that only the bot has, and short: it tells whether two values are
        the same, and can't be used to try guesses.
        """

    async def authorized_keys(self, name: str, key: str) -> str:
        """The text of a file of SSH public keys in a Secret. `NotFound` where the Secret or the key is absent."""

    async def set_secret_key(
        self, seen: SecretFacts, key: str, value: bytes, annotations: Mapping[str, str]
    ) -> SecretFacts:
        """Give a key of a Secret that is still as ``seen`` another value, and annotate it.

        `Conflict` when it changed since; `Permanent`, with nothing sent, when it is immutable; `Uncertain` when
        the answer was lost. No error has anything of the value.
        """

    async def external_secrets(self) -> Sequence[ExternalSecret]:
        """The namespace's ExternalSecrets by name. `NotFound` where the operator is not installed."""

    async def secret_values(self, names: Collection[str]) -> frozenset[str]:
        """The values of those Secrets, only ever to look for them in text that is about to be shown."""

    async def can_i(self, right: Right) -> bool:
        """Whether the API server's authoriser grants the bot that right."""

    async def rules(self, namespace: str | None = None) -> Rules:
        """All that the authoriser says the bot may do in a namespace; None is the target's own."""


class Network(Protocol):
    """The pod as the outside world reaches it."""

    async def banner(self, host: str, port: int) -> str:
        """Connect by TCP and read the first line the server sends (SSH's is ``SSH-2.0-…``)."""

    async def connect(self, host: str, port: int) -> None:
        """Connect by TCP and hang up."""

    async def http_status(self, url: str) -> int:
        """GET a URL (redirects not followed) and give the status."""
