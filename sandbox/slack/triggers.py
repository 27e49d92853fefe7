"""Trigger ids: each lets an app open one modal in response to a user, within three seconds."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from sandbox.slack.errors import SlackError
from sandbox.slack.store import Clock

LIFETIME_S = 3.0
_KEPT = 5000


@dataclass(slots=True)
class Trigger:
    """The user who acted, and the view in which they did, if any."""

    user: str
    issued: float
    view_id: str | None = None
    used: bool = False


class Triggers:
    """Issues and redeems trigger ids."""

    def __init__(self, clock: Clock) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._issued: OrderedDict[str, Trigger] = OrderedDict()

    def issue(self, user: str, view_id: str | None = None) -> str:
        """A new trigger id."""
        now = self._clock()
        trigger_id = f"{int(now * 1000)}.{secrets.randbelow(10**12):012d}.{secrets.token_hex(16)}"
        self._issued[trigger_id] = Trigger(user, now, view_id)
        if len(self._issued) > _KEPT:
            self._issued.popitem(last=False)
        return trigger_id

    def take(self, trigger_id: str) -> Trigger:
        """Use one. Raises SlackError invalid_, exchanged_ or expired_trigger_id."""
        trigger = self._issued.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock() - trigger.issued > LIFETIME_S:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger
