"""``restart``: requests a restart of the agent pod, graceful or forced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator, model_validator

from bot.domain.approvals.actions.container_restart import CONTAINER_RESTART
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.repair import Proposal, TargetState
from bot.domain.core import labels, words
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.target import Target
from bot.domain.core.workload import Deployment, Pod, Right
from bot.domain.health import judge_pod
from bot.domain.rbac.roles import Capability
from bot.errors import Refused
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from commands.repair import container_restart
from commands.shared import forecasts, requests

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook


NO_POD = "No pod runs now: the Deployment tries again to create one."
"""The effect of a restart where there is no pod."""


class RestartParams(Params):
    """Why, and how."""

    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")
    force: bool = Param(default=False, description="delete exactly this pod instead of rolling it out")
    container: str | None = Param(
        default=None,
        json_schema_extra={"metavar": "NAME"},
        description="only this container, by ending its main process; the rest of the pod stays up",
    )

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.force and self.container is not None:
            raise ValueError("--force deletes the pod, and --container restarts one container of it: choose one")
        return self


async def run(ctx: Context, params: RestartParams) -> Reply:
    """Request a restart; without a reason, open a form that asks for it."""
    if params.reason is None:
        return await _form(ctx, params)
    if params.container is not None:
        return await container_restart.ask(ctx, params.container, params.reason)
    action = FORCE_RESTART if params.force else RESTART
    async with forecasts.costs(ctx, action, impact=True) as costs:
        look, read = await requests.look(ctx)
        check_possible(ctx, look, force=params.force)
        costs.ask_for_images(look)
        costs.ask_whether_it_starts(look)
        running = judge_pod.live(look.pods) or ctx.dry_run
        effect = action.effect(look.deployment) if running else NO_POD
        proposal = Proposal(
            action, look.snapshot, params.reason, effect, tuple(pod_facts(ctx, look) + _image_facts(look))
        )
        return await requests.ask(ctx, proposal, costs=costs, read=read)


async def _form(ctx: Context, params: RestartParams) -> Reply:
    line, what = "restart", f"The pod of {ctx.target.name} is replaced by a new one"
    if params.force:
        line, what = "restart --force", f"The pod of {ctx.target.name} is deleted, and a new one started"
    if params.container is not None:
        await container_restart.look(ctx, params.container)  # whatever would be refused is refused before the form
        line = container_restart.line(params.container)
        what = f"Only {params.container} of {ctx.target.name} is restarted"
    return requests.form(
        ctx,
        Form(
            title=labels.of(line),
            command=line,
            fields=(
                FormField(
                    "reason",
                    "Why?",
                    hint="Approvers and the audit trail see it",
                    max_length=requests.MAX_REASON,
                    multiline=True,
                ),
            ),
            submit="Ask",
            note=f"{what}: an approver decides.",
        ),
    )


def check_possible(ctx: Context, look: TargetState, *, force: bool = False) -> None:
    """Raise `Refused` for a restart that would have no effect, before anybody has to decide on it."""
    deployment = look.deployment
    kubectl = f"kubectl -n {ctx.target.namespace}"
    if deployment.wanted == 0:
        raise Refused(
            f"{deployment.name} is scaled to 0: there is no pod to restart.",
            remedy=f"Scale it up instead: {kubectl} scale deployment {deployment.name} --replicas=1.",
        )
    if deployment.paused and not force:
        raise Refused(
            f"{deployment.name} is paused: a restart would not roll out.",
            remedy=f"Resume it first: {kubectl} rollout resume deployment {deployment.name}.",
        )
    if force and not look.snapshot.pods:
        raise Refused(
            "There is no pod to delete: the Deployment makes one when it can.",
            remedy=f"{ctx.prefix} status says what keeps it from that.",
        )


def pod_facts(ctx: Context, look: TargetState) -> list[tuple[str, str]]:
    """Return the pods that a restart ends, as labels and values."""
    return [("Pod", _pod(p, ctx)) for p in judge_pod.live(look.pods)] or [("Pod", "none at present")]


def _image_facts(look: TargetState) -> list[tuple[str, str]]:
    return [(_image_label(look.deployment), image) for image in look.deployment.images.values()]


def _pod(pod: Pod, ctx: Context) -> str:
    age = words.age_since(pod.created_at, ctx.clock.now())
    node = f" on {pod.node}" if pod.node else ""
    return f"{pod.name}{node}: {pod.status}, {pod.ready} ready, {age} old"


def _image_label(deployment: Deployment) -> str:
    return "Image" if len(deployment.images) == 1 else "Images"


def rights(target: Target) -> list[Right]:
    """Return the rights that all kinds of restart need."""
    every = (RESTART, FORCE_RESTART, CONTAINER_RESTART)
    return list(dict.fromkeys(right for action in every for right in action.rights(target)))


def runbook_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    """Return the rights that the runbook's `impact` needs."""
    if not book.impact:
        return ()
    from bot.services.runbook import impact as reading  # the engine is loaded at its first use

    return reading.rights(book, target)


COMMAND = Command(
    "restart",
    "Ask for a restart of the pod; an approver decides",
    Capability.REQUEST,
    run,
    RestartParams,
    group="Repair",
    examples=(
        'restart --reason "new SSH key"',
        'restart --force --reason "the pod hangs"',
        'restart --container kali --reason "its sessions hang"',
    ),
    details=(
        "Posts a card with what will happen, to which pod, and who may decide. Once approved it is carried "
        "out at most once and followed in the card's thread until the pod is ready or has failed. The approval is "
        "void when the pod, its image or the Deployment has changed since. --force deletes exactly this pod. "
        "--container ends the main process of one container, by the runbook's command for that (kill 1), and "
        "follows its restart count. The other containers stay up."
    ),
    rights=rights,
    runbook_rights=runbook_rights,
)
