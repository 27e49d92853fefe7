"""Builds the background tasks: watchers, retention, digest, own heartbeat.

What they need is loaded with this module, once Slack is connected.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from bot.domain.core.gap import Gap
from bot.domain.core.registry import found_in
from bot.domain.core.target import Target
from bot.domain.digest.checks import ChecksRead
from bot.errors import AgentpodError
from bot.services.digest import anchor_messages
from bot.services.digest.post_digest import DigestPost
from bot.services.digest.read_checks import read_checks
from bot.services.digest.retention import HistoryRetention
from bot.services.health.secret_fingerprints import SecretWatch
from bot.services.heartbeats.own_heartbeat import OwnHeartbeat
from bot.services.incidents.incident_cache import TargetWatch
from bot.services.incidents.muting import Muting
from bot.services.incidents.orphans import OrphanCloser
from bot.services.incidents.watch_checks import names
from bot.services.incidents.watch_heartbeats import HeartbeatWatch
from bot.services.incidents.watch_tasks import TaskWatch
from bot.services.ledger_retention import LedgerRetention
from bot.services.outbox.preferences import PreferenceRetention
from bot.wiring import settings_changes
from bot.wiring.channels import digest_channel, digest_time
from bot.wiring.incidents import Watching

logger = logging.getLogger("agentpod.digest")
AGAIN = 30.0
"""Seconds until a digest that could not be enqueued is tried again."""

TARGET_WATCHERS: Mapping[str, type[TargetWatch]] = {
    kind.task: kind
    for kind in found_in("bot.services.incidents", type)
    if issubclass(kind, TargetWatch) and kind is not TargetWatch
}
"""Background task name → the watcher to run for each target."""


def subjects(targets: Iterable[Target]) -> dict[str, str]:
    """What each watcher is called in messages, by the name of its task."""
    found = {"heartbeats": HeartbeatWatch.subject}
    for target in targets:
        for name, watcher in TARGET_WATCHERS.items():
            found[f"{name} {target.name}"] = watcher.subject.format(target=target.name)
    return found


class Watchers:
    """The background tasks that watch and report."""

    def __init__(self, parts: Watching) -> None:
        """Make no connection; :meth:`tasks` does the work."""
        self._parts = parts

    def tasks(
        self, can_hear: Callable[[], bool], gaps: Callable[[], Sequence[Gap]] = tuple
    ) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The background tasks by name. ``can_hear``: whether Slack is connected; ``gaps``: when it was not."""
        settings, rules = self._parts.settings, self._parts.settings.alerts
        muting = Muting(rules)
        found: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        for target in settings.targets:
            for name, watcher in TARGET_WATCHERS.items():
                context = self._parts.context_of(target) if self._parts.context_of is not None else None
                one = watcher(
                    target,
                    self._parts.cluster_of,
                    self._parts.clock,
                    rules,
                    self._parts.incidents,
                    muting,
                    context,
                    self._parts.change_log,
                )
                found[f"{name} {target.name}"] = one.run
            found[f"secrets {target.name}"] = SecretWatch(
                target, self._parts.cluster_of, self._parts.ledger, self._parts.clock, self._parts.change_log
            ).run
        watched = self._parts.heartbeats is not None
        first = settings.targets[0].name
        found["watchers"] = TaskWatch(
            self._parts.crashes, first, self._parts.clock, self._parts.incidents, subjects(settings.targets)
        ).run
        found["history"] = HistoryRetention(self._parts.ledger, self._parts.clock).run
        people = self._parts.people
        gone = PreferenceRetention(self._parts.ledger, self._parts.clock, people).drop if people else None
        kept = LedgerRetention(self._parts.ledger, self._parts.clock, settings.ledger.keep, gone)
        found["retention"] = kept.run
        found["gone"] = OrphanCloser(
            settings.targets, watched, self._parts.clock, self._parts.incidents, self._alerting
        ).run
        found["own heartbeat"] = OwnHeartbeat(
            self._parts.clock,
            self._parts.ledger,
            can_hear,
            settings.heartbeat.every,
            settings.slack.channel or "",
            settings.heartbeat.job,
            self._parts.heartbeats,
            self._parts.dead_man,
            self._parts.incidents.changed,
            gaps,
        ).run
        if digest_channel(settings):
            found["digest"] = self._digests
        if self._parts.change_log is not None and self._parts.change_log.fingerprints is not None:
            found["settings"] = partial(settings_changes.note, settings, self._parts.change_log, self._parts.clock)
        if self._parts.heartbeats is not None:
            watch = HeartbeatWatch(
                self._parts.heartbeats,
                self._parts.clock,
                rules,
                settings.targets,
                self._parts.incidents,
                muting.of,
            )
            found["heartbeats"] = watch.run
        return found

    def _alerting(self, target: Target) -> Collection[str]:
        """The names of a target's checks that raise alerts."""
        context = self._parts.context_of(target) if self._parts.context_of is not None else None
        return names(target, context.book if context is not None else None)

    async def _read_checks(self) -> ChecksRead:
        contexts = (
            [self._parts.context_of(t) for t in self._parts.settings.targets]
            if self._parts.context_of is not None
            else []
        )
        return await read_checks(contexts, self._parts.outside, self._parts.clock.now())

    async def _digests(self) -> None:
        """Post the digest at its time, and at the start one that was missed while no bot ran."""
        from bot.adapters.schedule import Daily, Schedule

        settings = self._parts.settings
        when = digest_time(settings)
        channel = digest_channel(settings)
        checks = self._read_checks if self._parts.context_of is not None else None
        kept = settings.ledger.anchor
        sent = ((anchor_messages.FILE, "file", kept.file), (anchor_messages.URL, "url", kept.url))
        anchor_to = {kind: place for kind, place, address in sent if address}
        job = DigestPost(
            self._parts.ledger, self._parts.clock, when, channel, self._parts.incidents.changed, checks, anchor_to
        )
        schedule = Schedule()
        schedule.daily("digest", Daily(when.at, when.zone), partial(self._until_posted, job))
        schedule.start()
        try:
            await self._until_posted(job)
            await asyncio.Event().wait()
        finally:
            schedule.stop()

    async def _until_posted(self, job: DigestPost) -> None:
        while True:
            try:
                await job.post()
                return
            except AgentpodError as error:
                logger.warning("digest not enqueued yet: %s", error.message)
            except Exception:
                logger.exception("digest not enqueued yet")
            await asyncio.sleep(AGAIN)
