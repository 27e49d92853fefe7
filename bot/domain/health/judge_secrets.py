"""Judge the Secrets: whether they exist, and whether the pod was started with their current values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict, worst_first
from bot.domain.core.target import Target
from bot.domain.core.workload import ExternalSecret, Manager, Pod, SecretFacts
from bot.domain.health import external_secrets, own_objects, pod_remedies, secret_memory
from bot.domain.health.judge_pod import current
from bot.domain.health.secret_memory import Age, Remembered
from bot.errors import AgentpodError, NotFound

EXTERNAL, OF_OPERATOR = "External Secrets", "external-secrets"
"""The operator's name, and the id of its finding."""
External = Sequence[ExternalSecret] | AgentpodError
"""The ExternalSecrets, or the error that kept them from being read."""


def started(pods: object) -> datetime | None:
    """The earliest start of the pod's running containers, whose environment variables are as of then.

    ``pods`` may be an error instead of pods. None where no start is known.
    """
    if not isinstance(pods, list | tuple):
        return None
    pod = current([p for p in pods if isinstance(p, Pod)])
    times = [c.started_at for c in pod.containers if c.started_at] if pod else []
    return min(times, default=None)


def age(facts: object, pods: object, memory: Remembered | None = None) -> Age | None:
    """Compare the Secret's values with those at the pod's start; None where either is not known."""
    since = started(pods)
    return secret_memory.age(facts, since, memory) if since and isinstance(facts, SecretFacts) else None


def restart_needed(ages: Iterable[Age | None]) -> bool:
    """Whether a Secret has changed since the pod started."""
    return any(one is Age.CHANGED for one in ages)


def judge_secret(
    name: str, facts: object, pods: object, now: datetime, target: Target, memory: Remembered | None = None
) -> Finding:
    """The finding for one Secret. ``facts`` or ``pods`` may be the error that kept them from being read."""
    probe, title = f"secret {name}", name
    if isinstance(facts, NotFound):
        return _missing(name, pods, target)
    if not isinstance(facts, SecretFacts):
        said = facts.message if isinstance(facts, AgentpodError) else "it could not be read"
        return Finding(probe, title, Verdict.UNKNOWN, words.lower_first(said))
    count, its = words.plural(len(facts.keys), "key"), "its" if len(facts.keys) == 1 else "their"
    at = secret_memory.changed_at(facts, memory)
    changed = words.ago(at, now) if at else "at a time that the API server does not say"
    verdict, summary, remedy = _AGES[age(facts, pods, memory)]
    return Finding(
        probe,
        title,
        verdict,
        summary.format(count=count, changed=changed, its=its, why=_not_started(pods)),
        remedy=remedy,
    )


def _missing(name: str, pods: object, target: Target) -> Finding:
    """The finding for a Secret that does not exist, judged by the pod's own references to it."""
    found = own_objects.uses(pods, None) if isinstance(pods, list | tuple) else None
    if found is not None and name in found.required_secrets:
        held = "the pod runs until it is restarted" if started(pods) else "the pod can't start"
        text, line = pod_remedies.missing("Secret", name, target)
        said = f"there is no such Secret, and the pod requires it: {held}"
        return Finding(f"secret {name}", name, Verdict.FAIL, said, remedy=text, run=line)
    if found is None:
        held = "whether the pod starts without it is not known"
    elif name in found.secrets:
        held = "the pod starts without it"
    else:
        held = "the pod does not use it"
    remedy = "Make it with the values that the pod is to have, then restart the pod."
    return Finding(f"secret {name}", name, Verdict.WARN, f"there is no such Secret ({held})", remedy=remedy)


def _not_started(pods: object) -> str:
    """Why no start of the pod is known."""
    if isinstance(pods, AgentpodError):
        return words.lower_first(pods.message.rstrip("."))
    pod = current([p for p in pods if isinstance(p, Pod)]) if isinstance(pods, list | tuple) else None
    if pod is None:
        return "no pod is running"
    down = next((one for one in pod.lasting if one.state != "running"), None)
    if down is None:
        return "the API server does not say when its containers started"
    return f"{down.name} is not running ({down.reason or down.state})"


