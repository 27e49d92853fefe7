"""Keys of the messages about repair requests. Pure."""

from __future__ import annotations

from bot.domain.outbox.key import MessageKey
from bot.domain.outbox.preferences import REQUEST

CARD, PROGRESS, REMINDER, APPROVER = "card", "progress", "reminder", REQUEST
VALUE, UNPOSTED, OUTCOME, RECEIPT = "value", "unposted", "outcome", "receipt"

BELOW_OR_PRIVATE = frozenset({PROGRESS, REMINDER, APPROVER, VALUE, UNPOSTED, OUTCOME, RECEIPT})
"""Kinds of messages in a card's thread, or that only their recipient sees."""


def card(id_: str) -> MessageKey:
    """Key of the card in the target's channel."""
    return MessageKey.of(CARD, id_)


def progress(id_: str) -> MessageKey:
    """Key of the progress message in the card's thread."""
    return MessageKey.of(PROGRESS, id_)


def reminder(id_: str) -> MessageKey:
    """Key of the reminder in the card's thread that the request expires soon."""
    return MessageKey.of(REMINDER, id_)


def approver(id_: str, user: str) -> MessageKey:
    """Key of the direct message to an approver, while the request needs them and how it was decided."""
    return MessageKey.of(APPROVER, id_, user)


def receipt(id_: str, user: str) -> MessageKey:
    """Key of the update of the answer to whoever asked, which says how the request stands."""
    return MessageKey.of(RECEIPT, id_, user)


def value(id_: str) -> MessageKey:
    """Key of the direct message to the requester with the button to enter the value."""
    return MessageKey.of(VALUE, id_)


def unposted(id_: str) -> MessageKey:
    """Key of the direct message to the requester that the card can't be posted."""
    return MessageKey.of(UNPOSTED, id_)


def outcome(id_: str, joined: str = "") -> MessageKey:
    """Key of the direct message with the outcome, to the requester or to somebody who ``joined``."""
    return MessageKey.of(OUTCOME, id_, *([joined] if joined else []))
