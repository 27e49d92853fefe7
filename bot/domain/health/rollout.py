"""Follow a restart from the cluster's state: old pod gone, new pod scheduled … ready. Pure.

A bot that takes over after a crash needs only the `ChangeMarker` and the present state; the ``previous`` progress
makes the times more exact. Once the outcome is known it never changes, whatever happens later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Event, Pod
from bot.domain.health import judge_deployment, judge_events, pod_state
from bot.domain.health.container_state import Cause, Issue
from bot.domain.health.judge_deployment import Absent

APPROVAL_ANNOTATION = "agentpod.dev/approval"
"""Annotation on objects that a repair changed: the id of the approval."""
RESTARTED_ANNOTATION = "kubectl.kubernetes.io/restartedAt"
"""Annotation that `kubectl rollout restart` sets."""
STALLED = timedelta(seconds=45)
"""Without a new stage for this long, events are shown."""
CRASHES = 2
"""With this many restarts, a new container that is not ready is not expected to recover."""
ENDED = 3
"""After this many new pods that failed (evicted, or rejected by their node), the rollout has failed."""
SKEW = timedelta(seconds=5)
"""Allowed difference between the API server's clock and ours."""
_ANY = Target(node=None)
"""A dummy for judges that take a target: only their summaries are used, which don't name it."""


@dataclass(frozen=True)
class ChangeMarker:
    """By what a change is recognised afterwards. It is stored in the ledger before the change is sent."""

    started_at: datetime
    """When the change was sent; until then, when the request was claimed."""
    old_pods: tuple[tuple[str, str], ...]
    """Name and uid of each pod before the change."""
    approval: str
    generation: int | None = None
    """The Deployment's generation after the patch; None where the pod was deleted instead."""
    restarted: str | None = None
    """The pod template's restartedAt after this change; None where it is not known."""


class Stage(Enum):
    """The stages of a restart, in order. The values are shown to people."""

    SENT = "sent"
    OLD_GONE = "old pod gone"
    SCHEDULED = "new pod scheduled"
    PULLING = "containers being made"
    """The node mounts volumes and pulls the image."""
    STARTED = "containers started"
    READY = "ready"

    @property
    def rank(self) -> int:
        """Its position in the order, from 0."""
        return list(Stage).index(self)


class Outcome(Enum):
    """Whether the restart has ended, and how."""

    GOING = "going"
    READY = "ready"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """Another change of the pod template replaced this one before it was complete."""


class ObstacleKind(Enum):
    """Kinds of problems during a rollout, which decide how long to wait for them to pass."""

    ADMISSION = "admission"
    """The API server rejects the pod: quota, policy, missing ServiceAccount."""
    LATE = "late"
    """The Deployment controller gave up (ProgressDeadlineExceeded)."""
    PAUSED = "paused"
    OLD = "old pod"
    """The old pod does not terminate."""
    LOST = "lost"
    """The new pod was evicted or deleted, and there is no other one yet."""
    PLACE = "place"
    """The pod can't be scheduled."""
    NODE = "node"
    """The node has stopped reporting."""
    PULL = "pull"
    CONFIG = "config"
    CRASH = "crash"
    AGAIN = "again"
    """It runs again after a crash and may become ready."""
    WAITS = "waits"
    """A reason of the kubelet that is not known here."""


PATIENCE: Mapping[ObstacleKind, timedelta] = {
    # A quota is freed shortly after the old pod is gone; a webhook may be restarting.
    ObstacleKind.ADMISSION: timedelta(seconds=60),
    # The condition of an earlier rollout stays until the controller has created the new ReplicaSet.
    ObstacleKind.LATE: timedelta(seconds=60),
    # The kubelet retries after 10, 20, 40 seconds: registries fail temporarily.
    ObstacleKind.PULL: timedelta(seconds=60),
    # The kubelet's cache of Secrets may lag behind; a Secret that does not exist won't appear by itself.
    ObstacleKind.CONFIG: timedelta(seconds=20),
    ObstacleKind.CRASH: timedelta(seconds=60),
}
"""How long to wait for a problem to pass; kinds that are not listed fail only at the deadline."""


@dataclass(frozen=True)
class StageReached:
    """A stage that was reached, and when: by the cluster's timestamps, else when it was first seen."""

    stage: Stage
    at: datetime
    detail: str = ""
    """The node, the image, or the names of the old pods, depending on the stage."""


