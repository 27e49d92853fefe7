"""Alerts of every source in every state, the notes in their threads, and alerts about several problems.

Problems come from the code that finds them, incidents from the state machine; nothing here is a text of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from bot.domain.core import words
from bot.domain.core.change import CRONTAB, RESTART, Change
from bot.domain.core.frozen import replace as changed
from bot.domain.core.reply import Link, Mention
from bot.domain.core.target import ArgoCD
from bot.domain.core.workload import Application, Pod
from bot.domain.health import crash_log, judge_argocd, restarts
from bot.domain.incidents import alerting, direct, incident_card, job_state, pod_watch, sources
from bot.domain.incidents.alerting import AlertRules, Incident
from bot.domain.incidents.background import Background, SeenBefore
from bot.domain.incidents.problem import Problem, Reason
from bot.domain.incidents.sources.cluster import CLUSTER
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.incidents.sources.inside import INSIDE
from bot.domain.incidents.sources.pushgateway import EMPTY, PUSHGATEWAY
from bot.domain.incidents.sources.task import TASK
from bot.errors import TimedOut, Transient, unexpected
from bot.services.health.checks.argocd import ArgocdCheck
from bot.services.incidents import watch_checks
from bot.services.incidents.incident_cache import reasons
from bot.services.incidents.orphans import GONE
from bot.services.incidents.watch_heartbeats import LostAll
from sandbox.slack import seed
from tests.commands.fakes import World
from tests.domain import test_pod_watch
from tests.domain.test_incident_card import disk, process
from tests.domain.test_job_state import group as pushes
from tests.domain.test_job_state import policy, story
from tests.handbook import TARGET
from tests.messages.example import NOW, Example, message
from tests.messages.worlds import BROKEN

FEATURE = "Alerts"
RULES = AlertRules()
MIN, HOUR = timedelta(minutes=1), timedelta(hours=1)
CALL = (Mention(seed.ONCALL),)


def _pods(name: str) -> list[Pod]:
    world = World()
    BROKEN[name](world)
    return list(world.cluster.pods_answer)


def _pod(name: str) -> Problem:
    found = pod_watch.problem(TARGET, _pods(name), NOW - 3 * MIN, hold=timedelta())
    assert found is not None, name
    return found


def _restarts(why: str, *times: int) -> Problem:
    known = restarts.updated(None, [test_pod_watch.pod()], NOW - HOUR)
    for count, minutes in enumerate(times, 1):
        at = NOW - minutes * MIN
        known = restarts.updated(known, [test_pod_watch.pod(count, at, why)], at)
    found = pod_watch.restarting(TARGET, [test_pod_watch.pod(len(times), known.last_at, why)], known, NOW)
    assert found is not None, why
    return found


def _job(**how: object) -> Problem:
    failed = how.pop("failed", False)
    rule = policy(job="session-manager", **how)
    last = pushes(NOW - HOUR, failed=NOW - MIN if failed else None)
    seen = story(rule, [(NOW - HOUR, [pushes(NOW - HOUR)]), (NOW, [last])])
    found = job_state.problem(TARGET.name, HEARTBEAT.key(TARGET.name, "session-manager"), seen, NOW)
    assert found is not None
    return found


def _degraded() -> Application:
    return replace(World().cluster.application_answer, health="Degraded")


def _check() -> Problem:
    config = TARGET.argocd or ArgoCD()
    found = judge_argocd.judge_application(_degraded(), config, NOW)
    alarm = watch_checks.built_in(ArgocdCheck(config))
    return watch_checks.problem(TARGET, ArgocdCheck.id, alarm, found, "", NOW)


PROBLEMS: dict[str, tuple[str, Problem]] = {
    "the pod crashes": ("pod", _pod("crashing")),
    "a Secret is missing": ("pod", _pod("a Secret is missing")),
    "the image is missing": ("pod", _pod("the image is missing")),
    "no pod": ("pod", _pod("no pod")),
    "the node is lost": ("pod", _pod("node lost")),
    "the pod is not ready": ("pod", _pod("not ready")),
    "three restarts": ("restarts", _restarts("Error", 50, 30, 5)),
    "OOM-killed": ("restarts", _restarts("OOMKilled", 5)),
    "OOM-killed twice": ("restarts", _restarts("OOMKilled", 9, 5)),
    "a process is gone": ("process", process()),
    "the disk is nearly full": ("storage", disk()),
    "a job is stale": ("heartbeat", _job()),
    "a job by schedule is stale": ("heartbeat", _job(schedule="*/5 * * * *", grace="5m")),
    "a push failed": ("heartbeat", _job(failed=True, stale_after="1d")),
    "a job can't be judged": (
        "heartbeat",
        job_state.defect(TARGET.name, policy(job="session-manager"), ValueError("x"), NOW),
    ),
    "a check fails": ("check", _check()),
    "the API server can't be read": (
        "source:cluster",
        CLUSTER.problem(TARGET, NOW, reasons(TimedOut("The API server gave no answer in 3 s."))),
    ),
    "the pod's inside can't be read": (
        "inside",
        INSIDE.problem(TARGET, NOW, (("Why", "kali: the command timed out after 10 s"),)),
    ),
    "the Pushgateway can't be read": (
        "source:pushgateway",
        PUSHGATEWAY.problem(
            TARGET,
            NOW,
            reasons(Transient("The Pushgateway at http://p:9091 can't be read: it closed the connection.")),
        ),
    ),
    "the Pushgateway has lost all heartbeats": (
        "source:pushgateway",
        changed(PUSHGATEWAY.problem(TARGET, NOW, reasons(LostAll(NOW - 5 * MIN))), summary=EMPTY),
    ),
    "a task of the bot fails": (
        "task",
        TASK.problem(TARGET.name, "digest", NOW, reasons(unexpected("It died", ValueError("no such day")))),
    ),
}
"""Problem → the name of its source, and the problem."""


def _fired(problem: Problem) -> Incident:
    made = alerting.decide(None, changed(problem, since=NOW - 20 * MIN, hold=timedelta()), RULES, NOW - 15 * MIN)
    assert made is not None
    return changed(made, id="i-7k2m9xw")


def states(problem: Problem) -> dict[str, Incident]:
    """The incident of a problem in each state."""
    firing = _fired(problem)
    gone: Incident | None = alerting.decide(firing, None, RULES, NOW - 2 * MIN)
    over = alerting.decide(gone, None, RULES, NOW)
    worse = alerting.decide(
        _fired(changed(problem, severity="warning")), changed(problem, severity="critical"), RULES, NOW
    )
    assert gone is not None
    assert over is not None
    assert worse is not None
    return {
        "firing": firing,
        "escalated": worse,
        "acknowledged": alerting.acknowledged(firing, seed.MAYA, RULES, NOW - 5 * MIN),
        "snoozed": alerting.snoozed(firing, seed.MAYA, NOW + 2 * HOUR, NOW),
        "muted": changed(firing, problem=changed(firing.problem, muted="maintenance release-night")),
        "flapping": changed(firing, flapping=True, firings=(NOW - HOUR, NOW - 30 * MIN, NOW)),
        "recovering": gone,
        "resolved": over,
        "closed": alerting.closed(firing, _orphaned(problem), NOW),
    }


def _orphaned(problem: Problem) -> str:
    """Why it is closed, in its source's words, where its subject left the settings; else with its target."""
    bare = tuple(one.model_copy(update={"processes": ()}) for one in TARGET.containers)
    left = TARGET.model_copy(update={"heartbeats": (), "containers": bare})
    source = sources.of(problem)
    return source.orphaned(problem, left, heartbeats=source is not PUSHGATEWAY) or GONE


