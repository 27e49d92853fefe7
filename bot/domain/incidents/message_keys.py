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


def summary(user: str, begin: datetime) -> MessageKey:
    """Key of the direct message to a user about what quiet hours held back, the first alert at ``begin``."""
    return MessageKey.of(SUMMARY, user, begin.astimezone(UTC).strftime(_STAMP))


def summary_begin(key: MessageKey) -> datetime:
    """When the first alert of a summary was held back. Raises ValueError for another key."""
    return datetime.strptime(key.more[0], _STAMP).replace(tzinfo=UTC)
