"""``egress repair``: when it is refused, and what the card says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.approvals.actions.egress_repair import EGRESS_REPAIR, MISSING
from bot.domain.approvals.approval import Request, RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.errors import NoSuchKind, NotAllowed, NotFound, Refused, Transient
from tests import handbook
from tests.commands.fakes import EGRESS_POLICY, NOW
from tests.commands.test_secrets import Marks, Room

LINE = "egress repair --reason lru"


def policy(valid: str = "False", said: str = "LRU not yet initialized", **meta: Any) -> dict[str, Any]:
    judged = {"type": "Valid", "status": valid, "message": said}
    named = {"name": "agent-egress", "uid": "u", "resourceVersion": "1", "generation": 1}
    return {"metadata": named | meta, "spec": {"egress": []}, "status": {"conditions": [judged]}}


@dataclass
class Failed(Marks):
    """A ledger with a failed repair."""

    details: dict[str, str] = field(default_factory=lambda: {MISSING: "yes"})

    async def requests(self, **_: Any) -> list[RepairRequest]:
        snapshot = Snapshot("u", 1)
        request = Request("r-22222222", "U1", NOW, NOW, snapshot, state=RequestState.FAILED)
        ended = ExecutionResult("agent-egress is MISSING", NOW - timedelta(minutes=9))
        repair = RepairRequest(request, "secure-agent-pod", EGRESS_REPAIR, subject="agent-egress", outcome=ended)
        return [replace(repair, details=self.details)]


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
    with pytest.raises(Refused, match="is off for secure-agent-pod") as refused:
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


LEFT = "agent-egress is MISSING: the repair r-22222222 deleted it 9 min ago and could not create it again."


async def test_a_policy_that_a_failed_repair_left_missing_is_named_as_that() -> None:
    room = room_with(NotFound("There is none."))
    room.marks = Failed()
    with pytest.raises(Refused) as refused:
        await room.say(LINE)
    assert refused.value.message == LEFT
    assert "manifest on the card of r-22222222" in str(refused.value.remedy)
    room.marks = Failed(details={})
    with pytest.raises(Refused, match="There is no Cilium policy"):
        await room.say(LINE)


@pytest.mark.parametrize(
    ("answer", "named"),
    [({"items": []}, True), ({"items": [EGRESS_POLICY]}, False), (Transient("The API server is away."), False)],
)
async def test_egress_names_it_only_where_there_is_no_policy(answer: Any, named: bool) -> None:
    room = room_with(answer)
    room.marks = Failed()
    assert (LEFT in (await room.say("egress")).body) == named


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
    assert ("Ask for: egress repair" in offered) == offers


async def test_where_there_is_no_policy_to_judge_the_mark_is_neutral() -> None:
    [table] = (await room_with({"items": []}).say("egress")).tables
    assert [verdict for row, verdict in zip(table.rows, table.verdicts, strict=True) if "no policy" in row[1]] == [
        None
    ]