def alerts() -> Iterator[Example]:
    """Each problem firing; one of each source in every state."""
    seen: set[str] = set()
    for title, (source, problem) in PROBLEMS.items():
        assert sources.of(problem).name == source, (title, sources.of(problem).name)
        for state, incident in states(problem).items():
            if state == "firing" or source not in seen:
                shown = incident_card.message(incident, NOW, CALL)
                yield message(FEATURE, f"{title}: {state}", shown, (f"source {source} {state}", "kind incident"))
        seen.add(source)


def notices() -> Iterator[Example]:
    """The note in the thread for each reason, of an ordinary problem and of a source that can't be read."""
    for title in ("a job is stale", "the API server can't be read"):
        _, problem = PROBLEMS[title]
        firing = changed(_fired(problem), group="g-1")
        for reason in Reason:
            text = {
                Reason.SNOOZED: (NOW + 2 * HOUR).isoformat(),
                Reason.SNOOZE_ENDED: "no longer snoozed",
                Reason.CLOSED: _orphaned(problem),
            }.get(reason, "")
            noted = firing.noted(reason, NOW, text, seed.MAYA if reason in (Reason.ACKED, Reason.SNOOZED) else "")
            shown = incident_card.notice(noted, noted.notices[-1], CALL)
            yield message(
                FEATURE, f"thread, {title}: {reason.value}", shown, (f"notice {reason.value}", "kind notice")
            )


