"""Carries out `egress repair`: the handbook's steps in order; see `bot.services.approvals.actions.egress_steps`.

A policy that was deleted is created again whatever dies in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.domain.approvals import egress_policy
from bot.domain.approvals.actions import egress_repair as action
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR, agent_right, steps_of
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.egress_policy import MANIFEST, EgressStep, log_of
from bot.domain.approvals.egress_steps import AGENT, POD, POLICY, TEST
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core.workload import Right
from bot.domain.health import judge_pod, pod_state
from bot.errors import AgentpodError, NotFound
from bot.services.approvals.actions.egress_steps import (
    APPLY,
    CHECKS,
    EgressExecution,
    Round,
    Seen,
    StepFailedError,
    StepRun,
    taken,
    verdict,
)
from bot.services.approvals.actions.execution import inner
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.health.missing_policy import read_policy


class RepairEgress(EgressExecution):
    """See the module."""

    action = EGRESS_REPAIR

    def steps(self, repair: RepairRequest) -> Sequence[str]:
        """See `EgressExecution`."""
        return steps_of(repair.details)

    def step(self, holder: LeaseHolder, name: str) -> StepRun:
        """See `EgressExecution`."""
        return _Step(holder, name)

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Seen:
        """See `EgressExecution`: policy and pod."""
        return await _look(repair, holder)

    async def against(self, repair: RepairRequest, seen: Seen, holder: LeaseHolder) -> list[str]:  # noqa: ARG002
        """See `EgressExecution`."""
        found = EGRESS_REPAIR.changes(repair.request.snapshot, seen.snapshot)
        why = seen.policy.not_mended if seen.policy is not None else ""
        return [*found, why] if why else found

    async def conclude(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `EgressExecution`."""
        log = log_of(repair.details)
        tested, pod = log.step(TEST), log.step(POD)
        text = tested.said if tested is not None else ""
        down = (pod.ended - pod.began).total_seconds() if pod is not None and pod.ended is not None else None
        result = ExecutionResult(text, holder.clock.now(), seconds=down)
        await holder.conclude(repair, RequestState.SUCCEEDED, result)

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        cluster, target = holder.cluster_of(repair.target), holder.targets[repair.target]
        seen = await _look(repair, holder)
        if AGENT in steps_of(repair.details):
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
            await verdict(holder, repair, name)


async def _look(repair: RepairRequest, holder: LeaseHolder) -> Seen:
    """Read policy and pod. Raises as `Cluster` does."""
    cluster = holder.cluster_of(repair.target)
    policy, pods = await asyncio.gather(
        read_policy(cluster, repair.subject), cluster.pods(holder.targets[repair.target].selector)
    )
    pod = judge_pod.current(pods)
    return Seen(policy, egress_policy.snapshot(policy, (pod.name, pod.uid) if pod is not None else None))


class _Step(StepRun):
    """One step of one request."""

    @property
    def rounds(self) -> Mapping[str, Round]:
        """See `StepRun`."""
        return {**super().rounds, AGENT: self._agent, POLICY: self._policy, POD: self._pod}

    async def uid(self, repair: RepairRequest) -> str:
        """See `StepRun`."""
        approved = repair.request.snapshot
        if self.name == AGENT:
            return await self._agent_uid(repair)
        if self.name == POLICY:
            seen = await _look(repair, self.holder)
            if found := EGRESS_REPAIR.changes(approved, seen.snapshot):
                text = f"the policy was not deleted: {'; '.join(found)}"
                raise StepFailedError(text, "Run `/agentpod egress`, then ask again.")
            return approved.uid
        return approved.pods[0][1] if self.name == POD else ""

    async def lost(self, repair: RepairRequest, step: EgressStep, error: AgentpodError) -> StepFailedError:
        """See `StepRun`: where the policy is missing, that is said first."""
        name = repair.subject
        if self.name == POLICY:
            try:
                there = await read_policy(self.cluster(repair), name)
            except AgentpodError:
                text = f"whether {name} is there is not known; if not, egress is open: {inner(error)}"
                return StepFailedError(text, APPLY, missing=True)
            if there is None:
                text = f"{name} is MISSING and egress is open: {inner(error)}"
                return StepFailedError(text, APPLY, missing=True)
            if there.uid == step.uid:
                return StepFailedError(f"{name} was not replaced: {inner(error)}", error.remedy)
        return await super().lost(repair, step, error)

    # -- the rounds

    async def _agents(self, repair: RepairRequest) -> list[_AgentPod]:
        """The Cilium agents on the pod's node."""
        found = await self.cluster(repair).objects(agent_right("list"), "v1", action.CILIUM_SELECTOR)
        items = found.get("items")
        pods = [_agent_pod(one) for one in items] if isinstance(items, list) else []
        return [one for one in pods if one.node == repair.details.get("node")]

    async def _agent_uid(self, repair: RepairRequest) -> str:
        node = repair.details.get("node", "")
        agents = [one for one in await self._agents(repair) if not one.deleting]
        if not agents:
            raise StepFailedError(f"nothing was changed: no Cilium agent runs on {node}")
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
        call = self.cluster(repair).delete_object(right, version, uid, resource_version)
        try:
            await self.holder.leased_during(repair, call)
        except NotFound:
            return

    async def _policy(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:
        name = repair.subject
        there = await read_policy(self.cluster(repair), name)
        if there is not None and there.uid != step.uid:
            return taken(there, repair, f"{name} was deleted, and is there again")
        if there is not None and not there.deleting:
            if there.valid:
                return True, f"not needed: {there.not_mended}"
            if there.wrong_rule:
                text = f"{name} was not deleted: {there.not_mended}"
                raise StepFailedError(text, "Correct that rule in the policy's manifest in Git, and apply it.")
            if there.not_mended:
                return False, f"{name} was not deleted: {there.not_mended}"
            if over:
                return False, f"{name} was not replaced in time"
            if there.text != repair.request.snapshot.version:
                text = f"{name} was changed meanwhile, and was not deleted"
                raise StepFailedError(text, "Run `/agentpod egress`, then ask again.")
            right = egress_policy.right("delete", name)
            await self._deleted(repair, right, egress_policy.VERSION, step.uid, there.resource_version)
            there = await read_policy(self.cluster(repair), name)
        if there is not None and there.uid != step.uid:
            return taken(there, repair, f"{name} was deleted, and is there again")
        if there is not None:
            text = f"{name} is still being deleted: something holds it back"
            if over:
                remedy = "Once it is gone, `/agentpod egress repair` creates the policy from the stored manifest."
                raise StepFailedError(text, remedy, missing=True)
            return False, text
        await self.create(repair)
        return True, f"{name} was deleted and created again"

    async def _pod(self, repair: RepairRequest, step: EgressStep, over: bool) -> tuple[bool, str]:  # noqa: ARG002
        cluster, selector = self.cluster(repair), self.holder.targets[repair.target].selector
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
