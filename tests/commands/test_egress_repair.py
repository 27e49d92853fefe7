"""``egress repair``: when it is refused, and what the card says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.approvals import egress_policy
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.egress_create import EGRESS_CREATE, ORIGIN
from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.egress_policy import MANIFEST, EgressLog, policy_of, with_log
from bot.domain.approvals.egress_steps import CREATE, MISSING, POLICY, YES
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.errors import NoSuchKind, NotAllowed, NotFound, Refused, Transient
from tests import handbook
from tests.commands.fakes import EGRESS_POLICY, NOW
from tests.commands.test_secrets import Marks, Room

LINE = "egress repair --reason lru"


def policy(valid: str = "False", said: str = "LRU not yet initialized", **meta: Any) -> dict[str, Any]:
    judged = {"type": "Valid", "status": valid, "message": said}
    named = {"name": "agent-egress", "uid": "u", "resourceVersion": "1", "generation": 1}
    return {"metadata": named | meta, "spec": {"egress": []}, "status": {"conditions": [judged]}}


MANIFEST_TEXT = policy_of(policy()).text


def request(
    details: dict[str, str], state: RequestState = RequestState.FAILED, action: RepairAction = EGRESS_REPAIR
) -> RepairRequest:
    made = Request("r-22222222", "U1", NOW, NOW, Snapshot("u", 1), state=state)
    ended = ExecutionResult("agent-egress is MISSING", NOW - timedelta(minutes=9))
    repair = RepairRequest(made, "secure-agent-pod", action, subject="agent-egress", outcome=ended)
    return replace(repair, details={MANIFEST: MANIFEST_TEXT, **details})


@dataclass
class Past(Marks):
    """A ledger with past requests, newest first; a repair that left the policy missing unless others are given."""

    found: list[RepairRequest] = field(default_factory=lambda: [request({MISSING: YES})])

    async def requests(self, states: Any = None, **_: Any) -> list[RepairRequest]:
        return [one for one in self.found if states is None or one.state in states]

    async def mark(self, name: str) -> str | None:
        return None

    async def job_states(self) -> dict[str, Any]:
        return {}

    async def incidents(self, **_: Any) -> list[Any]:
        return []


class NoRequests(Marks):
    """A ledger without past repairs."""

    async def requests(self, **_: Any) -> list[Any]:
        return []


def room_with(answer: Any, **egress: Any) -> Room:
    room = Room(marks=NoRequests())
    room.target = handbook.target(egress=egress)
    room.cluster.policies_answer = answer
    return room


async def test_it_is_off_by_default_and_says_how_to_switch_it_on() -> None:
    with pytest.raises(Refused, match=r"^The command `egress repair` is off for secure-agent-pod") as refused:
        await Room().say(LINE)
    assert "kubectl apply -k deploy/options/cilium-repair" in str(refused.value.remedy)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (policy("True"), "is valid: there is nothing to repair"),
        (NotFound("There is none."), "There is no Cilium policy agent-egress"),
        (NoSuchKind("No such kind."), "Cilium is not installed, so egress is not restricted"),
        (NotAllowed("The bot may not get it."), "may not get it"),
        (policy(annotations={"a": "x" * 20_000}), "at most 20,000 are kept"),
        (policy(annotations={"token": f"ghp_{'a' * 36}"}), "looks like a secret"),
        (
            policy(annotations={"note": "zero\u200bwidth"}),
            "has a control or an invisible character, and none is kept",
        ),
        (policy(said="invalid rule: toFQDNs needs a name"), "Cilium says “invalid rule: toFQDNs needs a name”"),
        (policy(said=""), "Cilium has not judged agent-egress yet"),
        (policy(deletionTimestamp="2026-01-01T00:00:00Z"), "is being deleted"),
    ],
)
async def test_what_can_not_be_repaired_is_refused(answer: Any, said: str) -> None:
    with pytest.raises(Refused, match=said):
        await room_with(answer).say(LINE)


async def test_without_the_setting_the_card_says_how_to_restart_the_agent_by_hand() -> None:
    room = room_with(policy())
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert asked.action is EGRESS_REPAIR
    assert asked.effect.startswith("Between deletion and creation NOTHING is blocked.")
    by_hand = dict(asked.facts)["Cilium agent"]
    assert "kubectl delete pod -n kube-system -l k8s-app=cilium --field-selector spec.nodeName=" in by_hand


async def test_with_the_setting_the_agent_is_restarted_first() -> None:
    room = room_with(policy(), restart_cilium=True)
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert dict(asked.facts)["Cilium agent"].startswith("restarted first, on ")


AT = words.moment(NOW - timedelta(minutes=9))
LEFT = f"agent-egress is missing, and egress is open: r-22222222 deleted it at {AT} and could not create it again"
GONE = NotFound("There is none.")


def room_without(*found: RepairRequest) -> Room:
    """A room without the policy; ``found`` are past requests, by default the repair that left it missing."""
    room = room_with(GONE)
    room.marks = Past(found=list(found)) if found else Past()
    return room


async def test_the_creation_of_a_missing_policy_is_asked_for_from_the_stored_manifest() -> None:
    room = room_without()
    room.cluster.pods_answer = []  # it needs no pod
    await room.say(LINE)
    [asked] = room.approval_service.asked
    assert (asked.action, asked.subject) == (EGRESS_CREATE, "agent-egress")
    assert asked.snapshot == egress_policy.absent(MANIFEST_TEXT)
    assert asked.details == {MANIFEST: MANIFEST_TEXT, ORIGIN: "r-22222222"}
    assert "from the manifest stored with r-22222222" in asked.effect
    assert dict(asked.facts) == {
        "Missing": f"r-22222222 deleted it at {AT} and could not create it again",
        "Creates": "CiliumNetworkPolicy agent-egress in secure-agent-pod",
        "Rules": "egress: nothing is allowed",
        "Manifest": f"SHA-256 {egress_policy.digest(MANIFEST_TEXT)[:12]}…, on the card of r-22222222",
    }


async def test_without_a_reason_a_form_says_what_is_created() -> None:
    reply = await room_without().say("egress repair")
    assert reply.form is not None
    assert "is created again, as stored with r-22222222" in (reply.form.note or "")


async def test_where_it_is_not_known_how_the_repair_ended_the_card_says_may() -> None:
    broken_off = request(with_log({}, EgressLog().began(POLICY, NOW)))
    room = room_without(broken_off)
    await room.say(LINE)
    missing = dict(room.approval_service.asked[0].facts)["Missing"]
    assert missing.startswith("r-22222222 may have deleted it at ")


CREATED = with_log({}, EgressLog().began(CREATE, NOW).ended(NOW, "created"))


@pytest.mark.parametrize(
    ("past", "said"),
    [
        (request({}), r"not restricted by it\. It was there when r-22222222 was asked for, 0 s ago\."),
        (request({}, RequestState.SUCCEEDED), "It was there when r-22222222"),
        (request({}, RequestState.VOID), "It was there when r-22222222"),
        (request(CREATED, RequestState.SUCCEEDED, EGRESS_CREATE), "r-22222222 created it 9 min ago, and it was"),
        (request({}, RequestState.EXECUTING), "r-22222222, which replaces agent-egress, is under way"),
    ],
)
async def test_a_policy_that_the_last_repair_left_there_is_not_created_again(
    past: RepairRequest, said: str
) -> None:
    room = room_without(past, request({MISSING: YES}))
    with pytest.raises(Refused, match=said):
        await room.say(LINE)
    room.cluster.policies_answer = {"items": []}
    assert LEFT not in (await room.say("egress")).headline


async def test_a_creation_that_created_nothing_hides_no_repair() -> None:
    room = room_without(request({MISSING: YES}, RequestState.FAILED, EGRESS_CREATE), request({MISSING: YES}))
    await room.say(LINE)
    assert room.approval_service.asked


async def test_other_policies_and_a_policy_that_is_there_are_not_created() -> None:
    room = room_without(replace(request({MISSING: YES}), subject="other"))
    with pytest.raises(Refused, match="not restricted by it") as refused:
        await room.say(LINE)
    assert "apply it from its manifest in Git" in str(refused.value.remedy)
    room = room_with(policy())
    room.marks = Past()
    await room.say(LINE)
    assert [one.action for one in room.approval_service.asked] == [EGRESS_REPAIR]


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        ("", "it can't be read"),
        ("[]", "it can't be read"),
        (MANIFEST_TEXT.replace("agent-egress", "other"), "it can't be read"),
        (policy_of(policy(namespace="elsewhere")).text, "it is for the namespace elsewhere"),
        (policy_of(policy(annotations={"token": f"ghp_{'a' * 36}"})).text, "looks like a secret"),
    ],
)
async def test_a_stored_manifest_that_can_not_be_used_is_refused(manifest: str, why: str) -> None:
    with pytest.raises(Refused, match=why) as refused:
        await room_without(request({MISSING: YES, MANIFEST: manifest})).say(LINE)
    assert refused.value.message.startswith(LEFT)
    assert refused.value.remedy == "Apply the policy from its manifest in Git."


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ({"items": []}, True),
        ({"items": [policy("True", name="agent-dns")]}, True),
        ({"items": [EGRESS_POLICY]}, False),
        (Transient("The API server is away."), False),
    ],
)
@pytest.mark.parametrize("surface", ["slash", "terminal"])
async def test_egress_names_it_only_where_there_is_no_policy(answer: Any, named: bool, surface: str) -> None:
    room = room_with(answer)
    ctx = replace(room.context(), ledger=Past())
    ctx = replace(ctx, caller=replace(ctx.caller, surface=surface))
    reply = await room.run("egress", lambda _: ctx)
    assert (reply.headline == LEFT) == (reply.verdict is Verdict.FAIL) == named
    assert not named or "cilium-egress.yaml.disabled" not in str(reply)
    assert not named or reply.tables[0].rows[0] == ("1. Egress policy", LEFT)
    assert ("Repair the egress policy" in [button.label for button in reply.buttons]) == named


async def test_egress_names_a_repair_that_is_replacing_the_policy() -> None:
    room = room_with({"items": []})
    room.marks = Past(found=[request({}, RequestState.EXECUTING)])
    reply = await room.say("egress")
    said = "r-22222222 is replacing agent-egress: egress is open until it is created"
    assert (reply.verdict, reply.headline) == (Verdict.WARN, said)
    assert [button.label for button in reply.buttons] == ["Test the egress policy"]


@pytest.mark.parametrize(
    ("on", "said", "offers"),
    [
        (True, "LRU not yet initialized", True),
        (False, "LRU not yet initialized", False),
        (True, "invalid rule", False),
    ],
)
async def test_the_repair_is_offered_only_where_it_can_be_done(on: bool, said: str, offers: bool) -> None:
    found = policy()
    found["status"]["conditions"][0]["message"] = said
    room = room_with({"items": [found]})
    room.target = handbook.target(egress={} if on else None)
    offered = [button.label for button in (await room.say("egress")).buttons]
    assert ("Repair the egress policy" in offered) == offers


async def test_where_there_is_no_policy_to_judge_the_mark_is_neutral() -> None:
    [table] = (await room_with({"items": []}).say("egress")).tables
    assert [verdict for row, verdict in zip(table.rows, table.verdicts, strict=True) if "no policy" in row[1]] == [
        None
    ]


@pytest.mark.parametrize(
    ("answer", "past", "verdict", "said"),
    [
        (GONE, [request({MISSING: YES})], Verdict.FAIL, LEFT.split(" at ")[0]),
        (GONE, [request({}, RequestState.EXECUTING)], Verdict.WARN, "r-22222222 is replacing agent-egress"),
        (
            GONE,
            [request({}, RequestState.SUCCEEDED)],
            Verdict.WARN,
            "there is no Cilium policy agent-egress",
        ),
        (GONE, [], Verdict.WARN, "there is no Cilium policy agent-egress"),
        (NoSuchKind("No."), [request({MISSING: YES})], Verdict.WARN, "there is no Cilium policy agent-egress"),
        (policy("True"), [request({MISSING: YES})], None, ""),
        (Transient("The API server is away."), [request({MISSING: YES})], Verdict.UNKNOWN, "API server is away"),
    ],
)
async def test_status_and_home_say_that_a_repair_left_the_policy_missing(
    answer: Any, past: list[RepairRequest], verdict: Verdict | None, said: str
) -> None:
    for line in ("status", ""):
        room = room_with(answer)
        room.marks = Past(found=past)
        reply = await room.say(line)
        found = [one for one in reply.data["checks"] if one["probe"] == "egress-policy"]
        assert [one["verdict"] for one in found] == [(verdict or Verdict.OK).value]
        assert said in found[0]["summary"]
        assert verdict is not Verdict.FAIL or said in reply.headline


GONE_BY = "agent-egress is missing, and egress is open: r-22222222 deleted it at "
OFFERED = ("Repair the egress policy", "Status", "Logs")


@pytest.mark.parametrize(
    ("past", "line", "verdict", "said", "buttons"),
    [
        ([request({MISSING: YES})], "diagnose egress", Verdict.FAIL, GONE_BY, OFFERED),
        ([request({MISSING: YES})], "diagnose", Verdict.FAIL, GONE_BY, OFFERED),
        (
            [],
            "diagnose egress",
            Verdict.WARN,
            "There is no Cilium policy agent-egress",
            ("Egress policy", *OFFERED[1:]),
        ),
        ([], "diagnose", Verdict.WARN, "Healthy, with 1 warning: there is no Cilium policy", OFFERED[1:]),
        (
            [request({}, RequestState.EXECUTING)],
            "diagnose",
            Verdict.WARN,
            "Healthy, with 1 warning: ",
            OFFERED[1:],
        ),
    ],
)
async def test_a_missing_policy_is_a_cause_with_its_proof(
    past: list[RepairRequest], line: str, verdict: Verdict, said: str, buttons: tuple[str, ...]
) -> None:
    room = room_with({"items": []})
    room.marks = Past(found=past)
    reply = await room.say(line)
    assert (reply.verdict, reply.headline[: len(said)]) == (verdict, said)
    assert tuple(button.label for button in reply.buttons) == buttons
    if verdict is Verdict.FAIL:
        assert reply.proof is not None
        assert reply.proof.text == f"fail: {LEFT}"
        assert "Fails in status" not in [fact.label for fact in reply.facts]


@pytest.mark.parametrize("surface", ["slash", "terminal"])
async def test_status_names_a_repair_that_is_under_way(surface: str) -> None:
    room = room_with(GONE)
    ctx = replace(room.context(), ledger=Past(found=[request({}, RequestState.EXECUTING)]))
    reply = await room.run("status", lambda _: replace(ctx, caller=replace(ctx.caller, surface=surface)))
    assert any("(r-22222222, for " in note for note in reply.notes)