@dataclass(frozen=True)
class RolloutProgress:
    """The progress as it is shown. It is stored in the ledger, so that a bot that takes over continues from it."""

    steps: tuple[StageReached, ...]
    """Ordered by time."""
    started_at: datetime
    outcome: Outcome = Outcome.GOING
    reason: str = ""
    """Why it ended this way; while it is going on, the current problem."""
    evidence: tuple[str, ...] = ()
    """The newest warnings, where something is wrong or it has stalled."""
    stalled: bool = False
    """Whether there was no new stage for `STALLED`."""
    pod: str = ""
    """The name of the new pod that is followed."""
    took: timedelta | None = None
    """Time from the change to ready; None for any other outcome."""
    advice: str = ""
    """The next command line, without ``/agentpod``; empty when nothing is wrong."""
    trouble: str = ""
    """The current problem, which may pass."""
    trouble_since: datetime | None = None
    trouble_kind: ObstacleKind | None = None
    pod_uid: str = ""
    replaced: tuple[str, ...] = ()
    """New pods that did not stay, with what happened to them, a line each."""
    doing: str = ""
    """What the rollout is waiting for now."""
    ended_at: datetime | None = None

    @property
    def stage(self) -> Stage:
        """The latest stage that was reached."""
        return max((s.stage for s in self.steps), key=lambda s: s.rank, default=Stage.SENT)


@dataclass(frozen=True)
class _Trouble:
    kind: ObstacleKind
    text: str
    advice: str
    final: bool = False
    """Whether waiting longer can't help."""


@dataclass(frozen=True)
class _RolloutFacts:
    mark: ChangeMarker
    deployment: Deployment
    pods: Sequence[Pod]
    events: Sequence[Event]
    now: datetime
    previous: RolloutProgress | None

    @property
    def old(self) -> list[Pod]:
        """The remaining pods from before the change, and later pods of their template."""
        return [p for p in self.pods if self._is_old(p) and not p.over]

    @property
    def fresh(self) -> list[Pod]:
        """Pods created since the change, including those that are over."""
        return [p for p in self.pods if not self._is_old(p)]

    @property
    def new(self) -> Pod | None:
        """The pod to follow: the one followed so far while it lives, else the newest live one."""
        living = [p for p in self.fresh if not p.deleting and not p.over]
        followed = self.previous.pod_uid if self.previous else ""
        kept = next((p for p in living if p.uid == followed), None)
        return kept or (living[-1] if living else None)

    def _is_old(self, pod: Pod) -> bool:
        if pod.uid in {uid for _, uid in self.mark.old_pods}:
            return True
        if pod.over and pod.created_at is not None and pod.created_at < self.mark.started_at - SKEW:
            return True  # a pod that was over before the change
        template = _template(pod.name, self.deployment.name)
        before = {_template(name, self.deployment.name) for name, _ in self.mark.old_pods}
        # A restart changes the template; a pod that merely replaces a deleted one has the old template.
        return self.mark.generation is not None and template != "" and template in before


def _template(name: str, deployment: str) -> str:
    """The pod template's hash in a pod's name; empty where it can't be extracted (long names are truncated)."""
    match = re.fullmatch(re.escape(deployment) + r"-([0-9a-z]+)-[0-9a-z]{5}", name)
    return match[1] if match and len(name) < 63 else ""


