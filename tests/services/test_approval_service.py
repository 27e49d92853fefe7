"""Repair requests and decisions, on a real ledger."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pytest

from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.ssh_key_remove import SSH_KEY_REMOVE
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState, Rule
from bot.domain.approvals.repair import Proposal, TargetState
from bot.domain.core.workload import Deployment
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule, Identity
from bot.domain.rbac.membership import Membership
from bot.domain.rbac.roles import Capability, Role
from bot.errors import Refused, Uncertain, UsageError
from bot.runbook.context import Caller
from bot.services.approvals.approval_messages import approvers
from tests.people import member
from tests.services.workbench import (
    JONAS,
    MAYA,
    ONCALL,
    OPS,
    PRIYA,
    SAM,
    TARGET,
    Bench,
    Clock,
    FakeCluster,
    bench,
    opened,
    pod,
)


async def kinds(one: Bench) -> list[str]:
    return [r.kind for r in await one.trail()]


async def test_approved_restart_is_made_once_and_fully_audited(one: Bench) -> None:
    repair = await one.ask()
    ruling, decided = await one.say(repair, Choice.APPROVE, JONAS)
    assert (ruling.rule, ruling.begun) == (Rule.APPROVED, True)
    assert decided.state in (
        RequestState.EXECUTING,
        RequestState.SUCCEEDED,
    )  # approved and claimed in one transaction
    ended = await one.ended(repair)
    assert ended.state is RequestState.SUCCEEDED
    assert one.cluster.rollouts == [repair.id]
    assert await kinds(one) == ["request", "decision", "execution", "execution", "outcome"]


@dataclass
class DatedCluster(FakeCluster):
    """A cluster that notes when the Deployment was read."""

    clock: Clock = field(default_factory=Clock)
    read_at: list[datetime] = field(default_factory=list)

    async def deployment(self, name: str) -> Deployment:
        self.read_at.append(self.clock.time)
        return await super().deployment(name)


async def test_the_target_is_read_while_the_decision_is_recorded(one: Bench) -> None:
    cluster = DatedCluster(clock=one.clock)
    other = bench(one.ledger, like=one, cluster=cluster)
    repair = await other.ask()
    cluster.read_at.clear()
    _, decided = await other.say(repair, Choice.APPROVE, JONAS)
    assert cluster.read_at[0] < decided.request.decisions[-1].at


async def test_redelivered_slack_request_opens_one_request(one: Bench) -> None:
    first = await one.ask(origin="slash:1")
    assert (await one.ask(origin="slash:1")).id == first.id
    assert await kinds(one) == ["request"]
    await one.say(first, Choice.WITHDRAW, MAYA)
    assert (await one.ask(origin="slash:1")).id == first.id  # also when there is nothing left to join
    assert (await one.ask(origin="slash:2")).id != first.id


async def test_somebody_elses_request_for_the_same_joins(one: Bench) -> None:
    first, second = await one.ask(), await one.ask(JONAS)
    assert second.id == first.id
    assert (await one.now(first)).joined == (JONAS,)
    for who in (JONAS, MAYA):  # both are requesters already
        await one.ask(who)
    assert (await one.now(first)).joined == (JONAS,)
    assert [(r.kind, r.actor) for r in await one.trail()] == [("request", MAYA), ("request", JONAS)]
    with pytest.raises(Refused, match="is already open for the same pod"):
        await one.ask(PRIYA, force=True)
    await one.say(first, Choice.WITHDRAW, MAYA)
    assert (await one.ask()).id != first.id


async def test_a_request_under_way_is_not_said_to_wait_and_no_withdrawal_is_offered(one: Bench) -> None:
    first = await one.ask()
    one.cluster.stuck = True
    await one.say(first, Choice.APPROVE, JONAS)
    await one.until(first, lambda found: found.state is RequestState.EXECUTING)
    with pytest.raises(
        Refused, match=rf"{first.id} \(restart\) has been under way since .?2026-11-24 09:00:00 UTC"
    ) as refused:
        await one.ask(PRIYA, force=True)
    assert "withdraw" not in str(refused.value.remedy)
    one.clock.pass_(hours=1)
    await one.ended(first)


async def told(one: Bench) -> dict[str, list[str]]:
    """The direct messages, by user."""
    await one.deliver()
    people: dict[str, list[str]] = {}
    for place, _, reply in one.chat.said:
        if place.startswith("U"):
            people.setdefault(place, []).append(reply.headline)
    return people


async def test_outdated_request_is_ended_instead_of_joined(one: Bench) -> None:
    """A request for the current pod is a new one; the request for the former pod ends."""
    first = await one.ask()
    one.cluster.pods_ = [pod(9)]
    second = await one.ask(PRIYA)
    assert second.id != first.id
    found = await one.now(first)
    assert (found.state, found.outcome.text if found.outcome else "") == (
        RequestState.VOID,
        "the pod was replaced (pod-1 → pod-9)",
    )
    assert [r.data.get("state") for r in await one.trail() if r.kind == "outcome"] == ["void"]
    assert await told(one) == {
        MAYA: [f"🚫 Restart of {TARGET.name} is void: the pod was replaced (pod-1 → pod-9)"]
    }
    await one.say(second, Choice.APPROVE, JONAS)
    assert (await one.ended(second)).state is RequestState.SUCCEEDED


async def test_outdated_request_does_not_block_another_action(one: Bench) -> None:
    first = await one.ask()
    one.cluster.pods_ = [pod(9)]
    forced = await one.ask(PRIYA, force=True)
    assert (await one.now(first)).state is RequestState.VOID
    await one.say(forced, Choice.WITHDRAW, PRIYA)


async def test_executing_request_is_joined_though_the_pod_was_replaced(one: Bench) -> None:
    one.cluster.stuck = True
    first = await one.ask()
    await one.say(first, Choice.APPROVE, JONAS)
    await one.until(first, lambda c: c.sent_at is not None)
    assert (await one.ask(PRIYA)).id == first.id


@pytest.mark.parametrize(
    ("choice", "who", "words"),
    [(Choice.DENY, JONAS, "denied"), (Choice.WITHDRAW, MAYA, "withdrawn"), (None, "", "expired")],
)
async def test_joined_requester_gets_the_outcome(one: Bench, choice: Choice | None, who: str, words: str) -> None:
    repair = await one.ask()
    await one.ask(PRIYA)
    if choice is None:
        one.clock.pass_(hours=1)
        await one.approval_service.expire()
    else:
        await one.say(repair, choice, who, "no")
    [said] = (await told(one))[PRIYA]
    assert words in said
    [mine] = [reply for place, _, reply in one.chat.said if place == PRIYA]
    assert mine.notes == (f"{repair.id} · you asked for the same",)


@pytest.mark.parametrize("choice", [Choice.APPROVE, Choice.BREAK_GLASS])
async def test_request_for_a_removed_target_can_only_be_refused(tmp_path: Path, choice: Choice) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(break_glass=(JONAS,)))
        repair = await one.ask()
        one.executor.targets = {}
        ruling, found = await one.say(repair, choice, JONAS, "now")
        assert (ruling.rule, found.state) == (Rule.NO_TARGET, RequestState.OPEN)
        assert (await one.trail())[-1].data["rule"] == "no-target"
        assert (await one.say(repair, Choice.DENY, JONAS, "gone"))[0].rule is Rule.DENIED
        assert one.cluster.sent == 0


async def test_n_of_m_needs_n_different_approvers(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(needed=2))
        repair = await one.ask()
        assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.COUNTED
        assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.ONE_VOTE
        assert one.cluster.sent == 0
        assert (await one.say(repair, Choice.APPROVE, PRIYA))[0].rule is Rule.APPROVED
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        await one.executor.stop(1)


async def test_own_approval_counts_only_if_the_settings_allow_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await one.ask(JONAS)
        assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.FOUR_EYES
        two = bench(ledger, like=one, policy=ApprovalPolicy(self_approval=True))
        assert (await two.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.APPROVED
        await two.ended(repair)


async def test_roles_are_looked_up_at_the_click(one: Bench) -> None:
    """A user group decides, and a user removed from it between request and click does not."""
    one.groups[ONCALL] = {SAM}
    repair = await one.ask()
    caller = one.caller(SAM)

    async def again(identity: Identity) -> Identity:
        return replace(identity, groups=frozenset(g for g, who in one.groups.items() if identity.user in who))

    one.approval_service.freshen = again
    one.groups[ONCALL] = set()
    ruling, _ = await one.approval_service.decide(repair.id, Choice.APPROVE, caller)
    assert ruling.rule is Rule.NOT_AN_APPROVER
    assert (await one.trail())[-1].data["rule"] == "not-an-approver"
    one.groups[ONCALL] = {SAM}
    assert (await one.approval_service.decide(repair.id, Choice.APPROVE, one.caller(SAM)))[0].rule is Rule.APPROVED
    await one.ended(repair)


async def test_channel_role_does_not_count_in_other_channels(one: Bench) -> None:
    one.approval_service.access = AccessPolicy(
        rules=(AccessRule(role=roles.APPROVER, users=(SAM,), channels=(OPS,)),)
    )
    repair = await one.ask()
    elsewhere = Caller(member(SAM, "C07RANDOM03"), "slash")
    assert (await one.approval_service.decide(repair.id, Choice.APPROVE, elsewhere))[
        0
    ].rule is Rule.NOT_AN_APPROVER
    assert (await one.say(repair, Choice.APPROVE, SAM))[0].rule is Rule.APPROVED
    await one.ended(repair)


@pytest.mark.parametrize("role", [r for r in roles.known() if Capability.DECIDE not in r.may], ids=str)
async def test_role_without_decide_is_not_mentioned_and_can_not_approve(one: Bench, role: Role) -> None:
    if role != roles.NONE:
        rules = (*one.approval_service.access.rules, AccessRule(role=role, users=(SAM,)))
        one.approval_service.access = AccessPolicy(rules=rules)
    repair = await one.ask()
    assert (await one.say(repair, Choice.APPROVE, SAM))[0].rule is Rule.NOT_AN_APPROVER
    called = {
        mention.id for mention in approvers(one.approval_service.access, one.approval_service.policy, repair)
    }
    assert called == {JONAS, PRIYA, ONCALL}


@pytest.mark.parametrize("place", ["D07SAM00004", SAM], ids=["DM", "Home"])
async def test_channel_role_counts_in_a_direct_message(one: Bench, place: str) -> None:
    bound = AccessRule(role=roles.APPROVER, users=(SAM,), channels=(OPS,))
    everybody = AccessRule(role=roles.APPROVER, channels=(OPS,))
    repair = await one.ask()
    for who in (SAM, PRIYA):
        one.approval_service.access = AccessPolicy(rules=(everybody,))
        alone = Caller(member(who, place), "button")
        assert (await one.approval_service.decide(repair.id, Choice.APPROVE, alone))[
            0
        ].rule is Rule.NOT_AN_APPROVER
    one.approval_service.access = AccessPolicy(rules=(bound, everybody))
    assert (await one.approval_service.decide(repair.id, Choice.APPROVE, alone))[0].rule is Rule.NOT_AN_APPROVER
    ruling, _ = await one.approval_service.decide(repair.id, Choice.APPROVE, Caller(member(SAM, place), "button"))
    assert ruling.rule is Rule.APPROVED
    await one.ended(repair)


async def test_request_belongs_to_its_card_s_channel_and_its_origin_s(one: Bench) -> None:
    look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
    for place, places in (("C07RANDOM03", (OPS, "C07RANDOM03")), ("D07MAYA0001", (OPS,)), (OPS, (OPS,))):
        proposal = Proposal(RESTART, look.snapshot, place, "")
        caller = Caller(member(MAYA, place), "slash")
        repair = (await one.approval_service.ask(proposal, TARGET.name, caller)).repair
        assert (await one.now(repair)).places == places
        await one.say(repair, Choice.WITHDRAW, MAYA)


async def test_break_glass_is_recorded_and_needs_a_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(break_glass=(MAYA,)))
        repair = await one.ask()
        assert (await one.say(repair, Choice.BREAK_GLASS, PRIYA, "x"))[0].rule is Rule.NO_BREAK_GLASS
        assert (await one.say(repair, Choice.BREAK_GLASS, MAYA))[0].rule is Rule.REASON_NEEDED
        assert (await one.say(repair, Choice.BREAK_GLASS, MAYA, "on fire"))[0].rule is Rule.GLASS_BROKEN
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        said = [r.data for r in await one.trail() if r.kind == "decision"]
        assert said == [{"choice": "break-glass", "rule": "glass-broken", "reason": "on fire"}]


async def test_deactivated_user_can_not_break_glass(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(break_glass=(JONAS,)))
        repair = await one.ask()
        caller = one.caller(JONAS)
        gone = replace(caller, identity=replace(caller.identity, membership=Membership.GONE))
        ruling, _ = await one.approval_service.decide(repair.id, Choice.BREAK_GLASS, gone, "on fire")
        assert ruling.rule is Rule.NO_BREAK_GLASS


async def test_only_the_requester_withdraws_and_denials_need_a_reason(one: Bench) -> None:
    repair = await one.ask()
    assert (await one.say(repair, Choice.WITHDRAW, JONAS))[0].rule is Rule.ONLY_THE_REQUESTER
    assert (await one.say(repair, Choice.DENY, JONAS))[0].rule is Rule.REASON_NEEDED
    assert (await one.say(repair, Choice.DENY, JONAS, "no"))[1].state is RequestState.DENIED
    late, _ = await one.say(repair, Choice.APPROVE, PRIYA)
    assert late.rule is Rule.NOT_OPEN
    assert one.cluster.sent == 0


async def test_expiry_is_final_even_if_the_clock_goes_back(one: Bench) -> None:
    repair = await one.ask()
    one.clock.pass_(minutes=31)
    assert await one.approval_service.expire() == 1
    one.clock.pass_(minutes=-30)
    assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.EXPIRED
    assert (await one.now(repair)).state is RequestState.EXPIRED
    assert one.cluster.sent == 0


async def test_late_click_expires_a_request_that_no_sweep_has_expired(one: Bench) -> None:
    repair = await one.ask()
    one.clock.pass_(minutes=30)
    assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.EXPIRED
    assert (await one.now(repair)).state is RequestState.EXPIRED
    assert await one.approval_service.expire() == 0


@pytest.mark.parametrize("sweeps", [False, True])
async def test_clock_set_back_delays_expiry_and_revives_nothing(one: Bench, sweeps: bool) -> None:
    """Open requests stay open as long as the clock says, since there is no better one. Ended ones stay ended."""
    repair = await one.ask()
    one.clock.pass_(minutes=31)
    if sweeps:  # a running bot records the expiry within a second
        await one.approval_service.expire()
    one.clock.pass_(hours=-2)
    assert await one.approval_service.expire() == 0
    one.clock.pass_(hours=1, minutes=58, seconds=59)  # a second is left on this clock
    ruling, _ = await one.say(repair, Choice.APPROVE, JONAS)
    again, _ = await one.say(repair, Choice.APPROVE, PRIYA)
    assert (ruling.rule, again.rule) == (
        (Rule.EXPIRED, Rule.EXPIRED) if sweeps else (Rule.APPROVED, Rule.NOT_OPEN)
    )
    state = (await one.ended(repair)).state
    assert (state, len(one.cluster.rollouts)) == (
        (RequestState.EXPIRED, 0) if sweeps else (RequestState.SUCCEEDED, 1)
    )


async def test_request_expires_though_the_clock_was_set_back_after_it(one: Bench) -> None:
    repair = await one.ask()
    one.clock.pass_(hours=-2)
    one.clock.pass_(hours=2, minutes=30)
    assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.EXPIRED
    assert one.cluster.sent == 0


async def test_clock_set_back_after_approval_repeats_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.after = [Uncertain("no answer")]
        repair = await one.ask()
        await one.say(repair, Choice.APPROVE, JONAS)
        await one.until_sent(1)
        one.clock.pass_(hours=-2)
        two = bench(ledger, name="two", like=one)
        await two.executor.take_over(at_start=True)
        await one.ended(repair)
        assert len(one.cluster.rollouts) == 1
        await one.executor.stop(1)
        await two.executor.stop(1)


@pytest.mark.parametrize("forged", ["", "r-", "r-00000000", "r-zzzzzzzz", "../x", "r-zzzzzzzz; drop", "🙈" * 5])
async def test_invalid_id_is_refused_without_echo(one: Bench, forged: str) -> None:
    with pytest.raises(UsageError, match=r"^There is no request with that id\.$"):  # without an echo of the id
        await one.approval_service.decide(forged, Choice.APPROVE, one.caller(JONAS))


async def test_one_of_two_replicas_deciding_at_once_executes(tmp_path: Path) -> None:
    async with opened(tmp_path, exclusive=False) as first, opened(tmp_path, exclusive=False) as second:
        one = bench(first, name="one")
        two = bench(second, name="two", like=one)
        repair = await one.ask()
        clicks = ((one, JONAS), (two, PRIYA), (two, JONAS), (one, PRIYA))
        rulings = await asyncio.gather(*(b.say(repair, Choice.APPROVE, who) for b, who in clicks))
        assert [r.rule for r, _ in rulings].count(Rule.APPROVED) == 1
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        assert one.cluster.rollouts == [repair.id]
        await one.trail()
        await one.executor.stop(1)
        await two.executor.stop(1)


async def test_joined_requester_can_deny_but_not_approve(one: Bench) -> None:
    repair = await one.ask()
    await one.ask(JONAS)
    for who in (JONAS, JONAS):
        ruling, _ = await one.say(repair, Choice.APPROVE, who)
        assert (ruling.rule, ruling.accepted) == (Rule.FOUR_EYES, False)
    assert one.cluster.sent == 0
    assert (await one.say(repair, Choice.DENY, JONAS, "a job is running"))[0].rule is Rule.DENIED


def _named(*users: str, **more: object) -> AccessPolicy:
    """MAYA may ask, and these users may approve."""
    asking = AccessRule(role=roles.OPERATOR, users=(MAYA,))
    return AccessPolicy(rules=(asking, AccessRule(role=roles.APPROVER, users=users, **more)))  # type: ignore[arg-type]


async def test_the_last_possible_approver_does_not_join(one: Bench) -> None:
    """They would exclude themselves, and nobody could approve the request any more."""
    one.approval_service.access = _named(JONAS, PRIYA)
    repair = await one.ask(JONAS)
    await one.ask(PRIYA)
    assert (await one.now(repair)).joined == ()
    await one.ask(MAYA)
    assert (await one.now(repair)).joined == (MAYA,)
    assert (await one.say(repair, Choice.APPROVE, PRIYA))[0].rule is Rule.APPROVED


async def test_an_approver_joins_where_others_are_left(one: Bench) -> None:
    one.approval_service.access = _named(JONAS, PRIYA, SAM)
    repair = await one.ask(JONAS)
    await one.ask(PRIYA)
    assert (await one.now(repair)).joined == (PRIYA,)
    await one.ask(SAM)
    assert (await one.now(repair)).joined == (PRIYA,)
    assert {m.id for m in approvers(one.approval_service.access, one.approval_service.policy, repair)} == {
        PRIYA,
        SAM,
    }


async def test_approval_counts_though_its_approver_requests_the_same_later(tmp_path: Path) -> None:
    """They don't join as a requester, since nobody may be requester and approver of one request."""
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(needed=2))
        repair = await one.ask()
        assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.COUNTED
        await one.ask(JONAS)
        assert (await one.now(repair)).joined == ()
        await one.ask(PRIYA)
        assert (await one.say(repair, Choice.APPROVE, PRIYA))[0].rule is Rule.FOUR_EYES
        one.groups[ONCALL].add(SAM)
        assert (await one.say(repair, Choice.APPROVE, SAM))[0].rule is Rule.APPROVED
        assert {d.by for d in (await one.ended(repair)).request.approvals} == {JONAS, SAM}
        await one.executor.stop(1)


