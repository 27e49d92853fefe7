"""Carries out `egress repair`: the handbook's steps in order, each recorded when it begins and when it ends.

The cluster shows whether a step was made: a pod or policy is deleted by its uid, which takes effect at most once,
and a policy is created under its name. So a process that takes over looks and goes on. The manifest is stored with
the request: a policy that was deleted is created again whatever dies in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.domain.approvals import egress_policy
from bot.domain.approvals.actions import egress_repair as action
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR, WORK, agent_right, steps_of
from bot.domain.approvals.approval import RequestState, Snapshot, may_start
from bot.domain.approvals.egress_policy import MANIFEST, EgressPolicy, EgressStep, log_of, policy_of, with_log
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.stored import Unreadable
from bot.domain.core.workload import Right
from bot.domain.health import judge_pod, pod_state
from bot.errors import AgentpodError, Conflict, NoSuchKind, NotFound, Transient, Uncertain
from bot.ports.cluster import Cluster
from bot.services.approvals import request_log
from bot.services.approvals.actions.execution import Execution, inner, read
from bot.services.approvals.early_refusals import EarlyRefusals
from bot.services.approvals.lease_holder import LeaseHolder

CHECKS = ("egress-allows", "egress-blocks")
"""The runbook's checks of `egress test`."""
APPLY = "Create it now: save the manifest on the card as policy.json, then kubectl apply -f policy.json."
LOOK = {
    action.AGENT: f"Look at the Cilium agent before you ask again: kubectl get pods -n {action.CILIUM_NAMESPACE} "
    f"-l {action.CILIUM_SELECTOR} -o wide.",
    action.POLICY: "Look at egress before you ask again.",
    action.VALID: "Look at egress before you ask again.",
    action.POD: "Look at status before you ask again.",
    action.TEST: "Look at egress test before you ask again.",
}
"""Where to look after a step that did not end in time."""
SETTLED = timedelta(minutes=1)
"""How long the checks may take to be all right once the pod is ready."""


@dataclass(frozen=True)
class Seen:
    """The policy, and the pod's name and uid."""

    policy: EgressPolicy | None
    pod: tuple[str, str] | None

    @property
    def snapshot(self) -> Snapshot:
        """What an approval is bound to."""
        return egress_policy.snapshot(self.policy, self.pod)


async def read_policy(cluster: Cluster, name: str) -> EgressPolicy | None:
    """Read the policy; None where it is absent. Raises as `Cluster` does, also where there is no such kind."""
    try:
        return policy_of(await cluster.objects(egress_policy.right("get", name), egress_policy.VERSION))
    except NoSuchKind:
        raise
    except NotFound:
        return None


class RepairEgress(Execution):
    """See the module."""

    action = EGRESS_REPAIR

    def look_ahead(self, repair: RepairRequest, holder: LeaseHolder) -> Awaitable[Any] | None:
        """See `Execution`."""
        return _look(repair, holder)

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        cluster, target = holder.cluster_of(repair.target), holder.targets[repair.target]
        seen = await _look(repair, holder)
        if action.AGENT in steps_of(repair.details):
            await cluster.objects(agent_right("list"), "v1", action.CILIUM_SELECTOR)
            await cluster.delete_object(agent_right("delete", "<the Cilium agent on its node>"), "v1", "<its uid>")
        if seen.policy is not None:
            right = egress_policy.right("delete", repair.subject)
            version = seen.policy.resource_version
            await cluster.delete_object(right, egress_policy.VERSION, seen.policy.uid, version)
        right = egress_policy.right("create", repair.subject)
        await cluster.create_object(right, egress_policy.VERSION, json.loads(repair.details[MANIFEST]))
        await read_policy(cluster, repair.subject)
        pod = judge_pod.current(await cluster.pods(target.selector))
        if pod is not None:
            await cluster.delete_pod(pod)
        await cluster.pods(target.selector)
        for name in CHECKS:
            await _verdict(holder, repair, name)

    async def carry_out(
        self,
        repair: RepairRequest,
        holder: LeaseHolder,
        look: Awaitable[Any] | None,
        *,
        sent: bool,  # noqa: ARG002 - the record of the steps says what may have been sent
    ) -> None:
        """See `Execution`."""
        try:
            begun = bool(log_of(repair.details).steps)
        except Unreadable:
            text = "this version can't read what was done so far: look whether the policy is there"
            await holder.end(repair, RequestState.FAILED, text, "egress")
            return
        if not begun:
            repair = await _first_look(repair, holder, look)
        for name in steps_of(repair.details):
            if repair.state.final:
                return
            step = log_of(repair.details).step(name)
            if step is None or step.ended is None:
                repair = await _Step(holder, name).run(repair)
        if not repair.state.final:
            await _conclude(repair, holder)


