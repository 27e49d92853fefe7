"""Creation of an egress policy that a failed repair left missing: once, from the stored manifest, and verified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals import card, egress_policy
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE, ORIGIN
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.egress_policy import MANIFEST, policy_of
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core.workload import Right
from bot.errors import Conflict, NotAllowed, Transient, Uncertain
from tests.services.succession import succession
from tests.services.test_egress_repair import NAME, SPEC, TESTED, WITH, Cilium, book, cilium, facts, said
from tests.services.workbench import JONAS, MAYA, PRIYA, TARGET, Bench, bench, opened

OTHER = {"egress": []}


class Gone(Cilium):
    """A cluster without the policy, and the manifest of the one that was deleted."""

    manifest: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        assert self.policy is not None
        self.manifest = policy_of(self.policy).text
        self.policy = None


def gone(one: Bench) -> Gone:
    assert isinstance(one.cluster, Gone)
    return one.cluster


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Gone(), book=book(), target=WITH)
        yield made
        await made.executor.stop(1)


async def asked(one: Bench, *, manifest: str = "") -> RepairRequest:
    """Ask for it; ``manifest`` is another one than the approval is for."""
    details = {MANIFEST: manifest or gone(one).manifest, ORIGIN: "r-22222222"}
    snapshot = egress_policy.absent(gone(one).manifest)
    proposal = Proposal(EGRESS_CREATE, snapshot, "why", "It is missing.", subject=NAME, details=details)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


def instead(one: Bench, spec: Mapping[str, Any], *, taken: bool) -> None:
    """Have the next creation store these rules; ``taken``: as somebody else's, so that it finds the name taken."""
    there = gone(one)

    async def create(right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        there.put(spec, "True")
        if taken:
            raise Conflict("already exists")

    there.create_object = create  # type: ignore[method-assign]


async def test_it_is_created_once_read_back_and_tested_and_the_pod_stays(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, TESTED)
    assert gone(one).made == ["create"]
    assert gone(one).policy is not None
    assert policy_of(gone(one).policy or {}).text == gone(one).manifest
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline == "✅ Created egress policy agent-egress on secure-agent-pod again"
    assert facts(ended)["Policy created"] == "agent-egress was created"
    assert facts(ended)["Policy valid"] == "Cilium accepts it, and it has the rules of the manifest"
    assert facts(ended)["Egress tested"] == TESTED
    assert [button.label for button in shown.buttons] == ["Ask for a restart", "Egress policy"]


async def test_a_policy_that_selects_a_token_service_is_created_as_it_was(one: Bench) -> None:
    labels = {"app": "token-service", "k8s:io.kubernetes.pod.namespace": "auth", "secret": "vault"}
    spec = {"egress": [{"toEndpoints": [{"matchLabels": labels}]}]}
    manifest = json.loads(gone(one).manifest)
    gone(one).manifest = json.dumps({**manifest, "spec": spec}, sort_keys=True, ensure_ascii=False)
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    assert policy_of(gone(one).policy or {}).manifest["spec"] == spec


async def test_the_audit_trail_names_manifest_and_origin(one: Bench) -> None:
    repair = await asked(one)
    await approved(one, repair)
    records = [record async for record in one.ledger.records()]
    [request] = [record for record in records if record.kind == "request"]
    assert request.data["manifest_of"] == "r-22222222"
    assert request.data["manifest_sha256"] == egress_policy.digest(gone(one).manifest)
    steps = [record.data["step"] for record in records if "result" in record.data]
    assert steps == ["create", "valid", "test"]


async def test_of_two_clicks_at_once_one_counts(one: Bench) -> None:
    repair = await asked(one)
    await asyncio.gather(*(one.say(repair, Choice.APPROVE, who) for who in (JONAS, PRIYA)))
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert gone(one).made == ["create"]


async def test_a_creation_whose_answer_was_lost_is_not_made_twice(one: Bench) -> None:
    gone(one).lost["create"] = [Uncertain("no answer")]
    ended = await approved(one, await asked(one))
    assert (ended.state, gone(one).made) == (RequestState.SUCCEEDED, ["create"])
    assert facts(ended)["Policy created"] == "agent-egress is there with the rules of the manifest"


async def test_a_passing_failure_is_tried_again(one: Bench) -> None:
    gone(one).errors["create"] = [Transient("away"), Conflict("changed"), Uncertain("no answer")]
    ended = await approved(one, await asked(one))
    assert (ended.state, gone(one).made) == (RequestState.SUCCEEDED, ["create"])


async def test_a_creation_that_is_refused_leaves_it_missing_and_says_so(one: Bench) -> None:
    gone(one).errors["create"] = [NotAllowed("The bot may not create it.")] * 500
    ended = await approved(one, await asked(one))
    text = "nothing was changed: agent-egress is MISSING, egress is open: the bot may not create it"
    assert (ended.state, said(ended), gone(one).made) == (RequestState.FAILED, text, [])
    shown = card.card(ended, ApprovalPolicy())
    assert json.loads(shown.excerpts[0].text)["spec"] == SPEC
    assert [(button.label, button.command) for button in shown.buttons] == [
        ("Ask again", 'egress repair --reason "why" --target "secure-agent-pod"')
    ]


async def test_where_the_policy_can_not_be_read_in_the_end_nobody_knows(one: Bench) -> None:
    there, repair = gone(one), await asked(one)

    async def create(right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        async def objects(*_: Any) -> Mapping[str, Any]:
            one.clock.pass_(hours=1)
            raise Transient("the API server is away")

        there.objects = objects  # type: ignore[method-assign]
        raise Uncertain("no answer")

    there.create_object = create  # type: ignore[method-assign]
    ended = await approved(one, repair)
    text = "whether agent-egress was created is not known; if not, egress is open: the API server is away"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)


@pytest.mark.parametrize("spec", [SPEC, OTHER])
async def test_a_policy_that_is_there_again_voids_it(one: Bench, spec: Mapping[str, Any]) -> None:
    repair = await asked(one)
    gone(one).put(spec, "False")
    ended = await approved(one, repair)
    assert (ended.state, said(ended)) == (RequestState.VOID, "the policy is there again")
    assert gone(one).made == []


async def test_another_manifest_than_the_approved_one_is_not_created(one: Bench) -> None:
    ended = await approved(one, await asked(one, manifest=gone(one).manifest.replace("anthropic", "example")))
    assert (ended.state, said(ended)) == (RequestState.VOID, "the manifest to create it from is another one")
    assert gone(one).made == []


async def test_while_a_repair_is_under_way_it_is_void(one: Bench) -> None:
    proposal = Proposal(EGRESS_REPAIR, egress_policy.snapshot(None, None), "why", "", subject=NAME)
    running = (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair
    async with one.ledger.writing() as tx:
        current = await tx.request(running.id)
        assert current is not None
        await tx.save(current.in_state(RequestState.APPROVED).in_state(RequestState.EXECUTING))
    ended = await approved(one, await asked(one))
    assert (ended.state, gone(one).made) == (RequestState.VOID, [])
    assert said(ended) == f"{running.id} (egress repair) is under way"


async def test_a_policy_that_somebody_creates_in_that_moment_counts_if_it_has_the_rules(one: Bench) -> None:
    instead(one, SPEC, taken=True)
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    assert facts(ended)["Policy created"] == "agent-egress is there with the rules of the manifest"


async def test_one_with_other_rules_is_not_overwritten(one: Bench) -> None:
    instead(one, OTHER, taken=True)
    ended = await approved(one, await asked(one))
    text = "agent-egress was created by somebody else with other rules: it is not overwritten"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)


async def test_rules_that_a_webhook_changed_are_found_when_it_is_read_back(one: Bench) -> None:
    instead(one, OTHER, taken=False)
    ended = await approved(one, await asked(one))
    text = "agent-egress was created, and its rules are not those of the manifest"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)


