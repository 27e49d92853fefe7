"""Translates Slack's error codes and aiohttp's exceptions into `bot.errors`. No message contains a token."""

from __future__ import annotations

import contextlib
import errno
import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.adapters.transport.bodies import BodyRefused
from bot.adapters.transport.sessions import ProxyFailed, by_environment
from bot.domain.core import retry_after
from bot.domain.core.proxies import Route
from bot.errors import AgentpodError, NotAllowed, NotFound, Permanent, TimedOut, Transient, Uncertain

_TOKEN = {
    "invalid_auth": "Slack does not know the token",
    "not_authed": "Slack got no token",
    "token_revoked": "the token was revoked",
    "token_expired": "the token has expired",
    "account_inactive": "the app's account was deactivated",
    "not_allowed_token_type": "it is the wrong kind of token (xoxb- is the bot's, xapp- the app's)",
}
_PLACE = {
    "channel_not_found": (
        "there is no such channel, or it is a private one that the app is not in",
        "Copy the id from the end of the channel's About; in a private channel, first /invite @agentpod",
    ),
    "not_in_channel": ("the app is not in the channel", "In the channel: /invite @agentpod"),
    "is_archived": ("the channel is archived", "Unarchive it, or name another one in the settings."),
    "user_not_in_channel": ("who should see it is not in the channel", None),
    "restricted_action": ("not everybody may post there", "Let the app post, in the channel's settings in Slack."),
    "restricted_action_read_only_channel": (
        "nobody may post there",
        "Name another channel in the settings, or let the app post there.",
    ),
}
"""Error codes of a channel, each with the reason and the remedy."""
PASSING = frozenset(
    {
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "ratelimited",
        "rate_limited",
        "team_added_to_org",
        "external_channel_migrating",
    }
)
"""Temporary error codes; the last two occur while a team joins an organisation or a channel moves."""
_LONGEST_WORD = 100
_BROKE_OFF = frozenset({"internal_error", "fatal_error"})
"""Error codes after which, as Slack documents, a part of the call may have succeeded."""
UNKNOWN_METHOD = frozenset({"unknown_method", "method_not_supported", "not_implemented"})


class SlackRefused(Permanent):
    """Slack refused a call with the error code ``word``; ``details`` are its messages."""

    def __init__(self, message: str, word: str, *, details: str = "", remedy: str | None = None) -> None:
        """Keep Slack's word for those who can do without."""
        super().__init__(message, remedy=remedy)
        self.word = word
        self.details = details


class UrlSpent(Permanent):
    """A response URL was used up or has expired."""


def refusal(method: str, word: str, data: Mapping[str, Any]) -> AgentpodError:
    """Return the error for Slack's error code ``word`` in response to ``method``."""
    if word in _TOKEN:
        which = "slack.app_token" if method == "apps.connections.open" else "slack.bot_token"
        return NotAllowed(
            f"Slack refused {method}: {_TOKEN[word]} ({word}).",
            remedy=f"Copy the token again from the app's page at api.slack.com into {which}.",
        )
    if word == "missing_scope":
        needed = str(data.get("needed", "?"))
        return SlackRefused(
            f"Slack refused {method}: the app lacks the scope {needed}.",
            word,
            details=needed,
            remedy=f"Add {needed} under OAuth & Permissions and install the app again.",
        )
    if word in _PLACE:
        why, remedy = _PLACE[word]
        return SlackRefused(f"Slack refused {method}: {why} ({word}).", word, remedy=remedy)
    if word in PASSING:
        return Transient(f"Slack could not do {method} just now ({word}).", remedy="Try again in a moment.")
    if word.endswith("_not_found"):
        return NotFound(f"Slack refused {method}: {word}.")
    messages = (data.get("response_metadata") or {}).get("messages") or data.get("errors") or []
    return SlackRefused(f"Slack refused {method}: {word}.", word, details="; ".join(map(str, messages))[:500])


def translate(method: str, error: BaseException, address: str = "") -> AgentpodError:
    """Return the `bot.errors` exception for a failed call. ``address`` is shown without its secret parts."""
    if isinstance(error, AgentpodError):
        return error
    if isinstance(error, SlackApiError):
        return _api_error(method, error)
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
        return _too_late(method, address)
    if isinstance(error, aiohttp.ClientError | OSError | SlackClientError):
        why, remedy = _unreachable(error)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            why, remedy = _no_connection(address)
        where = f"at {shown(address)}" if address else f"for {method}"
        return Transient(f"Slack can't be reached {where}: {why}.", remedy=remedy)
    return Transient(f"Slack answered {method} with something that is no answer ({type(error).__name__}).")


