"""Folds findings with the same cause into one, and chooses the next steps for the problems."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.domain.core import labels, summary
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import ServiceTarget, Target
from bot.domain.health import judge_events, judge_services
from bot.domain.heartbeats import judge_crontab, judge_heartbeats
from bot.services.health.checks import registry
from bot.services.health.sources import API, EXEC


def folded(target: Target, outcomes: Sequence[ProbeResult]) -> list[Finding]:
    """Return the findings with consequences folded into their cause, such as a pod that is not ready."""
    network = [judge_services.slug(s.name) for s in target.services]
    consequences = {
        "pod": ["endpoints", *network, *_missing_container_checks(outcomes), *_repeated_events(outcomes)]
    }
    missing = next((o.finding for o in outcomes if o.finding.probe == "processes"), None)
    if missing is not None and missing.verdict is Verdict.FAIL:
        consequences["processes"] = [
            *(judge_services.slug(s.name) for s in target.services if _serves(missing.summary, s)),
            *_without_cron(missing.summary, outcomes),
        ]
    findings = _events_last(summary.fold(outcomes, consequences))
    return [_without_what_is_well(target, finding, outcomes) for finding in findings]


def _without_what_is_well(target: Target, finding: Finding, outcomes: Sequence[ProbeResult]) -> Finding:
    """Return the finding of the heartbeats without the advice to check a cron that the processes show."""
    runs = any(
        o.finding.probe in ("processes", judge_crontab.PROBE) and o.finding.verdict is Verdict.OK for o in outcomes
    )
    if finding.probe != judge_heartbeats.PROBE or not runs:
        return finding
    return judge_heartbeats.with_cron_running(finding, [target.cron])


def _events_last(findings: Sequence[Finding]) -> list[Finding]:
    """The findings with events after what is equally bad: they tell what was, the other checks what is."""
    late = (f.probe == judge_events.PROBE and f.verdict is not Verdict.OK for f in findings)
    keyed = zip(findings, late, strict=True)
    return [f for f, _ in sorted(keyed, key=lambda pair: (-pair[0].verdict.badness, pair[1]))]


_REPEATING_REASONS = ("BackOff", "NodeNotReady")
"""Reasons of events that only repeat the pod's own state."""


def _repeated_events(outcomes: Sequence[ProbeResult]) -> list[str]:
    """Return ``["events"]`` if the only kind of warning repeats the pod's own finding."""
    found = {o.finding.probe: o.finding for o in outcomes if o.finding.probe in ("pod", "events")}
    pod, events = found.get("pod"), found.get("events")
    if pod is None or events is None or events.verdict is not Verdict.WARN or len(events.evidence) != 1:
        return []
    of, said = events.evidence[0], events.summary.partition(": ")[2].removeprefix("Error: ")
    told = " ".join((pod.summary, *pod.evidence))
    again = events.summary.startswith(_REPEATING_REASONS) or (
        len(said) >= _MIN_SHARED and said[:_MIN_SHARED] in told
    )
    return ["events"] if again and of.startswith("pod/") else []


_MIN_SHARED = 20
"""Leading characters that two messages must share to count as the same."""


def _missing_container_checks(outcomes: Sequence[ProbeResult]) -> list[str]:
    """Return the checks that failed for a missing container which the pod's own finding reports."""
    pod = next((o.finding.summary for o in outcomes if o.finding.probe == "pod"), "")
    looked = [o.finding for o in outcomes if o.finding.probe in ("identity", "processes")]
    return [f.probe for f in looked if f.verdict is Verdict.FAIL and f.summary in pod]


def _without_cron(missing: str, outcomes: Sequence[ProbeResult]) -> list[str]:
    """Return ``["cron"]`` if the crontab's finding is that the missing process is its cron."""
    found = next((o.finding.summary for o in outcomes if o.finding.probe == judge_crontab.PROBE), "")
    name, runs_not, _ = found.partition(" is not running")
    return [judge_crontab.PROBE] if runs_not and name in missing else []


def _serves(missing: str, spec: ServiceTarget) -> bool:
    """Whether a missing process serves the service, by its name: sshd serves SSH, vibe-kanban VibeKanban."""
    plain = "".join(c for c in missing.lower() if c.isalnum())
    return "".join(c for c in spec.name.lower() if c.isalnum()) in plain


_OF_SOURCES = {
    EXEC.key: (("Pods", "pods"),),
    API.key: (("Version", "version"),),
    summary.RIGHTS: (("Missing rights", "can-i status"),),
    "restarts": (("Incidents", "incidents"), ("Events", "events")),
}
"""Next steps, by source, for a source that does not answer, and for rights that are missing."""
_OTHERWISE = (("Services", "services"), ("Logs", "logs"))


def next_steps(findings: Sequence[Finding], without: Collection[str] = ()) -> list[tuple[str, str]]:
    """Return the commands that help with the problems, in their order: (label, command line).

    ``without`` are checks of which no command of the bot says more.
    """
    known = _OF_SOURCES | registry.steps()
    steps: list[tuple[str, str]] = []
    for finding in findings:
        if finding.verdict is not Verdict.OK and finding.probe not in without:
            steps += _log_of(finding)
            steps += known.get(finding.probe, _OTHERWISE)
    return steps


def source_steps(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return the commands that help where a source gave nothing, or rights are missing."""
    return [step for finding in findings for step in _OF_SOURCES.get(finding.probe, ())]


def log_step(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Return the log command of the pod's finding among these, if it has one."""
    return [step for finding in findings for step in _log_of(finding)]


def _log_of(finding: Finding) -> list[tuple[str, str]]:
    """Return the log command of the pod's finding, for the container and run that it is about, if it has one."""
    line = (finding.run or "").removeprefix("/agentpod ")
    if finding.probe != "pod" or not line.startswith("logs "):
        return []
    return [(labels.of(line), line)]
