"""``egress repair``: requests the repair of Cilium's egress policy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals import egress_policy, egress_steps
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE, ORIGIN
from bot.domain.approvals.actions.egress_repair import (
    CILIUM_NAMESPACE,
    CILIUM_SELECTOR,
    EGRESS_REPAIR,
    RESTARTS_AGENT,
)
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.egress_policy import MANIFEST, MOST, EgressPolicy
from bot.domain.approvals.kept_text import kept_text
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core import labels, words
from bot.domain.core.redact import plain_text
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.target import EgressSpec, Target
from bot.domain.core.workload import Pod, Right
from bot.domain.health import judge_pod
from bot.domain.rbac.roles import Capability
from bot.errors import NoSuchKind, NotAllowed, Refused, SwitchedOff
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health import missing_policy
from bot.services.health.missing_policy import read_policy
from commands.repair import restart
from commands.shared import forecasts, requests

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
        raise SwitchedOff(f"The command `egress repair` is off for {ctx.target.name}.", remedy=_ON)
    policy = await _read(ctx, spec)
    if policy is None or ctx.dry_run:
        newest = await missing_policy.newest(requests.ledger(ctx), ctx.target.name, spec.policy)
        if newest is not None and egress_steps.left_missing(newest):
            return await _create(ctx, newest, params.reason)
        if policy is None:
            raise _absent(ctx, spec.policy, newest)
    if params.reason is None:
        await _look(ctx, spec, policy)  # whatever would be refused is refused before the form
        return _form(ctx, f"{spec.policy} of {ctx.target.name} is deleted and created again: an approver decides.")
    async with forecasts.costs(ctx, EGRESS_REPAIR, impact=True) as costs:
        pod = await _look(ctx, spec, policy)
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


async def _read(ctx: Context, spec: EgressSpec) -> EgressPolicy | None:
    """Read the policy; None where it is absent. Raises `Refused` where it can't be read."""
    requests.ledger(ctx)
    try:
        return await read_policy(ctx.cluster, spec.policy)
    except NoSuchKind as error:
        raise Refused(
            "This cluster has no Cilium policies: Cilium is not installed, so egress is not restricted.",
            remedy="Install Cilium, or unset targets[].egress. `/agentpod egress test` tries what it reaches.",
        ) from error
    except NotAllowed as error:
        raise Refused(error.message, remedy=f"Apply {OPTION}: kubectl apply -k {OPTION}.") from error


async def _look(ctx: Context, spec: EgressSpec, policy: EgressPolicy) -> Pod:
    """Return the pod. Raises `Refused` where there is nothing to repair, or it can't be repaired."""
    name = spec.policy
    if policy.valid and not ctx.dry_run:
        raise Refused(
            f"{name} is valid: there is nothing to repair.", remedy="`/agentpod egress test` tries it out."
        )
    if not policy.valid:
        _refuse_wrong(policy)
    if policy.deleting:
        raise Refused(f"{name} is being deleted.", remedy="Look at `/agentpod egress` in a minute.")
    if why := _not_kept(ctx, policy.text):
        remedy = "Replace it with kubectl, as the handbook says."
        raise Refused(f"{name} can't be replaced: {why}.", remedy=remedy)
    pod = judge_pod.current(await ctx.cluster.pods(ctx.target.selector))
    if pod is None:
        raise Refused("No pod is running.", remedy=f"{ctx.prefix} status says why.")
    return pod


def _not_kept(ctx: Context, manifest: str) -> str:
    """Why a manifest is not stored with a request; empty where it is."""
    if len(manifest) > MOST:
        return f"its manifest has {len(manifest):,} characters, and at most {MOST:,} are kept"
    kept = kept_text(manifest, ctx.outside)
    if kept == manifest:
        return ""
    if kept == plain_text(manifest):
        return "its manifest has a control or an invisible character, and none is kept"
    return "something in its manifest looks like a secret, and no secret is kept"


def _refuse_wrong(policy: EgressPolicy) -> None:
    """Raise `Refused` for a policy that the repair doesn't mend."""
    if policy.wrong_rule:
        said = words.cut(policy.message, 200)
        raise Refused(
            f"{policy.name} is not valid, and creating it again would not change that: Cilium says “{said}”.",
            remedy="Correct that rule in the policy's manifest in Git, and apply it.",
        )
    if egress_policy.LRU not in policy.message:
        raise Refused(
            f"Cilium has not judged {policy.name} yet.", remedy="Look at `/agentpod egress` in a minute."
        )


def _form(ctx: Context, note: str) -> Reply:
    why = FormField(
        "reason",
        "Why?",
        hint="Approvers and the audit trail see it",
        max_length=requests.MAX_REASON,
        multiline=True,
    )
    return requests.form(
        ctx, Form(labels.of(EGRESS_REPAIR.name), EGRESS_REPAIR.name, (why,), submit="Ask", note=note)
    )


