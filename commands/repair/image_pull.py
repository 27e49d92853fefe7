"""``image pull``: requests a restart with the image that its tag points to now."""

from __future__ import annotations

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.image_action import details
from bot.domain.approvals.actions.image_pull import (
    COMMIT,
    IMAGE_PULL,
    SETTABLE,
    way_back_by_commit,
    why_not,
)
from bot.domain.approvals.repair import Proposal
from bot.domain.core import words
from bot.domain.core.images import ResolvedImage, reference, shortened
from bot.domain.core.reply import Reply
from bot.domain.rbac.roles import Capability
from bot.errors import Refused
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from commands.repair import images, restart
from commands.repair.images import Look
from commands.shared import forecasts, requests

_INSTEAD = "A restart pulls what the tag points to, whatever that is: restart."


class ImagePullParams(Params):
    """Which container, and why."""

    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")
    container: str | None = Param(
        default=None, json_schema_extra={"metavar": "NAME"}, description="whose image; the first one's by default"
    )

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: ImagePullParams) -> Reply:
    """Request the pull; without a reason, open a form that asks for it."""
    if params.reason is None:
        seen, _, _ = await _look(ctx, params.container)  # whatever would be refused is refused before the form
        name = seen.container.name
        note = f"The pod of {ctx.target.name} restarts with the new image of {name}: an approver decides."
        return images.form(ctx, f"image pull --container {words.quoted(name)}", note)
    async with forecasts.costs(ctx, IMAGE_PULL, impact=True) as costs:
        seen, found, built = await _look(ctx, params.container)
        container, state = seen.container, seen.state
        costs.ask_for_images(state, but=container.name)
        costs.ask_whether_it_starts(state, but_image_of=container.name)
        proposal = Proposal(
            IMAGE_PULL,
            state.snapshot,
            params.reason,
            IMAGE_PULL.effect(_tag(seen), seen.before, found.digest, built, state.deployment, seen.down),
            (("Image", container.image), *restart.pod_facts(ctx, state)),
            container.name,
            {
                **details(container.name, container.image, seen.platform, found, seen.before),
                **_back(ctx, seen),
            },
        )
        return await requests.ask(ctx, proposal, costs=costs, read=seen.read)


async def _look(ctx: Context, name: str | None) -> tuple[Look, ResolvedImage, str]:
    """Return the container, its new image, and when that was built. Raises `Refused` where there is none."""
    seen = await images.look(ctx, name)
    why, remedy = why_not(seen.container, seen.whose.ways(ctx.target))
    if why:
        raise Refused(f"{why}.", remedy=remedy)
    image = seen.container.image
    found, built = await images.resolve(ctx, image, seen.platform, _INSTEAD)
    if seen.before is not None and found.is_run_as(seen.before):
        raise Refused(
            f"Nothing to pull: {_tag(seen)} points to {shortened(seen.before)}, which {seen.container.name} runs.",
            remedy="To start the same image again, ask for `/agentpod restart`.",
        )
    return seen.with_tag(image, found.digest), found, built


def _back(ctx: Context, seen: Look) -> dict[str, str]:
    """The details on the way back."""
    ways = seen.whose.ways(ctx.target)
    settable = {SETTABLE: "yes"} if seen.container.name in ways.settable else {}
    commit = way_back_by_commit(seen.container.image, seen.before, ways.owner)
    return {**settable, **({COMMIT: commit} if commit else {})}


def _tag(seen: Look) -> str:
    return f":{reference(seen.container.image).tag or 'latest'}"


COMMAND = Command(
    "image pull",
    "Pull the new image that the tag points to, by a restart; an approver decides",
    Capability.REQUEST,
    run,
    ImagePullParams,
    group="Repair",
    examples=('image pull --reason "1.4 is out"',),
    details=(
        "Only where the tag has moved in the registry and a restart pulls it (imagePullPolicy Always). The "
        "approval is for the digest that the card names: it is void when the tag has moved again. Afterwards the "
        "digest that the new pod runs is compared with it."
    ),
    off=images.off,
    rights=IMAGE_PULL.rights,
    runbook_rights=restart.runbook_rights,
)