async def _look(repair: RepairRequest, holder: LeaseHolder) -> Seen:
    """Read policy and pod. Raises as `Cluster` does."""
    cluster = holder.cluster_of(repair.target)
    policy, pods = await asyncio.gather(
        read_policy(cluster, repair.subject), cluster.pods(holder.targets[repair.target].selector)
    )
    pod = judge_pod.current(pods)
    return Seen(policy, (pod.name, pod.uid) if pod is not None else None)


async def _first_look(repair: RepairRequest, holder: LeaseHolder, look: Awaitable[Any] | None) -> RepairRequest:
    """Compare with what was approved before the first step; end the request where it may not begin."""
    refusals = EarlyRefusals(holder.settling)
    while True:
        in_time = may_start(repair.request, holder.policy, holder.clock.now())
        try:
            seen = await read(look or _look(repair, holder))
        except AgentpodError as error:
            if not (isinstance(error, Transient) or refusals.may_pass(error)) or not in_time:
                text = f"nothing was changed: {inner(error)}"
                return await holder.end(repair, RequestState.FAILED, text, error.remedy)
        else:
            found = EGRESS_REPAIR.changes(repair.request.snapshot, seen.snapshot)
            if seen.policy is not None and seen.policy.valid:
                found.append("the policy is valid by now")
            if found:
                return await holder.end(repair, RequestState.VOID, "; ".join(found))
            if in_time:
                return repair
            minutes = round(holder.policy.start_within.total_seconds() / 60)
            text = f"it was not begun within {minutes} min of the approval: nothing was changed"
            return await holder.end(repair, RequestState.FAILED, text)
        look, repair = None, await holder.sleep(repair, holder.retry)


async def _verdict(holder: LeaseHolder, repair: RepairRequest, name: str) -> Finding:
    from bot.services.runbook import declared_repair  # the engine is loaded at its first use

    return await declared_repair.verdict(holder.context_of(repair.target), name)


async def _conclude(repair: RepairRequest, holder: LeaseHolder) -> None:
    """End a request of which all steps were made."""
    log = log_of(repair.details)
    tested, pod = log.step(action.TEST), log.step(action.POD)
    text = tested.said if tested is not None else ""
    down = (pod.ended - pod.began).total_seconds() if pod is not None and pod.ended is not None else None
    await holder.conclude(repair, RequestState.SUCCEEDED, ExecutionResult(text, holder.clock.now(), seconds=down))


class _FailedError(Exception):
    """A step failed for good, and the rest is not done."""

    def __init__(self, text: str, remedy: str | None = None, *, missing: bool = False) -> None:
        super().__init__(text)
        self.text, self.remedy, self.missing = text, remedy, missing


