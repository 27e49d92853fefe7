"""The calls that change the cluster: each is conditional on the state it was decided on, and is sent at most once.

No call is repeated if its outcome is unknown. One that the API server refused outright (401 with a rotated token,
429) had no effect and may be sent again within the deadline, as reads are. aiohttp itself repeats a DELETE once if
the connection turns out to be closed (it is idempotent, RFC 9110, 9.2.2); with the uid it can only hit that pod.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from bot.adapters.kubernetes import errors, facts, shapes
from bot.adapters.kubernetes.client import ApiResponse, Call, Connection
from bot.domain.core import words
from bot.domain.core.workload import Deployment, Pod, Right, SecretFacts
from bot.errors import AgentpodError, Conflict, NotAllowed, NotFound, Permanent, Transient, Uncertain

FIELD_MANAGER = "agentpod"
"""The bot's name in managedFields."""


async def restart(
    connection: Connection, right: Right, path: str, seen: Deployment, annotations: Mapping[str, str]
) -> Deployment:
    """Annotate the pod template. The patch has ``seen``'s resource version, so any change since is a 409.

    Raises Permanent for a paused Deployment, Conflict, Uncertain, and what else the call raises.
    """
    template = {"metadata": {"annotations": dict(annotations)}}
    return await _template(connection, right, path, seen, template, "merge", f"the restart of {seen.name}")


async def set_image(
    connection: Connection,
    right: Right,
    path: str,
    seen: Deployment,
    container: str,
    image: str,
    annotations: Mapping[str, str],
) -> Deployment:
    """Name another image for one container, and annotate the pod template. Bound and raising as `restart` is.

    The patch is a strategic merge, which finds the container by its name.
    """
    if container not in seen.images and seen.images:
        raise NotFound(f"Deployment {seen.name} has no container {container}.")
    template = {
        "metadata": {"annotations": dict(annotations)},
        "spec": {"containers": [{"name": container, "image": image}]},
    }
    what = f"the new image of {container} in {seen.name}"
    return await _template(connection, right, path, seen, template, "strategic-merge", what)


async def _template(
    connection: Connection,
    right: Right,
    path: str,
    seen: Deployment,
    template: Mapping[str, Any],
    kind: str,
    what: str,
) -> Deployment:
    """Patch the pod template of a Deployment that is still as ``seen``."""
    if seen.paused:
        raise Permanent(
            f"Deployment {seen.name} is paused: a restart would not roll out until it is resumed.",
            remedy=f"Resume it first: kubectl -n {right.namespace} rollout resume deployment {seen.name}.",
        )
    if not seen.resource_version:
        raise ValueError(f"the resource version of {seen.name} is not known, so a change could not be noticed")
    body = {
        "metadata": {"uid": seen.uid, "resourceVersion": seen.resource_version},
        "spec": {"template": template},
    }
    query = [("fieldManager", FIELD_MANAGER)]
    call = Call(right, path, query, "PATCH", body, f"application/{kind}-patch+json")
    look = f"kubectl -n {right.namespace} rollout status deployment {seen.name}"
    answer = await _once(connection, call, what, look)
    try:
        return facts.deployment(msgspec.json.decode(answer.body, type=shapes.Deployment))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _uncertain(what, "the answer is not a Deployment's JSON", look) from error


async def delete_pod(connection: Connection, right: Right, path: str, pod: Pod) -> None:
    """Delete the pod if it still has the same uid. Raises Conflict, Uncertain, and what else the call raises."""
    if not pod.uid:
        raise ValueError(f"the uid of {pod.name} is not known: another pod could be deleted")
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": pod.uid}}
    look = f"kubectl -n {right.namespace} get pod {pod.name}"
    await _once(connection, Call(right, path, (), "DELETE", body), f"the deletion of {pod.name}", look)


async def delete_object(connection: Connection, right: Right, path: str, uid: str, resource_version: str) -> None:
    """Delete an object if it is still the same. Raises Conflict, Uncertain, and what else the call raises."""
    if not uid:
        raise ValueError(f"the uid of {right.name} is not known: another object could be deleted")
    bound = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": bound}
    look = f"kubectl -n {right.namespace} get {right.resource} {right.name}"
    await _once(connection, Call(right, path, (), "DELETE", body), f"the deletion of {right.name}", look)


