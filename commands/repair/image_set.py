"""``image set``: requests another image of the same repository, or gives the change as a file to commit."""

from __future__ import annotations

import asyncio

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.image_action import details
from bot.domain.approvals.actions.image_set import (
    BACK,
    IMAGE_SET,
    INSTEAD_OF,
    PINNED,
    has_replaced,
    shown,
    subject,
)
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import Proposal
from bot.domain.core import words
from bot.domain.core.images import ResolvedImage, is_digest, is_tag, pinned, reference, shortened
from bot.domain.core.reply import Excerpt, Fact, Reply
from bot.domain.core.workload import Deployment
from bot.domain.health import judge_argocd
from bot.domain.health.deployment_owner import Owner, also, to_commit
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Refused, SwitchedOff
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health.deployment_ownership import Ownership
from commands.repair import images, restart
from commands.repair.images import Look
from commands.shared import forecasts, requests

_ON = (
    "Set targets[].image_set in the settings to its containers' names. If the admission policies are applied, "
    "generate them again."
)
_INSTEAD = "Try again when the registry answers."
EARLIER = 200
"""Requests that are read to see whether an image ran before."""


class ImageSetParams(Params):
    """Which image, of which container, and why."""

    tag: str = Param(
        json_schema_extra={"positional": True, "listed": "image"},
        description="a tag of the image's repository, a digest (sha256:…), or both: 1.4.2@sha256:…",
        max_length=200,
    )
    back: bool = Param(default=False, description="it ran before: the card is titled so if a request shows it")
    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")
    container: str | None = Param(
        default=None, json_schema_extra={"metavar": "NAME"}, description="whose image; the first one's by default"
    )

    @field_validator("tag")
    @classmethod
    def _alone(cls, value: str) -> str:
        tag, at, digest = value.partition("@")
        if is_digest(value) or (is_tag(tag) and (not at or is_digest(digest))):
            return value
        if "/" in value or ":" in value:
            raise ValueError("takes a tag or a whole digest (sha256: and 64 digits) alone: the repository stays")
        raise ValueError("takes a tag: letters, digits, _ . and -, at most 128, no dot or dash in front")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: ImageSetParams) -> Reply:
    """Request the change; without a reason, open a form that asks for it."""
    allowed = ctx.target.image_set
    name = params.container or (allowed[0] if allowed else ctx.target.container().name)
    if params.reason is None:
        seen, found, _, owner = await _look(
            ctx, name, params.tag
        )  # what would be refused is refused before the form
        if owner is not None:
            return _to_commit(seen, found, owner, params.tag)
        back = " --back" if params.back else ""
        line = f"image set {params.tag} --container {words.quoted(name)}{back}"
        note = (
            f"{name} of {ctx.target.name} gets the image {shown(_named(seen, params.tag))}: an approver decides."
        )
        return images.form(ctx, line, note)
    async with forecasts.costs(ctx, IMAGE_SET, impact=True) as costs:
        seen, found, built, owner = await _look(ctx, name, params.tag)
        if owner is not None:
            return _to_commit(seen, found, owner, params.tag)
        image, state, old = _named(seen, params.tag), seen.state, seen.container.image
        costs.ask_for_images(state, but=name)
        costs.ask_whether_it_starts(state, but_image_of=name)
        proposal = Proposal(
            IMAGE_SET,
            state.snapshot,
            params.reason,
            IMAGE_SET.effect(image, found.digest, built, old, seen.before, state.deployment, seen.down),
            (*await _moved(ctx, image, found, seen.platform), *_facts(ctx, seen)),
            subject(image, name),
            {
                **details(name, image, seen.platform, found, seen.before),
                PINNED: pinned(image, found.digest),
                INSTEAD_OF: old,
                **({BACK: "yes"} if params.back and await _ran_before(ctx, name, image, found) else {}),
            },
        )
        return await requests.ask(ctx, proposal, costs=costs, read=seen.read)


async def _ran_before(ctx: Context, name: str, image: str, found: ResolvedImage) -> bool:
    """Whether an earlier repair replaced this image, by the requests in the ledger. Raises as the ledger does."""
    over = {RequestState.SUCCEEDED, RequestState.FAILED}
    earlier = await requests.ledger(ctx).requests(states=over, target=ctx.target.name, limit=EARLIER)
    return any(has_replaced(one, name, image, found) for one in earlier)