@dataclass(frozen=True)
class _Step:
    """One step of one request."""

    holder: LeaseHolder
    name: str

    async def run(self, repair: RepairRequest) -> RepairRequest:
        """Make the step, or go on with it; end the request where it fails."""
        holder, log = self.holder, log_of(repair.details)
        if log.step(self.name) is None:
            try:
                uid = await self._begin(repair)
            except _FailedError as failed:
                return await self._failed(repair, failed)
            began = with_log(repair.details, log.began(self.name, holder.clock.now(), uid))
            data = {"step": self.name, "begins": True}
            repair = await holder.save(replace(repair, details=began), "execution", data, card=True)
        step = log_of(repair.details).step(self.name)
        if step is None:
            raise AssertionError(f"{self.name} was not recorded")
        try:
            repair, said = await self._made(repair, step)
        except _FailedError as failed:
            return await self._failed(repair, failed)
        ended = with_log(repair.details, log_of(repair.details).ended(holder.clock.now(), said))
        data = {"step": self.name, "result": said}
        noted = replace(repair, details=ended, sent_at=repair.sent_at or holder.clock.now())
        return await holder.save(noted, "execution", data, card=True)

    async def _begin(self, repair: RepairRequest) -> str:
        """The uid of what the step deletes; empty where it deletes nothing. Raises `_FailedError`."""
        until = self.holder.clock.now() + self.holder.policy.follow_for
        refusals = EarlyRefusals(self.holder.settling)
        while True:
            try:
                return await self._uid(repair)
            except AgentpodError as error:
                if not self._may_pass(error, refusals) or self.holder.clock.now() > until:
                    text = f"{WORK[self.name]} was not begun: {inner(error)}"
                    raise _FailedError(text, error.remedy) from error
            repair = await self.holder.sleep(repair, self.holder.retry)

    async def _uid(self, repair: RepairRequest) -> str:
        approved = repair.request.snapshot
        if self.name == action.AGENT:
            return await self._agent_uid(repair)
        if self.name == action.POLICY:
            seen = await _look(repair, self.holder)
            if found := EGRESS_REPAIR.changes(approved, seen.snapshot):
                raise _FailedError(
                    f"the policy was not deleted: {'; '.join(found)}", "Look at egress, then ask again."
                )
            return approved.uid
        return approved.pods[0][1] if self.name == action.POD else ""

    async def _failed(self, repair: RepairRequest, failed: _FailedError) -> RepairRequest:
        """End the request; the card says besides what was done and what was not."""
        remedy = (failed.remedy,) if failed.remedy else ()
        result = ExecutionResult(failed.text, self.holder.clock.now(), remedy, "egress")
        if failed.missing:
            repair = replace(repair, details={**repair.details, action.MISSING: "yes"})
        return await self.holder.conclude(repair, RequestState.FAILED, result)

    async def _made(self, repair: RepairRequest, step: EgressStep) -> tuple[RepairRequest, str]:
        """Repeat the step's round until it says what came of it. Raises `_FailedError`."""
        holder, until = self.holder, step.began + self._within
        rounds = {
            action.AGENT: self._agent,
            action.POLICY: self._policy,
            action.VALID: self._valid,
            action.POD: self._pod,
            action.TEST: self._test,
        }
        refusals, said = EarlyRefusals(holder.settling), ""
        while True:
            over = holder.clock.now() > until
            try:
                done, said = await rounds[self.name](repair, step, over)
                if done:
                    return repair, said
                error: AgentpodError | None = None
            except Uncertain as unsure:
                request_log.unsure(repair, unsure.message)
                error = unsure
            except AgentpodError as refused:
                error = refused
            finally:
                holder.answered(repair)
            if error is not None and (over or not self._may_pass(error, refusals)):
                raise await self._lost(repair, step, error)
            if error is None and over:
                raise _FailedError(said, LOOK[self.name])
            repair = await holder.renewed(await holder.sleep(repair, holder.tick))

    @property
    def _within(self) -> timedelta:
        return SETTLED if self.name == action.TEST else self.holder.policy.follow_for

    def _may_pass(self, error: AgentpodError, refusals: EarlyRefusals) -> bool:
        return isinstance(error, Transient | Conflict | Uncertain) or refusals.may_pass(error)

    async def _lost(self, repair: RepairRequest, step: EgressStep, error: AgentpodError) -> _FailedError:
        """What is said of a step that failed with an error: where the policy is missing, that first."""
        name = repair.subject
        if self.name == action.POLICY:
            try:
                there = await read_policy(self._cluster(repair), name)
            except AgentpodError:
                text = f"whether {name} is there is not known; if not, egress is open: {inner(error)}"
                return _FailedError(text, APPLY, missing=True)
            if there is None:
                text = f"{name} is MISSING and egress is open: {inner(error)}"
                return _FailedError(text, APPLY, missing=True)
            if there.uid == step.uid:
                return _FailedError(f"{name} was not replaced: {inner(error)}", error.remedy)
        return _FailedError(f"{WORK[self.name]} failed: {inner(error)}", error.remedy)

    def _cluster(self, repair: RepairRequest) -> Cluster:
        return self.holder.cluster_of(repair.target)

    # -- the rounds: whether the step is made, and what came of it so far

    async def _agents(self, repair: RepairRequest) -> list[_AgentPod]:
        """The Cilium agents on the pod's node."""
        found = await self._cluster(repair).objects(agent_right("list"), "v1", action.CILIUM_SELECTOR)
        items = found.get("items")
        pods = [_agent_pod(one) for one in items] if isinstance(items, list) else []
        return [one for one in pods if one.node == repair.details.get("node")]

    async def _agent_uid(self, repair: RepairRequest) -> str:
        node = repair.details.get("node", "")
        agents = [one for one in await self._agents(repair) if not one.deleting]
        if not agents:
            raise _FailedError(f"nothing was changed: no Cilium agent runs on {node}")
        return agents[0].uid

    async def _agent(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        agents = await self._agents(repair)
        old = next((one for one in agents if one.uid == step.uid), None)
        if old is not None and not old.deleting:
            await self._deleted(repair, agent_right("delete", old.name), "v1", step.uid)
        fresh = next((one for one in agents if one.uid != step.uid and one.ready and not one.deleting), None)
        if fresh is not None:
            return True, f"{fresh.name} is ready"
        return False, f"no new Cilium agent is ready on {repair.details.get('node')}"

    async def _deleted(
        self, repair: RepairRequest, right: Right, version: str, uid: str, resource_version: str = ""
    ) -> None:
        """Delete an object by its uid; one that is gone needs no deletion."""
        call = self._cluster(repair).delete_object(right, version, uid, resource_version)
        try:
            await self.holder.leased_during(repair, call)
        except NotFound:
            return

    async def _policy(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:
        name, manifest = repair.subject, json.loads(repair.details[MANIFEST])
        there = await read_policy(self._cluster(repair), name)
        if there is not None and there.uid != step.uid:
            return _taken(there, manifest, name)
        if there is not None and not there.deleting:
            if over:
                return False, f"{name} was not replaced in time"
            if there.text != repair.request.snapshot.version:
                text = f"{name} was changed meanwhile, and was not deleted"
                raise _FailedError(text, "Look at egress, then ask again.")
            right = egress_policy.right("delete", name)
            await self._deleted(repair, right, egress_policy.VERSION, step.uid, there.resource_version)
            there = await read_policy(self._cluster(repair), name)
        if there is not None and there.uid != step.uid:
            return _taken(there, manifest, name)
        if there is not None:
            return False, f"{name} is still being deleted: something holds it back"
        repair = await self.holder.renewed(repair)
        right = egress_policy.right("create", name)
        create = self._cluster(repair).create_object(right, egress_policy.VERSION, manifest)
        await self.holder.leased_during(repair, create)
        return True, f"{name} was deleted and created again"

    async def _valid(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        there = await read_policy(self._cluster(repair), repair.subject)
        if there is None:
            raise _FailedError(f"{repair.subject} is MISSING and egress is open", APPLY, missing=True)
        if there.valid:
            return True, "Cilium takes it"
        if there.wrong_rule:
            raise _FailedError(
                f"{repair.subject} was created again, and Cilium does not take it: {there.message}",
                "Correct that rule in the policy's manifest in Git, and apply it.",
            )
        why = there.message or "Cilium has not judged it"
        return False, f"{repair.subject} was created again, and is not valid: {why}"

    async def _pod(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        cluster, selector = self._cluster(repair), self.holder.targets[repair.target].selector
        pods = await cluster.pods(selector)
        old = next((one for one in pods if one.uid == step.uid), None)
        if old is not None and not old.deleting and not old.over:
            with contextlib.suppress(NotFound):
                await self.holder.leased_during(repair, cluster.delete_pod(old))
            return False, f"{old.name} was not replaced"
        fresh = judge_pod.current(pods)
        if fresh is not None and fresh.uid != step.uid and pod_state.is_ready(fresh):
            return True, f"{fresh.name} is ready"
        return False, f"the pod was deleted, and {fresh.name if fresh else 'no new one'} is not ready"

    async def _test(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        from bot.services.runbook import declared_repair

        findings = [await _verdict(self.holder, repair, name) for name in CHECKS]
        said = "; ".join(declared_repair.said(one) for one in findings)
        good = all(one.verdict is Verdict.OK for one in findings)
        return good, said if good else f"the policy is valid and the pod is ready, but: {said}"


def _taken(there: EgressPolicy, manifest: Mapping[str, Any], name: str) -> tuple[bool, str]:
    """What is said of a policy that is there under the name already. Raises `_FailedError` for other rules."""
    if there.same_rules(manifest):
        return True, f"{name} was deleted, and is there again"
    text = f"{name} was created by somebody else with other rules: it is not overwritten"
    raise _FailedError(text, "Compare it with the manifest in Git.")


@dataclass(frozen=True)
class _AgentPod:
    """A pod of Cilium's."""

    name: str
    uid: str
    node: str
    ready: bool
    deleting: bool


def _agent_pod(found: Mapping[str, Any]) -> _AgentPod:
    meta, spec, status = (found.get(key) or {} for key in ("metadata", "spec", "status"))
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    deleting = bool(meta.get("deletionTimestamp"))
    return _AgentPod(meta.get("name", ""), meta.get("uid", ""), spec.get("nodeName", ""), ready, deleting)


EXECUTION = RepairEgress()