async def create_object(connection: Connection, right: Right, path: str, manifest: Mapping[str, Any]) -> None:
    """Create an object. Raises Conflict where its name is taken, Uncertain, and what else the call raises."""
    name = manifest["metadata"]["name"]
    query = [("fieldManager", FIELD_MANAGER)]
    look = f"kubectl -n {right.namespace} get {right.resource} {name}"
    call = Call(right, path, query, "POST", dict(manifest))
    await _once(connection, call, f"the creation of {name}", look)


async def set_secret_data(
    connection: Connection,
    right: Right,
    path: str,
    seen: SecretFacts,
    values: Mapping[str, bytes | None],
    annotations: Mapping[str, str],
    what: str,
) -> shapes.Secret:
    """Set keys of a Secret; one without a value is removed. The API server's messages are not passed on.

    They may quote a value. ``what`` is the change in the words of errors. Raises Permanent for an immutable
    Secret, Conflict, Uncertain, and what else the call raises.
    """
    if seen.immutable:
        raise Permanent(
            f"The Secret {seen.name} is immutable: its values can't be changed.",
            remedy="Delete it and create it again with the new value, then restart the pod.",
        )
    body = {
        "metadata": {
            "uid": seen.uid,
            "resourceVersion": seen.resource_version,
            "annotations": dict(annotations),
        },
        "data": {
            key: None if value is None else base64.b64encode(value).decode() for key, value in values.items()
        },
    }
    call = Call(right, path, [("fieldManager", FIELD_MANAGER)], "PATCH", body, "application/merge-patch+json")
    look = f"kubectl -n {right.namespace} get secret {seen.name} -o jsonpath='{{.metadata.annotations}}'"
    try:
        answer = await _once(connection, call, what, look)
    except AgentpodError as error:
        raise _reworded(error, right, what, look) from None
    try:
        return msgspec.json.decode(answer.body, type=shapes.Secret)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _uncertain(what, "the answer is not a Secret's JSON", look) from None


def _reworded(error: AgentpodError, right: Right, what: str, look: str) -> AgentpodError:
    """Return an error of the same type without the API server's message, which may quote the value or parts of it.

    Errors from before the request was sent (credentials, TLS, name resolution) are harmless, but nothing tells
    them apart reliably: so all are reworded.
    """
    if isinstance(error, Uncertain):
        return _uncertain(what, "the API server gave no answer, or failed", look)
    if isinstance(error, Transient):
        return Transient(
            f"The API server did not take {what}: it can't be reached, or sent the bot away.",
            retry_after=error.retry_after,
            remedy="Try again later.",
        )
    if isinstance(error, Conflict):
        return Conflict(
            f"The Secret changed meanwhile, so {what} was not stored.",
            remedy="Look at it as it is now, and ask again if it is still wanted.",
        )
    if isinstance(error, NotFound):
        return NotFound(f"The Secret of {what} is gone.", remedy="Make it again, then ask again.")
    if isinstance(error, NotAllowed):
        return NotAllowed(
            f"The bot may not {right}.", remedy=f"Grant it the right to {right}: the Roles in deploy/ grant it."
        )
    if isinstance(error, errors.DeniedByOwnPolicy):
        return errors.DeniedByOwnPolicy(
            f"The bot's own admission policy for Secrets refused {what}.", remedy=error.remedy
        )
    return Permanent(
        f"The API server refused {what}.",
        remedy="A policy or a limit (a Secret holds 1 MiB): its own log says which. Nothing was stored.",
    )


async def _once(connection: Connection, call: Call, what: str, look: str) -> ApiResponse:
    try:
        return await connection.send(call)
    except Transient as error:
        if _nothing_done(error):
            raise
        raise _uncertain(what, words.lower_first(error.message), look) from error


def _nothing_done(error: Transient) -> bool:
    """Whether the API server certainly did nothing: it throttled the request or was never reached."""
    return isinstance(error, errors.Throttled) or isinstance(error.__cause__, aiohttp.ClientConnectorError)


def _uncertain(what: str, why: str, look: str) -> Uncertain:
    return Uncertain(
        f"It is unknown whether {what} took effect: {why}.", remedy=f"Look before asking for it again: {look}."
    )