async def _look(ctx: Context, name: str, tag: str) -> tuple[Look, ResolvedImage, str, Owner | None]:
    """Return the container, its new image, when that was built, and who would undo a patch. Raises `Refused`."""
    seen = await images.look(ctx, name)
    deployment, container = seen.state.deployment, seen.container
    owner = _owner(ctx, name, deployment, seen.whose)
    if container.role != "main":
        raise Refused(f"{name} is no main container of the pod.", remedy="Change its image in the Deployment.")
    image = _named(seen, tag)
    found, built = await images.resolve(ctx, image, seen.platform, _INSTEAD)
    if reference(container.image).digest == found.digest:
        raise Refused(
            f"Nothing to set: the Deployment names {_with_digest(image, found.digest)} for {name} already.",
            remedy="To start it again, ask for `/agentpod restart`.",
        )
    return seen.with_tag(image, found.digest), found, built, owner


def _owner(ctx: Context, name: str, deployment: Deployment, whose: Ownership) -> Owner | None:
    """Return who would undo a patch. Raises `Refused` where that isn't known, or a patch is off."""
    if whose.owner is None and name not in ctx.target.image_set:
        on = words.listed(ctx.target.image_set)
        of = f"{name}; it is on for {on}" if on else ctx.target.name
        raise SwitchedOff(f"The command `image set` is off for {of}.", remedy=_ON)
    if (unread := whose.unread) is not None:
        why = words.lower_first(unread.message.rstrip("."))
        remedy = unread.remedy or judge_argocd.UNREAD_REMEDY
        raise Refused(f"Nobody knows whether Argo CD manages {deployment.name}: {why}.", remedy=remedy)
    return whose.owner


def _with_digest(image: str, digest: str) -> str:
    named, short = shown(image), shortened(digest)
    return short if named == short else f"{named} ({short})"


async def _moved(ctx: Context, image: str, found: ResolvedImage, platform: str) -> list[tuple[str, str]]:
    """That a tag which is asked for with a digest has another one now. It only explains: never raises."""
    named = reference(image)
    if ctx.registry is None or named.tag is None or named.digest is None:
        return []
    try:
        async with asyncio.timeout(ctx.probe_timeout):
            now = await ctx.registry.resolve(f"{named.repository}:{named.tag}", platform)
    except (AgentpodError, TimeoutError):
        return []
    if now.image == found.image:  # the digest that is asked for may be that of the platform's image alone
        return []
    return [("Tag", f":{named.tag} points to {shortened(now.digest)} now; this sets {shortened(found.digest)}")]


def _named(seen: Look, tag: str) -> str:
    """The image's name with another tag or digest: the repository stays."""
    return f"{reference(seen.container.image).repository}{'@' if is_digest(tag) else ':'}{tag}"


def _facts(ctx: Context, seen: Look) -> list[tuple[str, str]]:
    """What the effect doesn't say; the dry run shows both names in full."""
    others = [
        ("Also written by", f"{words.cut(one.name, 100)}, which sets it back when it is next applied. {one.where}")
        for one in also(seen.state.deployment)
    ]
    return [*others, *restart.pod_facts(ctx, seen.state)]


def _to_commit(seen: Look, found: ResolvedImage, owner: Owner, tag: str) -> Reply:
    """Reply with the change as a file: a patch would be undone."""
    name, image = seen.container.name, pinned(_named(seen, tag), found.digest)
    where = f"in {owner.path}, " if owner.path else ""
    return Reply(
        f"{words.cut(owner.name, 100)} manages {seen.state.deployment.name}: commit the image, don't set it here",
        body=(f"A patch would be undone {owner.when}. So nothing was asked for or changed.",),
        facts=(Fact("Image", seen.container.image), Fact("Becomes", image)),
        excerpts=(Excerpt(to_commit(image, name), f"Commit one of the two {where}and sync", "image.yaml"),),
        repeatable=False,
        left_undone=True,
        data={"image": image, "digest": found.digest, "managed_by": owner.name},
    )


COMMAND = Command(
    "image set",
    "Set the image to another tag or digest; an approver decides",
    Capability.REQUEST,
    run,
    ImageSetParams,
    group="Repair",
    examples=('image set 1.4.2 --reason "a fix"', 'image set 1.4.2 --container kali --reason "a fix"'),
    details=(
        "Names the image in the Deployment by the digest that the registry gives for the tag. It takes tags of "
        "the same repository only, and containers in targets[].image_set. The approval is for that digest. "
        "Where Argo CD or another program makes the Deployment from Git, it answers with the change to commit."
    ),
    off=lambda ctx: images.off(ctx) or ("" if ctx.target.image_set else "targets[].image_set"),
    off_answer=lambda ctx: (
        "" if images.off(ctx) else "answers with the change to commit where Git owns the Deployment"
    ),
    rights=IMAGE_SET.rights,
    runbook_rights=restart.runbook_rights,
)
