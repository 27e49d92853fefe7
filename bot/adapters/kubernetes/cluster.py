"""The `Cluster` port on a real API server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self
from urllib.parse import quote

from bot.adapters.kubernetes import decode, facts, log_stream, no_log, repairs, shapes, watch
from bot.adapters.kubernetes import exec as remote
from bot.adapters.kubernetes.client import Call, Connection
from bot.adapters.kubernetes.login import Learn
from bot.adapters.kubernetes.trial import TrialConnection
from bot.domain.core.object_diff import FieldChange
from bot.domain.core.proxies import Route
from bot.domain.core.secret_data import SecretData, SecretDifference, difference, redactable
from bot.domain.core.workload import (
    Application,
    Claim,
    ClusterInfo,
    Deployment,
    Endpoint,
    Event,
    ExecResult,
    ExternalSecret,
    LogLine,
    LogStart,
    LogText,
    Pod,
    Right,
    Rules,
    SecretFacts,
    Service,
)
from bot.domain.health import ssh_keys
from bot.errors import AgentpodError, NotFound
from bot.ports.cluster import Cluster, Trial

MANY_KEYS = 1000
"""Keys of a Secret that take no noticeable time to fingerprint."""
MOST_OBJECTS = 4 * 1024 * 1024
"""Maximum bytes of objects that a runbook reads whole."""
MOST_EVENTS = 5_000
"""Maximum events of a namespace, newest first: a pod can cause any number."""
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_OTHERS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
_WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True)
class _Trial:
    """See the port's `Trial`."""

    cluster: Cluster
    connection: TrialConnection

    @property
    def changes(self) -> Sequence[FieldChange]:
        return tuple(self.connection.changes)