async def test_joined_requester_s_approval_counts_where_own_approval_does(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(self_approval=True))
        repair = await one.ask()
        await one.ask(JONAS)
        assert (await one.say(repair, Choice.APPROVE, JONAS))[0].rule is Rule.APPROVED
        await one.ended(repair)


def in_a_shell(user: str = "root") -> Caller:
    return Caller(member(user, "terminal"), "terminal")


@pytest.mark.parametrize("choice", [choice for choice in Choice if choice is not Choice.WITHDRAW])
async def test_shell_user_can_not_decide(tmp_path: Path, choice: Choice) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(break_glass=(JONAS,)))
        look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
        repair = (
            await one.approval_service.ask(Proposal(RESTART, look.snapshot, "w", ""), TARGET.name, in_a_shell())
        ).repair
        for who in (JONAS, "root", MAYA):
            ruling, found = await one.approval_service.decide(repair.id, choice, in_a_shell(who), "x")
            assert (ruling.rule, found.state) == (Rule.SHELL, RequestState.OPEN)


async def test_a_shell_withdraws_only_what_the_same_login_asked_for_in_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
        proposal = Proposal(RESTART, look.snapshot, "w", "")
        repair = (await one.approval_service.ask(proposal, TARGET.name, in_a_shell(MAYA))).repair
        for caller in (in_a_shell("root"), one.caller(MAYA), one.caller(PRIYA)):
            ruling, found = await one.approval_service.decide(repair.id, Choice.WITHDRAW, caller)
            assert (ruling.rule, found.state) == (Rule.ONLY_THE_REQUESTER, RequestState.OPEN)
        ruling, found = await one.approval_service.decide(repair.id, Choice.WITHDRAW, in_a_shell(MAYA))
        assert (ruling.rule, found.state) == (Rule.WITHDRAWN, RequestState.WITHDRAWN)
        asked = await one.ask(MAYA)
        ruling, found = await one.approval_service.decide(asked.id, Choice.WITHDRAW, in_a_shell(MAYA))
        assert (ruling.rule, found.state) == (Rule.ONLY_THE_REQUESTER, RequestState.OPEN)


