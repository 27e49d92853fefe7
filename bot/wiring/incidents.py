"""Builds the incident service, and the background tasks: watchers, retention, digest, own heartbeat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from datetime import time
from functools import partial
from typing import Any

from bot.domain.core.gap import Gap
from bot.domain.core.outside import Outside
from bot.domain.core.registry import found_in
from bot.domain.core.target import Target
from bot.domain.digest.checks import ChecksRead
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.heartbeats import DeadMan, HeartbeatSource
from bot.ports.ledger import Ledger
from bot.services.change_log import ChangeLog
from bot.services.digest import anchor_messages
from bot.services.digest.post_digest import DigestPost, When
from bot.services.digest.read_checks import read_checks
from bot.services.digest.retention import HistoryRetention
from bot.services.health.reads import CheckContext
from bot.services.health.secret_fingerprints import SecretWatch
from bot.services.heartbeats.own_heartbeat import OwnHeartbeat
from bot.services.incidents.evidence_keeper import EvidenceKeeper
from bot.services.incidents.incident_cache import TargetWatch
from bot.services.incidents.incident_service import IncidentKeys, IncidentService
from bot.services.incidents.issue_messages import issue_keys
from bot.services.incidents.muting import Muting
from bot.services.incidents.orphans import OrphanCloser
from bot.services.incidents.watch_checks import names
from bot.services.incidents.watch_heartbeats import HeartbeatWatch
from bot.services.incidents.watch_tasks import TaskCrashes, TaskWatch
from bot.services.ledger_retention import LedgerRetention
from bot.settings.model import Settings
from bot.wiring import settings_changes

logger = logging.getLogger("agentpod.digest")
AGAIN = 30.0
"""Seconds until a digest that could not be enqueued is tried again."""

TARGET_WATCHERS: Mapping[str, type[TargetWatch]] = {
    kind.task: kind
    for kind in found_in("bot.services.incidents", type)
    if issubclass(kind, TargetWatch) and kind is not TargetWatch
}
"""Background task name → the watcher to run for each target."""


def other_messages(settings: Settings) -> list[IncidentKeys]:
    """What is enqueued about incidents for other sinks than their channel."""
    return [issue_keys] if settings.bridge.url else []


def digest_time(settings: Settings) -> When:
    """The digest's time and zone; the `digest` command needs the zone even where no digest is posted."""
    hour, _, minute = (settings.digest.at or "09:00").partition(":")
    return When(time(int(hour), int(minute)), settings.digest.timezone)


def digest_channel(settings: Settings) -> str:
    """The channel that the digest is posted in; empty where none is posted."""
    digest = settings.digest
    return (digest.channel or settings.slack.channel or "") if digest.at else ""


NAME_A_CHANNEL = "Set AGENTPOD_SLACK__CHANNEL to the operations channel's id, and invite the app there."


def missing_channel(settings: Settings) -> str:
    """A warning that no channel is set, with what isn't posted because of that; empty where one is set."""
    if settings.slack.channel:
        return ""
    digest = settings.digest.at and not settings.digest.channel
    what = "alerts and the digest are" if digest else "alerts are"
    return f"slack.channel is not set: {what} posted nowhere, and approval cards go where a repair is asked for."


def subjects(targets: Iterable[Target]) -> dict[str, str]:
    """What each watcher is called in messages, by the name of its task."""
    found = {"heartbeats": HeartbeatWatch.subject}
    for target in targets:
        for name, watcher in TARGET_WATCHERS.items():
            found[f"{name} {target.name}"] = watcher.subject.format(target=target.name)
    return found


