"""Derive the pod's problems for incidents: it is not healthy, or it restarts often. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.target import Severity, Target
from bot.domain.core.workload import Container, Event, Pod
from bot.domain.health import container_state, judge_pod, pod_remedies, pod_state
from bot.domain.health.judge_deployment import Owner
from bot.domain.health.judge_pod import Explained
from bot.domain.health.outages import How, Outages
from bot.domain.health.pod_issue import PodIssue
from bot.domain.health.restarts import Restarts
from bot.domain.incidents.problem import COMMAND, Problem
from bot.domain.incidents.sources.pod import POD_HEALTH
from bot.domain.incidents.sources.restarts import POD_RESTARTS

RISING = 3
"""Restarts in a series that are a problem although the pod runs again each time."""
KILLED_AGAIN = 2
"""OOM kills in a series that make it critical."""
QUIET = timedelta(minutes=15)
"""A series ends after this long without a restart; the kubelet's longest back-off is five minutes."""


def problem(
    target: Target,
    pods: Sequence[Pod],
    now: datetime,
    *,
    hold: timedelta,
    keep: timedelta = timedelta(),
    owner: Owner = None,
    events: Sequence[Event] = (),
    muted: str = "",
    explained: Explained = (),
) -> Problem | None:
    """The pod's problem, or None. Its summary stays the same while nothing happens.

    ``hold`` is longer than a manual restart takes. ``keep``: how long a pod with restarted containers must stay up
    until it has recovered, since it runs for a moment between two crashes of a loop.
    """
    found = judge_pod.pod_issues(pods, target, now, owner, events, restarts=False, explained=explained)
    troubles = sorted(found, key=lambda t: -t.verdict.badness)
    troubles = [t for t in troubles if t.verdict in (Verdict.FAIL, Verdict.WARN)]
    if not troubles:
        return None
    first = troubles[0]
    pod = judge_pod.current(pods)
    return Problem(
        key=POD_HEALTH.key(target.name),
        kind=POD_HEALTH.stored,
        target=target.name,
        subject=target.name,
        summary=first.summary,
        severity="critical" if first.verdict is Verdict.FAIL else "warning",
        since=now,
        facts=tuple(_facts(first, troubles[1:], pod)),
        advice=_advice(first),
        restart=not _outlives_restart(judge_pod.live(pods), now, events),
        issue=target.issue,
        hold=hold,
        keep=keep if pod is not None and pod.restarts else timedelta(),
        muted=muted,
        passing=first.passing,
    )


def _outlives_restart(pods: Sequence[Pod], now: datetime, events: Sequence[Event]) -> bool:
    """Whether a restart can't help: the node is lost, or a new pod can't start either."""
    return any(map(pod_state.on_lost_node, pods)) or bool(pod_state.outlives_restart(pods, now, events))


def restarting(
    target: Target,
    pods: Sequence[Pod],
    restarts: Restarts,
    now: datetime,
    *,
    hold: timedelta = timedelta(),
    muted: str = "",
) -> Problem | None:
    """The problem of repeated restarts or OOM kills; None once the series is over.

    ``hold`` delays restarts, so that in a crash loop the pod's own incident fires first. OOM kills fire at once.
    """
    first, last = restarts.first_at, restarts.last_at
    if first is None or last is None or now - last >= QUIET or not (restarts.kills or restarts.times >= RISING):
        return None
    severity: Severity = "critical" if restarts.kills >= KILLED_AGAIN else "warning"
    pod = judge_pod.current(pods)
    ended = _last_ended(pod)
    facts = [fact for fact in _about(pod) if fact != ("Restarts", str(restarts.times))]
    facts.append(("What to do", pod_remedies.MEMORY if restarts.kills else pod_remedies.PREVIOUS_LOG))
    return Problem(
        key=POD_RESTARTS.key(target.name),
        kind=POD_RESTARTS.stored,
        target=target.name,
        subject=target.name,
        summary=_times(restarts, ended, last),
        severity=severity,
        since=first,
        facts=tuple(facts),
        advice=_log(pod),
        issue=target.issue,
        hold=timedelta() if restarts.kills else hold,
        muted=muted,
    )


