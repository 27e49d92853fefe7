"""Judge which image each container runs and with which limits, compared with the Deployment's pod template."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from bot.domain.core import quantities, words
from bot.domain.core.images import TagNow, pull_policy, reference, shortened
from bot.domain.core.probes import Finding, Verdict, worst
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, Deployment, Pod
from bot.domain.health import judge_deployment, pod_remedies, pod_state
from bot.domain.health.container_state import Cause, Issue
from bot.domain.health.deployment_owner import Ways
from bot.domain.health.judge_deployment import Absent, DeploymentUnread, Owner
from bot.domain.health.pod_issue import PodIssue

PROBE, TITLE = "image", "Image"


@dataclass(frozen=True)
class LimitPair:
    """One resource's limit in the pod, and in the Deployment's pod template; None: no limit."""

    resource: str
    now: str | None
    wanted: str | None

    @property
    def lowered(self) -> bool:
        """Whether the pod gets less than the Deployment says."""
        now, wanted = quantities.amount(self.now), quantities.amount(self.wanted)
        return now is not None and (self.wanted is None or (wanted is not None and now < wanted))

    @property
    def text(self) -> str:
        """``memory 16Gi``; ``memory 4Gi (lowered: the Deployment says 16Gi)``."""
        same = self.now == self.wanted or quantities.amount(self.now) == quantities.amount(self.wanted)
        said = f"{self.resource} {self.now or 'none'}"
        if same:
            return said
        wanted = f"says {self.wanted}" if self.wanted else "sets none"
        return f"{said} ({'lowered: ' if self.lowered else ''}the Deployment {wanted})"


@dataclass(frozen=True)
class ContainerImage:
    """One container of the pod beside its entry in the Deployment's pod template."""

    container: Container
    wanted: Container | None
    """None where the Deployment has no container of that name, or is not known."""
    compared: bool
    """Whether the Deployment is known."""
    issues: tuple[PodIssue, ...] = ()

    @property
    def name(self) -> str:
        """The container's name."""
        return self.container.name

    @property
    def digest(self) -> str | None:
        """The digest of the image that runs, None where the kubelet has not reported it."""
        return self.container.digest

    @property
    def limits(self) -> tuple[LimitPair, ...]:
        """The limits, ``cpu`` and ``memory`` first."""
        now = self.container.limits
        wanted = self.wanted.limits if self.wanted else now if not self.compared else {}
        names = sorted({*now, *wanted}, key=lambda n: (n not in ("cpu", "memory"), n))
        return tuple(LimitPair(n, now.get(n), wanted.get(n)) for n in names)

    @property
    def verdict(self) -> Verdict:
        """The worst of its issues; a container that doesn't run fails."""
        runs = Verdict.OK if self.container.state == "running" else Verdict.FAIL
        return worst([runs, *(i.verdict for i in self.issues)])


def images_of(pod: Pod, owner: Owner, target: Target) -> list[ContainerImage]:
    """Return each container that lasts as long as the pod, compared with the Deployment's pod template."""
    template = {c.name: c for c in owner.template} if isinstance(owner, Deployment) else {}
    pairs = (ContainerImage(c, template.get(c.name), bool(template)) for c in pod.lasting)
    return [replace(pair, issues=tuple(_issues(pair, target))) for pair in pairs]


