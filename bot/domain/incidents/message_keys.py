"""Keys of the messages about incidents. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.domain.outbox.key import MessageKey

INCIDENT, NOTICE, GROUP, OVER, ISSUE = "incident", "notice", "group", "over", "bridge"
DIRECT, SUMMARY = "direct", "summary"
_STAMP = "%Y%m%dT%H%M%SZ"


def incident(id_: str) -> MessageKey:
    """Key of the alert, which is edited while the incident lasts."""
    return MessageKey.of(INCIDENT, id_)


def notice(id_: str, number: int) -> MessageKey:
    """Key of a further notification in the alert's thread. Keys sort by number."""
    return MessageKey.of(NOTICE, id_, f"{number:04}")


def group(id_: str) -> MessageKey:
    """Key of the alert about a group of incidents."""
    return MessageKey.of(GROUP, id_)


def over(group_id: str) -> MessageKey:
    """Key of the message in a group's thread that all its incidents are over."""
    return MessageKey.of(OVER, group_id)


def issue(name: str) -> MessageKey:
    """Key of the state of a GitHub issue, for the health-bridge."""
    return MessageKey.of(ISSUE, name)


def direct(about: str, user: str) -> MessageKey:
    """Key of the direct message to a user about an incident or a group, by its id."""
    return MessageKey.of(DIRECT, about, user)


def summary(user: str, end: datetime) -> MessageKey:
    """Key of the direct message to a user about what their quiet hours, until ``end``, held back."""
    return MessageKey.of(SUMMARY, user, end.astimezone(UTC).strftime(_STAMP))


def summary_end(key: MessageKey) -> datetime:
    """The end of the quiet hours that a summary is about. Raises ValueError for another key."""
    return datetime.strptime(key.more[0], _STAMP).replace(tzinfo=UTC)
