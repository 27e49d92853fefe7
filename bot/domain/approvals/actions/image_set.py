"""Set a container's image to another tag or digest of its repository, by the digest that the registry gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import Wanted, with_reason
from bot.domain.approvals.actions.image_action import (
    BEFORE,
    CONTAINER,
    IMAGE,
    ImageAction,
    is_over,
    set_line,
    way_back,
)
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.core.images import FLOATING, ResolvedImage, is_digest, reference, shortened
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION
from bot.domain.rbac.writes import TemplateChange, Write

PINNED, INSTEAD_OF = "pinned", "instead_of"
"""The details: the image's new name with its digest, and the name that the Deployment has."""
BACK = "back"
"""The detail that says that it sets what ran before; missing where it doesn't."""


class ImageSet(ImageAction):
    """See the module. Its subject is the version and the container: ``1.4.2 for kali``."""

    name = "image set"
    title = "Image {subject} in {target}"
    done = "Set image {subject} in {target}"
    predicted_by = ("image pull", RESTART.name)

    def what(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        if wanted.details.get(BACK):
            return f"Back to {wanted.subject} in {wanted.target}"
        return super().what(wanted)

    def was_done(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        if wanted.details.get(BACK):
            return f"Set image back to {wanted.subject} in {wanted.target}"
        return super().was_done(wanted)

    def effect(
        self,
        image: str,
        digest: str,
        built: str,
        old: str,
        before: str | None,
        deployment: Deployment,
        down: str = "",
    ) -> str:
        """What will happen; ``image`` and ``old`` are names, ``before`` is the digest of the container's image.

        ``down`` says why the container does not run, and is empty where it does.
        """
        new = _with(image, digest, built)
        if before == digest:
            change = f"Pins the image that {'is there' if down else 'runs'} already: {new}"
        else:
            change = f"{new} instead of {_replaced(old, before, down)}"
        return f"{change}. {RESTART.effect(deployment)}"

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        found = list(super().results(wanted))
        if is_over(wanted) and (old := wanted.details.get(INSTEAD_OF)):
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
        named = reference(wanted.details.get(IMAGE, ""))
        back = " --back" if wanted.details.get(BACK) else ""
        return with_reason(f"{set_line(_both(named.tag, named.digest), wanted)}{back}", wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the way back."""
        return self._way_back(wanted, "")

    def after_failure(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the way back."""
        return self._way_back(wanted, "primary")

    def _way_back(self, wanted: Wanted, style: str) -> tuple[Button, ...]:
        """A request for what ran before: by its digest, since its tag, which is for people, may have moved."""
        old = reference(wanted.details.get(INSTEAD_OF, ""))
        tag = old.tag if old.tag != FLOATING else None
        digest = wanted.details.get(BEFORE) or old.digest
        to = _both(tag, digest)
        return (way_back(to, tag or shortened(to), shown(wanted.details.get(IMAGE, "")), wanted, style),)

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`."""
        return "" if wanted.details.get(CONTAINER) in target.image_set else "targets[].image_set"

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        if not target.image_set:
            return []
        marks = (RESTARTED_ANNOTATION, APPROVAL_ANNOTATION)
        return [TemplateChange(target.deployment, marks, target.image_set)]


def has_replaced(wanted: Wanted, container: str, image: str, found: ResolvedImage) -> bool:
    """Whether an earlier request replaced this image of the container, so that it ran before.

    By the digest that ran, or where that was not known, by the name that the Deployment had.
    """
    if not is_over(wanted) or wanted.details.get(CONTAINER) != container:
        return False
    before = wanted.details.get(BEFORE)
    return found.is_run_as(before) if before else wanted.details.get(INSTEAD_OF) == image


def version(image: str) -> str:
    """What people call it within its repository: the tag, else the digest."""
    named = reference(image)
    return named.tag or named.digest or FLOATING


def shown(image: str) -> str:
    """As `version`, with a digest shortened."""
    named = version(image)
    return shortened(named) if is_digest(named) else named


def subject(image: str, container: str) -> str:
    """The request's subject."""
    return f"{shown(image)} for {container}"


def _both(tag: str | None, digest: str | None) -> str:
    """What `image set` takes: a tag, a digest, or a tag with its digest."""
    return f"{tag}@{digest}" if tag and digest else digest or tag or FLOATING


def _replaced(old: str, before: str | None, down: str) -> str:
    if not before:
        return shown(old)
    short = "" if shown(old) == shortened(before) else shortened(before)
    state = f", not running: {down}" if down else " runs"
    return f"{shown(old)} ({f'{short}{state}'.lstrip(', ')})"


def _with(image: str, digest: str, more: str) -> str:
    """``1.4.2 (sha256:ab12…, built 3 d ago)``; a name that is this digest alone has it once."""
    named, short = shown(image), shortened(digest)
    brackets = ", ".join(part for part in ("" if named == short else short, more) if part)
    return f"{named} ({brackets})" if brackets else named


IMAGE_SET = ImageSet()
