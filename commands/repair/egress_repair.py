"""``egress repair``: requests the repair of Cilium's egress policy."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals import egress_policy
from bot.domain.approvals.actions.egress_repair import (
    CILIUM_NAMESPACE,
    CILIUM_SELECTOR,
    EGRESS_REPAIR,
    RESTARTS_AGENT,
)
from bot.domain.approvals.egress_policy import MANIFEST, MOST, EgressPolicy
from bot.domain.approvals.repair import Proposal
from bot.domain.core import words
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.target import EgressSpec, Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import judge_pod
from bot.domain.rbac.roles import Capability
from bot.errors import NoSuchKind, NotAllowed, Refused
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.approvals.actions.egress_repair import read_policy
from commands.repair import restart
from commands.shared import forecasts, missing_policy, requests

if TYPE_CHECKING:
    from bot.runbook.file.compiled import CompiledRunbook

OPTION = "deploy/options/cilium-repair"
_ON = f"Set targets[].egress in the settings, and apply {OPTION}: kubectl apply -k {OPTION}."


class EgressRepairParams(Params):
    """Why."""

    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: EgressRepairParams) -> Reply:
    """Request the repair; without a reason, open a form that asks for it."""
    spec = ctx.target.egress
    if spec is None:
        raise Refused(f"`egress repair` is off for {ctx.target.name}.", remedy=_ON)
    if params.reason is None:
        await _look(ctx, spec)  # whatever would be refused is refused before the form
        return _form(ctx, spec)
    async with forecasts.costs(ctx, EGRESS_REPAIR, impact=True) as costs:
        policy, pod = await _look(ctx, spec)
        agent = {RESTARTS_AGENT: "yes"} if spec.restart_cilium else {}
        proposal = Proposal(
            EGRESS_REPAIR,
            egress_policy.snapshot(policy, (pod.name, pod.uid)),
            params.reason,
            "Between deletion and creation NOTHING is blocked. Then the pod is deleted: everything in it is "
            "down until the new one is ready.",
            tuple(_facts(policy, pod, spec)),
            spec.policy,
            {MANIFEST: policy.text, "node": pod.node or "", **agent},
        )
        return await requests.ask(ctx, proposal, costs=costs)


async def _look(ctx: Context, spec: EgressSpec) -> tuple[EgressPolicy, Pod]:
    """Return policy and pod. Raises `Refused` where there is nothing to repair, or it can't be repaired."""
    requests.ledger(ctx)
    name = spec.policy
    try:
        policy, pods = await asyncio.gather(read_policy(ctx.cluster, name), ctx.cluster.pods(ctx.target.selector))
    except NoSuchKind as error:
        raise Refused(
            "This cluster has no Cilium policies: Cilium is not installed, so egress is not restricted.",
            remedy="Install Cilium, or unset targets[].egress; `egress test` tries what the pod reaches.",
        ) from error
    except NotAllowed as error:
        raise Refused(error.message, remedy=f"Apply {OPTION}: kubectl apply -k {OPTION}.") from error
    if policy is None:
        if (left := await missing_policy.left_missing(ctx)) is not None:
            raise Refused(missing_policy.said(ctx, left), remedy=missing_policy.remedy(left))
        remedy = "Apply it from its manifest; `egress` shows which policies there are."
        raise Refused(f"There is no Cilium policy {name}: egress is not restricted by it.", remedy=remedy)
    if policy.valid and not ctx.dry_run:
        raise Refused(f"{name} is valid: there is nothing to repair.", remedy="`egress test` tries it out.")
    if not policy.valid:
        _refuse_wrong(policy)
    if policy.deleting:
        raise Refused(f"{name} is being deleted.", remedy="Look at `egress` in a minute.")
    if len(policy.text) > MOST:
        size = f"its manifest has {len(policy.text):,} characters, and at most {MOST:,} are kept"
        raise Refused(
            f"{name} can't be replaced: {size}.", remedy="Replace it with kubectl, as the handbook says."
        )
    if ctx.outside.of(policy.text) != policy.text:
        why = "something in its manifest looks like a secret, and no secret is kept"
        raise Refused(f"{name} can't be replaced: {why}.", remedy="Replace it with kubectl, as the handbook says.")
    pod = judge_pod.current(pods)
    if pod is None:
        raise Refused("No pod is running.", remedy=f"{ctx.prefix} status says why.")
    return policy, pod


def _refuse_wrong(policy: EgressPolicy) -> None:
    """Raise `Refused` for a policy that the repair doesn't mend."""
    if policy.wrong_rule:
        said = words.cut(policy.message, 200)
        raise Refused(
            f"{policy.name} is not valid, and creating it again would not change that: Cilium says “{said}”.",
            remedy="Correct that rule in the policy's manifest in Git, and apply it.",
        )
    if egress_policy.LRU not in policy.message:
        raise Refused(f"Cilium has not judged {policy.name} yet.", remedy="Look at `egress` in a minute.")


def _form(ctx: Context, spec: EgressSpec) -> Reply:
    why = FormField(
        "reason",
        "Why?",
        hint="Approvers and the audit trail see it",
        max_length=requests.MAX_REASON,
        multiline=True,
    )
    note = f"{spec.policy} of {ctx.target.name} is deleted and created again: an approver decides."
    return requests.form(ctx, Form("Egress repair", EGRESS_REPAIR.name, (why,), submit="Ask", note=note))


def _facts(policy: EgressPolicy, pod: Pod, spec: EgressSpec) -> list[tuple[str, str]]:
    said = words.cut(policy.message, 200) or "not judged by Cilium yet"
    node = pod.node or "its node"
    by_hand = (
        f"left out. By hand: kubectl delete pod -n {CILIUM_NAMESPACE} -l {CILIUM_SELECTOR} "
        f"--field-selector spec.nodeName={node}. Or set targets[].egress.restart_cilium"
    )
    agent = f"restarted first, on {node}" if spec.restart_cilium else by_hand
    return [("Policy", f"{policy.name}: {said}"), ("Pod", f"{pod.name} on {node}"), ("Cilium agent", agent)]


def _runbook_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    return restart.runbook_rights(book, target) if target.egress is not None else ()


COMMAND = Command(
    "egress repair",
    "Ask for the repair of an egress policy that is not valid",
    Capability.REQUEST,
    run,
    EgressRepairParams,
    group="Repair",
    examples=('egress repair --reason "LRU not yet initialized"',),
    details=(
        "The handbook's steps, each shown on the card as it ends: restart the Cilium agent on the pod's node "
        "(with targets[].egress.restart_cilium), delete the policy and create it again, wait until it is valid, "
        "delete the pod, and run the checks of egress test. The approval is void when the policy or the pod has "
        f"changed since. Needs targets[].egress in the settings and {OPTION}."
    ),
    off=lambda target: "" if target.egress is not None else "targets[].egress",
    rights=EGRESS_REPAIR.rights,
    runbook_rights=_runbook_rights,
)
