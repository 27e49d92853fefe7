"""Recent warnings about the pod and what it uses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.domain.core.probes import Finding
from bot.domain.core.target import Target
from bot.domain.core.workload import Event, Right
from bot.domain.health import judge_events, own_objects
from bot.domain.health.own_objects import Own
from bot.services.health.check import Check
from bot.services.health.reads import Reads, or_none
from bot.services.health.rights import EXTERNAL_READ, POD_READ, deployment_right


class EventsCheck(Check):
    """Judges the warnings about the target's own objects."""

    id, title, about = judge_events.PROBE, judge_events.TITLE, "its events"
    steps = (("Events", "events"),)

    events: Sequence[Event] | None = None
    own: Own | None = None
    """Which of the objects that they are about are the target's; None where that makes no difference."""

    def __init__(self, *, all_: bool = False) -> None:
        """``all_``: of older events, too, it is to be known whose they are."""
        self.all = all_

    async def run(self, reads: Reads) -> Finding:
        """Read the events, and whose they are, and have them judged."""
        self.events, now = await reads.events(), reads.ctx.clock.now()
        groups = judge_events.group(self.events)
        recent = groups if self.all else judge_events.recent_warnings(groups, now)
        if recent:  # without any, whose they would be makes no difference
            self.own = await _own(reads, {g.object.partition("/")[0] for g in recent})
        return judge_events.judge_events(self.events, now, self.own)

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The events, and the objects that they may be about."""
        lists = (Right("list", "services"), Right("list", "persistentvolumeclaims"))
        return (Right("list", "events"), *POD_READ, deployment_right(target), *lists, EXTERNAL_READ)


async def _own(reads: Reads, kinds: set[str]) -> Own:
    """The target's own objects.

    Raises `SourceUnavailable` where the pods can't be listed: whose events are whose?
    """
    pods, owner, services, claims, external = await asyncio.gather(
        reads.pods(),
        reads.owner(),
        or_none(reads.services()) if own_objects.SERVICE in kinds else _nothing(),
        or_none(reads.claims()) if own_objects.CLAIM in kinds else _nothing(),
        or_none(reads.external_secrets()) if own_objects.EXTERNAL in kinds else _nothing(),
    )
    return own_objects.own(reads.target, pods, owner, services, claims, external or ())


async def _nothing() -> None:
    """For a read that nobody needs."""