class KubernetesCluster:
    """One namespace, accessed with the bot's rights. Every call has a deadline and raises only `bot.errors`."""

    def __init__(self, connection: Connection, namespace: str, fingerprints: bytes | None) -> None:
        """Call `connect` or `in_namespace` instead."""
        self._connection = connection
        self._namespace = namespace
        self._fingerprints = fingerprints

    @classmethod
    async def connect(
        cls,
        namespace: str,
        *,
        context: str | None = None,
        kubeconfig: str | None = None,
        timeout: float = 3.0,  # noqa: ASYNC109 - kept for later calls
        fingerprints: bytes | None = None,
        learn: Learn | None = None,
    ) -> Self:
        """Read the configuration, without calling the API server.

        ``kubeconfig`` is the one file to read; None finds it by the client's usual rules. ``timeout`` is each
        call's deadline in seconds; ``fingerprints`` is the key for the fingerprints of secret values (default:
        there are none). ``learn`` gets each token that is no JWT, and so can't be redacted by its shape, before
        it is used. Raises Permanent for a configuration that can't be used, and what a credential plugin raises.
        """
        connection = await Connection.open(context, timeout, kubeconfig=kubeconfig, learn=learn)
        return cls(connection, namespace, fingerprints)

    def in_namespace(self, namespace: str) -> Self:
        """Return another namespace on the same connection. Closing one closes all."""
        return type(self)(self._connection, namespace, self._fingerprints)

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    @property
    def route(self) -> Route:
        """The route to the API server."""
        return self._connection.route

    async def info(self) -> ClusterInfo:
        """The API server's address and version, and the bot's user name there."""
        version, user = await asyncio.gather(
            self._connection.read(Call(Right("get", "version", namespace=""), "/version"), shapes.Version),
            self._user(),
        )
        source = self._connection.source
        return ClusterInfo(
            self._connection.server, version.git_version, source.context, user, {"configuration": source.described}
        )

    async def _user(self) -> str | None:
        """Return the bot's user name at the API server; if that can't be asked, the kubeconfig's name for it."""
        right = Right("create", "selfsubjectreviews", "authentication.k8s.io", namespace="")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            review = await self._connection.read(
                Call(right, _WHO_AM_I, method="POST", body=body), shapes.SelfReview
            )
        except AgentpodError:
            return self._connection.source.user
        info = review.status and review.status.user_info
        return (info.username if info else None) or self._connection.source.user

    async def pods(self, selector: str) -> Sequence[Pod]:
        """Pods by label selector, oldest first."""
        call = self._listing("pods", query=[("labelSelector", selector)])
        return facts.oldest_first(await self._connection.listed(call, shapes.Pod, facts.pod, decode.unknown_pod))

    def follow(
        self, selector: str, *, patience: float = 60.0, pace: watch.WatchPace = watch.USUAL
    ) -> AsyncGenerator[Sequence[Pod], None]:
        """The pods now and whenever they change; see the port.

        Needs the rights to list and watch pods; the shipped Role has the latter only where a command needs it.
        """
        listing = Call(self._right("list", "pods"), self._path("pods"), [("labelSelector", selector)])
        return watch.follow(self._connection, listing, patience, pace)

    async def deployment(self, name: str) -> Deployment:
        """A Deployment by name. Raises NotFound."""
        call = Call(self._right("get", "deployments", group="apps", name=name), self._deployment_path(name))
        return facts.deployment(await self._connection.read(call, shapes.Deployment))

    async def events(self) -> Sequence[Event]:
        """The namespace's events, newest first."""
        call = self._listing("events")
        found = await self._connection.listed(call, shapes.Event, facts.event, decode.unknown_event)
        return facts.newest_first(found)[:MOST_EVENTS]

    async def services(self) -> Sequence[Service]:
        """The namespace's Services by name."""
        found = await self._connection.listed(self._listing("services"), shapes.Service, facts.service)
        return sorted(found, key=lambda s: s.name)

    async def endpoints(self) -> Sequence[Endpoint]:
        """All addresses behind the namespace's Services."""
        call = self._listing("endpointslices", group="discovery.k8s.io/v1")
        found = await self._connection.listed(call, shapes.EndpointSlice, facts.endpoints)
        return [endpoint for slice_ in found for endpoint in slice_]

    async def claims(self) -> Sequence[Claim]:
        """The namespace's PersistentVolumeClaims by name."""
        call = self._listing("persistentvolumeclaims")
        found = await self._connection.listed(call, shapes.Claim, facts.claim, decode.unknown_claim)
        return sorted(found, key=lambda c: c.name)

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        """An object by name, or a list by selector, as JSON. Raises ValueError for Secrets, else as all do."""
        if right.resource == "secrets" and not right.group:
            raise ValueError("the values of Secrets are never read as objects")
        right = self._placed(right)
        query = [("labelSelector", selector)] if selector else []
        call = Call(right, _object_path(right, version), query, most=MOST_OBJECTS)
        return await self._connection.read(call, dict[str, Any])

    async def delete_object(self, right: Right, version: str, uid: str, resource_version: str = "") -> None:
        """Delete an object by its uid; see the port."""
        right = self._placed(right)
        path = _object_path(right, version)
        await repairs.delete_object(self._connection, right, path, uid, resource_version)

    async def create_object(self, right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        """Create an object; see the port."""
        right = self._placed(right)
        await repairs.create_object(self._connection, right, _object_path(right, version), manifest)

    def _placed(self, right: Right) -> Right:
        """The right with its namespace, by default the target's."""
        return replace(right, namespace=self._namespace if right.namespace is None else right.namespace)

    async def application(self, namespace: str, name: str) -> Application:
        """An Argo CD Application. Raises NotFound, which says whether the CRD or the object is absent."""
        right = Right("get", "applications", "argoproj.io", name=name, namespace=namespace)
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{quote(namespace)}/applications/{quote(name, safe='')}"
        return facts.application(await self._connection.read(Call(right, path), shapes.Application))

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
        """A container's log, at most ``limit_bytes``. Raises NotFound without a log or previous container."""
        # One byte more than wanted distinguishes a truncated log from one that just fits.
        query = [("container", container), ("limitBytes", str(limit_bytes + 1))]
        if previous:
            query.append(("previous", "true"))
        if since is not None:
            query.append(("sinceSeconds", str(max(1, math.ceil(since.total_seconds())))))
        if tail is not None:
            query.append(("tailLines", str(tail)))
        right = self._right("get", "pods", subresource="log")
        call = Call(right, self._path("pods", pod, "log"), query, most=limit_bytes + 1, cut=True)
        answer = await self._connection.send(call)
        if (error := no_log.explain(answer.body, container, previous=previous, tail=tail)) is not None:
            raise error
        return facts.log_text(answer.body, limit_bytes)

    def follow_log(
        self, pod: str, container: str, start: LogStart, seconds: float = 600.0
    ) -> AsyncGenerator[Sequence[LogLine], None]:
        """The lines of a container's log as they are written; see the port."""
        call = self._follow_call(pod, log_stream.query(container, start))
        return log_stream.follow(self._connection, call, container, seconds)

    def _follow_call(self, pod: str, query: Sequence[tuple[str, str]]) -> Call:
        return Call(self._right("get", "pods", subresource="log"), self._path("pods", pod, "log"), query)

    async def exec(
        self,
        pod: str,
        container: str,
        argv: Sequence[str],
        *,
        limit_bytes: int = 1_000_000,
        seconds: float | None = None,
    ) -> ExecResult:
        """Run a command in a container, within ``seconds`` (default: the connection's deadline).

        A non-zero exit code is a result, and so is a missing binary: exit code 127, the reason on stderr. Output
        beyond ``limit_bytes`` is not read: the result is ``truncated`` and has no exit code. The same command runs
        once for all who ask for it meanwhile, and few run in one pod at a time (`ExecTurns`).
        """
        call = self._exec_call(pod, container, argv)
        key = (self._namespace, pod, container, tuple(argv), limit_bytes, seconds)
        return await self._connection.turns.run(
            f"{self._namespace}/{pod}",
            key,
            lambda: remote.run(self._connection, call, argv, limit_bytes, seconds),
        )

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        """Run a command that changes something in a container, within ``seconds``; see the port."""
        if not self._connection.lasting:
            return ExecResult("", "", 0)
        call = self._exec_call(pod, container, argv, stdin=stdin is not None)
        return await remote.run_once(self._connection, call, argv, seconds, stdin)

    def _exec_call(self, pod: str, container: str, argv: Sequence[str], *, stdin: bool = False) -> Call:
        query = [("container", container), ("stdout", "true"), ("stderr", "true")]
        query += [("stdin", "true")] if stdin else []
        query += [("command", word) for word in argv]
        return Call(self._right("create", "pods", subresource="exec"), self._path("pods", pod, "exec"), query)

    async def restart(self, seen: Deployment, annotations: Mapping[str, str]) -> Deployment:
        """Annotate the pod template of a Deployment that is still as ``seen``; see the port.

        Raises Conflict for any change since, also of its status, so read it right before. Needs the right to patch
        the Deployment by name, which the shipped Role has only where a command needs it.
        """
        right = self._right("patch", "deployments", group="apps", name=seen.name)
        return await repairs.restart(self._connection, right, self._deployment_path(seen.name), seen, annotations)

    async def set_image(
        self, seen: Deployment, container: str, image: str, annotations: Mapping[str, str]
    ) -> Deployment:
        """Name another image in the pod template; see the port. Needs the same right as `restart`."""
        right = self._right("patch", "deployments", group="apps", name=seen.name)
        path = self._deployment_path(seen.name)
        return await repairs.set_image(self._connection, right, path, seen, container, image, annotations)

    async def delete_pod(self, pod: Pod) -> None:
        """Delete this pod, identified by its uid, gracefully; see the port.

        Needs the right to delete pods (not by name: names are not known before), which the shipped Role has only
        where a command needs it.
        """
        right = self._right("delete", "pods", name=pod.name)
        await repairs.delete_pod(self._connection, right, self._path("pods", pod.name), pod)

    async def secret(self, name: str) -> SecretFacts:
        """A Secret without its values; see the port."""
        return await self._facts(await self._secret(name))

    async def _secret(self, name: str) -> shapes.Secret:
        call = Call(self._right("get", "secrets", name=name), self._path("secrets", name))
        return await self._connection.read(call, shapes.Secret)

    async def authorized_keys(self, name: str, key: str) -> str:
        """The text of a file of SSH public keys in a Secret; see the port."""
        encoded = (await self._secret(name)).data or {}
        if key not in encoded:
            raise NotFound(
                f"The Secret {name} has no key {key!r}.", remedy=f"It has {', '.join(encoded) or 'none'}."
            )
        return ssh_keys.as_text(facts.value_of(encoded[key]))

    async def set_secret_key(
        self, seen: SecretFacts, key: str, value: bytes, annotations: Mapping[str, str]
    ) -> SecretFacts:
        """Set a key of a Secret; see the port. Needs the right to patch the Secret by name."""
        return await self._set(seen, {key: value}, annotations, f"the new value of {seen.name}/{key}")

    async def compare_secret(self, name: str, data: SecretData) -> tuple[SecretFacts, SecretDifference]:
        """Compare a Secret with what it is to hold; see the port."""
        raw = await self._secret(name)
        return await self._facts(raw), difference(facts.secret_data(raw), data.values)

    async def set_secret_data(
        self, seen: SecretFacts, values: Mapping[str, bytes | None], annotations: Mapping[str, str]
    ) -> SecretFacts:
        """Set and remove keys of a Secret; see the port. Needs the right to patch the Secret by name."""
        return await self._set(seen, values, annotations, f"the change of {seen.name}")

    async def _set(
        self, seen: SecretFacts, values: Mapping[str, bytes | None], annotations: Mapping[str, str], what: str
    ) -> SecretFacts:
        right = self._right("patch", "secrets", name=seen.name)
        path = self._path("secrets", seen.name)
        raw = await repairs.set_secret_data(self._connection, right, path, seen, values, annotations, what)
        return await self._facts(raw)

    async def _facts(self, raw: shapes.Secret) -> SecretFacts:
        """A Secret without its values; of very many, the fingerprints are made in a thread."""
        if len(raw.data or ()) <= MANY_KEYS:
            return facts.secret(raw, self._fingerprints)
        return await asyncio.to_thread(facts.secret, raw, self._fingerprints)

    async def external_secrets(self) -> Sequence[ExternalSecret]:
        """The namespace's ExternalSecrets by name; see the port."""
        try:
            found = await self._external("v1")
        except NotFound:  # External Secrets before 0.14 serves no v1
            found = await self._external("v1beta1")
        return sorted((facts.external_secret(e) for e in found.items or ()), key=lambda e: e.name)

    async def _external(self, version: str) -> shapes.Items[shapes.ExternalSecret]:
        group = f"external-secrets.io/{version}"
        call = self._listing("externalsecrets", group=group)
        return await self._connection.read(call, shapes.Items[shapes.ExternalSecret])

    async def secret_values(self, names: Collection[str], *, files: bool = False) -> frozenset[str]:
        """Values of at least six characters; see the port. Raises if any of the Secrets can't be read."""
        calls = [Call(self._right("get", "secrets", name=n), self._path("secrets", n)) for n in sorted(names)]
        found = await asyncio.gather(*(self._connection.read(c, shapes.Secret) for c in calls))
        if files:
            return redactable(value for raw in found for value in facts.secret_data(raw).values())
        return facts.secret_values(found)

    async def can_i(self, right: Right) -> bool:
        """Whether the API server's authorisers grant the bot a right."""
        return await self._review("SelfSubjectAccessReview", _REVIEWS, right, {})

    async def account_can(self, namespace: str, name: str, right: Right) -> bool:
        """Whether they grant it to the ServiceAccount ``name`` of a namespace; see the port."""
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
        who = {"user": f"system:serviceaccount:{namespace}:{name}", "groups": groups}
        return await self._review("SubjectAccessReview", _OTHERS_REVIEWS, right, who)

    async def _review(self, kind: str, path: str, right: Right, who: Mapping[str, Any]) -> bool:
        attributes = {
            "namespace": self._namespace if right.namespace is None else right.namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
            "name": right.name,
        }
        body: dict[str, Any] = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": kind,
            "spec": {**who, "resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        asking = Right("create", f"{kind.lower()}s", "authorization.k8s.io", namespace="")
        review = await self._connection.read(Call(asking, path, method="POST", body=body), shapes.AccessReview)
        return review.status.allowed

    async def trial(self) -> Trial:
        """See the port."""
        connection = TrialConnection(self._connection)
        return _Trial(KubernetesCluster(connection, self._namespace, self._fingerprints), connection)

    async def rules(self, namespace: str | None = None) -> Rules:
        """All rights that the API server's authorisers grant the bot in a namespace; None is the target's own."""
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": self._namespace if namespace is None else namespace},
        }
        asking = Right("create", "selfsubjectrulesreviews", "authorization.k8s.io", namespace="")
        review = await self._connection.read(Call(asking, _RULES, method="POST", body=body), shapes.RulesReview)
        return facts.rules(review.status)

    def _listing(self, resource: str, query: Sequence[tuple[str, str]] = (), group: str = "") -> Call:
        right = self._right("list", resource, group=group.partition("/")[0])
        return Call(right, self._path(resource, group=group), query)

    def _right(self, verb: str, resource: str, *, group: str = "", subresource: str = "", name: str = "") -> Right:
        return Right(verb, resource, group, subresource, name, self._namespace)

    def _deployment_path(self, name: str) -> str:
        return self._path("deployments", name, group="apps/v1")

    def _path(self, *parts: str, group: str = "") -> str:
        base = f"/apis/{group}" if group else "/api/v1"
        return "/".join([base, "namespaces", *(quote(part, safe="") for part in (self._namespace, *parts))])


def _object_path(right: Right, version: str) -> str:
    """The path of an object, or of its kind where the right has no name."""
    base = f"/apis/{right.group}/{version}" if right.group else f"/api/{version}"
    place = ["namespaces", right.namespace] if right.namespace else []
    named = [*place, right.resource, *([right.name] if right.name else [])]
    return "/".join([base, *(quote(part, safe="") for part in named)])