def progress(
    mark: ChangeMarker,
    deployment: Deployment | Absent,
    pods: Sequence[Pod],
    events: Sequence[Event],
    now: datetime,
    deadline: timedelta,
    previous: RolloutProgress | None = None,
) -> RolloutProgress:
    """Compute the current progress. ``pods`` come oldest first; ``deadline`` counts from the marker's start."""
    if previous is not None and previous.outcome is not Outcome.GOING:
        return previous
    if isinstance(deployment, Absent):
        before = previous or RolloutProgress((StageReached(Stage.SENT, mark.started_at),), mark.started_at)
        text = f"the Deployment is gone: {words.cut(deployment.said, 160)}"
        return replace(before, outcome=Outcome.FAILED, reason=text, advice="status", ended_at=now, doing="")
    facts = _RolloutFacts(mark, deployment, pods, events, now, previous)
    lost = _lost(facts)
    replaced = _replaced(facts, lost)
    steps = _steps(facts, anew=bool(lost))
    trouble = _trouble(facts, replaced)
    since = _since(trouble, previous, now)
    outcome, reason, advice = _verdict(facts, steps, deadline, trouble, since)
    going, new = outcome is Outcome.GOING, facts.new
    stalled = going and now - steps[-1].at >= STALLED
    return RolloutProgress(
        steps=steps,
        started_at=mark.started_at,
        outcome=outcome,
        reason=reason,
        evidence=tuple(_evidence(facts)) if stalled or trouble or outcome is Outcome.FAILED else (),
        stalled=stalled,
        pod=new.name if new else "",
        took=steps[-1].at - mark.started_at if outcome is Outcome.READY else None,
        advice=advice or ("events" if stalled else ""),
        trouble=trouble.text if trouble and going else "",
        trouble_since=since if going else None,
        trouble_kind=trouble.kind if trouble and going else None,
        pod_uid=new.uid if new else "",
        replaced=replaced,
        doing=_doing(facts, steps) if going else "",
        ended_at=None if going else now,
    )


def _since(trouble: _Trouble | None, previous: RolloutProgress | None, now: datetime) -> datetime | None:
    """When a problem of this kind began: its text may change, as from ErrImagePull to ImagePullBackOff."""
    if trouble is None:
        return None
    same = previous is not None and previous.trouble_kind is trouble.kind
    return (previous.trouble_since if same and previous else None) or now


# -- stages


def _lost(facts: _RolloutFacts) -> str:
    """What happened to the new pod that was followed until now; empty while it is still followed."""
    before, new = facts.previous, facts.new
    if before is None or not before.pod_uid or (new and new.uid == before.pod_uid):
        return ""
    left = next((p for p in facts.fresh if p.uid == before.pod_uid and p.over), None)
    return _end_of(left) if left else f"{before.pod} was deleted"


def _end_of(pod: Pod) -> str:
    said = f": {words.cut(pod.message, 120)}" if pod.message else ""
    return f"{pod.name}: {pod.reason or pod.phase}{said}"


def _replaced(facts: _RolloutFacts, lost: str) -> tuple[str, ...]:
    """New pods that did not stay, including those that failed between two polls; the last `ENDED` of them."""
    told = facts.previous.replaced if facts.previous else ()
    ended = [_end_of(p) for p in facts.fresh if p.over]
    told = (*told, *(line for line in ended if line not in told))
    return (*(line for line in told if line != lost), *([lost] if lost else ()))[-ENDED:]


def _steps(facts: _RolloutFacts, *, anew: bool) -> tuple[StageReached, ...]:
    """The stages reached so far. A stage stays reached unless the new pod was replaced (``anew``)."""
    before = facts.previous.steps if facts.previous else ()
    of_any_pod = (Stage.SENT, Stage.OLD_GONE)
    found = {s.stage: s for s in before if not anew or s.stage in of_any_pod}
    floor = max((s.at for s in before), default=facts.mark.started_at)
    for stage, at, detail in _reached(facts):
        if stage not in found:
            at = max(floor, min(at or facts.now, facts.now))
            found[stage] = StageReached(stage, at, detail)
        if stage is not Stage.OLD_GONE or facts.mark.generation is not None:
            floor = max(floor, found[stage].at)
    # The sort is stable: of the same time, new steps come after those shown before.
    return tuple(sorted(found.values(), key=lambda s: s.at))


def _reached(facts: _RolloutFacts) -> Iterator[tuple[Stage, datetime | None, str]]:
    """Yield the stages that the cluster's state shows: stage, time if known, detail."""
    new = facts.new
    yield Stage.SENT, facts.mark.started_at, ""
    if not facts.old:
        # With Recreate, the new pod is created when the old one is gone.
        made = new.created_at if new and facts.mark.generation is not None else None
        yield Stage.OLD_GONE, made, ", ".join(name for name, _ in facts.mark.old_pods)
    if new is None or new.node is None:
        return
    yield Stage.SCHEDULED, new.started_at, new.node
    known = [c for c in new.lasting if c.state != "unknown"]
    if not known and all(c.state == "unknown" for c in new.init_containers):
        return
    yield Stage.PULLING, new.started_at, _image(new)
    if all(c.state == "running" or c.started_at or c.last_termination for c in new.lasting):
        yield Stage.STARTED, max((c.started_at for c in known if c.started_at), default=None), ""
        if _is_ready(facts, new):
            yield Stage.READY, None, ""


