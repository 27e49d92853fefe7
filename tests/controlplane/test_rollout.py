"""Restarts on a real control plane, followed to their end with the bot's rights, then replayed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.kubernetes import KubernetesCluster
from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health.rollout import (
    APPROVAL_ANNOTATION,
    RESTARTED_ANNOTATION,
    ChangeMarker,
    Outcome,
    RolloutProgress,
    Stage,
    progress,
)
from tests.controlplane.agent_pod import APP, PLAY, AgentPod
from tests.controlplane.settled import change_now
from tests.controlplane.watching import port

SELECTOR = f"app={APP}"
DEADLINE = timedelta(minutes=5)
PATIENCE = 30.0


@dataclass(frozen=True)
class Look:
    """Everything read at one moment."""

    deployment: Deployment
    pods: Sequence[Pod]
    events: Sequence[Event]
    now: datetime


@dataclass
class Restarting:
    """Sends a restart of an agent pod, and follows it."""

    cluster: KubernetesCluster
    pod: AgentPod

    async def sent(self, play: str = "ready") -> ChangeMarker:
        """Restart the pod, with the new pod in the state ``play``."""
        now = datetime.now(UTC)
        old = tuple((p.name, p.uid) for p in await self.cluster.pods(SELECTOR))
        marks = {APPROVAL_ANNOTATION: "r-1", RESTARTED_ANNOTATION: now.isoformat(timespec="seconds"), PLAY: play}
        after = await change_now(self.cluster, lambda seen: self.cluster.restart(seen, marks))
        return ChangeMarker(now, old, "r-1", after.generation)

    async def forced(self) -> ChangeMarker:
        """Delete the pod."""
        now, [old] = datetime.now(UTC), await self.cluster.pods(SELECTOR)
        await self.cluster.delete_pod(old)
        return ChangeMarker(now, ((old.name, old.uid),), "r-1", None)

    async def looks(self) -> AsyncGenerator[Look, None]:
        """Yield the current state whenever the pods change, and in between."""
        async with self._lists() as lists:
            pods = await lists.get()
            while True:
                deployment, events = await asyncio.gather(self.cluster.deployment(APP), self.cluster.events())
                yield Look(deployment, pods, events, datetime.now(UTC))
                try:
                    pods = await asyncio.wait_for(lists.get(), 0.1)
                except TimeoutError:  # the pods are unchanged, but the Deployment's status or the time may not be
                    continue

    @asynccontextmanager
    async def _lists(self) -> AsyncIterator[asyncio.Queue[Sequence[Pod]]]:
        """A queue of every list of pods that following yields."""
        queue: asyncio.Queue[Sequence[Pod]] = asyncio.Queue()

        async def listen() -> None:
            async with aclosing(self.cluster.follow(SELECTOR)) as lists:
                async for pods in lists:
                    queue.put_nowait(pods)

        listening = asyncio.create_task(listen())
        try:
            yield queue
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def followed(
        self,
        mark: ChangeMarker,
        until: Callable[[RolloutProgress], bool] = lambda said: said.outcome is not Outcome.GOING,
    ) -> tuple[RolloutProgress, list[Look]]:
        """The progress at the end (or when ``until`` holds), and everything read until then."""
        seen: list[Look] = []
        said: RolloutProgress | None = None
        async with asyncio.timeout(PATIENCE), aclosing(self.looks()) as looks:
            async for look in looks:
                seen.append(look)
                said = judged(mark, look, said)
                if until(said):
                    return said, seen
        raise AssertionError("following ended")


def judged(mark: ChangeMarker, look: Look, before: RolloutProgress | None) -> RolloutProgress:
    """The progress reported after a read."""
    return progress(mark, look.deployment, look.pods, look.events, look.now, DEADLINE, before)


@pytest.fixture
async def restarting(agent_pod: AgentPod) -> AsyncIterator[Restarting]:
    """An agent pod whose bot may follow, restart and delete it."""
    agent_pod.allow("watch", "pods")
    agent_pod.allow("patch", "deployments", "apps")
    agent_pod.allow("delete", "pods")
    async with port(agent_pod.kubeconfig(), agent_pod.namespace) as cluster:
        yield Restarting(cluster, agent_pod)


async def test_a_restart_is_followed_to_ready_and_a_replay_gives_the_same_result(restarting: Restarting) -> None:
    mark = await restarting.sent()
    done, seen = await restarting.followed(mark)
    assert done.outcome is Outcome.READY
    assert {s.stage for s in done.steps} == set(Stage)
    assert done.pod_uid == restarting.pod.pod()["metadata"]["uid"] != mark.old_pods[0][1]
    # A bot that takes over at any moment reaches the same result.
    for start in range(len(seen)):
        again: RolloutProgress | None = None
        for look in seen[start:]:
            again = judged(mark, look, again)
        assert again is not None
        assert (again.outcome, again.pod_uid) == (Outcome.READY, done.pod_uid)
        assert [s.stage for s in again.steps] == list(Stage)


async def test_a_crash_loop_fails_and_points_to_the_previous_log(restarting: Restarting) -> None:
    failed, _ = await restarting.followed(await restarting.sent("crash-loop"))
    assert (failed.outcome, failed.stage) == (Outcome.FAILED, Stage.STARTED)
    assert failed.reason == "kali keeps crashing (exit 1, 5 restarts)"
    assert failed.advice == "logs --container kali --previous"


async def fails_later(restarting: Restarting, mark: ChangeMarker, seconds: float) -> RolloutProgress:
    """The failure that a problem becomes after exactly so many seconds."""
    said, seen = await restarting.followed(mark, lambda said: bool(said.trouble))
    early, late = (replace(seen[-1], now=seen[-1].now + timedelta(seconds=s)) for s in (seconds - 1, seconds))
    assert judged(mark, early, said).outcome is Outcome.GOING
    failed = judged(mark, late, said)
    assert (failed.outcome, failed.reason) == (Outcome.FAILED, said.trouble)
    return failed


async def test_a_missing_secret_fails_with_its_name_when_it_stays_missing(restarting: Restarting) -> None:
    failed = await fails_later(restarting, await restarting.sent("config-error"), 20)
    assert failed.reason == "Secret agent-ssh-keys is missing, so kali can't start"
    assert failed.stage is Stage.PULLING


async def test_a_deleted_pods_successor_is_followed_to_ready(restarting: Restarting) -> None:
    mark = await restarting.forced()
    done, _ = await restarting.followed(mark)
    assert (done.outcome, done.pod_uid) == (Outcome.READY, restarting.pod.pod()["metadata"]["uid"])


async def test_a_second_restart_supersedes_the_first(restarting: Restarting) -> None:
    mark = await restarting.sent("slow")
    template = {"metadata": {"annotations": {APPROVAL_ANNOTATION: "r-2"}}}
    restarting.pod.patch(restarting.pod.deployment_path, {"spec": {"template": template}})
    ended, _ = await restarting.followed(mark)
    assert (ended.outcome, "by r-2" in ended.reason) == (Outcome.SUPERSEDED, True)


async def test_a_refused_new_pod_is_reported_with_the_quotas_message(restarting: Restarting) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    restarting.pod.plane.call("POST", f"{restarting.pod.path}/resourcequotas", quota)
    failed = await fails_later(restarting, await restarting.sent(), 60)
    assert failed.reason.startswith("no pod can be created: exceeded quota: none")
    assert any("exceeded quota" in line for line in failed.evidence)
