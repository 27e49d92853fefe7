"""The messages about requests. Pure."""

from __future__ import annotations

from bot.domain.outbox.key import MessageKey

CARD, PROGRESS, VALUE, UNPOSTED, OUTCOME = "card", "progress", "value", "unposted", "outcome"


def card(id_: str) -> MessageKey:
    """The card, in the target's channel."""
    return MessageKey.of(CARD, id_)


def progress(id_: str) -> MessageKey:
    """How far it has come, in the card's thread."""
    return MessageKey.of(PROGRESS, id_)


def value(id_: str) -> MessageKey:
    """The form for its value, to whoever asked."""
    return MessageKey.of(VALUE, id_)


def unposted(id_: str) -> MessageKey:
    """That nobody sees the card, to whoever asked."""
    return MessageKey.of(UNPOSTED, id_)


def outcome(id_: str, joined: str = "") -> MessageKey:
    """How it ended, to whoever asked, or to somebody who ``joined``."""
    return MessageKey.of(OUTCOME, id_, *([joined] if joined else []))
