"""Judge one container from its status: what is wrong, with the cause first. Pure.

Reasons are those of ``pkg/kubelet/kuberuntime`` and ``pkg/kubelet/images``; an unknown one is shown with its
message. While a container crashes repeatedly, the summary stays the same whether it waits, runs for a moment or
has just terminated: only the restart count changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.workload import Container, Pod, Termination
from bot.domain.health.last_words import last_words

LONG = timedelta(minutes=2)
"""Steps that usually take seconds are no longer normal after this."""
AGAIN = 2
"""With this many restarts, a container that is not ready counts as crashing repeatedly."""
SETTLED = timedelta(minutes=10)
"""After running this long, the kubelet resets the back-off, and a past crash no longer explains unreadiness."""
READY_FOR = timedelta(seconds=5)
"""A condition may follow its container by this. One that changed later says that it was ready in between."""
OUT_OF_MEMORY = "OOMKilled"
_SAID = 160


class Cause(Enum):
    """Why a pod or a container is not ready, the most significant first."""

    OVER = "over"
    """The pod is over: evicted, failed or completed."""
    STUCK = "stuck"
    """The pod is still terminating after its grace period."""
    DELETING = "deleting"
    NODE = "node"
    """The node has stopped reporting."""
    UNPLACED = "unplaced"
    CONFIG = "config"
    """A missing Secret, ConfigMap or key, or an invalid setting of the pod."""
    IMAGE = "image"
    MEMORY = "memory"
    START = "start"
    """The container can't be created or started."""
    NOT_MADE = "not made"
    """The containers can't be created because of a volume or the network."""
    CRASH = "crash"
    KILLED = "killed"
    """Terminated by a signal, but not OOM-killed, as after a failed liveness probe."""
    WAITS = "waits"
    """It waits for a reason that is not known here."""
    PROBE = "probe"
    """It runs, but is not ready."""
    INIT = "init"
    """An init container has not completed yet."""
    GATE = "gate"
    CONDITION = "condition"
    CREATING = "creating"
    WAITS_FOR_INIT = "waits for init"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """Its position in the order; 0 is the most significant."""
        return list(Cause).index(self)


@dataclass(frozen=True)
class Issue:
    """One reason why a pod is not ready. Summary and evidence are plain text for people."""

    cause: Cause
    summary: str
    """The cause in a line, which stays the same while nothing happens."""
    container: str = ""
    """The container's name; empty for the pod as a whole."""
    evidence: tuple[str, ...] = ()
    """Messages and observations, a line each."""
    missing: tuple[str, str] = ("", "")
    """The kind and the name of an object that does not exist: ``("Secret", "agent-ssh-keys")``."""
    restarts: int = 0
    reason: str = ""
    """Kubernetes' own reason."""
    log: str = ""
    """The command that shows the failed container's log, without ``/agentpod``; empty where there is no log."""
    final: bool = False
    """Whether only a change of the pod template, or another pod, can help."""
    running: bool = False
    """Whether the container runs now."""

    @property
    def outlives_restart(self) -> bool:
        """Whether a new pod can't start either: an object, an image or a place for it is missing."""
        return self.cause in (Cause.CONFIG, Cause.IMAGE, Cause.UNPLACED) or any(self.missing)

    @property
    def passing(self) -> bool:
        """Whether it is a normal part of every start or end, and no problem yet."""
        return self.cause in _USUAL


_USUAL = (Cause.INIT, Cause.CREATING, Cause.WAITS_FOR_INIT, Cause.DELETING)


def called(container: Container) -> str:
    """The container's name, with its role unless it is a main one: ``init container fix-permissions``."""
    kinds = {"init": "init container ", "sidecar": "sidecar ", "ephemeral": "debug container "}
    return kinds.get(container.role, "") + container.name


def log_of(container: Container) -> str:
    """The command that shows the log of the container that terminated last, else of the current one; or empty."""
    line = f"logs --container {container.name}"
    if container.state == "terminated" or (container.state == "running" and container.last_termination is None):
        return line
    return f"{line} --previous" if container.last_termination else ""


def ending(ended: Termination | None) -> str:
    """How a container terminated: ``Error, exit code 1``."""
    if ended is None:
        return "reason unknown"
    return words.cut(ended.reason, 60) + ("" if ended.exit_code is None else f", exit code {ended.exit_code}")


