"""Judge raw objects with the product's code, in every place that judges pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from bot.adapters.kubernetes import facts, shapes
from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Pod
from bot.domain.health import judge_pod, restarts, rollout
from bot.domain.incidents import downtime, pod_watch
from tests.verdicts.mutate import NOW, Object
from tests.verdicts.oracle import against

TARGET = Target()
HEALTHY = (Verdict.OK, Verdict.WARN)
"""What `status` begins with "Healthy" for."""


def decoded(pods: Sequence[Object], deployment: Object) -> tuple[list[Pod], Deployment]:
    """Decode objects as the adapter decodes an API server's answer."""
    listed = msgspec.json.decode(msgspec.json.encode({"items": pods}), type=shapes.Items[shapes.Pod])
    owner = msgspec.json.decode(msgspec.json.encode(deployment), type=shapes.Deployment)
    return list(facts.oldest_first(facts.pod(p) for p in listed.items or ())), facts.deployment(owner)


@dataclass
class Judged:
    """The conclusions of each place on the same pods."""

    verdict: Verdict
    summary: str
    incident: str | None
    jobs_can_run: bool


def judge(pods: Sequence[Pod], owner: Deployment) -> Judged:
    """Judge in all places."""
    finding = judge_pod.judge_pod(pods, TARGET, NOW, owner)
    problem = pod_watch.problem(TARGET, pods, NOW, hold=timedelta(minutes=1), owner=owner)
    counted = restarts.updated(None, pods, NOW)
    pod_watch.restarting(TARGET, pods, counted, NOW)
    downtime.updated((), pods, NOW)
    return Judged(finding.verdict, finding.summary, problem and problem.summary, downtime.ready(pods))


def restarted(raw: Sequence[Object], deployment: Object) -> bool:
    """Whether a restart by deletion that led to these pods would count as done."""
    pods, owner = decoded(raw, deployment)
    followed = _followed(pods, owner)
    rollout.headline(followed)
    rollout.lines(followed, NOW)
    return followed.outcome is rollout.Outcome.READY


def _followed(pods: Sequence[Pod], owner: Deployment) -> rollout.RolloutProgress:
    sent = NOW - timedelta(hours=1)
    mark = rollout.ChangeMarker(sent, (("secure-agent-pod-old", "u-old"),), "r-1", None, sent.isoformat())
    return rollout.progress(mark, owner, pods, (), NOW, timedelta(hours=2))


def complaint(name: str, raw: Sequence[Object], deployment: Object) -> str:
    """What is wrong with the verdicts on these objects; empty if they are right. Never raises."""
    said = against(raw)
    judged = judge(*decoded(raw, deployment))
    calm = judged.verdict in HEALTHY or judged.incident is None or judged.jobs_can_run
    if said and calm:
        return f"{name}: {', '.join(said[:3])}, but {judged}"
    if not said and judged.verdict is Verdict.UNKNOWN:
        return f"{name}: nothing is said against it, but {judged.summary}"
    return ""
