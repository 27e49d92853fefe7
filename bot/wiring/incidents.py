"""Builds the incident service, and holds what the watchers work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.outside import Outside
from bot.domain.core.target import Target
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.ports.heartbeats import DeadMan, HeartbeatSource
from bot.ports.ledger import Ledger
from bot.ports.people import People
from bot.services.incidents.evidence_keeper import EvidenceKeeper
from bot.services.incidents.incident_service import IncidentKeys, IncidentService
from bot.services.incidents.task_crashes import TaskCrashes
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.services.change_log import ChangeLog
    from bot.services.health.reads import CheckContext


def other_messages(settings: Settings) -> list[IncidentKeys]:
    """What is enqueued about incidents for other sinks than their channel."""
    if not settings.bridge.url:
        return []
    from bot.services.incidents.issue_messages import issue_keys  # few have a bridge

    return [issue_keys]


@dataclass
class Watching:
    """The incident service, and what the background tasks that watch and report work with."""

    settings: Settings
    ledger: Ledger
    clock: Clock
    cluster_of: Callable[[str], Cluster]
    heartbeats: HeartbeatSource | None
    dead_man: DeadMan | None = None
    changed: Callable[[], None] = lambda: None
    """Called when messages were enqueued."""
    outside: Outside = field(default_factory=Outside)
    context_of: Callable[[Target], CheckContext] | None = None
    """What a target's checks are made of; without it, none raises an alert."""
    change_log: ChangeLog | None = None
    """Records what changes; without it, nothing does."""
    crashes: TaskCrashes = field(default_factory=TaskCrashes)
    people: People | None = None
    """Looks up people in Slack; without it, nobody's preferences are deleted."""
    incidents: IncidentService = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        channel = settings.slack.channel or ""
        channels = {t.name: channel for t in settings.targets if channel}
        targets = {target.name: target for target in settings.targets}
        keeper = EvidenceKeeper(targets, self.cluster_of, self.ledger, self.clock, self.outside)
        self.incidents = IncidentService(
            self.ledger,
            self.clock,
            settings.alerts,
            channels,
            other_messages(settings),
            self.changed,
            self.outside,
            keeper.keep,
        )
        if settings.alerts.crash_log:
            keeper.shows, keeper.changed = self.incidents.show_again, self.changed