def judge_images(
    images: Sequence[ContainerImage],
    pod: Pod,
    owner: Owner,
    target: Target,
    now: datetime,
    tags: Mapping[str, TagNow] = MappingProxyType({}),
    ways: Ways | None = None,
) -> Finding:
    """Judge all containers: unknown where the Deployment can't be read, since nothing is compared then.

    ``tags`` is what their tags point to now, by container, as far as that was asked. ``ways`` is how their images
    can be changed; by default as the settings say.
    """
    ways = ways or Ways(target.image_set)
    unpulled = [i for i in pod_state.state(pod, now).issues if i.cause is Cause.IMAGE]
    issues = [
        *_failures(unpulled, pod, target, now),
        *_stopped(images, {i.container for i in unpulled}),
        *(issue for image in images for issue in (*image.issues, *_start(image, ways, tags.get(image.name)))),
        *_uncompared(owner, target),
    ]
    issues.sort(key=lambda i: -i.verdict.badness)
    if not issues:
        return Finding(PROBE, TITLE, Verdict.OK, _all_well(images, now))
    first, others = issues[0], tuple(i.summary for i in issues[1:])
    verdict = worst(i.verdict for i in issues)
    return Finding(PROBE, TITLE, verdict, first.summary, (*first.evidence, *others), first.remedy, first.run)


def _all_well(images: Sequence[ContainerImage], now: datetime) -> str:
    names = words.listed([i.name for i in images])
    if len(images) == 1:
        at = images[0].container.started_at
        return f"{names} runs the Deployment's image{f', started {words.ago(at, now)}' if at else ''}"
    return f"{names} run the Deployment's images"


def _failures(issues: Sequence[Issue], pod: Pod, target: Target, now: datetime) -> list[PodIssue]:
    found = ((one, pod_remedies.remedy(one, pod, target, now)) for one in issues)
    return [PodIssue(Verdict.FAIL, one.summary, *remedy, one.evidence) for one, remedy in found]


def _issues(image: ContainerImage, target: Target) -> list[PodIssue]:
    found = [_differs(image), _not_the_pinned(image)]
    return [issue for issue in found if issue] + _lowered(image, target)


def _differs(image: ContainerImage) -> PodIssue | None:
    """The pod's image is not the one in the Deployment; one that only adds its digest is the same."""
    wanted = image.wanted.image if image.wanted else image.container.image
    if image.container.image == wanted or image.container.image.startswith(f"{wanted}@"):
        return None
    return PodIssue(
        Verdict.WARN,
        f"{image.name} runs {image.container.image}, the Deployment says {wanted}",
        "The pod is older than the Deployment's last change: see whether the rollout is stuck.",
        "/agentpod pods",
    )


def _not_the_pinned(image: ContainerImage) -> PodIssue | None:
    pinned = reference(image.container.image).digest
    if pinned is None or image.digest is None or pinned == image.digest:
        return None
    return PodIssue(
        Verdict.WARN,
        f"{image.name} runs {image.digest}, its image is pinned to {pinned}",
        "Compare both in the registry: one may be the index, the other the image for the node's platform.",
    )


def _stopped(images: Sequence[ContainerImage], but: Collection[str]) -> Iterator[PodIssue]:
    """Yield the containers that don't run, ``but`` those of which more is known."""
    for image in images:
        one = image.container
        if one.state == "running" or image.name in but:
            continue
        if one.state in ("waiting", "terminated"):
            why = one.reason or one.state
            yield PodIssue(Verdict.FAIL, f"{image.name} is not running ({why})", None, "/agentpod diagnose")
        else:
            yield PodIssue(
                Verdict.UNKNOWN, f"the kubelet has not reported whether {image.name} runs", None, "/agentpod pods"
            )


def is_unread(image: ContainerImage, tag: TagNow) -> bool:
    """Whether a restart may start another image, and the registry does not say so: the finding has the reason."""
    one = image.wanted or image.container
    floats = reference(image.container.image).floats
    return bool(tag.unknown) and floats and pull_policy(one.image, one.pull_policy) == "Always"


