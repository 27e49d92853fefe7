"""``pods``: the Deployment's current pod in full, and any other pods in a line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Reply
from bot.domain.core.workload import Condition, Container, Deployment, Pod
from bot.domain.health import judge_deployment, judge_pod, pod_state
from bot.domain.health.judge_deployment import Owner
from bot.domain.health.last_words import last_words
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.pod import PodCheck
from commands.observe import crash_log
from commands.shared import part_answer


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Judge the pods, and show the current one with its containers and conditions."""
    began = ctx.clock.monotonic()
    check = PodCheck()
    outcomes = await run_checks(ctx, [check])
    pods, owner, now = check.pods, check.owner, ctx.clock.now()
    shown = judge_pod.current(pods) or (pods[-1] if pods else None)
    finding = outcomes[0].finding
    verdict = finding.verdict
    facts = [*_facts(shown, now, finding), *_others(pods, shown, now)] if shown else []
    log = await crash_log.of(ctx, [finding], pods)
    made = part_answer.reply(
        ctx,
        part_answer.without(outcomes, _shown(pods)),
        began,
        own="pods",
        body=check.restarted(now),
        facts=[*facts, *_owner(owner, verdict)],
        excerpts=log.excerpts,
        notes=log.notes,
        more=(("Events", "events"), ("Processes", "processes")),
        data={"pods": [_data(p) for p in pods], "deployment": _owner_data(owner)},
    )
    return replace(made, shows_log=bool(log.excerpts))


def _shown(pods: Sequence[Pod]) -> set[str]:
    """Return the lines of evidence that the facts already show."""
    lines = {line for p in pods for line in (*judge_pod.about(p), *judge_pod.last_runs(p))}
    return lines | {f"{p.name}: {p.ready} {p.status}" for p in pods if len(pods) > 1}


def _owner(owner: Owner, verdict: Verdict) -> list[Fact]:
    """Return the Deployment of a healthy pod; for an unhealthy one the finding covers it."""
    if verdict is not Verdict.OK or not isinstance(owner, Deployment):
        return []
    return [Fact("Deployment", judge_deployment.in_a_line(owner), Verdict.WARN if owner.paused else None)]


def _owner_data(owner: Owner) -> dict[str, object] | None:
    if not isinstance(owner, Deployment):
        return None
    return {
        "name": owner.name,
        "generation": owner.generation,
        "observed_generation": owner.observed_generation,
        "wanted": owner.wanted,
        "updated": owner.updated,
        "ready": owner.ready,
        "paused": owner.paused,
        "strategy": owner.strategy,
    }


def _facts(pod: Pod, now: datetime, finding: Finding) -> list[Fact]:
    """Return the pod as facts, without those in a healthy pod's headline, and without what the finding says."""
    verdict, said = finding.verdict, "\n".join((finding.summary, *finding.evidence))
    facts = [Fact("Pod", pod.name, code=True)]
    if verdict is not Verdict.OK:
        facts += [
            *_ready(pod),
            Fact("Status", pod.status),
            Fact("Node", pod.node or "not placed yet"),
        ]
    facts += [
        Fact("Restarts", f"{pod.restarts:,}"),
        Fact("Age", words.age_since(pod.created_at, now)),
        Fact("IP", pod.ip or "none yet", code=pod.ip is not None),
    ]
    several = len(pod.lasting) > 1
    for container in pod.lasting:
        facts += _container(container, f" of {container.name}" if several else "", now, said)
    return [*facts, *_beside(pod, now, said), *_conditions(pod)]


def _ready(pod: Pod) -> list[Fact]:
    """Return kubectl's READY column, with the reason if the pod is not ready.

    If the Ready condition is not True, "1/1" would mislead: it is shown as what the containers last reported.
    """
    if pod_state.is_ready(pod):
        return [Fact("Ready", pod.ready, Verdict.OK)]
    ready, _, all_of_them = pod.ready.partition("/")
    said = f"no (the containers last said {pod.ready})" if ready == all_of_them else pod.ready
    why = [_because(c) for c in pod.conditions if c.type == "Ready" and c.status != "True"]
    return [Fact("Ready", ": ".join((said, *filter(None, why))), Verdict.FAIL)]