@pytest.mark.parametrize(("own", "needed"), [(False, 2), (True, 1)])
async def test_shell_request_needs_one_more_approval(tmp_path: Path, own: bool, needed: int) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(self_approval=own))
        look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
        proposal = Proposal(RESTART, look.snapshot, "why", "")
        repair = (await one.approval_service.ask(proposal, TARGET.name, in_a_shell(JONAS))).repair
        assert repair.request.needed == needed
        await one.approval_service.ask(proposal, TARGET.name, in_a_shell("another"))
        assert (await one.now(repair)).joined == (), "a shell joins nothing: it can't be told how it ends"
        for who in (JONAS, PRIYA)[:needed]:
            assert one.cluster.sent == 0
            ruling, _ = await one.say(repair, Choice.APPROVE, who)
        assert ruling.rule is Rule.APPROVED
        await one.ended(repair)


async def test_open_requests_per_person_are_limited_and_shells_count_as_one(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, policy=ApprovalPolicy(open_at_once=2))

        async def ask(number: int, caller: Caller) -> str:
            snapshot = TargetState(one.cluster.deployment_, ()).snapshot
            proposal = Proposal(SSH_KEY_REMOVE, snapshot, "why", "", subject=f"SHA256:{number}")
            return (await one.approval_service.ask(proposal, TARGET.name, caller)).repair.id

        ids = sorted([await ask(1, one.caller(MAYA)), await ask(2, one.caller(MAYA))])
        with pytest.raises(Refused, match=r"^2 of your requests are open, and approvals\.open_at_once") as caught:
            await ask(3, one.caller(MAYA))
        assert all(id_ in caught.value.message for id_ in ids)
        assert caught.value.remedy == f"Wait for a decision on one, or take one back: /agentpod withdraw {ids[0]}."
        await ask(2, one.caller(JONAS))  # joining doesn't count as an open request
        await ask(3, one.caller(JONAS))
        await one.approval_service.decide(ids[0], Choice.WITHDRAW, one.caller(MAYA))
        await ask(4, one.caller(MAYA))
        for number, user in ((5, "root"), (6, "U07MAYA0001")):
            await ask(number, in_a_shell(user))
        with pytest.raises(Refused, match="open_at_once"):
            await ask(7, in_a_shell("somebody"))


