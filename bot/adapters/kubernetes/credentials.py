"""Explains a 401: whose credentials were refused, since when they are expired, and how to renew them.

A service account's token contains that: it is a JWT (RFC 7519) with the claims of Kubernetes, "Managing Service
Accounts", "Schema for service account private claims". The token is neither verified here nor shown.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from bot.adapters.kubernetes.config import ConfigSource
from bot.domain.core import words
from bot.errors import NotAllowed

_LAST_SECOND = 253_402_300_799
"""The latest Unix time that a datetime can hold."""


class _BoundObject(msgspec.Struct):
    name: str = ""


class _Bound(msgspec.Struct):
    pod: _BoundObject | None = None
    secret: _BoundObject | None = None
    node: _BoundObject | None = None


class TokenClaims(msgspec.Struct):
    """The claims of a token that are used."""

    sub: str = ""
    exp: Annotated[int, msgspec.Meta(ge=0, le=_LAST_SECOND)] | None = None
    bound: _Bound = msgspec.field(default_factory=_Bound, name="kubernetes.io")

    @property
    def bound_to(self) -> str:
        """The object whose deletion invalidates the token, as ``Pod name``; empty without one."""
        kinds = (("Pod", self.bound.pod), ("Secret", self.bound.secret), ("Node", self.bound.node))
        return next((f"{kind} {named.name}" for kind, named in kinds if named), "")


def claims_of(authorization: str) -> TokenClaims | None:
    """Return the claims of an ``Authorization: Bearer …`` header's token; None if it is no JWT."""
    parts = authorization.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return None
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return msgspec.json.decode(body, type=TokenClaims)
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def not_accepted(said: str, authorization: str, source: ConfigSource, now: datetime) -> NotAllowed:
    """Return the error for a 401. ``said`` is the API server's message, ``authorization`` the refused header."""
    claims = claims_of(authorization)
    refusal = f"The API server does not accept the bot's credentials (401 {said})"
    if claims is None or claims.exp is None:
        return NotAllowed(f"{refusal}.", remedy=_renew(source, "the token or certificate"))
    ended = datetime.fromtimestamp(claims.exp, UTC)
    if ended <= now:
        return NotAllowed(f"{refusal}: its token expired {words.moment(ended)}.", remedy=_expired(source, claims))
    gone = f"its account or {claims.bound_to}" if claims.bound_to else "its account"
    return NotAllowed(
        f"{refusal}, though its token is not expired.",
        remedy=f"See whether {gone} still exists: the token is of {claims.sub}. "
        + _renew(source, "that token, if it was revoked,"),
    )


def _expired(source: ConfigSource, claims: TokenClaims) -> str:
    if source.in_cluster:
        return (
            "The kubelet renews it in the bot's pod: check the clocks of node and API server, or delete the pod."
        )
    return _renew(source, f"the token of {claims.sub}")


def _renew(source: ConfigSource, what: str) -> str:
    if source.in_cluster:
        return "Delete the bot's pod, so that it is given a new one."
    where = f"context {source.context} of {source.described}" if source.context else source.described
    return f"Renew {what} in {where}: the bot takes a new token up without a restart."