def _is_ready(facts: _RolloutFacts, new: Pod) -> bool:
    """Whether the new pod is ready, old pods are at least terminating, and the controller reports it too."""
    owner, generation = facts.deployment, facts.mark.generation
    if not pod_state.is_ready(new) or any(not p.deleting for p in facts.old) or owner.ready < max(1, owner.wanted):
        return False
    if generation is None:
        return True
    acted = owner.observed_generation >= max(generation, owner.generation)
    return acted and owner.updated >= max(1, owner.wanted)


def _image(pod: Pod) -> str:
    """The image of the first container that doesn't run yet, without its digest."""
    in_order = [*(c for c in pod.init_containers if not c.done), *pod.containers]
    waits = next((c for c in in_order if c.state != "running"), in_order[0])
    return waits.image.partition("@")[0]


# -- verdict


def _verdict(
    facts: _RolloutFacts,
    steps: Sequence[StageReached],
    deadline: timedelta,
    trouble: _Trouble | None,
    since: datetime | None,
) -> tuple[Outcome, str, str]:
    """Decide the outcome, with its reason and the next command."""
    if by := _superseded(facts):
        return Outcome.SUPERSEDED, by, "status"
    if facts.deployment.wanted == 0:
        return Outcome.FAILED, f"Deployment {facts.deployment.name} is scaled to 0", "status"
    if any(s.stage is Stage.READY for s in steps):
        return Outcome.READY, _ready_words(facts), ""
    if trouble and since is not None:
        patience = PATIENCE.get(trouble.kind, deadline)
        if trouble.final or facts.now - since >= patience:
            return Outcome.FAILED, trouble.text, trouble.advice
    if facts.now - facts.mark.started_at >= deadline:
        why = trouble.text if trouble else _waited_for(facts, steps)
        advice = trouble.advice if trouble else "events"
        return Outcome.FAILED, f"not ready in time: {why}", advice
    return Outcome.GOING, trouble.text if trouble else "", trouble.advice if trouble else ""


def _superseded(facts: _RolloutFacts) -> str:
    """A sentence where the pod template was changed after this change; empty where it was not."""
    mark, annotations = facts.mark, facts.deployment.template_annotations
    theirs = annotations.get(APPROVAL_ANNOTATION)
    if mark.generation is not None and theirs != mark.approval:
        by = f" by {theirs}" if theirs else ""
        return f"the Deployment was changed again{by} before the new pod was ready"
    # Compared with the earlier value, not with a clock: another machine's clock, which set it, may be wrong.
    restarted = annotations.get(RESTARTED_ANNOTATION, "")
    if mark.restarted is None or restarted in ("", mark.restarted):
        return ""
    at = _time(restarted)
    return f"it was restarted again{f' at {words.clock(at)}' if at else ''} before the new pod was ready"


def _time(text: str) -> datetime | None:
    """The annotation's time, which anybody may have written; in UTC where it names no zone."""
    return words.moment_of(text) or words.moment_of(f"{text}Z")


def _ready_words(facts: _RolloutFacts) -> str:
    generation, owner = facts.mark.generation, facts.deployment
    said = "the new pod is ready"
    if facts.old:
        said += "; the old one is still ending"
    if generation is not None and owner.generation > generation:
        said += f"; the Deployment was changed meanwhile (generation {owner.generation}, not {generation})"
    return said


# -- problems


def _trouble(facts: _RolloutFacts, replaced: Sequence[str]) -> _Trouble | None:
    """The current problem; None while all is normal."""
    new, ended = facts.new, sum(p.over for p in facts.fresh)
    if ended >= ENDED and not (new and pod_state.is_ready(new)):
        text = f"{words.plural(ended, 'new pod')} did not stay, the last was {replaced[-1]}"
        return _Trouble(ObstacleKind.LOST, text, "events", final=True)
    if new is not None:
        return _of_new_pod(new, facts.now, facts.events) or _of_controller(facts)
    return _of_controller(facts) or _of_lost(replaced) or _of_old_pods(facts)


