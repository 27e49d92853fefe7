"""The ledger's records of yesterday, made by the bot's own rules from what happened in the sandbox.

Each job is judged at every heartbeat and every missed deadline, as a poll would have judged it; incidents, job
states and history are what comes of that. The restart is one request with its decision and its outcome, in the
audit trail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bot.adapters.ledger.ledger import open_ledger
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.approval import Choice, Decision, Request, RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest, new_id
from bot.domain.core.history import BEAT, HistoryEvent
from bot.domain.core.target import POD, HeartbeatPolicy, Target, canonical_job
from bot.domain.core.workload import Deployment
from bot.domain.health.rollout import ChangeMarker
from bot.domain.heartbeats.heartbeat import PUSHED, Group
from bot.domain.incidents import alerting, downtime, job_state
from bot.domain.incidents.alerting import AlertRules, Incident, IncidentState
from bot.domain.incidents.downtime import Downtime
from bot.domain.incidents.job_state import JobState
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.ports.ledger import Writing
from bot.services.incidents.muting import downtimes_mark
from bot.services.incidents.poll_coverage import heartbeat_coverage, pod_coverage
from bot.settings.model import Settings
from sandbox.pushgateway import PULSE, SCHEDULES, Schedule
from sandbox.slack import seed

SILENT = "session_manager"
SILENCE = (time(14, 2), time(14, 13))
"""When it did not run."""
SEEN_AFTER = timedelta(seconds=2)
"""How long after an event the poll came that saw it."""
BEFORE = timedelta(days=1)
"""How long before yesterday the bot began."""


async def record(settings: Settings, facts: Mapping[str, Any], now: datetime) -> None:
    """Write yesterday into the ledger, if nothing is in it yet; ``facts`` are those of `yesterday`."""
    ledger = await open_ledger(settings.ledger.url)
    try:
        target = settings.targets[0]
        polls = (heartbeat_coverage(settings.alerts), pod_coverage(target.name))
        if await ledger.mark(polls[0].last) is not None:
            return
        born = datetime.fromisoformat(facts["restarted"])
        began = datetime.combine(born.date(), time(), UTC) - BEFORE
        async with ledger.writing() as tx:
            for policy in target.heartbeats:
                await _record_job(tx, target, policy, settings.alerts, (began, now), born.date())
            await _record_restart(tx, target, facts, born)
            for coverage in polls:
                await tx.set_mark(coverage.first, began.isoformat())
                await tx.set_mark(coverage.last, now.isoformat())
    finally:
        await ledger.close()


# -- a job


def _beats(schedule: Schedule, window: tuple[datetime, datetime], day: date) -> list[datetime]:
    """When the job pushed: by its schedule, without yesterday's silence."""
    quiet = [datetime.combine(day, one, UTC) for one in SILENCE] if schedule.job == SILENT else []
    period = timedelta(seconds=schedule.period)
    at, found = datetime.fromtimestamp(schedule.last(window[1]), UTC), []
    while at >= window[0]:
        if not quiet or not quiet[0] <= at < quiet[1]:
            found.append(at)
        at -= period
    return found[::-1]


async def _record_job(
    tx: Writing,
    target: Target,
    policy: HeartbeatPolicy,
    rules: AlertRules,
    window: tuple[datetime, datetime],
    day: date,
) -> None:
    job, key = canonical_job(policy.job), HEARTBEAT.key(target.name, policy.job)
    [schedule] = [one for one in (PULSE, *SCHEDULES) if canonical_job(one.job) == job]
    memory: JobState | None = None
    incident: Incident | None = None
    history = []
    for at, beat in _polls(_beats(schedule, window, day), policy, rules):
        group = Group({"job": schedule.job}, {policy.metric: beat.timestamp(), PUSHED: beat.timestamp()})
        found = job_state.look(policy, (group,), memory, at)
        memory = found.memory
        history += [HistoryEvent(target.name, job, found.beat, BEAT)] if found.beat is not None else []
        if found.flip is not None:
            history.append(HistoryEvent(target.name, job, found.flip.at, found.flip.after.value))
        incident = alerting.decide(incident, job_state.problem(target.name, key, found, at), rules, at)
        if incident is not None and incident.state is IncidentState.FIRING:
            seen = at + timedelta(minutes=2)
            incident = alerting.acknowledged(incident, seed.MAYA, rules, seen)
            await tx.record(seen, "incident", seed.MAYA, incident.id, {"what": "acknowledged"})
    await tx.add_history(history)
    await tx.save_job_states(target.name, [memory] if memory is not None else [])
    await tx.save_incidents([incident] if incident is not None else [])


