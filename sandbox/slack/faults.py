"""Slack's faults, which can be switched while everything runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sandbox.breaks import Break, Option, Value
from sandbox.slack.model import User

PAUSES_S = (2, 10, 30, 120)
SLOWNESS_S = 2.0
LOST_AS = {
    "502": "HTTP 502 with a page instead of JSON",
    "truncated": "JSON that breaks off",
    "reset": "the connection is reset",
    "fatal_error": "the word fatal_error",
}
UPLOADS = {
    "address": "no address: HTTP 500",
    "bytes": "the bytes: HTTP 500",
    "too-large": "the bytes: HTTP 413",
    "completion": "the completion: file_not_found",
}


@dataclass(slots=True)
class Faults:
    """Which faults are on. Each attribute is one entry of the panel."""

    rate_limited: int = 0
    """The seconds of ``Retry-After``; 0 for no limit."""
    server_error: bool = False
    answer_lost: bool = False
    lost_as: str = ""
    """How an answer is lost: one of ``LOST_AS``; empty for HTTP 500."""
    upload: str = ""
    """Which step of a file's upload fails; one of ``UPLOADS``."""
    invalid_blocks: bool = False
    url_spent: bool = False
    duplicate: bool = False
    token_revoked: bool = False
    missing_scope: str = ""
    slow: bool = False
    late_triggers: bool = False
    no_connect: bool = False


class Sockets(Protocol):
    """The part of Socket Mode that the panel's buttons use."""

    def cut(self) -> None:
        """Drop all connections."""

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask for a reconnect."""


_TOGGLES = (
    ("slack-500", "server_error", "Server errors", "Every Web API call and response URL answers HTTP 500."),
    (
        "slack-500-done",
        "answer_lost",
        "Answers lost",
        "chat.*, files.* and response URLs take effect, and answer HTTP 500 all the same.",
    ),
    (
        "slack-invalid-blocks",
        "invalid_blocks",
        "Refuse blocks",
        "Anything with blocks is refused as invalid_blocks, as if a limit had changed.",
    ),
    (
        "slack-response-url-spent",
        "url_spent",
        "Response URLs spent",
        "Every response URL answers 404 used_url.",
    ),
    (
        "slack-duplicate",
        "duplicate",
        "Deliver twice",
        "Every command, click and event arrives twice, with the same envelope id.",
    ),
    ("slack-token-revoked", "token_revoked", "Token revoked", "The bot token is refused as token_revoked."),
    ("slack-slow", "slow", "Slow Web API", "Every Web API call takes 2 s longer."),
    (
        "slack-late-triggers",
        "late_triggers",
        "Triggers expire",
        "Every form opens too late: views.open answers expired_trigger_id.",
    ),
    (
        "slack-no-connect",
        "no_connect",
        "No new connections",
        "apps.connections.open fails; open sockets stay open.",
    ),
)


def breaks(faults: Faults, scopes: frozenset[str], sockets: Sockets, users: Mapping[str, User]) -> list[Break]:
    """The panel's Slack entries."""
    items = [_pause_choice(faults), *(_toggle(faults, *row) for row in _TOGGLES)]
    items.append(_choice(faults, *_LOST_AS))
    items.append(_choice(faults, *_UPLOADS))
    items += [_scope_choice(faults, scopes), _account_choice(users)]
    items.append(
        _button(
            "slack-cut-socket", "Cut the socket", "Drops all sockets abruptly, without a goodbye.", sockets.cut
        )
    )
    items.append(
        _button(
            "slack-refresh",
            "Refresh the connection",
            "Slack's polite disconnect (refresh_requested), as every few hours.",
            sockets.disconnect,
        )
    )
    return items


def _toggle(faults: Faults, break_id: str, attribute: str, label: str, text: str) -> Break:
    def apply(value: Value) -> None:
        setattr(faults, attribute, bool(value))

    return Break(break_id, "Slack", label, text, "toggle", lambda: bool(getattr(faults, attribute)), apply)


_LOST_AS = ("slack-lost-as", "lost_as", "How answers are lost", "With Answers lost, instead of HTTP 500.", LOST_AS)
_UPLOADS = ("slack-upload", "upload", "File uploads", "One of the steps of a file's upload fails.", UPLOADS)


def _choice(faults: Faults, break_id: str, attribute: str, label: str, text: str, of: dict[str, str]) -> Break:
    def apply(value: Value) -> None:
        setattr(faults, attribute, str(value or ""))

    def read() -> str:
        return str(getattr(faults, attribute))

    options = tuple(Option(value, words) for value, words in of.items())
    return Break(break_id, "Slack", label, text, "choice", read, apply, options)


def _pause_choice(faults: Faults) -> Break:
    def apply(value: Value) -> None:
        faults.rate_limited = int(value or 0)

    return Break(
        "slack-429",
        "Slack",
        "Rate limited",
        "chat.* and response URLs answer HTTP 429 with this Retry-After.",
        "choice",
        lambda: str(faults.rate_limited or ""),
        apply,
        tuple(Option(str(seconds), f"{seconds} s") for seconds in PAUSES_S),
    )


def _scope_choice(faults: Faults, scopes: frozenset[str]) -> Break:
    def apply(value: Value) -> None:
        faults.missing_scope = str(value or "")

    return Break(
        "slack-missing-scope",
        "Slack",
        "Missing scope",
        "Takes one scope away from the app, as if it had been installed without it.",
        "choice",
        lambda: faults.missing_scope,
        apply,
        tuple(Option(scope, scope) for scope in sorted(scopes)),
    )


def _account_choice(users: Mapping[str, User]) -> Break:
    people = [user for user in users.values() if not user.is_bot]

    def apply(value: Value) -> None:
        for user in people:
            user.deleted = user.id == value

    return Break(
        "slack-deactivated",
        "Slack",
        "Deactivate somebody",
        "Slack calls this account deactivated; what they did just before is still delivered.",
        "choice",
        lambda: next((user.id for user in people if user.deleted), ""),
        apply,
        tuple(Option(user.id, user.real_name) for user in people),
    )


def _button(break_id: str, label: str, text: str, press: Callable[[], Awaitable[None] | None]) -> Break:
    return Break(break_id, "Slack", label, text, "button", lambda: None, lambda _: press())