def _of_controller(facts: _RolloutFacts) -> _Trouble | None:
    """A problem reported by the Deployment's controller, if it can be about this change."""
    owner, new = facts.deployment, facts.new
    late = owner.condition("Progressing")
    refused = owner.condition("ReplicaFailure")
    if owner.paused:
        held = new is None and facts.mark.generation is not None
        text = f"Deployment {owner.name} is {judge_deployment.PAUSED}"
        return _Trouble(ObstacleKind.PAUSED, text, "status") if held else None
    if facts.old:
        return None
    why = judge_deployment.why_no_pod(replace(owner, current=0), _ANY, ())
    if why is None:
        return None
    run = why.run.removeprefix("/agentpod ") if why.run and why.run.startswith("/agentpod ") else "status"
    if refused is not None and refused.status == "True":
        return _Trouble(ObstacleKind.ADMISSION, why.summary, run) if new is None else None
    if facts.mark.generation is None or late is None or late.reason != "ProgressDeadlineExceeded":
        return None
    # The message names the ReplicaSet: if it is the new pod's, it is not about an earlier rollout.
    ours = new is not None and f'"{new.name.rpartition("-")[0]}"' in (late.message or "")
    return _Trouble(ObstacleKind.LATE, why.summary, "events", final=ours)


def _of_lost(replaced: Sequence[str]) -> _Trouble | None:
    if not replaced:
        return None
    return _Trouble(
        ObstacleKind.LOST, f"the new pod did not stay ({replaced[-1]}), and there is no other yet", "events"
    )


def _of_old_pods(facts: _RolloutFacts) -> _Trouble | None:
    leaving = [p.name for p in facts.old if p.deleting]
    if not leaving or facts.now - facts.mark.started_at < STALLED:
        return None
    return _Trouble(ObstacleKind.OLD, f"the old pod {words.listed(leaving)} is still terminating", "events")


def _of_new_pod(new: Pod, now: datetime, events: Sequence[Event]) -> _Trouble | None:
    """The first issue of the new pod that is not a normal part of every start."""
    issues = pod_state.state(new, now, events).issues
    return next((found for issue in issues if (found := _of_issue(issue))), None)


_KINDS = {
    Cause.NODE: ObstacleKind.NODE,
    Cause.UNPLACED: ObstacleKind.PLACE,
    Cause.CONFIG: ObstacleKind.CONFIG,
    Cause.IMAGE: ObstacleKind.PULL,
    Cause.WAITS: ObstacleKind.WAITS,
    Cause.NOT_MADE: ObstacleKind.WAITS,
    **dict.fromkeys((Cause.CRASH, Cause.MEMORY, Cause.KILLED, Cause.START), ObstacleKind.CRASH),
}
"""Causes that are problems; the others are normal waiting."""


def _of_issue(issue: Issue) -> _Trouble | None:
    kind = _KINDS.get(issue.cause)
    if kind is None or (kind is ObstacleKind.PLACE and not issue.reason):
        return None
    if issue.cause is Cause.START and issue.reason.startswith("CreateContainer"):
        return _Trouble(ObstacleKind.CONFIG, issue.summary, "events")
    if kind is ObstacleKind.CRASH:
        log = "events" if issue.cause is Cause.START else issue.log or "events"
        kind = ObstacleKind.AGAIN if issue.running else kind
        return _Trouble(kind, issue.summary, log, final=issue.restarts >= CRASHES)
    unsaid = kind is ObstacleKind.PULL and issue.evidence and ")" not in issue.summary
    said = f": {words.cut(issue.evidence[0], 160)}" if unsaid else ""
    return _Trouble(kind, issue.summary + said, "events", final=issue.final)


def _evidence(facts: _RolloutFacts) -> Iterator[str]:
    """The new pod's evidence, then the newest warnings about it, its owners and the old pods."""
    issue = _issue(facts)
    # The kubelet's messages on images and Secrets are events as well.
    events_say_it = issue is None or issue.cause in (Cause.IMAGE, Cause.CONFIG, Cause.WAITS, Cause.NOT_MADE)
    yield from () if events_say_it or issue is None else issue.evidence[:2]
    followed = [p for p in (facts.new, *facts.old) if p is not None]
    names = {f"pod/{p.name}" for p in followed} | {f"deployment/{facts.deployment.name}"}
    sets = f"replicaset/{facts.deployment.name}-"
    since = facts.mark.started_at - SKEW
    ours = [
        e
        for e in facts.events
        if (e.object in names or e.object.startswith(sets)) and (e.last_seen is None or e.last_seen >= since)
    ]
    for entry in [g for g in judge_events.group(ours) if g.is_warning][:3]:
        times = f" ×{entry.count}" if entry.count > 1 else ""
        yield f"{entry.reason}{times}: {words.cut(words.without_pod_id(entry.message), 200)}"