def way(address: str) -> Route:
    """Return the route to an address; a direct one if the proxy setting is invalid."""
    with contextlib.suppress(Permanent):
        return by_environment(address)
    return Route(None)


def _too_late(method: str, address: str) -> TimedOut:
    route = way(address)
    remedy = route.remedy("Slack's hosts").strip() or "Try again in a moment."
    return TimedOut(f"Slack did not answer {method} in time{route.through}.", remedy=remedy)


def _no_connection(address: str) -> tuple[str, str]:
    route = way(address)
    return f"{_ERRNO[errno.ETIMEDOUT]}{route.through}", route.remedy("Slack's hosts").strip() or _NETWORK


def may_have_worked(error: BaseException) -> bool:
    """Whether a failed call may have succeeded: it was sent, and no response says that it was refused."""
    if isinstance(error, SlackApiError):
        status, data, _ = _answer(error)
        return status >= 500 or (status < 300 and not isinstance(data, dict)) or _word(data) in _BROKE_OFF
    if isinstance(error, AgentpodError):
        return isinstance(error, Uncertain | TimedOut)
    never_sent = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError)
    return isinstance(error, aiohttp.ClientError | OSError | SlackClientError) and not isinstance(
        error, never_sent
    )


def shown(address: str) -> str:
    """Return an address without password and query (Socket Mode's ticket); of paths only the Web API's is kept."""
    parts = urlsplit(address)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path if parts.path == '/api/' else '/'}"


_NETWORK = "Check the network and slack.api_url."
_CERTIFICATE = (
    "If a proxy with a certificate authority of its own stands between, give its certificate in SSL_CERT_FILE."
)
_ERRNO = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "the connection was reset",
    errno.ENETUNREACH: "there is no route to that network",
    errno.EHOSTUNREACH: "there is no route to that host",
    errno.ETIMEDOUT: "no answer",
}


def _unreachable(error: Exception) -> tuple[str, str]:
    """Return why no response came, and the remedy."""
    if isinstance(error, ProxyFailed):
        return str(error), f"Check {error.proxy.origin}, or name Slack's hosts in NO_PROXY."
    if isinstance(error, BodyRefused):
        return f"its answer is not read, since {error}", _NETWORK
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it could not be verified"
        return f"its TLS certificate is not trusted ({reason})", _CERTIFICATE
    if isinstance(error, aiohttp.ClientConnectorSSLError | ssl.SSLError):
        return "TLS could not be agreed on", f"{_NETWORK} Does that port speak https?"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the host name {error.host} is unknown", "Check slack.api_url and the DNS."
    if isinstance(error, aiohttp.WSServerHandshakeError | aiohttp.ClientHttpProxyError):
        return f"HTTP {error.status} instead of a connection", _NETWORK
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the connection broke off", _NETWORK
    if isinstance(error, OSError):
        return _system_reason(error), _NETWORK
    return type(error).__name__, _NETWORK


def _system_reason(error: OSError) -> str:
    """Return the operating system's reason, which aiohttp's connector error wraps."""
    inner = getattr(error, "os_error", error)
    number = inner.errno or 0
    if number in _ERRNO:
        return _ERRNO[number]
    known = number in errno.errorcode
    return os.strerror(number).lower() if known else type(inner).__name__


def _api_error(method: str, error: SlackApiError) -> AgentpodError:
    status, data, headers = _answer(error)
    if status == 429:
        wish, now = headers.get("retry-after"), datetime.now(UTC)
        text = f"Slack asked for fewer calls of {method}.{retry_after.said(wish, now)}"
        return Transient(text, retry_after=retry_after.seconds(wish, now))
    if status >= 500 or not isinstance(data, dict):
        return Transient(f"Slack answered {method} with HTTP {status}.", remedy="Try again in a moment.")
    return refusal(method, _word(data), data)


def _answer(error: SlackApiError) -> tuple[int, Any, dict[str, str]]:
    """Return a response's status, content, and headers by their lower-case names."""
    response: Any = error.response  # an AsyncSlackResponse, or aiohttp's if the body was no JSON
    status = int(getattr(response, "status_code", None) or getattr(response, "status", 0) or 0)
    headers = {str(k).lower(): str(v) for k, v in dict(getattr(response, "headers", None) or {}).items()}
    return status, getattr(response, "data", None), headers


def _word(data: Any) -> str:
    return str(data.get("error") or "unknown_error")[:_LONGEST_WORD] if isinstance(data, dict) else ""
