"""Approvals: four eyes, one vote each, expiry, and no way from a refusal to a restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from hypothesis.stateful import rule as step
from pydantic import ValidationError

from bot.domain.approvals.approval import (
    FOLLOWS,
    ApprovalPolicy,
    Choice,
    Click,
    Request,
    RequestState,
    Rule,
    Snapshot,
    Standing,
    decided,
    may_start,
    overdue,
    rule,
)

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ASKER, ONE, TWO, NOBODY = "U0ASKER", "U0ONE", "U0TWO", "U0NOBODY"
SEEN = Snapshot("d-1", 7, (("kali", "kali:1"),), (("pod-a", "p-1"),))


def request(needed: int = 1, state: RequestState = RequestState.OPEN) -> Request:
    return Request("r-1", ASKER, NOW, NOW + timedelta(minutes=30), SEEN, needed, state)


def click(
    choice: Choice,
    user: str,
    *,
    after: timedelta = timedelta(minutes=1),
    approver: bool = True,
    glass: bool = False,
    reason: str = "because",
) -> Click:
    return Click(choice, Standing(user, approver, glass), NOW + after, reason)


@pytest.mark.parametrize(
    ("made", "clicked", "expected", "state"),
    [
        (request(), click(Choice.APPROVE, ONE), Rule.APPROVED, RequestState.APPROVED),
        (request(2), click(Choice.APPROVE, ONE), Rule.COUNTED, RequestState.OPEN),
        (request(), click(Choice.APPROVE, ASKER), Rule.FOUR_EYES, RequestState.OPEN),
        (request(), click(Choice.APPROVE, NOBODY, approver=False), Rule.NOT_AN_APPROVER, RequestState.OPEN),
        (request(), click(Choice.DENY, ONE), Rule.DENIED, RequestState.DENIED),
        (request(), click(Choice.DENY, ASKER), Rule.DENIED, RequestState.DENIED),
        (request(), click(Choice.DENY, NOBODY, approver=False), Rule.NOT_AN_APPROVER, RequestState.OPEN),
        (request(), click(Choice.DENY, ONE, reason=" \n"), Rule.REASON_NEEDED, RequestState.OPEN),
        (request(), click(Choice.WITHDRAW, ASKER, approver=False), Rule.WITHDRAWN, RequestState.WITHDRAWN),
        (request(), click(Choice.WITHDRAW, ONE), Rule.ONLY_THE_REQUESTER, RequestState.OPEN),
        (request(2), click(Choice.BREAK_GLASS, ASKER, glass=True), Rule.GLASS_BROKEN, RequestState.APPROVED),
        (request(), click(Choice.BREAK_GLASS, ASKER), Rule.NO_BREAK_GLASS, RequestState.OPEN),
        (request(), click(Choice.BREAK_GLASS, ONE, glass=True, reason=""), Rule.REASON_NEEDED, RequestState.OPEN),
        (request(), click(Choice.APPROVE, ONE, after=timedelta(minutes=30)), Rule.EXPIRED, RequestState.EXPIRED),
        (
            request(),
            click(Choice.APPROVE, ONE, after=timedelta(minutes=29, seconds=59)),
            Rule.APPROVED,
            RequestState.APPROVED,
        ),
        (request(), click(Choice.APPROVE, ONE, after=timedelta(days=-1)), Rule.APPROVED, RequestState.APPROVED),
        (
            request(state=RequestState.EXPIRED),
            click(Choice.APPROVE, ONE, after=-timedelta(days=1)),
            Rule.EXPIRED,
            RequestState.EXPIRED,
        ),
        (request(state=RequestState.DENIED), click(Choice.APPROVE, ONE), Rule.NOT_OPEN, RequestState.DENIED),
        (
            request(state=RequestState.EXECUTING),
            click(Choice.WITHDRAW, ASKER),
            Rule.NOT_OPEN,
            RequestState.EXECUTING,
        ),
    ],
)
def test_a_click_leads_to_a_state_by_a_rule(
    made: Request, clicked: Click, expected: Rule, state: RequestState
) -> None:
    ruling = rule(made, clicked, ApprovalPolicy())
    assert (ruling.rule, ruling.state) == (expected, state)
    assert decided(made, clicked, ruling).state is state
    assert len(decided(made, clicked, ruling).decisions) == int(ruling.accepted)


def test_two_approvals_are_two_people() -> None:
    policy = ApprovalPolicy(needed=2)
    first = click(Choice.APPROVE, ONE)
    made = decided(request(2), first, rule(request(2), first, policy))
    assert made.missing == 1
    assert rule(made, first, policy).rule is Rule.ONE_VOTE
    assert rule(made, click(Choice.APPROVE, TWO), policy).rule is Rule.APPROVED


def test_self_approval_needs_the_setting() -> None:
    own = click(Choice.APPROVE, ASKER)
    assert rule(request(), own, ApprovalPolicy(self_approval=True)).rule is Rule.APPROVED


def test_an_approval_expires() -> None:
    policy = ApprovalPolicy(start_within=timedelta(minutes=5))
    yes = click(Choice.APPROVE, ONE)
    made = decided(request(), yes, rule(request(), yes, policy))
    assert may_start(made, policy, yes.at + timedelta(minutes=5))
    assert not may_start(made, policy, yes.at + timedelta(minutes=5, seconds=1))
    claimed = replace(made, state=RequestState.EXECUTING)
    assert may_start(claimed, policy, yes.at)
    assert not may_start(claimed, policy, yes.at + timedelta(minutes=6))
    assert not any(may_start(replace(made, state=state), policy, yes.at) for state in RequestState if state.final)
    assert not may_start(request(), policy, yes.at)


def test_only_open_requests_can_be_overdue() -> None:
    late = NOW + timedelta(hours=1)
    assert overdue(request(), late)
    assert not any(overdue(request(state=state), late) for state in RequestState if state is not RequestState.OPEN)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (SEEN, []),
        (replace(SEEN, uid="d-2"), ["the Deployment was deleted and created again"]),
        (replace(SEEN, generation=8), ["the Deployment was changed (generation 7, now 8)"]),
        (
            replace(SEEN, generation=8, images=(("kali", "kali:2"),)),
            ["the image of kali was changed (1 → 2)"],
        ),
        (replace(SEEN, images=()), ["kali is gone from the Deployment (image kali:1)"]),
        (replace(SEEN, pods=(("pod-b", "p-2"),)), ["the pod was replaced (pod-a → pod-b)"]),
        (replace(SEEN, pods=()), ["the pod is gone (pod-a)"]),
        (replace(SEEN, pods=(("pod-a", "p-2"),)), ["the pod was replaced (pod-a → pod-a)"]),
    ],
)
def test_changes_since_the_request_are_described(now: Snapshot, words: list[str]) -> None:
    assert SEEN.changes(now) == words


def test_a_new_pod_where_there_was_none_is_a_change() -> None:
    empty = replace(SEEN, pods=())
    assert empty.changes(SEEN) == ["there was no pod then, and now there is pod-a"]
    assert empty.changes(empty) == []


def test_a_request_bound_to_an_object_ignores_pods() -> None:
    secret = Snapshot("s-1", 0, version="7", kind="Secret keys")
    assert secret.changes(replace(secret, pods=(("pod-a", "p-1"),))) == []
    assert secret.changes(replace(secret, version="8")) == ["the Secret keys was changed"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"needed": 0}, "greater than or equal to 1"),
        ({"expires_after": "5s"}, "one minute to one day"),
        ({"start_within": "2d"}, "one minute to one day"),
        ({"break_glass": ["maya"]}, "Slack ids that begin with U, W or S, not 'maya'"),
        ({"selfapproval": True}, "Extra inputs are not permitted"),
    ],
)
def test_an_invalid_policy_is_refused(value: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ApprovalPolicy.model_validate(value)


class Requests(RuleBasedStateMachine):
    """Random clicks by anybody, clock jumps, claims and ends: invariants that must always hold."""

    @initialize(needed=st.integers(1, 3), alone=st.booleans())
    def start(self, needed: int, alone: bool) -> None:
        self.policy = ApprovalPolicy(needed=needed, self_approval=alone)
        self.made = request(needed)
        self.path = [RequestState.OPEN]
        self.now = NOW

    def _go(self, made: Request) -> None:
        if made.state is not self.made.state:
            assert made.state in FOLLOWS[self.made.state]
            self.path.append(made.state)
        self.made = made

    @step(
        choice=st.sampled_from(Choice),
        user=st.sampled_from([ASKER, ONE, TWO, NOBODY]),
        approver=st.booleans(),
        glass=st.booleans(),
        reason=st.sampled_from(["", "because"]),
    )
    def click(self, choice: Choice, user: str, approver: bool, glass: bool, reason: str) -> None:
        one = Click(choice, Standing(user, approver, glass), self.now, reason)
        self._go(decided(self.made, one, rule(self.made, one, self.policy)))

    @step(minutes=st.integers(-120, 120))
    def clock_jumps(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @step()
    def swept(self) -> None:
        if overdue(self.made, self.now):
            self._go(replace(self.made, state=RequestState.EXPIRED))

    @step(changed=st.booleans())
    def claimed(self, changed: bool) -> None:
        if self.made.state is RequestState.APPROVED:
            begins = may_start(self.made, self.policy, self.now)
            self._go(replace(self.made, state=RequestState.EXECUTING if begins else RequestState.FAILED))
            if changed and begins:
                self._go(replace(self.made, state=RequestState.VOID))

    @step(well=st.booleans())
    def finished(self, well: bool) -> None:
        if self.made.state is RequestState.EXECUTING:
            self._go(replace(self.made, state=RequestState.SUCCEEDED if well else RequestState.FAILED))

    @invariant()
    def nothing_is_carried_out_but_by_the_right_people(self) -> None:
        if RequestState.EXECUTING not in getattr(self, "path", ()):
            return
        assert self.path[:3] == [RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING]
        alone = any(d.choice is Choice.BREAK_GLASS for d in self.made.decisions)
        people = {d.by for d in self.made.approvals}
        assert alone or len(people) == len(self.made.approvals) == self.policy.needed
        assert self.policy.self_approval or ASKER not in people

    @invariant()
    def what_is_final_stays(self) -> None:
        path = getattr(self, "path", [])
        assert not any(state.final for state in path[:-1])


TestRequests = Requests.TestCase
TestRequests.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