# -- wording


def _issue(facts: _RolloutFacts) -> Issue | None:
    return pod_state.state(facts.new, facts.now, facts.events).issue if facts.new else None


def _waited_for(facts: _RolloutFacts, steps: Sequence[StageReached]) -> str:
    """What it waited for when the deadline passed: why the new pod is not ready, where that is known."""
    issue = _issue(facts)
    return issue.summary if issue and issue.cause is not Cause.UNPLACED else _doing(facts, steps)


def _doing(facts: _RolloutFacts, steps: Sequence[StageReached]) -> str:
    """What the rollout is waiting for."""
    reached, new, issue = {s.stage for s in steps}, facts.new, _issue(facts)
    if Stage.STARTED in reached:
        if issue is None:
            return "waiting for the Deployment's word"
        return issue.summary if issue.cause in (Cause.GATE, Cause.CONDITION) else "waiting for it to be ready"
    if Stage.SCHEDULED in reached and new is not None:
        if issue is not None and issue.cause is Cause.INIT:
            return issue.summary
        return f"pulling {_image(new)}" if _is_pulling(facts, new) else "making the containers"
    if new is not None:
        return "waiting for a node"
    if Stage.OLD_GONE in reached:
        return "waiting for a new pod"
    return "the old pod is ending" if any(p.deleting for p in facts.old) else "waiting for the old pod to end"


def _is_pulling(facts: _RolloutFacts, new: Pod) -> bool:
    """Whether the newest event on images says that one is being pulled."""
    said = [e for e in facts.events if e.object == f"pod/{new.name}" and e.reason in ("Pulling", "Pulled")]
    last = max(said, key=lambda e: e.last_seen or facts.mark.started_at, default=None)
    return last is not None and last.reason == "Pulling"


def headline(progress: RolloutProgress) -> str:
    """The state in one line."""
    if progress.outcome is Outcome.READY and progress.took is not None:
        return f"Ready after {words.age(progress.took)}"
    if progress.outcome is not Outcome.GOING:
        after = f" after {words.age(progress.ended_at - progress.started_at)}" if progress.ended_at else ""
        return f"{progress.outcome.value.capitalize()}{after}: {progress.reason}"
    if progress.trouble:
        return f"Trouble: {progress.trouble}"
    doing = progress.doing or progress.stage.value
    return doing[0].upper() + doing[1:]


_SAID = {
    Stage.OLD_GONE: "old pod gone",
    Stage.SCHEDULED: "new pod on {detail}",
    Stage.STARTED: "containers started",
    Stage.READY: "ready",
}
"""Stages that are listed once reached; PULLING is only shown while it is waited for."""


def lines(progress: RolloutProgress, now: datetime) -> tuple[str, ...]:
    """The list of steps reached, pods that did not stay, and what it is waiting for or how it ended."""
    # "old pod gone" is left out where there was no old pod.
    told = [s for s in progress.steps if s.stage in _SAID and (s.detail or s.stage is not Stage.OLD_GONE)]
    done = [(s.stage is not Stage.OLD_GONE, _line(s, progress)) for s in told]
    lost = [(False, f"✗ {line}") for line in progress.replaced]
    # The pods that did not stay came after the old one and before the one that is followed now.
    listed = sorted((*done, *lost), key=lambda one: one[0]) if lost else done
    return (*((line for _, line in listed) if listed else ("✓ change made",)), *_last(progress, now))


def _line(step: StageReached, progress: RolloutProgress) -> str:
    after = words.age(step.at - progress.started_at)
    return f"✓ {_SAID[step.stage].format(detail=step.detail)} after {after}"


def _last(progress: RolloutProgress, now: datetime) -> tuple[str, ...]:
    if progress.outcome is Outcome.READY:
        return ()
    if progress.outcome is not Outcome.GOING:
        return (f"✗ {progress.reason}",)
    waited = words.age(now - progress.steps[-1].at)
    trouble = (f"⚠️ {progress.trouble}",) if progress.trouble else ()
    return (f"⏳ {progress.doing} ({waited})", *trouble)
