"""The card in each state: the answer in the headline, no repetition, and next steps."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.cron_edit import CRON_EDIT
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.actions.ssh_key_remove import LAST, SSH_KEY_REMOVE
from bot.domain.approvals.approvable import deadlock
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Decision, Request, RequestState, Snapshot
from bot.domain.approvals.card import card, late, outcome, posted_late, unposted, value_wanted
from bot.domain.approvals.forecast import DownFor, Forecast, Loss
from bot.domain.approvals.repair import ExecutionResult, RepairRequest, Wait
from bot.domain.core.reply import Line, Mention, Reply
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from tests.times import utc

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ASKER, ONE, TWO = "U0ASKER", "U0ONE", "U0TWO"
POLICY = ApprovalPolicy()
FACTS = (("Pod", "secure-agent-pod-abc on gpu-1"), ("Image", "kali:1"))
OUTCOMES = {
    RequestState.SUCCEEDED: ExecutionResult("ready", NOW, seconds=41.0),
    RequestState.FAILED: ExecutionResult(
        "the new pod is in CrashLoopBackOff", NOW, ("Back-off restarting",), "logs --previous"
    ),
    RequestState.VOID: ExecutionResult("the image changed", NOW),
}
HEADLINES = {
    RequestState.OPEN: "✋ Restart of agent: needs approval",
    RequestState.EXECUTING: "⏳ Restart of agent: under way, see the thread",
    RequestState.SUCCEEDED: "✅ Restarted agent: ready after 41 s",
    RequestState.FAILED: "🔴 Restart of agent failed: the new pod is in CrashLoopBackOff",
    RequestState.DENIED: "⛔ Restart of agent: denied",
    RequestState.WITHDRAWN: "↩️ Restart of agent: withdrawn",
    RequestState.EXPIRED: "⌛ Restart of agent: expired, nobody decided in time",
    RequestState.VOID: "🚫 Restart of agent is void: the image changed",
}
STANDS = {
    RequestState.APPROVED: "was already approved",
    RequestState.EXECUTING: "was already approved and is under way",
    RequestState.SUCCEEDED: "was already approved, and is done",
    RequestState.FAILED: "was already approved, and has failed",
    RequestState.DENIED: "was already denied",
    RequestState.WITHDRAWN: "was already withdrawn",
    RequestState.EXPIRED: "has expired",
    RequestState.VOID: "is void",
}


def repair(
    state: RequestState = RequestState.OPEN, action: RepairAction = RESTART, needed: int = 1, **changes: object
) -> RepairRequest:
    request = Request("r-22222222", ASKER, NOW, NOW + timedelta(minutes=30), Snapshot("d", 1), needed, state)
    found = RepairRequest(request, "agent", action, reason="a new key", effect="It will be down.", facts=FACTS)
    return replace(found, outcome=OUTCOMES.get(state), **changes)  # type: ignore[arg-type]


def flat(line: Line) -> str:
    return line if isinstance(line, str) else "".join(p if isinstance(p, str) else f"<@{p.id}>" for p in line)


def lines(reply: Reply) -> list[str]:
    """All visible text, a line each."""
    reply = utc(reply, NOW)
    return [*map(flat, reply.body), *(f"{f.label}: {flat(f.value)}" for f in reply.facts), *reply.notes]


@pytest.mark.parametrize("state", [s for s in RequestState if s is not RequestState.OPEN])
def test_a_late_decision_is_answered_with_state_decisions_and_reason(state: RequestState) -> None:
    decision = Decision(Choice.DENY if state is RequestState.DENIED else Choice.APPROVE, ONE, NOW, "not now")
    one = repair(state)
    shown = late(replace(one, request=replace(one.request, decisions=(decision,))))
    assert shown.headline == f"Too late: Restart of {one.target} {STANDS[state]}"
    text = lines(shown)
    assert text[0] in (
        "Denied by <@U0ONE> at 03:00:00 UTC: not now",
        "Approved by <@U0ONE> at 03:00:00 UTC: not now",
    )
    why = OUTCOMES[state].text if state in (RequestState.VOID, RequestState.FAILED) else ""
    assert text[1:] == [*([f"Why: {why}"] if why else []), one.id]
    assert not shown.buttons


@pytest.mark.parametrize("state", HEADLINES)
def test_the_headline_is_the_answer_and_is_not_repeated(state: RequestState) -> None:
    shown = card(repair(state), POLICY)
    assert shown.headline == HEADLINES[state]
    text = lines(shown)
    assert len(set(text)) == len(text)
    assert not any(shown.headline in line for line in text)
    assert "Asked by: <@U0ASKER>" in text
    assert "Reason: a new key" in text


def test_an_open_card_shows_effect_approvers_and_deadline() -> None:
    shown = card(repair(), POLICY, (Mention(ONE),))
    assert shown.notify == (Mention(ONE),)
    assert shown.body == ("It will be down.",)
    assert {"Pod", "Image", "Approval"} <= {f.label for f in shown.facts}
    assert any(
        "1 needed by" in line and "3:30" in line and "from an approver who did not" in line
        for line in lines(shown)
    )
    assert [b.command for b in shown.buttons] == [f"{w} r-22222222" for w in ("approve", "deny", "withdraw")]


def _approvers(*users: str) -> AccessPolicy:
    return AccessPolicy(rules=(AccessRule(role=roles.APPROVER, users=users),))


@pytest.mark.parametrize(
    ("asked", "approvers", "said"),
    [
        (repair(), (ASKER, ONE), ""),
        (repair(joined=(ONE,)), (ASKER, ONE, TWO), ""),
        (repair(joined=(ONE,)), (ASKER, ONE), "nobody is left, because whoever asked for it can't approve it."),
        (repair(needed=2), (ASKER, ONE), "only 1 of the 2 approvers it needs are left, because"),
    ],
)
def test_an_open_card_says_where_nobody_is_left_who_can_approve(
    asked: RepairRequest, approvers: tuple[str, ...], said: str
) -> None:
    why = deadlock(asked, _approvers(*approvers), POLICY)
    assert why.startswith(said)
    assert bool(why) is bool(said)
    approval = next(fact.value for fact in card(asked, POLICY, (), why).facts if fact.label == "Approval")
    assert str(approval).startswith(said or "1 needed by ")


def test_own_approvals_and_approvers_of_a_group_leave_somebody() -> None:
    asked = repair(joined=(ONE,))
    assert deadlock(asked, _approvers(ASKER, ONE), ApprovalPolicy(self_approval=True)) == ""
    group = AccessRule(role=roles.APPROVER, groups=("S0123456789",))
    assert deadlock(asked, AccessPolicy(rules=(group,)), POLICY) == ""


@pytest.mark.parametrize("state", [s for s in HEADLINES if s is not RequestState.OPEN])
def test_a_decided_card_mentions_nobody_and_has_no_decision_buttons(state: RequestState) -> None:
    shown = card(repair(state), POLICY, (Mention(ONE),))
    assert shown.notify == ()
    assert not {b.command.split()[0] for b in shown.buttons} & {"approve", "deny", "withdraw", "break-glass"}


def test_a_pause_for_the_api_server_is_in_the_headline() -> None:
    waiting = repair(RequestState.EXECUTING, wait=Wait(NOW, NOW + timedelta(minutes=2)))
    shown = card(waiting, POLICY)
    assert shown.headline == "⏳ Restart of agent: waiting 2 min, the API server asked for a pause"
    assert "Next try: 03:02:00 UTC" in lines(shown)


def test_a_card_under_way_shows_what_matters_while_it_runs() -> None:
    past = Forecast(losses=(Loss("s", "SSH sessions", ("pid 1",)),), restarts=True, down_for=DownFor(40, 60, 5))
    text = lines(card(repair(RequestState.EXECUTING, forecast=past), POLICY))
    assert any(line.startswith("Down for: 40 s to 1 min") for line in text)
    assert not [line for line in text if line.startswith(("SSH sessions", "Pod", "Image", "Dry run"))]
    unknown = lines(card(repair(RequestState.EXECUTING, forecast=replace(past, down_for=None)), POLICY))
    assert "Down for" not in "".join(unknown)


def test_votes_are_counted_and_named() -> None:
    request = repair(needed=2).request
    voted = replace(repair(), request=replace(request, decisions=(Decision(Choice.APPROVE, ONE, NOW),)))
    shown = card(voted, POLICY)
    assert shown.headline == "✋ Restart of agent: has 1 of 2 approvals"
    assert any(line.startswith("Approved by: <@U0ONE> at ") for line in lines(shown))
    assert any(line.startswith("Approval: 1 more needed by ") for line in lines(shown))


def test_a_card_from_a_shell_explains_the_extra_approval() -> None:
    request = replace(repair(needed=2).request, requester="terminal:root")
    shown = lines(card(replace(repair(), request=request), POLICY))
    assert "Asked by: somebody in a shell (as root)" in shown
    assert any("2 needed by" in line and "A request from a shell needs one more" in line for line in shown)


def test_a_card_from_a_shell_offers_no_withdrawal_since_nobody_is_its_requester() -> None:
    request = replace(repair(needed=2).request, requester="terminal:root")
    shown = card(replace(repair(), request=request), POLICY)
    assert [b.label for b in shown.buttons] == ["Approve", "Deny"]
    assert "Withdraw" in [b.label for b in card(repair(), POLICY).buttons]


def test_break_glass_is_offered_only_if_configured_and_shown_prominently() -> None:
    policy = ApprovalPolicy(break_glass=(TWO,))
    assert "break-glass r-22222222" in [b.command for b in card(repair(), policy).buttons]
    alone = Decision(Choice.BREAK_GLASS, TWO, NOW, "nobody is awake")
    went = repair(RequestState.SUCCEEDED)
    went = replace(went, request=replace(went.request, decisions=(alone,)))
    shown = card(went, policy)
    assert shown.headline.startswith("💥 BREAK-GLASS · ✅")
    assert any("Break-glass by: <@U0TWO>" in line and "nobody is awake" in line for line in lines(shown))


@pytest.mark.parametrize(
    ("state", "commands"),
    [
        (RequestState.EXPIRED, ['restart --reason "a new key" --target "agent"']),
        (RequestState.VOID, ['restart --reason "a new key" --target "agent"']),
        (RequestState.FAILED, ["logs --previous", 'diagnose --target "agent"']),
        (RequestState.SUCCEEDED, []),
    ],
)
def test_a_finished_request_offers_next_steps(state: RequestState, commands: list[str]) -> None:
    for shown in (card(repair(state), POLICY), outcome(repair(state))):
        assert [b.command for b in shown.buttons] == commands


@pytest.mark.parametrize("state", [RequestState.DENIED, RequestState.WITHDRAWN])
def test_who_asked_is_offered_to_ask_again_after_a_denial_and_the_channel_is_not(state: RequestState) -> None:
    assert card(repair(state), POLICY).buttons == ()
    [again] = outcome(repair(state)).buttons
    assert (again.label, again.command) == ("Ask again", 'restart --reason "a new key" --target "agent"')


@pytest.mark.parametrize(
    ("action", "label"), [(SSH_KEY_ADD, "Add an SSH key"), (CRON_EDIT, "Edit the crontab")], ids=["key", "crontab"]
)
def test_an_expired_request_that_took_a_form_offers_that_form(action: RepairAction, label: str) -> None:
    one = replace(repair(RequestState.EXPIRED), action=action)
    assert [(b.label, b.command) for b in card(one, POLICY).buttons] == [
        (label, f'{action.name} --target "agent"')
    ]


def test_a_log_button_s_label_fits_on_a_phone() -> None:
    ended = repair(RequestState.FAILED)
    assert ended.outcome is not None
    advice = "logs --container fix-permissions --previous"
    shown = card(replace(ended, outcome=replace(ended.outcome, advice=advice)), POLICY)
    assert (shown.buttons[0].label, shown.buttons[0].command) == ("Logs before the restart", advice)


def test_a_failure_shows_its_evidence() -> None:
    assert "What to do: Back-off restarting" in lines(card(repair(RequestState.FAILED), POLICY))


def test_a_failure_that_changed_nothing_says_so_before_its_cause() -> None:
    ended = repair(RequestState.FAILED)
    assert ended.outcome is not None
    shown = card(replace(ended, outcome=replace(ended.outcome, text="nothing was changed: may not patch")), POLICY)
    assert shown.headline == "🔴 Restart of agent failed, nothing was changed: may not patch"


def test_a_stored_value_offers_a_restart() -> None:
    done = repair(RequestState.SUCCEEDED, SECRET_SET, subject="s/TOKEN", details={"key": "TOKEN"})
    assert [b.command.split()[0] for b in card(done, POLICY).buttons] == ["restart"]
    wanted = repair(RequestState.APPROVED, SECRET_SET, subject="s/TOKEN")
    shown = value_wanted(wanted, NOW + timedelta(minutes=15))
    assert shown.headline.startswith("🔑 New value for s/TOKEN is approved: enter it by ")
    assert [b.command for b in shown.buttons] == ["secrets enter r-22222222"]
    assert value_wanted(done, NOW).headline.startswith("✅")


def test_a_card_that_could_not_be_posted_is_reported() -> None:
    alone = unposted(repair(), "The bot is not in the channel.")
    assert alone.headline == "⚠️ Restart of agent: nobody sees your request yet"
    assert "The bot is not in the channel." in alone.body[0]
    assert unposted(repair(RequestState.DENIED), "No.").headline == "⛔ Restart of agent: denied"
    late = posted_late(repair(channel="C1"))
    assert late.headline == "📌 Restart of agent: your request was posted late"
    assert late.body == (("Its card is in ", Mention("C1"), ", and shows its current state."),)


def test_repeating_a_removal_of_the_last_key_keeps_its_flag() -> None:
    gone = repair(RequestState.EXPIRED, SSH_KEY_REMOVE, subject="SHA256:x", details={LAST: "yes"})
    assert card(gone, POLICY).buttons[0].command.startswith("ssh keys remove SHA256:x --last --reason")


@pytest.mark.parametrize(
    ("action", "kind", "says"),
    [
        (RESTART, "Deployment", "void if the pod, the image or the Deployment changes"),
        (SECRET_SET, "Secret tokens", "void if the Secret tokens changes"),
    ],
)
def test_an_open_card_says_what_voids_it_and_repeats_no_button(action: RepairAction, kind: str, says: str) -> None:
    one = repair(action=action)
    one = replace(one, request=replace(one.request, snapshot=Snapshot("d", 1, kind=kind)))
    shown = card(one, POLICY)
    assert utc(shown.notes, NOW) == (f"r-22222222 · asked 03:00:00 UTC · {says}",)
    assert not any(button.command in note for button in shown.buttons for note in shown.notes)


GLASS = ApprovalPolicy(break_glass=("U0GLASS",))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("Approve", "Restart of agent. It will be down."),
        ("Deny", ""),
        ("Break glass", ""),
        ("Withdraw", ""),
    ],
)
def test_only_an_approval_asks_for_confirmation_where_no_form_follows(label: str, said: str) -> None:
    [button] = [b for b in card(repair(), GLASS).buttons if b.label == label]
    assert button.confirm == said


MOVED = Forecast(
    image=":latest has moved: this starts sha256:bb instead of sha256:aa",
    losses=(Loss("work", "Uncommitted work", ("/repos/a",)),),
    restarts=True,
)


def test_another_image_is_said_before_all_else_that_a_restart_costs() -> None:
    one = repair(forecast=MOVED)
    [approve] = [b for b in card(one, POLICY).buttons if b.label == "Approve"]
    assert approve.confirm.startswith(
        "Restart of agent. :latest has moved: this starts sha256:bb instead of sha256:aa. Uncommitted work: 1."
    )
    assert [fact.label for fact in card(one, POLICY).facts][:3] == ["Asked by", "Reason", "New image"]


@pytest.mark.parametrize(("forecast", "said"), [(MOVED, True), (Forecast(restarts=True), False)])
def test_after_a_restart_that_could_start_another_image_the_outcome_says_which_runs(
    forecast: Forecast, said: bool
) -> None:
    done = replace(repair(RequestState.SUCCEEDED, forecast=forecast), outcome=ExecutionResult("kali runs bb", NOW))
    for shown in (card(done, POLICY), outcome(done)):
        assert ("Now: kali runs bb" in lines(shown)) is said


def test_a_void_card_of_which_no_reason_is_stored_ends_with_no_colon() -> None:
    ended = replace(repair(RequestState.VOID), outcome=ExecutionResult("", NOW))
    assert card(ended, ApprovalPolicy()).headline == "🚫 Restart of agent is void"
    assert not any("Why" in line for line in lines(late(ended)))
