"""The messages about incidents. Pure."""

from __future__ import annotations

from bot.domain.outbox.key import MessageKey

INCIDENT, NOTICE, GROUP, OVER, ISSUE = "incident", "notice", "group", "over", "bridge"


def incident(id_: str) -> MessageKey:
    """The alert, which is edited as the incident goes on."""
    return MessageKey.of(INCIDENT, id_)


def notice(id_: str, number: int) -> MessageKey:
    """One thing more that is said of an incident, in the alert's thread. Sorts by its number."""
    return MessageKey.of(NOTICE, id_, f"{number:04}")


def group(id_: str) -> MessageKey:
    """The alert about several incidents."""
    return MessageKey.of(GROUP, id_)


def over(group_id: str) -> MessageKey:
    """That all of a group are over, in its thread."""
    return MessageKey.of(OVER, group_id)


def issue(name: str) -> MessageKey:
    """The state of a GitHub issue, for the health-bridge."""
    return MessageKey.of(ISSUE, name)