def _facts(policy: EgressPolicy, pod: Pod, spec: EgressSpec) -> list[tuple[str, str]]:
    said = words.cut(policy.message, 200) or "not judged by Cilium yet"
    node = pod.node or "its node"
    by_hand = (
        f"left out. By hand: kubectl delete pod -n {CILIUM_NAMESPACE} -l {CILIUM_SELECTOR} "
        f"--field-selector spec.nodeName={node}. Or set targets[].egress.restart_cilium"
    )
    agent = f"restarted first, on {node}" if spec.restart_cilium else by_hand
    return [("Policy", f"{policy.name}: {said}"), ("Pod", f"{pod.name} on {node}"), ("Cilium agent", agent)]


# -- a policy that a failed repair left missing


def _absent(ctx: Context, name: str, newest: RepairRequest | None) -> Refused:
    """Why a policy can't be created again that no failed repair left missing, and what to do by hand.

    ``newest`` is the newest request that says something about it.
    """
    if newest is not None and newest.state is RequestState.EXECUTING:
        return Refused(
            f"{newest.id}, which replaces {name}, is under way.",
            remedy=f"Ask again when it has ended: {ctx.prefix} approvals {newest.id} shows it.",
        )
    return Refused(
        f"There is no Cilium policy {name}: egress is not restricted by it.{_was_there(ctx, newest)}",
        remedy="No failed repair left it missing, so there is no manifest to create it from: apply it from its "
        "manifest in Git. `/agentpod egress` shows which policies there are.",
    )


def _was_there(ctx: Context, newest: RepairRequest | None) -> str:
    """When the policy was there last, as far as the ledger says."""
    if newest is None:
        return ""
    if newest.action is EGRESS_CREATE:
        ended = newest.outcome.at if newest.outcome is not None else None
        return f" {newest.id} created it {words.ago(ended, ctx.clock.now())}, and it was deleted since."
    return (
        f" It was there when {newest.id} was asked for, {words.ago(newest.request.created_at, ctx.clock.now())}."
    )


async def _create(ctx: Context, origin: RepairRequest, reason: str | None) -> Reply:
    """Request the creation of a missing policy; without a reason, open a form that asks for it."""
    name = origin.subject
    manifest = _stored_manifest(ctx, origin)
    if reason is None:
        note = f"{name} of {ctx.target.name} is created again, as stored with {origin.id}: an approver decides."
        return _form(ctx, note)
    async with forecasts.costs(ctx, EGRESS_CREATE, impact=False) as costs:
        proposal = Proposal(
            EGRESS_CREATE,
            egress_policy.absent(manifest),
            reason,
            f"{name} is MISSING, so what it blocks is open. It is created again from the manifest stored with "
            f"{origin.id}. The pod is not restarted.",
            tuple(_creation_facts(ctx, origin, manifest)),
            name,
            {MANIFEST: manifest, ORIGIN: origin.id},
        )
        return await requests.ask(ctx, proposal, costs=costs)


def _stored_manifest(ctx: Context, origin: RepairRequest) -> str:
    """Return the manifest stored with a repair. Raises `Refused` where it can't be created here."""
    manifest = origin.details.get(MANIFEST, "")
    found = egress_policy.metadata_of(manifest)
    where = found.get("namespace", ctx.target.namespace)
    why = ""
    if found.get("name") != origin.subject:
        why = "it can't be read"
    elif where != ctx.target.namespace:
        why = f"it is for the namespace {where}"
    elif kept := _not_kept(ctx, manifest):
        why = kept
    if why:
        raise Refused(
            f"{missing_policy.said(origin)}. The manifest stored with it can't be used: {why}.",
            remedy="Apply the policy from its manifest in Git.",
        )
    return manifest


def _creation_facts(ctx: Context, origin: RepairRequest, manifest: str) -> list[tuple[str, str]]:
    rules = egress_policy.rules(json.loads(manifest))
    return [
        ("Missing", missing_policy.what_happened(origin)),
        ("Creates", f"CiliumNetworkPolicy {origin.subject} in {ctx.target.namespace}"),
        ("Rules", "; ".join(rules)),
        ("Manifest", f"SHA-256 {egress_policy.digest(manifest)[:12]}…, on the card of {origin.id}"),
        *([("Planned", f"as if {origin.subject} were still missing")] if ctx.dry_run else []),
    ]


def _runbook_rights(book: CompiledRunbook, target: Target) -> Sequence[Right]:
    return restart.runbook_rights(book, target) if target.egress is not None else ()


COMMAND = Command(
    "egress repair",
    "Repair the egress policy if it is not valid; an approver decides",
    Capability.REQUEST,
    run,
    EgressRepairParams,
    group="Repair",
    examples=('egress repair --reason "LRU not yet initialized"',),
    details=(
        "The handbook's steps, each shown on the card as it ends: restart the Cilium agent on the pod's node, "
        "where targets[].egress.restart_cilium says so. Delete the policy and create it again, wait until it is "
        "valid, delete the pod, and run the checks of egress test. The approval is void when the policy or the "
        "pod has changed since. Where a failed repair left the policy missing, it asks to create it again from "
        f"the manifest stored with that repair. Needs targets[].egress in the settings and {OPTION}."
    ),
    off=lambda ctx: "" if ctx.target.egress is not None else "targets[].egress",
    rights=EGRESS_REPAIR.rights,
    runbook_rights=_runbook_rights,
)