_AGES: Mapping[Age | None, tuple[Verdict, str, str | None]] = {
    Age.SAME: (Verdict.OK, "{count}, and the pod has {its} values", None),
    Age.CHANGED: (
        Verdict.WARN,
        "changed {changed}, after the pod started: it still has the old values",
        "Environment variables are set when a container starts: restart the pod.",
    ),
    Age.WRITTEN: (
        Verdict.UNKNOWN,
        "written {changed}, after the pod started: whether a value changed is not known",
        "Restart the pod if one did: environment variables are set when a container starts.",
    ),
    Age.UNKNOWN: (
        Verdict.UNKNOWN,
        "{count}; the API server does not say when they were written, so whether the pod has them is not known",
        "Restart the pod if they changed after it started.",
    ),
    None: (Verdict.UNKNOWN, "{count}; whether the pod has them is not known: {why}", None),
}


def says_when(found: Age | None) -> bool:
    """Whether the finding for a Secret of that age says when it changed."""
    return found in (Age.CHANGED, Age.WRITTEN)


def none_now(finding: Finding, secrets: Iterable[SecretFacts]) -> str:
    """A note that there are no ExternalSecrets, and which Secrets one has written nevertheless."""
    written = [s.name for s in secrets if any(m.by == EXTERNAL for m in s.managers)]
    if not written:
        return f"{EXTERNAL}: {finding.summary}"
    why = finding.summary.partition(": ")[2]
    now = f"{EXTERNAL}: no ExternalSecret is here now{f' ({why})' if why else ''}"
    return f"{now}; one wrote {words.listed(written)} before"


def judge_external(external: External, namespace: str, now: datetime) -> Finding:
    """The finding for External Secrets; having none is ok."""
    probe, title = OF_OPERATOR, EXTERNAL
    if isinstance(external, NotFound):
        return Finding(probe, title, Verdict.OK, "none configured: the operator is not installed")
    if isinstance(external, AgentpodError):
        return Finding(probe, title, Verdict.UNKNOWN, words.lower_first(external.message), remedy=external.remedy)
    if not external:
        return Finding(probe, title, Verdict.OK, "none configured")
    bad = [e for e in external if e.ready != "True"]
    lines = tuple(f"{e.name}: {external_secrets.state(e)}, refreshed {_refreshed(e, now)}" for e in external)
    if not bad:
        return Finding(probe, title, Verdict.OK, f"{len(external)} synced", lines)
    verdict = Verdict.FAIL if any(e.ready == "False" for e in bad) else Verdict.UNKNOWN
    return Finding(
        probe,
        title,
        verdict,
        f"{bad[0].name} is not synced: {external_secrets.state(bad[0])}",
        lines,
        remedy="Correct what the message names, in the store or in the ExternalSecret.",
        run=f"kubectl -n {namespace} describe externalsecret {bad[0].name}",
    )


def _refreshed(external: ExternalSecret, now: datetime) -> str:
    return words.ago(external.refreshed_at, now) if external.refreshed_at else "never"


def managers(facts: SecretFacts, external: External) -> tuple[Manager, ...]:
    """Other programs that write a Secret, including an ExternalSecret that merges into it without owning it."""
    if isinstance(external, AgentpodError) or any(m.by == EXTERNAL for m in facts.managers):
        return facts.managers
    merging = [e for e in external if e.secret == facts.name and e.policy != "None"]
    where = "Change it in the store that the ExternalSecret reads."
    return (
        *(Manager(EXTERNAL, f"ExternalSecret {e.name}", where, undoes=True) for e in merging[:1]),
        *facts.managers,
    )


def undone_by(managers_: Sequence[Manager], key: str) -> Manager | None:
    """The manager that would revert a change of that key within minutes; None where there is none."""
    return next((m for m in managers_ if m.undoes and (m.keys is None or key in m.keys)), None)


def managed_by(managers_: Sequence[Manager]) -> str:
    """The managers in a phrase; empty where there are none."""
    return words.listed([words.cut(m.name, 100) for m in managers_[:3]])


def headline(findings: Sequence[Finding]) -> str:
    """The worst finding in a line, or that the pod has all values."""
    first = worst_first(findings)[0]
    if first.verdict is Verdict.OK:
        return "The pod has the current values of all secrets"
    return f"{first.title}: {first.summary}"