def repeated(
    target: Target, pods: Sequence[Pod], outages: Outages, now: datetime, *, muted: str = ""
) -> Problem | None:
    """The problem of many short outages; None while there is no series of them."""
    first, last = outages.first_at, outages.last_at
    if first is None or last is None:
        return None
    kinds = outages.kinds()
    main = max(kinds, key=lambda how: (kinds[how], how != "not ready"))  # the rest says why it was not
    pod = judge_pod.current(pods)
    told = words.listed([f"{how} {words.plural(n, 'time')}" for how, n in kinds.items()])
    if outages.older:
        told = f"out {words.plural(outages.times, 'time')} ({told} of late)"
    within = timedelta(minutes=max(1, round((last - first) / timedelta(minutes=1))))
    return Problem(
        key=POD_RESTARTS.key(target.name),
        kind=POD_RESTARTS.stored,
        target=target.name,
        subject=target.name,
        summary=f"{told} in {words.age(within)}, last at {words.moment(last)}",
        severity="critical",
        since=first,
        facts=(*_of_records(pods, now), *_about(pod), ("What to do", _AGAIN[main])),
        advice=_log(pod) if main == "restarted" else "events",
        restart=main in ("restarted", "not ready"),
        issue=target.issue,
        muted=muted,
    )


_AGAIN: Mapping[How, str] = {
    "restarted": "See why it ends in its previous log.",
    "evicted": pod_remedies.EVICTED,
    "failed": pod_remedies.LOST,
    "replaced": "See who or what deletes it: a person, a controller, a drain. The cluster's audit log says.",
    "not ready": "Its readiness comes and goes: the events say what its probe answers.",
}


def _of_records(pods: Sequence[Pod], now: datetime) -> list[tuple[str, str]]:
    """How the last pod that is over ended, as facts."""
    records = [p for p in pods if p.over]
    issue = pod_state.state(records[-1], now).issue if records else None
    return [("Evidence", f"{records[-1].name}: {issue.summary}")] if issue else []


def _log(pod: Pod | None) -> str:
    ended = _last_ended(pod)
    return (container_state.log_of(ended) if ended else "") or "status"


def _advice(trouble: PodIssue) -> str:
    """The command of the diagnosis button: the log that the issue names, else ``status``."""
    line = (trouble.run or "").removeprefix("/agentpod ")
    return line if line.startswith("logs ") else "status"


def _times(restarts: Restarts, ended: Container | None, last: datetime) -> str:
    """How often it restarted, and when and how the last time. The incident itself shows since when."""
    name, how = ("a container", "")
    if ended is not None:
        name, how = container_state.called(ended), f" ({judge_pod.ending(ended)})"
    when, often = words.moment(last), words.plural(restarts.times, "time")
    if restarts.kills < restarts.times:
        kills = f", {restarts.kills} of them OOM-killed" if restarts.kills else ""
        return f"{name} restarted {often}{kills}, last at {when}{how}"
    limit = f" ({ended.memory_limit})" if ended is not None and ended.memory_limit else ""
    if restarts.times == 1:
        return f"{name} hit its memory limit{limit} at {when}"
    return f"{name} hit its memory limit{limit} {often}, last at {when}"


def _last_ended(pod: Pod | None) -> Container | None:
    ended = [(at, c) for c in (pod.lasting if pod else ()) if (at := _finished(c))]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def _finished(container: Container) -> datetime | None:
    ended = container.last_termination
    return ended.finished_at if ended else None


def _ended(container: Container) -> str:
    at = _finished(container)
    return (
        f"{container.name} restarted at {words.moment(at)} ({judge_pod.ending(container)})"
        if at
        else container.name
    )


def _facts(first: PodIssue, others: Sequence[PodIssue], pod: Pod | None) -> list[tuple[str, str]]:
    facts = [("Evidence", line) for line in first.evidence[:2]]
    facts += [("Also", other.summary) for other in others[:2]]
    facts += _about(pod)
    if not first.evidence and (ended := _last_ended(pod)) is not None:
        facts.append(("Ended before", _ended(ended)))
    if first.remedy:
        facts.append(("What to do", first.remedy))
    if first.run and first.run.startswith("kubectl "):
        facts.append((COMMAND, first.run))
    return facts


def _about(pod: Pod | None) -> list[tuple[str, str]]:
    if pod is None:
        return []
    facts = [("Pod", f"{pod.name} on {pod.node}" if pod.node else pod.name)]
    return [*facts, ("Restarts", str(pod.restarts))] if pod.restarts else facts
