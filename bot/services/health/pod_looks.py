"""Compares a target's pod and its pod template with the last look, to record what changed.

The pod template is read when the newest pod is of another one than the last: no poll is needed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from bot.domain.core.change import IMAGE, NODE, RESTART, TEMPLATE, pairs
from bot.domain.core.look import Look
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod
from bot.domain.health import pod_changes, template_changes
from bot.domain.health.judge_pod import Explained
from bot.errors import AgentpodError
from bot.ports.cluster import Cluster
from bot.services.change_log import ChangeLog
from bot.services.health.rights import deployment_right

AGAIN = timedelta(minutes=1)
"""Time until a pod template that could not be read is read again."""


@dataclass
class PodLooks:
    """The looks at one target's pod."""

    target: Target
    cluster_of: Callable[[str], Cluster]
    log: ChangeLog
    seen_by: str
    """The ledger's mark with the time of the last look at the pod."""
    _template: str = ""
    """The hash of the pod template that was read last."""
    _not_before: datetime | None = None
    """When one that could not be read or compared is read again."""

    async def note_pod(self, pods: Sequence[Pod], now: datetime, explained: Explained = ()) -> None:
        """Compare the newest pod's images, node and restarts; ``explained`` are those that were approved."""
        pod = pod_changes.newest(pods)
        if pod is None:
            return
        order = pod_changes.order(pod)
        images = Look(self.target.name, IMAGE, pod_changes.images(pod), now, order, seen_by=self.seen_by)
        await self.log.note(images, pod_changes.image_changes, pod_changes.merged)
        restarts = Look(self.target.name, RESTART, pod_changes.restarts(pod), now, order, seen_by=self.seen_by)
        await self.log.note(restarts, partial(pod_changes.restart_changes, explained=explained))
        if pod.node:
            node = Look(self.target.name, NODE, {"": pod.node}, now, order, seen_by=self.seen_by)
            await self.log.note(node, pairs)

    async def note_template(self, pods: Sequence[Pod], now: datetime) -> None:
        """Compare the pod template, if the newest pod is of another one."""
        pod = pod_changes.newest(pods)
        made_from = pod.labels.get(pod_changes.HASH_LABEL, "") if pod is not None else ""
        if not made_from or made_from == self._template or (self._not_before and now < self._not_before):
            return
        try:
            raw = await self.cluster_of(self.target.name).objects(deployment_right(self.target), "v1")
        except AgentpodError:  # the pod's own watcher says so where that is a problem
            self._not_before = now + AGAIN
            return
        meta, template = raw.get("metadata") or {}, (raw.get("spec") or {}).get("template") or {}
        order = f"{meta.get('creationTimestamp', '')} {int(meta.get('generation') or 0):012}"
        prints = self.log.fingerprints
        state = template_changes.fields(template, prints.of if prints is not None else None)
        look = Look(self.target.name, TEMPLATE, state, now, order, fingerprinted=True, seen_by=self.seen_by)
        await self.log.note(look, template_changes.changes)
        kept = self.log.holds(look)
        self._template, self._not_before = (made_from, None) if kept else (self._template, now + AGAIN)