def _beside(pod: Pod, now: datetime, said: str) -> list[Fact]:
    """Return unfinished init containers and debug containers."""
    inits = [c for c in pod.init_containers if c.role == "init" and not c.done]
    found = [fact for c in inits for fact in _init(c, now, said)]
    return found + [Fact(f"Debug container {c.name}", _state(c)) for c in pod.ephemeral_containers]


def _init(container: Container, now: datetime, said: str) -> list[Fact]:
    state = Fact(f"Init container {container.name}", _state(container), Verdict.FAIL)
    return [state, *_last_end(container, f" of {container.name}", now, said)]


def _state(container: Container) -> str:
    return f"{container.reason or container.state}, restarts {container.restarts:,}"


def _container(container: Container, whose: str, now: datetime, said: str) -> list[Fact]:
    facts = [Fact(f"Image{whose}", container.image, code=True)]
    if container.digest:
        facts.append(Fact(f"Digest{whose}", _short(container.digest), code=True))
    if whose:
        facts.append(Fact(f"State{whose}", _state(container)))
    return facts + _last_end(container, whose, now, said)


def _last_end(container: Container, whose: str, now: datetime, said: str) -> list[Fact]:
    """Return how the container's latest run ended, if one has; without its last words where they are ``said``."""
    ended = container.ended
    if ended is None:
        return []
    code = "" if ended.exit_code is None else f", exit code {ended.exit_code}"
    last = last_words(ended.message or "")
    message = f": {words.cut(ended.message, 200)}" if ended.message and not (last and last in said) else ""
    return [Fact(f"Last end{whose}", f"{ended.reason}{code}, {words.ago(ended.finished_at, now)}{message}")]


def _short(digest: str) -> str:
    """Return a digest's first twelve characters, as registries show it; the reply's data has all of it."""
    kind, colon, value = digest.partition(":")
    return f"{kind}:{value[:12]}…" if colon and len(value) > 12 else digest


_GOOD_WHEN_TRUE = ("PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady")
"""Conditions that should be True. Ready has a line of its own; others, such as DisruptionTarget, should be False.
Source: Kubernetes, "Pod Lifecycle", "Pod conditions"."""


def _conditions(pod: Pod) -> list[Fact]:
    """Return the conditions that do not hold, with their reason, unless that only names the containers."""
    return [
        Fact(c.type, _because(c) or c.status, Verdict.FAIL)
        for c in pod.conditions
        if c.type in _GOOD_WHEN_TRUE and c.status != "True" and c.reason != "ContainersNotReady"
    ]


def _because(condition: Condition) -> str:
    """Return a condition's reason and message; empty if they only name the containers."""
    if condition.reason == "ContainersNotReady":
        return ""
    return words.cut(": ".join(t for t in (condition.reason, condition.message) if t), 200)


def _others(pods: Sequence[Pod], shown: Pod, now: datetime) -> list[Fact]:
    """Return each other pod in a line: the names alone would fill a table on a phone."""
    return [
        Fact("Other pod", f"{p.name}: {p.ready} {p.status}, {words.age_since(p.created_at, now)} old")
        for p in pods
        if p is not shown
    ]


def _data(pod: Pod) -> dict[str, object]:
    return {
        "name": pod.name,
        "is_ready": pod_state.is_ready(pod),
        "ready": pod.ready,
        "status": pod.status,
        "restarts": pod.restarts,
        "node": pod.node,
        "ip": pod.ip,
        "containers": [
            {"name": c.name, "role": c.role, "state": c.state, "reason": c.reason, "restarts": c.restarts}
            for c in pod.every_container
        ],
        "images": [c.image for c in pod.containers],
        "digests": [c.digest for c in pod.containers],
    }


COMMAND = Command(
    name="pods",
    summary="The pod: ready, restarts, node, image, last end",
    needs=Capability.VIEW,
    run=run,
    examples=("pods",),
    details="Exactly one pod must be ready, on its node. What is wrong comes first, with what to do about it. "
    "After a crash, whoever may read logs sees its last lines.",
    rights=crash_log.added_to(PodCheck.rights),
)
