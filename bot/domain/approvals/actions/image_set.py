"""Set a container's image to another tag or digest of its repository, by the digest that the registry gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import Wanted, with_reason
from bot.domain.approvals.actions.image_action import BEFORE, CONTAINER, IMAGE, ImageAction
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.approval import RequestState
from bot.domain.core import words
from bot.domain.core.images import is_digest, reference, shortened
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION
from bot.domain.rbac.writes import TemplateChange, Write

PINNED, INSTEAD_OF = "pinned", "instead_of"
"""The details: the image's new name with its digest, and the name that the Deployment has."""


class ImageSet(ImageAction):
    """See the module. Its subject is the version and the container: ``1.4.2 for kali``."""

    name = "image set"
    title = "Image {subject} in {target}"
    done = "Set image {subject} in {target}"
    predicted_by = ("image pull", RESTART.name)

    def effect(self, image: str, digest: str, built: str, old: str, before: str | None, strategy: str) -> str:
        """What will happen; ``image`` and ``old`` are names, ``before`` is the digest that runs."""
        new = f"{version(image)} ({shortened(digest)}{f', {built}' if built else ''})"
        if before == digest:
            change = f"Pins the image that runs already: {new}"
        else:
            runs = f" ({shortened(before)} runs)" if before else ""
            change = f"{new} instead of {version(old)}{runs}"
        return f"{change}. {RESTART.effect(strategy)}"

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        found = list(super().results(wanted))
        if wanted.state in (RequestState.SUCCEEDED, RequestState.FAILED) and (
            old := wanted.details.get(INSTEAD_OF)
        ):
            found.append(("Image before", old))
        return found

    def called(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        image = wanted.details.get(IMAGE)
        return f"{self.name} {shown(image)}" if image else self.name

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        return {**super().audited(wanted), **{name: wanted.details.get(name, "") for name in (PINNED, INSTEAD_OF)}}

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(_line(version(wanted.details.get(IMAGE, "")), wanted), wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the way back."""
        return self._way_back(wanted, "")

    def after_failure(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the way back."""
        return self._way_back(wanted, "primary")

    def _way_back(self, wanted: Wanted, style: str) -> tuple[Button, ...]:
        """A request for what ran before: by its digest, since its tag may point elsewhere now."""
        old = reference(wanted.details.get(INSTEAD_OF, ""))
        back = wanted.details.get(BEFORE) or old.version
        label = old.tag if old.tag and not old.floats else shortened(back)
        reason = f"back from {version(wanted.details.get(IMAGE, ''))}"
        line = f"{_line(back, wanted)} --reason {words.quoted(reason)} --target {words.quoted(wanted.target)}"
        return (Button(f"Back to {words.cut(label, 40)}", line, style=style),)

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        argocd = target.argocd
        if argocd is None:
            return super().rights(target)
        application = Right(
            "get", "applications", "argoproj.io", name=argocd.application, namespace=argocd.namespace
        )
        return [*super().rights(target), application]

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        if not target.image_set:
            return []
        marks = (RESTARTED_ANNOTATION, APPROVAL_ANNOTATION)
        return [TemplateChange(target.deployment, marks, target.image_set)]


def version(image: str) -> str:
    """What people call it within its repository: the tag, else the digest."""
    named = reference(image)
    return named.tag or named.digest or "latest"


def subject(image: str, container: str) -> str:
    """The request's subject."""
    return f"{shown(image)} for {container}"


def shown(image: str) -> str:
    """The version, short enough to read."""
    named = version(image)
    return shortened(named) if is_digest(named) else named


def _line(version_: str, wanted: Wanted) -> str:
    return f"image set {version_} --container {words.quoted(wanted.details.get(CONTAINER, ''))}"


IMAGE_SET = ImageSet()
