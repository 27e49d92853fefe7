"""Explain from a pod's events why its containers are not being created. Pure.

The kubelet and the volume controller report failures of volumes and the network only in events, not in a
container's status. The newest event decides: once an image is being pulled, the volumes are mounted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.core import words
from bot.domain.core.workload import Event, Pod
from bot.domain.health.container_state import Cause, Issue

_SAID = 160
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_FRESH = timedelta(minutes=5)
"""Failures this close to the newest are current: the kubelet retries at least every two minutes."""
_ATTACHED = "SuccessfulAttachVolume"
_VOLUME = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_SANDBOX = ("FailedCreatePodSandBox", "NetworkNotReady", "FailedPodSandBoxStatus", "FailedNetworkCreate")
_GOES_ON = ("Pulling", "Pulled", "Created", "Started")


def explained(pod: Pod, issues: Sequence[Issue], events: Sequence[Event]) -> list[Issue]:
    """Replace issues that only say that containers are not created yet by one that names the cause."""
    relevant = _relevant(pod, events) if events and asks(pod, issues) else []
    if not relevant:
        return list(issues)
    newest = relevant[-1]
    if newest.reason == "Pulling":
        return [replace(issues[0], summary=f"{issues[0].summary}: its image is being pulled"), *issues[1:]]
    if newest.reason in _GOES_ON or _sandbox_stands(pod):
        return list(issues)
    return [_issue(_failure(relevant))]


def asks(pod: Pod, issues: Sequence[Issue]) -> bool:
    """Whether only events can explain why the pod is not ready."""
    waits = all(i.cause in (Cause.CREATING, Cause.WAITS_FOR_INIT) for i in issues)
    return bool(issues and waits and pod.node)


def _relevant(pod: Pod, events: Sequence[Event]) -> list[Event]:
    """The events about creating this pod's containers, newest last, without attach failures before a success."""
    reasons = (*_VOLUME, *_SANDBOX, *_GOES_ON, _ATTACHED)
    own = (e for e in events if e.object == f"pod/{pod.name}" and e.uid in (None, pod.uid) and e.reason in reasons)
    relevant = sorted(own, key=_last_seen)
    attached = max((_last_seen(e) for e in relevant if e.reason == _ATTACHED), default=_LONG_AGO)
    return [
        e
        for e in relevant
        if e.reason != _ATTACHED and not (e.reason == "FailedAttachVolume" and _last_seen(e) <= attached)
    ]


def _failure(relevant: Sequence[Event]) -> Event:
    """The newest failure that names a cause; the newest event where all only report a timeout."""
    newest = relevant[-1]
    fresh = [e for e in relevant if _last_seen(newest) - _last_seen(e) < _FRESH and e.reason not in _GOES_ON]
    return next((e for e in reversed(fresh) if not _WAITED.search(e.message[:1_000])), newest)


def _last_seen(event: Event) -> datetime:
    return event.last_seen or event.first_seen or _LONG_AGO


def _sandbox_stands(pod: Pod) -> bool:
    """Whether the pod's volumes are mounted and its network is set up."""
    condition = pod.condition("PodReadyToStartContainers")
    return condition is not None and condition.status == "True"


_SIMILAR = re.compile(r"^\(combined from similar events\): ")
_WAITED = re.compile(r"^Unable to (attach or )?mount volumes|timed out waiting for the condition$", re.IGNORECASE)


def _issue(event: Event) -> Issue:
    said = _SIMILAR.sub("", " ".join(words.without_pod_id(event.message[:8_000]).split()))
    if event.reason not in _VOLUME:
        text = f"the pod's network or sandbox can't be made: {words.innermost(_SANDBOX_OF.sub('', said), _SAID)}"
        return Issue(Cause.NOT_MADE, text, evidence=(words.innermost(said, 300),), reason=event.reason)
    missing = _MISSING.search(said)
    if missing:
        kind = "Secret" if missing["kind"].lower() == "secret" else "ConfigMap"
        text = f"{kind} {missing['name']} is missing, so the pod's volume can't be mounted"
        return Issue(
            Cause.CONFIG,
            text,
            evidence=(words.innermost(said, 300),),
            missing=(kind, missing["name"]),
            reason=event.reason,
        )
    return Issue(Cause.NOT_MADE, _volume(event, said), evidence=(words.innermost(said, 300),), reason=event.reason)


def _volume(event: Event, said: str) -> str:
    name = _NAME.search(said) or _UNMOUNTED.search(said)
    which = f"volume {words.cut(name['name'], 60)}" if name else "a volume"
    verb = "attached" if event.reason == "FailedAttachVolume" else "mounted"
    why = words.innermost(_OUTPUT_OF.sub("", _VOLUME_OF.sub("", said)), _SAID)
    return f"{which} can't be {verb}: {why}"


_MISSING = re.compile(r'\b(?P<kind>secret|configmap)s? "(?P<name>[^"]{1,253})" not found', re.IGNORECASE)
_NAME = re.compile(r'\bvolume "(?P<name>[^"]{1,253})"')
_UNMOUNTED = re.compile(r"unmounted volumes=\[(?P<name>[^\]]{1,253})\]")
_VOLUME_OF = re.compile(
    r'^(?:[A-Za-z]{1,20}Volume\.[A-Za-z]{1,30} failed for volume "[^"]{1,253}" ?: |'
    r"Unable to (?:attach or )?mount volumes: unmounted volumes=\[[^\]]{0,500}\], .{0,500}?\]: |"
    r'Multi-Attach error for volume "[^"]{1,253}":? )'
)
_OUTPUT_OF = re.compile(
    r"^.{0,4000}?(?:\bMounting arguments: .{0,2000}? Output: |\berrcode:\([^)]{0,200}\) output:\()(?=\S)"
)
"""What the kubelet or a CSI driver writes before a command's own words, with which it says why it failed."""
_SANDBOX_OF = re.compile(r'^Failed to create pod sandbox: |failed to setup network for sandbox "[^"]{1,80}": ')