async def test_one_with_the_bug_again_leads_to_the_repair(one: Bench) -> None:
    gone(one).heals = False
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: "Policy valid" in facts(found))
    one.clock.pass_(minutes=2)
    ended = await one.ended(repair)
    text = "agent-egress was created again, and is not valid: LRU not yet initialized"
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)
    shown = card.card(ended, ApprovalPolicy())
    assert shown.buttons[0].label == "Repair the egress policy"
    assert facts(ended)["What to do"] == "`/agentpod egress repair` fixes that."


async def test_a_rule_that_cilium_does_not_take_leads_to_git(one: Bench) -> None:
    gone(one).heals, gone(one).message = False, "invalid rule"
    ended = await approved(one, await asked(one))
    assert said(ended) == "agent-egress was created again, and Cilium does not take it: invalid rule"
    assert [button.label for button in card.card(ended, ApprovalPolicy()).buttons] == ["Egress policy"]


async def test_checks_that_fail_are_the_outcome(one: Bench) -> None:
    gone(one).code = 0
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: "Egress tested" in facts(found))
    one.clock.pass_(minutes=2)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    assert said(ended).startswith("the policy is there and valid, but: Allowed: answers; Blocked")


async def test_one_that_is_deleted_right_after_is_not_created_again(one: Bench) -> None:
    there, create = gone(one), gone(one).create_object

    async def briefly(right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        await create(right, version, manifest)
        there.policy = None

    there.create_object = briefly  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    text = "agent-egress was created, and somebody has deleted it since: egress is open"
    assert (ended.state, said(ended), there.made) == (RequestState.FAILED, text, ["create"])


async def test_one_that_is_deleted_before_the_lost_answer_is_known_is_created_once_more(one: Bench) -> None:
    there, create = gone(one), gone(one).create_object

    async def lost(right: Right, version: str, manifest: Mapping[str, Any]) -> None:
        await create(right, version, manifest)
        there.policy, there.create_object = None, create  # type: ignore[method-assign]
        raise Uncertain("no answer")

    there.create_object = lost  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    assert (ended.state, there.made) == (RequestState.SUCCEEDED, ["create", "create"])


@pytest.mark.parametrize("code", [28, 0])
async def test_one_that_is_deleted_during_the_test_is_no_success(one: Bench, code: int) -> None:
    there = gone(one)
    there.code, there.on_exec = code, lambda: setattr(there, "policy", None)
    ended = await approved(one, await asked(one))
    text = "agent-egress was created, and somebody has deleted it since: egress is open"
    assert (ended.state, said(ended), there.made) == (RequestState.FAILED, text, ["create"])


async def test_one_that_is_taken_over_long_after_is_not_created(tmp_path: Path) -> None:
    async with succession(tmp_path, cluster=Gone(), book=book(), target=WITH) as both:
        repair = await asked(both.one)
        gone(both.one).errors["create"] = [Transient("away")] * 500
        await both.dies(repair, 30)
        gone(both.one).errors.clear()
        both.one.clock.pass_(hours=1)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        text = "agent-egress is MISSING and egress is open: it was not created within 10 min"
        assert (ended.state, said(ended), gone(two).made) == (RequestState.FAILED, text, [])


@pytest.mark.parametrize("steps", range(2, 50))
async def test_killed_between_any_two_steps_it_is_created_once(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Gone(), book=book(), target=WITH) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, TESTED)
        assert cilium(one).made == ["create"]
        await two.trail()
