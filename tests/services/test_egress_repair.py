"""Repairs of the egress policy: each step once, in order, and at the end the policy is there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.approvals import card, egress_policy, egress_steps
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR, RESTARTS_AGENT
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Request, RequestState, Snapshot
from bot.domain.approvals.egress_policy import LOG, MANIFEST, EgressLog, policy_of, with_log
from bot.domain.approvals.egress_steps import AGENT, MISSING, NO, POLICY, YES
from bot.domain.approvals.forecast import WORSE
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core import words
from bot.domain.core.workload import ExecResult, Right
from bot.errors import Conflict, NotAllowed, NotFound, Transient, Uncertain
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.services.approvals.actions.egress_steps import APPLY
from tests import handbook
from tests.services.judged_again import worse
from tests.services.succession import succession
from tests.services.workbench import JONAS, MAYA, START, TARGET, Bench, FakeCluster, bench, opened, said

NAME = "agent-egress"
SPEC = {"egress": [{"toFQDNs": [{"matchName": "api.anthropic.com"}]}]}
RUNBOOK = """
runbook: t
checks:
  egress-allows: {title: Allowed, exec: {command: [curl, allowed]}, expect: exit_code == 0, says: "'answers'"}
  egress-blocks: {title: Blocked, exec: {command: [curl, blocked]}, expect: exit_code == 28, says: "'times out'"}