def linked() -> Iterator[Example]:
    """An alert with its runbook and the target's tools."""
    links = [
        Link(name, f"https://{name.lower().replace(' ', '-')}.example.com/secure-agent-pod")
        for name in ("Runbook", "Argo CD", "Grafana", "VibeKanban")
    ]
    for title in ("a job is stale", "a check fails"):
        shown = incident_card.message(_fired(PROBLEMS[title][1]), NOW, CALL, "", links)
        yield message(FEATURE, f"{title}, with links", shown, ("kind incident",))


def background() -> Iterator[Example]:
    """An alert that names what changed before it, and how it ended the last time."""
    _, problem = PROBLEMS["a job is stale"]
    change = Change(TARGET.name, CRONTAB, "agent", "", "1 line added", NOW - 25 * MIN, NOW - 26 * MIN)
    ends = "kali and helper restarted (Error, exit code 1); proxy restarted 2 times (OOMKilled, exit code 137)"
    restarts = Change(TARGET.name, RESTART, "", "", ends, NOW - 24 * MIN, NOW - 25 * MIN)
    seen = SeenBefore(3, NOW - 50 * HOUR, "after restart", "i-9k2m7xw")
    known = Background((restarts, change), 2, seen)
    shown = incident_card.message(changed(_fired(problem), background=known), NOW, CALL)
    yield message(FEATURE, "a job is stale, with what changed before", shown, ("kind incident",))
    over = states(problem)["resolved"]
    ended = incident_card.message(over, NOW, (), "restart (r-8bzmjcg5)")
    yield message(FEATURE, "a job is stale: resolved after a restart", ended, ("kind incident",))


def crash_logs() -> Iterator[Example]:
    """A crash with the container's last lines, and one where they can't be shown."""
    _, problem = PROBLEMS["the pod crashes"]
    lines = ("Downloading vibe-kanban v0.1.37", "Download failed: getaddrinfo EAI_AGAIN", "stopping the container")
    unread = "The log of kali could not be read: the kubelet does not answer"
    for title, log in (
        ("the pod crashes, with its last lines", crash_log.excerpt("kali", lines, previous=True)),
        ("the pod crashes, its log can't be read", unread),
    ):
        shown = incident_card.message(_fired(problem), NOW, CALL, log=log)
        yield message(FEATURE, title, shown, ("kind incident",))


def summaries() -> Iterator[Example]:
    """What quiet hours held back."""
    made = [_fired(problem) for _, problem in PROBLEMS.values()]
    over = states(PROBLEMS["a job is stale"][1])["resolved"]
    recovering = states(PROBLEMS["a job is stale"][1])["recovering"]
    several = (
        ("one still firing", [made[0], over]),
        ("all are over", [over, replace(over, problem=replace(over.problem, subject="audit-digest"))]),
        ("one may come back", [over, recovering]),
        ("many", made),
    )
    shown = {title: direct.summary(incidents, NOW) for title, incidents in several}
    shown["one alert"] = direct.held_back(incident_card.message(made[0], NOW))
    shown["one alert, over"] = direct.held_back(incident_card.message(over, NOW))
    for title, reply in shown.items():
        yield message(FEATURE, f"the summary after quiet hours: {title}", reply, ("kind summary",), private=True)
    firing = incident_card.message(made[0], NOW)
    yield message(FEATURE, "by direct message", firing, ("kind direct",), private=True)


def groups() -> Iterator[Example]:
    """Alerts about several problems, and their end."""
    made = [
        changed(_fired(changed(problem, key=f"{problem.key}-{number}")), id=f"i-{number}abcdef", group="g-1")
        for number, (_, problem) in enumerate(PROBLEMS.values())
    ]
    over = [changed(one, state=alerting.IncidentState.RESOLVED, recovered_at=NOW, resolved_at=NOW) for one in made]
    changes = (f"crontab agent: 1 line added, {words.moment(NOW - timedelta(minutes=40))} · change 1",)
    for title, incidents in (
        ("several problems at once", made),
        ("several problems, most over", [*made[:2], *over[2:]]),
        ("several problems, all over", over),
    ):
        yield message(FEATURE, title, incident_card.group(incidents, NOW, CALL, changes), ("kind group",))
    yield message(FEATURE, "thread: several problems are over", incident_card.over(over), ("kind over",))


def examples() -> Iterator[Example]:
    """All messages about incidents."""
    yield from alerts()
    yield from notices()
    yield from background()
    yield from linked()
    yield from crash_logs()
    yield from summaries()
    yield from groups()