class Watching:
    """The incident service, and the background tasks that watch and report."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        clock: Clock,
        cluster_of: Callable[[str], Cluster],
        heartbeats: HeartbeatSource | None,
        dead_man: DeadMan | None = None,
        changed: Callable[[], None] = lambda: None,
        outside: Outside | None = None,
        context_of: Callable[[Target], CheckContext] | None = None,
        change_log: ChangeLog | None = None,
    ) -> None:
        """Make no connection; :meth:`tasks` does the work. ``changed`` is called when messages were enqueued.

        ``context_of`` gives what a target's checks are made of; without it, none raises an alert. ``change_log``
        records what changes; without it, nothing does.
        """
        self._change_log = change_log
        self._context_of = context_of
        self._settings, self._ledger, self._clock = settings, ledger, clock
        self._cluster_of, self._heartbeats = cluster_of, heartbeats
        self._dead_man, self._outside = dead_man, outside or Outside()
        channel = settings.slack.channel or ""
        channels = {t.name: channel for t in settings.targets if channel}
        self.crashes = TaskCrashes()
        targets = {target.name: target for target in settings.targets}
        keeper = EvidenceKeeper(targets, cluster_of, ledger, clock, self._outside)
        self.incidents = IncidentService(
            ledger, clock, settings.alerts, channels, other_messages(settings), changed, self._outside, keeper.keep
        )

    def tasks(
        self, can_hear: Callable[[], bool], gaps: Callable[[], Sequence[Gap]] = tuple
    ) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """The background tasks by name. ``can_hear``: whether Slack is connected; ``gaps``: when it was not."""
        settings, rules = self._settings, self._settings.alerts
        muting = Muting(rules)
        found: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        for target in settings.targets:
            for name, watcher in TARGET_WATCHERS.items():
                context = self._context_of(target) if self._context_of is not None else None
                one = watcher(
                    target, self._cluster_of, self._clock, rules, self.incidents, muting, context, self._change_log
                )
                found[f"{name} {target.name}"] = one.run
            found[f"secrets {target.name}"] = SecretWatch(
                target, self._cluster_of, self._ledger, self._clock, self._change_log
            ).run
        watched = self._heartbeats is not None
        first = settings.targets[0].name
        found["watchers"] = TaskWatch(
            self.crashes, first, self._clock, self.incidents, subjects(settings.targets)
        ).run
        found["history"] = HistoryRetention(self._ledger, self._clock).run
        found["retention"] = LedgerRetention(self._ledger, self._clock, settings.ledger.keep).run
        found["gone"] = OrphanCloser(settings.targets, watched, self._clock, self.incidents, self._alerting).run
        found["own heartbeat"] = OwnHeartbeat(
            self._clock,
            self._ledger,
            can_hear,
            settings.heartbeat.every,
            settings.slack.channel or "",
            settings.heartbeat.job,
            self._heartbeats,
            self._dead_man,
            self.incidents.changed,
            gaps,
        ).run
        if digest_channel(settings):
            found["digest"] = self._digests
        if self._change_log is not None and self._change_log.fingerprints is not None:
            found["settings"] = partial(settings_changes.note, settings, self._change_log, self._clock)
        if self._heartbeats is not None:
            watch = HeartbeatWatch(
                self._heartbeats, self._clock, rules, settings.targets, self.incidents, muting.of
            )
            found["heartbeats"] = watch.run
        return found

    def _alerting(self, target: Target) -> Collection[str]:
        """The names of a target's checks that raise alerts."""
        context = self._context_of(target) if self._context_of is not None else None
        return names(target, context.book if context is not None else None)

    async def _read_checks(self) -> ChecksRead:
        contexts = [self._context_of(t) for t in self._settings.targets] if self._context_of is not None else []
        return await read_checks(contexts, self._outside, self._clock.now())

    async def _digests(self) -> None:
        """Post the digest at its time, and at the start one that was missed while no bot ran."""
        from bot.adapters.schedule import Daily, Schedule

        settings = self._settings
        when = digest_time(settings)
        channel = digest_channel(settings)
        checks = self._read_checks if self._context_of is not None else None
        kept = settings.ledger.anchor
        sent = ((anchor_messages.FILE, "file", kept.file), (anchor_messages.URL, "url", kept.url))
        anchor_to = {kind: place for kind, place, address in sent if address}
        job = DigestPost(self._ledger, self._clock, when, channel, self.incidents.changed, checks, anchor_to)
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
