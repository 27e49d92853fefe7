"""Translates errors of the client, aiohttp and the API server into `bot.errors`."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import aiohttp
import msgspec

from bot.adapters.kubernetes import no_log
from bot.adapters.kubernetes.library import ConfigException
from bot.adapters.transport.bodies import BodyRefused
from bot.adapters.transport.sessions import ProxyFailed
from bot.domain.core import retry_after, words
from bot.domain.core.proxies import Route
from bot.domain.core.workload import Right
from bot.domain.rbac.admission import REMAKE, refusal
from bot.domain.rbac.options import option_of
from bot.errors import (
    AgentpodError,
    Conflict,
    Denied,
    MissingRight,
    NoSuchKind,
    NotAllowed,
    NotFound,
    NotServed,
    Permanent,
    TimedOut,
    Transient,
)
from bot.services.health.sources import API

VENDOR = (
    aiohttp.ClientError,
    OSError,
    TimeoutError,
    ConfigException,
    msgspec.MsgspecError,
    RecursionError,  # of a decoder, at JSON that is nested too deeply
    ValueError,
)
"""The exceptions that a call to the API server can raise."""


class Throttled(Transient):
    """The API server refused the request before doing anything, such as with a 429."""


class Details(msgspec.Struct):
    """The object that a Status is about; ``kind`` is mostly the resource, as in ``pods``."""

    name: str | None = None
    kind: str | None = None


class Status(msgspec.Struct):
    """The fields used of a metav1.Status. ``kind`` is None if the body was none; ``code`` is the HTTP status."""

    kind: str | None = None
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: Details | None = None


class _TypeMeta(msgspec.Struct):
    kind: str | None = None


def status_of(body: bytes) -> Status:
    """Return the Status in an error's body; for other bodies one with the beginning of the text as its message."""
    try:
        if msgspec.json.decode(body, type=_TypeMeta).kind == "Status":
            return msgspec.json.decode(body, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    text = re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace"))
    return Status(message=" ".join(text.split())[:200] or None)


@contextmanager
def edge(server: str, seconds: float, route: Route) -> Iterator[None]:
    """Translate the exceptions that leave the block into AgentpodError; programming errors pass unchanged."""
    try:
        yield
    except AgentpodError:
        raise
    except VENDOR as error:
        raise from_exception(error, server, seconds, route) from error


def no_answer(server: str, seconds: float, route: Route) -> TimedOut:
    """Return the error for a deadline that has passed."""
    return TimedOut(
        f"The API server gave no answer in {seconds:g} s{route.through}.",
        remedy=f"See whether the API server at {server} is reachable from the bot and how loaded it is."
        f"{route.remedy('the API server')}",
    )


def from_exception(error: Exception, server: str, seconds: float, route: Route) -> AgentpodError:
    """Translate an exception of a call that got no HTTP answer."""
    if isinstance(error, TimeoutError):
        return no_answer(server, seconds, route)
    if isinstance(error, ProxyFailed):
        return _proxy_failed(error, server)
    if isinstance(error, BodyRefused):
        return Transient(
            f"The answer of the API server at {server} is not read: {error}.",
            remedy="See whether that address is an API server's, and what is so large there.",
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        return _certificate(error, server)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return Permanent(
            f"The API server at {server} does not speak TLS as expected: {_tls_reason(error)}.",
            remedy="Check the server address in the kubeconfig (https or http, and the port).",
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unreachable(error, server)
    if isinstance(error, msgspec.MsgspecError | RecursionError):
        return unexpected(server, str(error))
    if isinstance(error, ConfigException):
        return Permanent(f"The bot's Kubernetes credentials can't be read: {error}.")
    if isinstance(error, aiohttp.InvalidURL):
        return Permanent(f"{server} is no address of an API server.", remedy="Check the server in the kubeconfig.")
    if isinstance(error, aiohttp.ClientError | ConnectionError):
        return Transient(f"The API server at {server} hung up before its answer was complete.", remedy=API.remedy)
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return Transient(f"The API server at {server} can't be reached: {why}.", remedy=API.remedy)
    # A ValueError's text may quote a header with a credential, so only its type is shown.
    return Permanent(f"The call to the API server at {server} could not be made ({type(error).__name__}).")


def _proxy_failed(error: ProxyFailed, server: str) -> Transient:
    return Transient(
        f"The API server at {server} can't be reached: {error}.",
        remedy=f"Check {error.proxy.origin}, or name the API server in NO_PROXY if the bot reaches it directly.",
    )


def _certificate(error: Exception, server: str) -> Permanent:
    cause = getattr(error, "certificate_error", error)
    reason = getattr(cause, "verify_message", "") or str(cause)
    return Permanent(
        f"The certificate of the API server at {server} is not trusted: {reason}.",
        remedy="Set certificate-authority(-data) in the kubeconfig to the CA that signed it, and use a host name "
        "that the certificate carries.",
    )


def _tls_reason(error: Exception) -> str:
    cause = getattr(error, "os_error", error)
    return str(getattr(cause, "reason", None) or type(cause).__name__).replace("_", " ").lower()


def _unreachable(error: aiohttp.ClientConnectorError, server: str) -> Transient:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Transient(
            f"The name {error.host} does not resolve, so the API server at {server} can't be reached.",
            remedy="Check the server address in the kubeconfig and the bot's DNS.",
        )
    if isinstance(error.os_error, ConnectionRefusedError):
        return Transient(
            f"The API server at {server} refused the connection.",
            remedy="See whether it runs and whether the address in the kubeconfig is right.",
        )
    why = error.os_error.strerror or error.os_error
    return Transient(f"The API server at {server} can't be reached: {why}.", remedy=API.remedy)


def unexpected(server: str, why: str) -> Permanent:
    """Return the error for a 2xx response that can't be read."""
    return Permanent(
        f"The API server at {server} answered something unexpected: {why}.",
        remedy="Check that the server address in the kubeconfig is that of a Kubernetes API server.",
    )


def from_status(code: int, body: bytes, right: Right, headers: Mapping[str, str]) -> AgentpodError:
    """Translate an HTTP error, quoting the API server's message. `credentials` handles 401."""
    status = status_of(body)
    said = (status.message or status.reason or f"HTTP {code}").rstrip(".")
    if code in (400, 403, 422) and _BY_A_POLICY.search(said):
        return _denied(said, right)
    if code == 403 and _TOO_EARLY in said:
        return Throttled(
            f"The API server has just started and takes no changes yet: {said}.", remedy="Try again later."
        )
    if code == 403:
        return _forbidden(said, right, from_kubernetes=status.kind is not None)
    if right.subresource == "log" and code in (400, 404, 500) and "previous terminated container" not in said:
        none = no_log.of_sentence(said, "the container", previous=False)
        if none is not None:
            return none
    if code == 404:
        return _not_found(said, status, right)
    if code == 409:
        return Conflict(
            f"It changed meanwhile, so nothing was done (`{right}`): {said}.",
            remedy="Look at it as it is now, and ask again if it is still wanted.",
        )
    if code == 410:
        return Transient(f"The list expired while it was read (`{right}`): {said}.", remedy="Try again.").in_short(
            f"The list expired while it was read: {words.cut(said, _WHY)}", _rest(said, _asked(right))
        )
    if code == 429:
        return Throttled(
            f"The API server is throttling the bot: {said}.{_retry_hint(headers)}",
            retry_after=pause(headers),
            remedy="Try again later.",
        )
    if code >= 500:
        return Transient(
            f"The API server failed at `{right}` (HTTP {code}): {said}.{_retry_hint(headers)}",
            retry_after=pause(headers),
            remedy=FAILED,
        ).in_short(_answered(code, said), _rest(said, f"{_asked(right)}{_retry_hint(headers)}"))
    if code == 400:
        return _bad_request(said, right)
    return _rejected(code, said, right)


FAILED = "Check the API server itself; the pod may be fine."
"""What to do where the API server answers that it failed."""


def _asked(right: Right) -> str:
    """What the first line of an error leaves out, so that one cause reads alike whatever was asked for."""
    return f"The request was to {right}."


def _answered(code: int, said: str) -> str:
    """An HTTP status with the reason, where the API server gives one."""
    reason = "" if said == f"HTTP {code}" else f": {words.cut(said.removeprefix(_PREAMBLE), _WHY)}"
    return f"The API server answered HTTP {code}{reason}"


_PREAMBLE = "Internal error occurred: "
"""What Kubernetes puts before each reason of a 500."""


def _rejected(code: int, said: str, right: Right) -> Permanent:
    error = Permanent(f"The API server rejected `{right}` (HTTP {code}): {said}.")
    return error.in_short(_answered(code, said), _rest(said, _asked(right)))


OVERLAY = "deploy/overlays/mine"
"""Where docs/install.md has people keep what they apply."""


def _forbidden(said: str, right: Right, *, from_kubernetes: bool) -> NotAllowed | Denied:
    """Translate a 403: an authoriser's into the missing right, admission's (quota, policy) with its message.

    Authorisers say ``User "…" cannot <verb> resource …``; source: Kubernetes,
    ``apiserver/pkg/endpoints/handlers/responsewriters/errors.go``. A body that is no Status came from a proxy.
    """
    missing = re.search(r'User "([^"]+)" cannot ', said)
    if missing is not None:
        option = option_of(right)
        roles = "the Roles in deploy/ grant" if option is None else f"{option.folder} grants"
        folder = OVERLAY if option is None else option.folder
        return MissingRight(str(right), missing[1], roles=roles, apply=f"kubectl apply -k {folder}")
    if from_kubernetes:
        return _denied(said, right)
    error = NotAllowed(f"The API server refused to {right}: {said}.")
    return error.in_short(_answered(403, said), _rest(said, _asked(right)))


_TOO_EARLY = "not yet ready to handle request"
"""Admission's message until its caches of namespaces, quotas and limits are filled. Source: Kubernetes,
``apiserver/pkg/admission/handler.go`` and its users."""
_BY_A_POLICY = re.compile(r"\bdenied (?:the )?request\b")
"""The wording of ValidatingAdmissionPolicies (422 by default) and webhooks (any status). Source: Kubernetes,
``apiserver/pkg/admission/plugin``: ``policy/validating/dispatcher.go`` and ``webhook/errors/statuserror.go``."""


class DeniedByOwnPolicy(Denied):
    """Refused by one of the policies that `agentpod runbook rights` makes for the bot's account."""


def _denied(said: str, right: Right) -> Denied:
    if (own := refusal(said)) is not None:
        policy, why = own
        return DeniedByOwnPolicy(
            f"The bot's own admission policy {policy} refused it: {why} ({right}).",
            remedy=f"The policies are narrower than the bot's settings and runbook, or older: {REMAKE}.",
            short=f"The bot's own admission policy refused it: {words.cut(why, _WHY)}",
            rest=_rest(why, f"The policy is {policy}, and the request was to {right}."),
        )
    short, quoted = _in_short(said)
    return Denied(
        f"The API server refused to {right}: {said}.",
        remedy="The bot has the right, but a quota or policy is against it: change what the message names.",
        short=short,
        rest=_rest(quoted, _asked(right)),
    )


def _rest(quoted: str, without: str) -> str:
    """What the first line leaves out: ``without`` the reason, unless the first line had to cut it."""
    return "" if words.cut(quoted, _WHY).endswith("…") else without


_WHY = 100
"""Most characters of the reason in a first line: three rows on a phone."""
_WHO = (
    (re.compile(r'admission webhook "([^"]{1,253})" denied the request: (.+)', re.DOTALL), "Admission webhook {}"),
    (
        re.compile(
            r"ValidatingAdmissionPolicy '([^']{1,253})' with binding '[^']*' denied request: (.+)", re.DOTALL
        ),
        "Admission policy {}",
    ),
    (re.compile(r"(exceeded quota): (.+)", re.DOTALL), "A quota"),
)
"""Who refuses, in the API server's words, and how that is said."""


def _in_short(said: str) -> tuple[str, str]:
    """Who refused it and why, from the API server's message, and the reason in full.

    Where neither is known, the reason is the whole message.
    """
    for pattern, who in _WHO:
        if found := pattern.search(said):
            return f"{who.format(words.cut(found[1], 60))} refused it: {words.cut(found[2], _WHY)}", found[2]
    return f"The API server refused it: {words.cut(said, _WHY)}", said


_BUILT_IN = frozenset(
    {"", "apps", "autoscaling", "batch", "extensions", "policy"}
    | {
        f"{group}.k8s.io"
        for group in (
            "apiextensions",
            "apiregistration",
            "authentication",
            "authorization",
            "coordination",
            "discovery",
            "events",
            "networking",
            "rbac.authorization",
            "storage",
        )
    }
)
"""The groups that every API server has: a 404 for one of their resources does not say that it lacks them."""


def _not_found(said: str, status: Status, right: Right) -> Permanent:
    """Translate a 404: only a Status that names the object says that it is absent."""
    if _names_object(status, right):
        return NotFound(f"There is no such thing: {said}.")
    kind = right.resource + (f".{right.group}" if right.group else "")
    unserved = "could not find the requested resource" in said or "page not found" in said
    if unserved and right.group not in _BUILT_IN:
        return NoSuchKind(
            f"The API server does not know {kind}: {said}.",
            remedy=f"Install what provides {kind}, or leave it out of the settings.",
        )
    return NotServed(
        f"The API server answers 404 to `{right}`: {said}.",
        remedy="Check that the server address in the kubeconfig is that of a Kubernetes API server.",
    ).in_short(_answered(404, said), _rest(said, _asked(right)))


def _names_object(status: Status, right: Right) -> bool:
    """Whether a Status is about the very object of a request; for a request without a name about any object."""
    details = status.details
    if status.reason != "NotFound" or details is None or not details.name:
        return False
    if not right.name:
        return True
    return details.name == right.name and (details.kind or "").partition("/")[0] == right.resource


def _bad_request(said: str, right: Right) -> AgentpodError:
    """Translate a 400: for a container it means none of that name, not started yet, or no previous container."""
    if "previous terminated container" in said:
        return NotFound(f"There is no previous run: {said}.", remedy="Leave out --previous: it has not restarted.")
    if "waiting to start" in said or "trying and failing to pull" in said or "ContainerCreating" in said:
        return Transient(f"The container has not started yet: {said}.")
    if "is not valid for pod" in said or "container not found" in said:
        return NotFound(
            f"There is no such container: {said}.", remedy="Check the container's name in the settings."
        )
    return _rejected(400, said, right)


def pause(headers: Mapping[str, str]) -> float | None:
    """Return ``Retry-After`` in seconds from now, at most `retry_after.LONGEST`; None without a usable one."""
    return retry_after.seconds(headers.get("Retry-After"), datetime.now(UTC))


def _retry_hint(headers: Mapping[str, str]) -> str:
    return retry_after.said(headers.get("Retry-After"), datetime.now(UTC))