"""
TESTED = "Allowed: answers; Blocked: times out"


def book() -> CompiledRunbook:
    compiled, problems = compile_runbook(read(RUNBOOK, "t.yaml"), CelExpressions())
    assert compiled is not None, problems
    return compiled


@dataclass
class Cilium(FakeCluster):
    """A cluster with a policy that is not valid until it was created anew, and a Cilium agent."""

    made: list[str] = field(default_factory=list)
    """The changes that took effect, in order."""
    policy: dict[str, Any] | None = None
    heals: bool = True
    message: str = "LRU not yet initialized"
    code: int = 28
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    """What a change, or a read of the policy, does → the errors that it raises first."""
    lost: dict[str, list[Exception]] = field(default_factory=dict)
    """The same, after it took effect."""
    agents: int = 1
    version: int = 1
    on_delete: Any = None
    on_restart: Any = None
    on_exec: Any = None

    def __post_init__(self) -> None:
        if self.policy is None:
            self.put(SPEC, "False")

    def put(self, spec: Mapping[str, Any], valid: str) -> None:
        """Put a policy there."""
        self.version += 1
        meta = {"name": NAME, "uid": f"u{self.version}", "resourceVersion": str(self.version), "generation": 1}
        meta |= {"namespace": TARGET.namespace, "labels": {"a": "b"}, "managedFields": [], "ownerReferences": []}
        said = {"type": "Valid", "status": valid, "message": self.message}
        self.policy = {"metadata": meta, "spec": spec, "status": {"conditions": [said]}}

    def judge(self, valid: str, message: str = "") -> None:
        """Let Cilium judge the policy that is there."""
        assert self.policy is not None
        self.policy["status"]["conditions"][0].update(status=valid, message=message)

    async def objects(self, right: Right, version: str, selector: str | None = None) -> Mapping[str, Any]:
        if right.resource == "pods":
            assert (right.namespace, selector) == ("kube-system", "k8s-app=cilium")
            ready = {"conditions": [{"type": "Ready", "status": "True"}]}
            meta = {"name": f"cilium-{self.agents}", "uid": f"a{self.agents}"}
            other = {"metadata": {"name": "other", "uid": "o"}, "spec": {"nodeName": "gpu-2"}, "status": ready}
            return {"items": [other, {"metadata": meta, "spec": {"nodeName": "gpu-1"}, "status": ready}]}
        assert (right.name, version) == (NAME, "v2")
        self._raise(self.errors, "read")
        if self.policy is None:
            raise NotFound("There is no such policy.")
        return self.policy

    def _raise(self, errors: dict[str, list[Exception]], what: str) -> None:
        if errors.get(what):
            raise errors[what].pop(0)

    async def delete_object(self, right: Right, version: str, uid: str, resource_version: str = "") -> None:
        what = "agent" if right.resource == "pods" else "delete"
        self._raise(self.errors, what)
        if what == "agent":
            if uid != f"a{self.agents}":
                raise NotFound("gone")
            self.agents += 1
            if self.on_restart is not None:
                self.on_restart()
        else:
            if self.policy is None:
                raise NotFound("gone")
            meta = self.policy["metadata"]
            if (uid, resource_version) != (meta["uid"], meta["resourceVersion"]):
                raise Conflict("changed")
            self.policy = None
            if self.on_delete is not None:
                self.on_delete()
        self.made.append(what)
        self._raise(self.lost, what)

    async def create_object(self, right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        assert right.name == ""
        self._raise(self.errors, "create")
        if self.policy is not None:
            raise Conflict("already exists")
        assert set(manifest["metadata"]) == {"name", "namespace", "labels"}
        assert "status" not in manifest
        self.put(manifest["spec"], "True" if self.heals else "False")
        self.made.append("create")
        self._raise(self.lost, "create")

    async def delete_pod(self, gone: Any) -> None:
        self._raise(self.errors, "pod")
        await super().delete_pod(gone)
        self.made.append("pod")
        self._raise(self.lost, "pod")

    async def exec(self, pod: str, container: str, argv: Any, **_: Any) -> ExecResult:
        if self.on_exec is not None:
            self.on_exec()
        return ExecResult("", "", 0 if argv[1] == "allowed" else self.code)


WITH = handbook.target(egress={"restart_cilium": True})
WRONG = "creating the policy again would not fix it"
ALL = ["agent", "delete", "create", "pod"]


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Cilium(), book=book(), target=WITH)
        yield made
        await made.executor.stop(1)


def cilium(one: Bench) -> Cilium:
    assert isinstance(one.cluster, Cilium)
    return one.cluster


def facts(repair: RepairRequest) -> dict[str, str]:
    return {fact.label: str(fact.value) for fact in card.card(repair, ApprovalPolicy()).facts}


async def asked(one: Bench, *, agent: bool = True) -> RepairRequest:
    found = cilium(one).policy
    assert found is not None
    policy, pod = policy_of(found), one.cluster.pods_[0]
    details = {MANIFEST: policy.text, "node": "gpu-1", **({RESTARTS_AGENT: "yes"} if agent else {})}
    snapshot = egress_policy.snapshot(policy, (pod.name, pod.uid))
    proposal = Proposal(EGRESS_REPAIR, snapshot, "why", "It is down.", subject=NAME, details=details)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_a_policy_that_is_deleted_during_the_test_is_missing(one: Bench) -> None:
    cilium(one).on_exec = lambda: setattr(cilium(one), "policy", None)
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, "agent-egress is MISSING and egress is open")
    assert ended.details[MISSING] == YES


async def test_the_steps_are_made_in_order_and_each_is_on_the_card(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, TESTED)
    assert cilium(one).made == ALL
    shown = facts(ended)
    assert shown["Cilium agent restarted"] == "cilium-2 is ready"
    assert shown["Policy replaced"] == "agent-egress was deleted and created again"
    assert shown["Policy valid"] == "Cilium accepts it"
    assert shown["Pod replaced"] == "pod-2 is ready"
    assert shown["Egress tested"] == TESTED
    assert ended.outcome is not None
    first, *_, last = egress_policy.log_of(ended.details).steps
    assert last.ended is not None
    whole = words.span((last.ended - first.began).total_seconds())
    assert f": done in {whole}, pod ready after " in card.card(ended, ApprovalPolicy()).headline
    assert ended.outcome.seconds is not None  # the next card predicts the downtime by it


async def test_without_the_setting_the_agent_stays(one: Bench) -> None:
    ended = await approved(one, await asked(one, agent=False))
    assert (ended.state, cilium(one).made) == (RequestState.SUCCEEDED, ALL[1:])


@pytest.mark.parametrize("what", ALL)
async def test_a_call_whose_answer_was_lost_is_not_made_twice(one: Bench, what: str) -> None:
    cilium(one).lost[what] = [Uncertain("no answer")]
    ended = await approved(one, await asked(one))
    assert (ended.state, cilium(one).made) == (RequestState.SUCCEEDED, ALL)


@pytest.mark.parametrize("what", ALL)
async def test_a_passing_failure_is_tried_again(one: Bench, what: str) -> None:
    cilium(one).errors[what] = [Transient("away"), Conflict("changed")]
    ended = await approved(one, await asked(one))
    assert (ended.state, cilium(one).made) == (RequestState.SUCCEEDED, ALL)


async def test_a_policy_that_can_not_be_created_is_missing_and_its_manifest_is_on_the_card(one: Bench) -> None:
    cilium(one).errors["create"] = [NotAllowed("The bot may not create it.", remedy="Apply the option.")] * 500
    ended = await approved(one, await asked(one))
    assert said(ended) == "agent-egress is MISSING and egress is open: the bot may not create it"
    assert (ended.state, cilium(one).made) == (RequestState.FAILED, ALL[:2])
    shown = card.card(ended, ApprovalPolicy())
    manifest = json.loads(shown.excerpts[0].text)
    assert manifest["kind"] == "CiliumNetworkPolicy"
    assert manifest["spec"] == SPEC
    left = "the check that the policy is valid, the replacement of the pod and the test of egress"
    assert facts(ended)["Not done"] == left
    assert ended.outcome is not None
    assert ended.outcome.evidence == (APPLY,)
    assert egress_steps.left_missing(ended)
    assert shown.buttons[0].label == "Repair the egress policy"


@pytest.mark.parametrize(
    ("log", "details", "state", "left"),
    [
        (
            EgressLog().began(POLICY, START),
            {},
            RequestState.FAILED,
            True,
        ),  # broken off after the deletion, perhaps
        (EgressLog().began(POLICY, START), {}, RequestState.EXECUTING, False),
        (EgressLog().began(POLICY, START), {MISSING: NO}, RequestState.FAILED, False),
        (EgressLog().began(POLICY, START).ended(START, ""), {}, RequestState.FAILED, False),
        (EgressLog().began(POLICY, START).ended(START, ""), {MISSING: YES}, RequestState.FAILED, True),
        (EgressLog().began(AGENT, START), {}, RequestState.FAILED, False),
        (None, {LOG: "no record"}, RequestState.FAILED, False),
    ],
)
def test_which_failed_repairs_left_the_policy_missing(
    log: EgressLog | None, details: dict[str, str], state: RequestState, left: bool
) -> None:
    request = Request("r-22222222", MAYA, START, START, Snapshot("u", 1), state=state)
    kept = with_log(details, log) if log is not None else details
    assert egress_steps.left_missing(RepairRequest(request, "pod", EGRESS_REPAIR, details=kept)) == left


async def test_a_deletion_that_something_holds_back_leaves_it_missing_later(one: Bench) -> None:
    there = cilium(one)

    async def only_marks(right: Right, version: str, uid: str, resource_version: str = "") -> None:
        assert there.policy is not None
        there.policy["metadata"]["deletionTimestamp"] = "2026-11-24T09:00:00Z"

    there.delete_object = only_marks  # type: ignore[method-assign]
    repair = await asked(one, agent=False)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.so(lambda: there.policy is not None and "deletionTimestamp" in there.policy["metadata"])
    one.clock.pass_(hours=1)
    ended = await one.ended(repair)
    assert said(ended) == "agent-egress is still being deleted: something holds it back"
    assert egress_steps.left_missing(ended)
    assert ended.outcome is not None
    assert ended.outcome.evidence[0].startswith("Once it is gone, `/agentpod egress repair`")


async def test_a_policy_that_somebody_else_created_again_counts_as_made(one: Bench) -> None:
    cilium(one).on_delete = lambda: cilium(one).put(SPEC, "True")
    ended = await approved(one, await asked(one))
    assert (ended.state, cilium(one).made) == (RequestState.SUCCEEDED, ["agent", "delete", "pod"])
    assert facts(ended)["Policy replaced"] == "agent-egress was deleted, and is there again"


async def test_a_policy_with_other_rules_is_not_overwritten(one: Bench) -> None:
    cilium(one).on_delete = lambda: cilium(one).put({"egress": []}, "True")
    ended = await approved(one, await asked(one))
    text = "agent-egress was created by somebody else with other rules: it is not overwritten"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)
    assert cilium(one).made == ["agent", "delete"]


async def test_a_policy_that_stays_invalid_stops_the_rest(one: Bench) -> None:
    cilium(one).heals = False
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.so(lambda: cilium(one).made == ALL[:3])
    await one.until(repair, lambda found: "Policy valid" in facts(found))
    one.clock.pass_(hours=1)
    ended = await one.ended(repair)
    assert said(ended) == "agent-egress was created again, and is not valid: LRU not yet initialized"
    assert ended.outcome is not None
    assert ended.outcome.evidence == ("Run `/agentpod egress` before you ask again.",)
    assert cilium(one).made == ALL[:3]


async def test_a_rule_that_cilium_does_not_take_ends_the_wait_at_once(one: Bench) -> None:
    repair = await asked(one)
    cilium(one).heals, cilium(one).message = False, "invalid rule: toFQDNs needs a name"
    ended = await approved(one, repair)  # no time passes
    text = "agent-egress was created again, and Cilium does not take it: invalid rule: toFQDNs needs a name"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)
    assert ended.outcome is not None
    assert ended.outcome.evidence == ("Correct that rule in the policy's manifest in Git, and apply it.",)
    assert cilium(one).made == ALL[:3]


async def test_checks_that_fail_are_the_outcome(one: Bench) -> None:
    cilium(one).code = 0
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: "Egress tested" in facts(found))
    one.clock.pass_(minutes=2)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert said(ended).startswith("the policy is valid and the pod is ready, but: Allowed: answers; Blocked")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("gone", "the policy is gone"),
        ("anew", "the policy was deleted and created again"),
        ("edited", "the policy was changed"),
        ("valid", "the policy is valid by now"),
        ("wrong", f"{WRONG}: Cilium says “invalid rule: toFQDNs needs a name”"),
        ("not judged", "Cilium has not judged the policy"),
        ("pod", "the pod was replaced (pod-1 → pod-2)"),
    ],
)
async def test_what_changed_since_the_request_voids_it(one: Bench, change: str, why: str) -> None:
    repair, there = await asked(one), cilium(one)
    assert there.policy is not None
    if change == "gone":
        there.policy = None
    elif change == "anew":
        there.put(SPEC, "False")
    elif change == "edited":
        there.policy["metadata"]["labels"] = {}
    elif change == "valid":
        there.judge("True")
    elif change == "wrong":
        there.judge("False", "invalid rule: toFQDNs needs a name")
    elif change == "not judged":
        there.judge("Unknown", "")
    else:
        there._replace_pod("somebody")
    ended = await approved(one, repair)
    assert (ended.state, said(ended), there.made) == (RequestState.VOID, why, [])


async def test_what_would_end_more_at_a_later_try_is_not_approved(one: Bench) -> None:
    repair = await asked(one)
    cilium(one).errors["read"], one.executor.judge_again = [Transient("away")], worse  # type: ignore[method-assign]
    ended = await approved(one, repair)
    assert (ended.state, said(ended), cilium(one).made) == (RequestState.VOID, WORSE, [])


async def test_a_policy_that_the_agents_restart_mended_is_not_deleted(one: Bench) -> None:
    cilium(one).on_restart = lambda: cilium(one).judge("True")
    ended = await approved(one, await asked(one))
    assert (ended.state, cilium(one).made) == (RequestState.SUCCEEDED, ["agent", "pod"])
    assert facts(ended)["Policy replaced"] == "not needed: the policy is valid by now"


async def test_a_policy_that_the_repair_does_not_mend_is_not_deleted(one: Bench) -> None:
    cilium(one).on_restart = lambda: cilium(one).judge("False", "invalid rule: toFQDNs needs a name")
    ended = await approved(one, await asked(one))
    assert (ended.state, cilium(one).made) == (RequestState.FAILED, ["agent"])
    assert said(ended).startswith(f"agent-egress was not deleted: {WRONG}: Cilium says “invalid rule")


async def test_a_policy_that_cilium_has_not_judged_is_not_deleted_before(one: Bench) -> None:
    there = cilium(one)
    there.on_restart = lambda: there.judge("Unknown")
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: "Policy replaced" in facts(found))
    assert there.made == ["agent"]
    there.judge("False", there.message)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert there.made == ALL


async def test_a_policy_that_is_deleted_by_somebody_meanwhile_is_not_created(one: Bench) -> None:
    there = cilium(one)
    there.lost["agent"] = [Uncertain("no answer")]
    found = there.delete_object

    async def also_deletes(right: Right, version: str, uid: str, resource_version: str = "") -> None:
        there.policy = None
        await found(right, version, uid, resource_version)

    there.delete_object = also_deletes  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    assert said(ended) == "the policy was not deleted: the policy is gone"
    assert (ended.state, there.made) == (RequestState.FAILED, ["agent"])


@pytest.mark.parametrize("steps", range(2, 110))
async def test_killed_between_any_two_steps_nothing_is_doubled_or_lost(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Cilium(), book=book(), target=WITH) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, TESTED)
        assert cilium(one).made == ALL
        assert cilium(one).policy is not None
        await two.trail()