def last_run(container: Container, told: str = "") -> tuple[str, ...]:
    """A line on the latest termination with the last words of its message; empty where there was none.

    Both are left out where ``told``, a text that is shown as well, has them.
    """
    ended = container.ended
    if ended is None:
        return ()
    when = f" at {words.moment(ended.finished_at)}" if ended.finished_at else ""
    message = ended.message or ""
    last = last_words(message) or words.cut(message, 300)
    said = f": {last}" if last and last.rstrip(".") not in told else ""
    how = "" if f"(exit {ended.exit_code}" in told else f" ({ending(ended)})"
    return (f"{container.name} ended{when}{how}{said}",)


def judge(container: Container, pod: Pod, now: datetime) -> Issue | None:
    """The container's issue; None where it is ready, or for an init container, where it has completed."""
    if container.role == "init" and container.done:
        return None
    if container.goes_on and container.ready and container.state == "running" and container.started is not False:
        return None
    found = _judged(container, pod, now)
    return replace(
        found,
        container=container.name,
        restarts=container.restarts,
        log=log_of(container),
        reason=found.reason or container.reason or "",
        evidence=(
            *(e for e in found.evidence if e not in found.summary),
            *last_run(container, found.summary),
        ),
        running=container.state == "running",
    )


def _judged(container: Container, pod: Pod, now: datetime) -> Issue:
    if container.state == "unknown":
        return _unknown(container, pod)
    if container.state == "waiting" and not _crashes(container):
        return _waits(container, pod)
    if container.state == "running" and (not _was_up_again(container, now) or _was_ready_since(container, pod)):
        return _runs(container)
    return crashed(container)


def _was_up_again(container: Container, now: datetime) -> bool:
    """Whether it terminated within `SETTLED` and runs again."""
    ended = container.last_termination
    if ended is None or ended.finished_at is None:
        return container.restarts > 0
    return now - ended.finished_at < SETTLED


def _was_ready_since(container: Container, pod: Pod) -> bool:
    unready = pod.condition("ContainersReady") or pod.condition("Ready")
    return (
        unready is not None and unready.status == "False" and lost_readiness(container.started_at, unready.since)
    )


def lost_readiness(started: datetime | None, unready: datetime | None) -> bool:
    """Whether a container that runs, but is not ready, was ready before: it is ``unready`` since long after its
    start. How the container before it ended is then not the cause."""
    return started is not None and unready is not None and unready - started > READY_FOR


def _unknown(container: Container, pod: Pod) -> Issue:
    if pod.init_containers and not pod.initialized:
        return Issue(Cause.WAITS_FOR_INIT, f"{called(container)} waits for the init containers")
    if not pod.initialized and pod.phase == "Pending":
        return Issue(Cause.CREATING, f"the node has not begun to make {called(container)}")
    return Issue(Cause.UNKNOWN, f"{called(container)} has no status")


# -- terminated


def _crashes(container: Container) -> bool:
    return container.reason in ("CrashLoopBackOff", OUT_OF_MEMORY, "Error", "Completed", "ContainerCannotRun")


def crashed(container: Container) -> Issue:
    """The issue of a container that terminated: how, and how often. It may run again without being ready."""
    issue = _crash(container)
    said = last_words(container.ended.message or "") if issue.cause is Cause.CRASH and container.ended else ""
    why = f": {said}" if said and said not in issue.summary else ""
    again = container.state == "running" and not _loops(container)
    more = f"{'; it' if why else ','} runs again and is not ready" if again else ""
    return replace(issue, summary=f"{issue.summary}{why}{more}")


def _loops(container: Container) -> bool:
    return container.reason == "CrashLoopBackOff" or container.restarts >= AGAIN


