"""Shared by the repairs that start another image of one container: the digest they are bound to, and its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import PodRestart, Wanted
from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.core import words
from bot.domain.core.images import ResolvedImage, shortened
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right

IMAGE, PLATFORM, DIGEST, PLATFORM_DIGEST, BEFORE = "image", "platform", "digest", "platform_digest", "before"
CONTAINER, RAN_BEFORE = "container", "Ran before"
"""The details: the image's name, its platform, the digests that the registry gave for it, and what ran before."""


class ImageAction(PodRestart):
    """See the module."""

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the tag, the pod or the Deployment"

    def new_image_of(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return wanted.details.get(CONTAINER, "")

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        found = [("Verified", wanted.done_as)] if wanted.done_as else []
        if is_over(wanted) and (before := wanted.details.get(BEFORE)):
            found.append((RAN_BEFORE, before))  # in full, so that it can be set by hand
        return found

    def consequences(self, effect: str) -> str:
        """See `RepairAction`: what goes down first, then the image."""
        change, _, down = effect.partition(". ")
        return f"{down} {change}." if down else effect

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        return {name: wanted.details.get(name, "") for name in (CONTAINER, IMAGE, PLATFORM, DIGEST, BEFORE)}

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`; and of the Argo CD Application, which may own the Deployment."""
        found = [*super().rights(target), Right("patch", "deployments", "apps", name=target.deployment)]
        if (argocd := target.argocd) is None:
            return found
        name, namespace = argocd.application, argocd.namespace
        return [*found, Right("get", "applications", "argoproj.io", name=name, namespace=namespace)]

    def verified(self, wanted: Wanted, pod: Pod | None) -> tuple[bool, str]:
        """Whether the new pod, which is ready, runs the image that was approved, and what it runs."""
        name, approved = wanted.details.get(CONTAINER, ""), wanted.details.get(DIGEST, "")
        container = pod.container(name) if pod is not None else None
        digest = container.digest if container is not None else None
        if digest is None:
            return False, f"the new pod is ready, and which image {name} runs is not reported"
        if digest in (approved, wanted.details.get(PLATFORM_DIGEST)):
            return True, f"{name} runs {shortened(approved)}, as approved"
        return False, f"the new pod is ready, but {name} runs {shortened(digest)}, not {shortened(approved)}"


def is_over(wanted: Wanted) -> bool:
    """Whether it has changed something, and has ended."""
    return wanted.state in (RequestState.SUCCEEDED, RequestState.FAILED) and not wanted.unchanged


def set_line(version: str, wanted: Wanted) -> str:
    """The command line of `image set` for the request's container."""
    return f"image set {version} --container {words.quoted(wanted.details.get(CONTAINER, ''))}"


def way_back(to: str, label: str, since: str, wanted: Wanted, style: str) -> Button:
    """A request for what ran before; ``since`` is the version that it comes back from."""
    reason, target = words.quoted(f"back from {since}"), words.quoted(wanted.target)
    line = f"{set_line(to, wanted)} --back --reason {reason} --target {target}"
    return Button(f"Back to {words.cut(label, 40)}", line, style=style)


def details(container: str, image: str, platform: str, found: ResolvedImage, before: str | None) -> dict[str, str]:
    """The details of a request; ``before`` is the digest that runs now."""
    return {
        CONTAINER: container,
        IMAGE: image,
        PLATFORM: platform,
        DIGEST: found.digest,
        PLATFORM_DIGEST: found.image,
        BEFORE: before or "",
    }
