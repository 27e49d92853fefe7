"""What Slack's payloads say of the team that somebody belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.rbac.membership import Claims


def of_person(given: Mapping[str, Any]) -> Claims:
    """The claim of a slash command, or of the ``user`` in a click or a form: its team and organisation."""
    ids = frozenset(i for key in ("team_id", "enterprise_id") if (i := _id(given, key)))
    return (ids,) if ids else ()


def of_event(body: Mapping[str, Any], event: Mapping[str, Any]) -> Claims:
    """The claims about an event's author.

    In a channel that is shared with another company the envelope's team, and an event's ``team``, can be the
    channel's or the app's: they count only where nothing else is said, or where no other company can be.
    """
    profile = event.get("user_profile")
    of_profile = _id(profile, "team") if isinstance(profile, dict) else ""
    told = [i for i in (_id(event, "user_team"), _id(event, "source_team"), of_profile) if i]
    if not told and (team := _id(event, "team")):
        told = [team]
    if told:
        return tuple(frozenset({i}) for i in told)
    return of_person(body) if body.get("is_ext_shared_channel") is False else ()


def _id(given: Mapping[str, Any], key: str) -> str:
    value = given.get(key)
    return value if isinstance(value, str) else ""