def _crash(container: Container) -> Issue:
    ended, name, loops = container.ended, called(container), _loops(container)
    if OUT_OF_MEMORY in (ended.reason if ended else "", container.reason):
        limit = f"its memory limit{_inside(container.memory_limit or '', _count(container))}"
        return Issue(Cause.MEMORY, f"{name} {'keeps hitting' if loops else 'hit'} {limit}")
    code = ended.exit_code if ended else None
    how = ending(ended) if code is None and ended else f"exit {code}" if ended else ""
    inside = _inside(how, _count(container))
    if ended is not None and ended.reason in _NEVER_RAN:
        said = f": {words.innermost(ended.message, _SAID)}" if ended.message else inside
        return Issue(Cause.START, f"{name} can't start{said}")
    if ended is not None and _unseen(ended):
        return Issue(Cause.WAITS, f"{name} ended, and its node does not know how{_inside(_count(container))}")
    if code in _SIGNALS:
        return Issue(Cause.KILLED, f"{name} {'keeps being killed' if loops else 'was killed'}{inside}")
    if code == 0:
        verb = "keeps ending" if loops else "ended"
        return Issue(Cause.CRASH, f"{name} {verb}, though it should go on running{inside}")
    once = "failed" if container.role == "init" else "crashed"
    return Issue(Cause.CRASH, f"{name} {'keeps crashing' if loops else once}{inside}")


def _count(container: Container) -> str:
    return words.plural(container.restarts, "restart") if container.restarts else ""


def _inside(*parts: str) -> str:
    told = ", ".join(p for p in parts if p)
    return f" ({told})" if told else ""


def _unseen(ended: Termination) -> bool:
    """Whether nothing observed the termination, as after a restart of the node or runtime (containerd's 255)."""
    return ended.reason == _LOST or (ended.reason == "Unknown" and ended.exit_code in (None, 255))


_NEVER_RAN = ("StartError", "ContainerCannotRun", "RunContainerError")
_LOST = "ContainerStatusUnknown"
_SIGNALS = (137, 143)
"""128 and SIGKILL or SIGTERM."""


# -- waiting


def _waits(container: Container, pod: Pod) -> Issue:
    reason, said = container.reason or "", words.without_pod_id(container.message or "")
    if reason == "PodInitializing" and container.role == "main":
        return Issue(Cause.WAITS_FOR_INIT, f"{called(container)} waits for the init containers")
    if reason == "PodInitializing":
        return Issue(Cause.WAITS_FOR_INIT, f"{called(container)} has not been started yet")
    if reason in ("", "ContainerCreating"):
        return _being_made(container, pod)
    judge_ = next((j for pattern, j in _REASONS if pattern.search(reason)), _other)
    return judge_(container, reason, said)


def _being_made(container: Container, pod: Pod) -> Issue:
    began = pod.started_at or pod.created_at
    said = f"has been starting since {words.moment(began)}" if began else "is being created"
    sandbox = pod.condition("PodReadyToStartContainers")
    waits = sandbox is not None and sandbox.status != "True"
    evidence = ("its volumes or its network are not ready: PodReadyToStartContainers is False",) if waits else ()
    return Issue(Cause.CREATING, f"{called(container)} {said}", evidence=evidence)


def _image(container: Container, reason: str, said: str) -> Issue:
    image, name = words.cut(container.image.partition("@")[0], _SAID) or "its image", called(container)
    text = {
        "InvalidImageName": f"image name {image} is not valid, so {name} can't start",
        "ErrImageNeverPull": f"image {image} is not on the node and may not be pulled, so {name} can't start",
        "ImageInspectError": f"image {image} can't be inspected, so {name} can't start",
        "SignatureValidationFailed": f"the signature of image {image} is not accepted, so {name} can't start",
    }.get(reason, f"image {image} can't be pulled, so {name} can't start")
    final = reason in ("InvalidImageName", "ErrImageNeverPull")
    if reason in _PULLS and (why := _why_not_pulled(said)):
        text = f"image {image} can't be pulled ({why}), so {name} can't start"
    return Issue(Cause.IMAGE, text, evidence=_quoted(said), final=final)


_PULLS = ("ErrImagePull", "ImagePullBackOff")
_WHY_NOT_PULLED = (
    (r"no space left on device", "the node's disk is full"),
    (r"no match for platform|no matching manifest", "it is not made for the node's platform"),
    (r"toomanyrequests|429 too many requests|rate limit", "the registry limits how often it is pulled"),
    (
        r"unauthorized|authentication required|no basic auth|access (to the resource is )?denied|403 forbidden|"
        r"failed to authorize|denied: ",
        "the registry does not let the node have it",
    ),
    (r"no such host|lookup \S{1,253}( on \S{1,60})?: ", "the registry's name can't be resolved"),
    (r"x509|failed to verify certificate", "the registry's certificate is not accepted"),
    (r"http response to https client", "the registry does not speak HTTPS"),
    (r"manifest unknown|not found|404 not found", "the registry does not have it"),
    (
        r"i/o timeout|timed out|deadline exceeded|connection refused|no route to host|is unreachable|"
        r"connection reset|unexpected eof|50[0234] (internal|bad|service|gateway)",
        "the registry can't be reached",
    ),
)
"""Errors of runtimes and registries, and short explanations. Quoted names are not searched."""
_WHYS = tuple((re.compile(rf"\b(?:{pattern})", re.IGNORECASE), why) for pattern, why in _WHY_NOT_PULLED)
_QUOTED = re.compile(r'"[^"]{0,500}"')


