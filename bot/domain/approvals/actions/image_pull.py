"""Pull the image that a tag points to now: a restart, where the node pulls it anew and the tag has moved."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import Wanted, with_reason
from bot.domain.approvals.actions.image_action import BEFORE, DIGEST, RAN_BEFORE, ImageAction, is_over, way_back
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.core import words
from bot.domain.core.images import pull_policy, reference, shortened
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, Deployment
from bot.domain.health.deployment_owner import Owner, Ways
from bot.domain.rbac.writes import Write

SETTABLE, COMMIT = "settable", "commit"
"""The details: that `image set` takes another image for the container; and where Git owns it, what to commit to
go back. Missing where it isn't so."""


class ImagePull(ImageAction):
    """See the module. Its subject is the container's name."""

    name = "image pull"
    title = "Image pull for {subject} in {target}"
    done = "Pulled the new image for {subject} in {target}"
    predicted_by = (RESTART.name,)

    def effect(
        self, tag: str, before: str | None, digest: str, built: str, deployment: Deployment, down: str = ""
    ) -> str:
        """What will happen; ``built`` says when the new image was built, and is empty where nobody knows.

        ``down`` says why the container does not run, and is empty where it does.
        """
        runs = f"does not run ({down})" if down else "runs"
        now = f"{tag} points to {shortened(digest)}{f', {built}' if built else ''}"
        change = f"{shortened(before)} {runs}; {now}" if before else f"{now}; what runs is not known"
        return f"{change}. {RESTART.effect(deployment)}"

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`; the way back, where that is a commit."""
        found = super().results(wanted)
        commit = wanted.details.get(COMMIT) if is_over(wanted) else None
        return [*(one for one in found if one[0] != RAN_BEFORE), ("To go back", commit)] if commit else found

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the way back."""
        return self._way_back(wanted, "")

    def after_failure(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the way back."""
        return self._way_back(wanted, "primary")

    def _way_back(self, wanted: Wanted, style: str) -> tuple[Button, ...]:
        """A request for what ran before, where `image set` takes it; else the card has its digest."""
        before = wanted.details.get(BEFORE)
        if not before or not wanted.details.get(SETTABLE):
            return ()
        return (way_back(before, shortened(before), shortened(wanted.details.get(DIGEST, "")), wanted, style),)

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(f"{self.name} --container {words.quoted(wanted.subject)}", wanted)

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`: what a restart writes."""
        return RESTART.writes(target)


def way_back_by_commit(image: str, before: str | None, owner: Owner | None) -> str:
    """What brings back what ran before, where ``owner`` would undo `image set`; else empty."""
    if owner is None or not before:
        return ""
    return words.upper_first(owner.commits(f"`{reference(image).repository}@{before}`"))


def why_not(wanted: Container, ways: Ways) -> tuple[str, str]:
    """Why a restart doesn't pull the image of the pod template's container anew, and the remedy; else empty."""
    owner = ways.owner
    instead = words.upper_first(owner.commits("another image")) if owner else "Change the image in the Deployment."
    instead = "Ask for another one: `/agentpod image set TAG`." if wanted.name in ways.settable else instead
    named, policy = reference(wanted.image), pull_policy(wanted.image, wanted.pull_policy)
    if named.digest is not None:
        why = f"The image of {wanted.name} is pinned to {shortened(named.digest)}: each restart starts that one"
        return why, instead
    if policy != "Always":
        why = f"The imagePullPolicy of {wanted.name} is {policy}: a node that has the image pulls nothing"
        if owner:
            return why, words.upper_first(owner.commits("imagePullPolicy: Always, or another image,"))
        return why, f"Set imagePullPolicy: Always in the Deployment. {instead}"
    return "", ""


IMAGE_PULL = ImagePull()
