"""The pod's namespace, and the pod as the outside world reaches it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.secret_data import SecretData, SecretDifference
from bot.domain.core.workload import (
    Application,
    Claim,
    ClusterInfo,
    Deployment,
    Endpoint,
    Event,
    ExecResult,
    ExternalSecret,
    HttpAnswer,
    LogLine,
    LogStart,
    LogText,
    Pod,
    Right,
    Rules,
    SecretFacts,
    Service,
)


class Trial(Protocol):
    """A cluster in which every change is a server-side dry run."""

    @property
    def cluster(self) -> Cluster:
        """The cluster; a change raises what it would raise if it were made. Commands that change are not run."""

    @property
    def changes(self) -> Sequence[FieldChange]:
        """What the changes so far would make of their objects."""


@dataclass(frozen=True)
class TrialRead:
    """A target's state that was read for a request, and the trial on which its change can be tried at once."""

    trial: Trial
    seen: Any


class Cluster(Protocol):
    """One namespace of a Kubernetes cluster, read and repaired with the bot's own rights.

    Every method may raise `TimedOut`, `Transient`, `NotAllowed`, `NotFound`, `Denied` or `Permanent`,
    each with a sentence a person understands and, where there is one, a remedy. Those that change something
    may also raise `Conflict` (nothing was changed) and `Uncertain` (the result is unknown), and never retry.
    """

    async def info(self) -> ClusterInfo:
        """The API server's address, its version, and the user that the bot is authenticated as."""

    async def pods(self, selector: str) -> Sequence[Pod]:
        """Pods by label selector, oldest first."""

    def follow(self, selector: str, *, patience: float = 60.0) -> AsyncGenerator[Sequence[Pod], None]:
        """Yield the pods by label selector, oldest first: as they are now, and again whenever one changes.

        Lasts until it is closed (`contextlib.aclosing`) or raises: `NotAllowed` and other permanent errors at
        once, `Transient` after an outage of ``patience`` seconds; shorter ones show only as a pause. Cancelling
        a wait for the next list ends it as well, as with every generator.
        """

    async def deployment(self, name: str) -> Deployment:
        """A Deployment by name: its spec and its controller's status."""

    async def events(self) -> Sequence[Event]:
        """The namespace's events, newest first."""

    async def services(self) -> Sequence[Service]:
        """The namespace's Services by name."""

    async def endpoints(self) -> Sequence[Endpoint]:
        """All addresses behind the namespace's Services, from EndpointSlices."""

    async def claims(self) -> Sequence[Claim]:
        """The namespace's PersistentVolumeClaims by name."""

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        """An object by name, or a list (``items``) by label selector, as the API server's JSON.

        ``right`` says which: its verb is get or list; an empty namespace is the whole cluster. Raises ValueError
        for Secrets: `secret` never holds values.
        """

    async def delete_object(self, right: Right, version: str, uid: str, resource_version: str = "") -> None:
        """Delete an object that has this uid and, where one is given, this resource version.

        Raises `NotFound` when it is gone, `Conflict` when it is another one or has changed, `Uncertain` when the
        answer was lost.
        """

    async def create_object(self, right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        """Create an object. Raises `Conflict` when its name is taken, `Uncertain` when the answer was lost."""

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
        """A container's log; with ``previous`` the previous container's log, from before the last restart."""

    def follow_log(
        self, pod: str, container: str, start: LogStart, seconds: float = 600.0
    ) -> AsyncGenerator[Sequence[LogLine], None]:
        """Yield the lines of a container's log as they are written, in batches; the first one may be empty.

        Ends when the API server ends it, as it does once the container has ended; raises `Transient` when the
        connection is lost or after ``seconds``. It must be closed (`contextlib.aclosing`). Long lines are cut.
        """

    async def exec(
        self,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        seconds: float | None = None,
    ) -> ExecResult:
        """Run a command in a container and collect its output. A non-zero exit code is a result, not an error.

        ``seconds`` is a deadline of its own, for commands that take longer than reads usually may.
        """

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        """Run a command that changes something in a container: it is sent once, and not shared with others.

        ``stdin`` is its input. Not every server can close a command's input while the command runs, so the command
        must end by itself once it has read that many bytes. No error and no log contains any part of it.

        Its output is read to the end, and its last lines are kept; a non-zero exit code is a result. Raises
        `Uncertain` when it may have run and no answer says how it ended; after any other error it was certainly
        not run.
        """

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        """Annotate the pod template of a Deployment that is still as ``seen``; returns the Deployment after it.

        A changed template starts a rollout, so this restarts the pod. Raises `Conflict` when the Deployment has
        changed; `Permanent`, with nothing sent, when it is paused; `Uncertain` when the answer was lost.
        """

    async def set_image(
        self, seen: Deployment, container: str, image: str, annotations: Mapping[str, str]
    ) -> Deployment:
        """Name another image for a main container in the pod template, and annotate that, as `restart` does."""

    async def delete_pod(self, pod: Pod) -> None:
        """Delete this pod, identified by its uid, gracefully; its Deployment creates another.

        Raises `NotFound` when it is gone, `Conflict` when another pod has its name, `Uncertain` when the answer
        was lost.
        """

    async def secret(self, name: str) -> SecretFacts:
        """A Secret without its values: each key's length, and a fingerprint of its value.

        The fingerprint is short and keyed with a secret of the bot: equal values have equal fingerprints, and
        nobody else can use it to test guesses. A process without that secret makes none: what it would compare
        with was made with another one.
        """

    async def authorized_keys(self, name: str, key: str) -> str:
        """The text of a file of SSH public keys in a Secret. `NotFound` where the Secret or the key is absent."""

    async def set_secret_key(
        self, seen: SecretFacts, key: str, value: bytes, annotations: Mapping[str, str]
    ) -> SecretFacts:
        """Set a key of a Secret that is still as ``seen``, and annotate the Secret; returns the Secret after it.

        Raises `Conflict` when the Secret has changed; `Permanent`, with nothing sent, when it is immutable;
        `Uncertain` when the answer was lost. No error contains any part of the value.
        """

    async def compare_secret(self, name: str, data: SecretData) -> tuple[SecretFacts, SecretDifference]:
        """A Secret without its values, and what giving it this data would change."""

    async def set_secret_data(
        self, seen: SecretFacts, values: Mapping[str, bytes | None], annotations: Mapping[str, str]
    ) -> SecretFacts:
        """Set keys of a Secret that is still as ``seen``, remove those that are None, and annotate the Secret.

        Returns the Secret after it, and raises as `set_secret_key` does.
        """

    async def external_secrets(self) -> Sequence[ExternalSecret]:
        """The namespace's ExternalSecrets by name. `NotFound` where the operator is not installed."""

    async def secret_values(self, names: Collection[str], *, files: bool = False) -> frozenset[str]:
        """The values of these Secrets, to be used for redaction only. ``files``: they hold config files."""

    async def can_i(self, right: Right) -> bool:
        """Whether the API server's authoriser grants the bot this right."""

    async def account_can(self, namespace: str, name: str, right: Right) -> bool:
        """Whether the authoriser grants a right to a ServiceAccount: ``name`` in a namespace.

        To ask this is a right of its own, which the shipped Roles don't have. Raises as all do.
        """

    async def trial(self) -> Trial:
        """The same namespace for dry runs: reads are real; the API server judges changes and stores nothing."""

    async def rules(self, namespace: str | None = None) -> Rules:
        """The rules that the authoriser lists for the bot in a namespace; None: the target's own."""


class Network(Protocol):
    """The pod as the outside world reaches it."""

    async def banner(self, host: str, port: int) -> str:
        """Connect by TCP and read SSH's identification (``SSH-2.0-…``); another server's line is an error."""

    async def connect(self, host: str, port: int) -> None:
        """Connect by TCP and hang up."""

    async def greeting(self, host: str, port: int, seconds: float) -> str:
        """Connect by TCP and return the first line that the server sends within ``seconds``; empty: none."""

    async def http_status(self, url: str) -> int:
        """GET a URL, without following redirects; returns the status."""

    async def get(self, url: str, *, limit: int) -> HttpAnswer:
        """GET a URL, without following redirects; reads at most ``limit`` bytes of the body."""
