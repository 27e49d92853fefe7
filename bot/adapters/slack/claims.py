"""Reads from Slack's payloads which team a user belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.rbac.membership import Claims


def of_person(given: Mapping[str, Any]) -> Claims:
    """Return the claim (team and organisation) of a slash command, or of the ``user`` of a click or form."""
    ids = frozenset(i for key in ("team_id", "enterprise_id") if (i := _id(given, key)))
    return (ids,) if ids else ()


def of_event(body: Mapping[str, Any], event: Mapping[str, Any]) -> Claims:
    """Return the claims about an event's author.

    In a channel that is shared with another company, the envelope's team and the event's ``team`` can be the
    channel's or the app's. So the event's counts only without a better claim, the envelope's only in channels that
    are not shared.
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