def _why_not_pulled(said: str) -> str:
    """Explain a known error of pulling an image; empty for an unknown one."""
    plain = _QUOTED.sub("", said[:4_000])
    return next((why for pattern, why in _WHYS if pattern.search(plain)), "")


def _config(container: Container, reason: str, said: str) -> Issue:
    name = called(container)
    for pattern, text in _CONFIG:
        if match := pattern.search(said):
            found = {k: v or "" for k, v in match.groupdict().items()}
            kind = {"secret": "Secret", "configmap": "ConfigMap"}.get(found.get("kind", "").lower(), "")
            missing = (kind, found["name"]) if found.get("name") and not found.get("key") else ("", "")
            summary = text.format(**(found | {"container": name, "Kind": kind}))
            return Issue(Cause.CONFIG, summary, evidence=_quoted(said), missing=missing)
    return Issue(Cause.CONFIG, _can_not(name, "start", reason, said), evidence=_quoted(said))


_CONFIG = (
    (
        re.compile(r'\b(?P<kind>secret|configmap)s? "(?P<name>[^"]{1,253})" not found', re.IGNORECASE),
        "{Kind} {name} is missing, so {container} can't start",
    ),
    (
        re.compile(
            r"couldn't find key (?P<key>\S{1,253}) in (?P<kind>secret|configmap) (?:\S+?/)?"
            r"(?P<name>[^\s/]{1,253})",
            re.IGNORECASE,
        ),
        "{Kind} {name} has no key {key}, so {container} can't start",
    ),
    (
        re.compile(r"runAsNonRoot and image has non-numeric user \((?P<user>[^)]{0,60})\)"),
        "{container} may not start: its image's user {user} is no number, so nobody can tell that it is not root",
    ),
    (re.compile(r"runAsNonRoot and image will run as root"), "{container} may not start: its image runs as root"),
    (
        re.compile(r"runAsUser breaks non-root policy|runAsNonRoot"),
        "{container} may not start: it would run as root",
    ),
)


def _start(container: Container, reason: str, said: str) -> Issue:
    verb = "be created" if reason.startswith("Create") else "start"
    return Issue(Cause.START, _can_not(called(container), verb, reason, said), evidence=_quoted(said))


def _other(container: Container, reason: str, said: str) -> Issue:
    text = f"{called(container)} waits: {words.cut(reason, 60)}" + (f": {words.cut(said, _SAID)}" if said else "")
    return Issue(Cause.WAITS, text, evidence=_quoted(said))


_REASONS: tuple[tuple[re.Pattern[str], Callable[[Container, str, str], Issue]], ...] = (
    (re.compile(r"Image|Registry|SignatureValidation"), _image),
    (re.compile(r"^CreateContainerConfigError$"), _config),
    (re.compile(r"^(Create|Run|Start|Pre|Post|Kill)\w*Error$|Sandbox"), _start),
)


def _can_not(name: str, verb: str, reason: str, said: str) -> str:
    return (
        f"{name} can't {verb}: {words.innermost(said, _SAID)}"
        if said
        else f"{name} can't {verb} ({words.cut(reason, 60)})"
    )


def _quoted(said: str) -> tuple[str, ...]:
    """The kubelet's message as evidence; empty where there is none."""
    return (words.innermost(said, 300),) if said else ()


# -- running


def _runs(container: Container) -> Issue:
    name = called(container)
    if container.role == "init":
        since = f", since {words.moment(container.started_at)}" if container.started_at else ""
        return Issue(Cause.INIT, f"{name} is still running{since}")
    if container.started is False:
        return Issue(Cause.PROBE, f"{name} runs but has not finished starting (startup probe)")
    return Issue(Cause.PROBE, f"{name} runs but is not ready")