def _polls(
    beats: list[datetime], policy: HeartbeatPolicy, rules: AlertRules
) -> Iterator[tuple[datetime, datetime]]:
    """The polls that saw something new, each with the newest heartbeat: a push, a missed deadline, a recovery."""
    was_late = False
    for beat, following in zip(beats, [*beats[1:], None], strict=True):
        yield beat + SEEN_AFTER, beat
        if was_late:
            yield beat + SEEN_AFTER + rules.keep_firing, beat
        late = beat + (policy.stale_after or timedelta(days=1)) + rules.for_ + 2 * SEEN_AFTER
        was_late = following is not None and late < following
        if was_late:
            yield late - rules.for_, beat
            yield late, beat


# -- the restart


async def _record_restart(tx: Writing, target: Target, facts: Mapping[str, Any], born: datetime) -> None:
    """A forced restart: Maya asked, Jonas approved, and the pod was ready after some seconds."""
    asked, approved, ready = born - timedelta(minutes=3), born - timedelta(seconds=1), born + timedelta(seconds=4)
    old, new = [(str(name), str(uid)) for name, uid in (facts["old"], facts["new"])]
    action = FORCE_RESTART
    snapshot = Snapshot(facts["deployment"], facts["generation"], tuple(facts["images"].items()), (old,))
    request = Request(new_id(), seed.MAYA, asked, asked + timedelta(minutes=30), snapshot)
    effect = action.effect(Deployment(target.deployment, facts["deployment"]))
    repair = RepairRequest(request, target.name, action, "a session hangs", effect=effect, channel=seed.OPS)
    await tx.add(repair)
    await tx.record(asked, "request", seed.MAYA, repair.id, _asked(repair))
    decision = Decision(Choice.APPROVE, seed.JONAS, approved)
    await tx.record(
        approved, "decision", seed.JONAS, repair.id, {"choice": "approve", "rule": "approved", "reason": ""}
    )
    await tx.record(approved, "execution", "agentpod", repair.id, {"by": "agentpod", "action": action.name})
    await tx.record(born, "execution", "agentpod", repair.id, {"sent": True})
    outcome = ExecutionResult(f"ready as {new[0]}", ready, seconds=(ready - approved).total_seconds())
    done = replace(
        repair,
        request=replace(request, decisions=(decision,)),
        mark=ChangeMarker(approved, (old,), repair.id),
        sent_at=born,
    ).ended(RequestState.SUCCEEDED, outcome)
    await tx.save(done)
    about = {"state": done.state.value, "text": outcome.text, "seconds": outcome.seconds}
    await tx.record(ready, "outcome", "agentpod", repair.id, about)
    await tx.set_mark(downtimes_mark(target.name), downtime.to_text([Downtime(born, ready)]))
    await tx.add_history(
        [HistoryEvent(target.name, POD, born, "down"), HistoryEvent(target.name, POD, ready, "ready")]
    )


def _asked(repair: RepairRequest) -> dict[str, object]:
    snapshot = repair.request.snapshot
    return {
        "action": repair.action.name,
        "target": repair.target,
        "subject": "",
        "reason": repair.reason,
        "images": dict(snapshot.images),
        "pods": [name for name, _ in snapshot.pods],
        "generation": snapshot.generation,
        "expires_at": repair.request.expires_at.isoformat(timespec="seconds"),
        "dry_run": [],
        "ends": {},
    }