async def test_repeated_refusals_are_one_record_and_a_sum(one: Bench) -> None:
    repair = await one.ask()
    for _ in range(300):
        await one.approval_service.refused(
            SAM, "logs", "it needs the role operator, and no access rule names you here"
        )
        await one.say(repair, Choice.APPROVE, MAYA)
    await one.approval_service.expire()
    assert [r.subject for r in await one.trail() if r.kind == "refusal"] == ["logs", repair.id]
    one.clock.pass_(minutes=11)
    await one.approval_service.expire()
    sums = [(r.actor, r.subject, r.data["more"]) for r in await one.trail() if "more" in r.data]
    assert sums == [(SAM, "logs", 299), (MAYA, repair.id, 299)]


async def test_shell_requester_is_no_slack_user(one: Bench) -> None:
    look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
    proposal = Proposal(RESTART, look.snapshot, "why", "")
    caller = Caller(member(JONAS, "terminal"), "terminal")
    repair = (await one.approval_service.ask(proposal, TARGET.name, caller)).repair
    assert repair.request.requester == f"terminal:{JONAS}"


@pytest.mark.parametrize("place", ["D07MAYA0001", "", MAYA, "terminal"], ids=["DM", "nowhere", "Home", "terminal"])
async def test_card_needs_a_channel_with_approvers(one: Bench, place: str) -> None:
    one.approval_service.channels = {}
    look = TargetState(one.cluster.deployment_, tuple(one.cluster.pods_))
    proposal = Proposal(RESTART, look.snapshot, "why", "")
    with pytest.raises(Refused, match="no channel where approvers would see it") as caught:
        await one.approval_service.ask(proposal, TARGET.name, Caller(member(MAYA, place), "slash"))
    assert "slack.channel" in (caught.value.remedy or "")
    assert await kinds(one) == []
    repair = (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair
    assert repair.channel == OPS  # where it was asked for, if that is one