def _start(image: ContainerImage, ways: Ways, tag: TagNow | None) -> list[PodIssue]:
    """That the next restart starts another image, or may."""
    one = image.wanted or image.container
    moved = tag is not None and tag.moved and pull_policy(one.image, one.pull_policy) == "Always"
    named = reference(image.container.image)
    unread = tag if tag is not None and is_unread(image, tag) else None
    if not moved and not named.floats:
        return []
    if moved and tag is not None:
        summary = f"{tag.tag} has moved: the next restart starts {shortened(tag.digest)}"
    elif unread:
        summary = f"whether {image.name}'s {unread.tag} has moved is not known: {unread.unknown}"
    else:
        called = ":latest" if named.tag else "without a tag, which means :latest"
        summary = f"{image.name}'s image is {called}: {_next_start(image.container.pull_policy)}"
    keep = image.digest if image.container.state == "running" and image.container.ready else None
    remedy = _remedy(image, f"{named.repository}@{keep}" if keep else "", ways, moved=moved)
    steps = " ".join(part for part in (unread.remedy if unread else "", remedy, ways.remedy) if part)
    seen = (*_pin(image, named.repository, keep, ways), *_unread_owner(ways))
    return [PodIssue(Verdict.WARN, summary, steps, None, seen)]


def _unread_owner(ways: Ways) -> tuple[str, ...]:
    """That nobody knows who makes the Deployment, and why."""
    return (f"whether Argo CD manages the Deployment is not known: {ways.unread}",) if ways.unread else ()


def _remedy(image: ContainerImage, keep: str, ways: Ways, *, moved: bool) -> str:
    """``keep`` is an image that works, and so can be pinned, by its digest."""
    name = words.argument(image.name)
    parts = [f"To start the new one, ask for it: `/agentpod image pull --container {name}`."] if moved else []
    if keep:
        parts.append(f"To keep the one that runs, {_kept(image, keep, ways)}")
    elif not moved:
        parts.append(_fixed(image, ways))
    return " ".join(parts)


def _kept(image: ContainerImage, keep: str, ways: Ways) -> str:
    if ways.owner is not None:
        return ways.owner.commits(f"`{keep}`")
    if image.name in ways.settable:
        digest = reference(keep).digest
        return f"ask for it: `/agentpod image set {digest} --container {words.argument(image.name)}`."
    return f"name it by its digest {ways.place}."


def _fixed(image: ContainerImage, ways: Ways) -> str:
    if ways.owner is not None:
        return words.upper_first(ways.owner.commits("a fixed version"))
    if image.name in ways.settable:
        return f"Name a fixed version: `/agentpod image set TAG --container {words.argument(image.name)}`."
    return f"Name a fixed version {ways.place}."


def _pin(image: ContainerImage, repository: str, keep: str | None, ways: Ways) -> tuple[str, ...]:
    """The image that works by its digest, for the Deployment; none where the remedy names it."""
    named = ways.owner is not None or image.name in ways.settable
    return (f"runs now: {repository}@{keep}",) if keep and not named else ()


def _next_start(policy: str | None) -> str:
    """What a restart does to an image without a fixed version; the default for it is to pull each time."""
    if policy in (None, "Always"):
        return "the next restart may start another one"
    return f"which one a restart starts depends on what the node has (imagePullPolicy {policy})"


def _lowered(image: ContainerImage, target: Target) -> list[PodIssue]:
    return [
        PodIssue(
            Verdict.WARN,
            f"{image.name}'s {pair.resource} limit was lowered to {pair.now}: "
            f"the Deployment {f'says {pair.wanted}' if pair.wanted else 'sets none'}",
            "Look for a LimitRange, an autoscaler, or a resize of the pod.",
            f"kubectl -n {target.namespace} get limitranges",
        )
        for pair in image.limits
        if image.wanted is not None and pair.lowered
    ]


def _uncompared(owner: Owner, target: Target) -> list[PodIssue]:
    if isinstance(owner, DeploymentUnread):
        line = judge_deployment.unread_line(owner, target)
        return [PodIssue(Verdict.UNKNOWN, f"not compared: {line}", owner.remedy, owner.run)]
    if isinstance(owner, Absent):
        summary = f"not compared: there is no Deployment {target.deployment}"
        return [PodIssue(Verdict.UNKNOWN, summary, None, "/agentpod pods", (words.cut(owner.said, 300),))]
    return []
