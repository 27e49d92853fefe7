"""Render a repair request for Slack: the card, the progress in its thread, the messages to the requester. Pure.

Each message is rendered from the whole request, so that any process can update it at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.approvals.approval import ApprovalPolicy, Choice, Decision, RequestState
from bot.domain.approvals.repair import SHELL, RepairRequest
from bot.domain.core import words
from bot.domain.core.reply import Button, Fact, Line, Mention, Reply
from bot.domain.health import rollout


def what(case: RepairRequest) -> str:
    """The requested repair, as the beginning of a headline."""
    return case.action.what(case)


def person(who: str) -> Line:
    """A Slack user as a mention; a requester from a shell by login name; anything else as plain text."""
    if who.startswith(SHELL):
        return f"somebody in a shell (as {who.removeprefix(SHELL)})"
    return (Mention(who),) if who.startswith(("U", "W")) and who.isalnum() else who


def headline(case: RepairRequest) -> str:
    """The state of the request in one line."""
    loud = "💥 BREAK-GLASS · " if any(d.choice is Choice.BREAK_GLASS for d in case.request.decisions) else ""
    return loud + _headline(case)


def _headline(case: RepairRequest) -> str:
    outcome = case.outcome
    text = outcome.text if outcome else ""
    match case.state:
        case RequestState.OPEN:
            needed, has = case.request.needed, len(case.request.approvals)
            wanted = "needs approval" if needed == 1 else f"has {has} of {needed} approvals"
            return f"✋ {what(case)}: {wanted}"
        case RequestState.APPROVED:
            return f"🔑 {what(case)}: approved, waiting for the requester to enter it"
        case RequestState.EXECUTING:
            if case.wait is not None:
                pause = words.age(case.wait.until - case.wait.since)
                return f"⏳ {what(case)}: waiting {pause}, the API server asked for a pause"
            where = ", see the thread" if case.action.restarts else ""
            return f"⏳ {what(case)}: under way{where}"
        case RequestState.SUCCEEDED:
            took = f": ready after {_span(outcome.seconds)}" if outcome and outcome.seconds else ""
            return f"✅ {case.action.was_done(case)}{took}"
        case RequestState.FAILED:
            return f"🔴 {what(case)} failed: {text}"
        case RequestState.DENIED:
            return f"⛔ {what(case)}: denied"
        case RequestState.WITHDRAWN:
            return f"↩️ {what(case)}: withdrawn"
        case RequestState.EXPIRED:
            return f"⌛ {what(case)}: expired, nobody decided in time"
        case RequestState.VOID:
            return f"🚫 {what(case)}: void, since {text}"
    raise AssertionError(case.state)


def _span(seconds: float) -> str:
    return words.took(seconds).removeprefix("took ")


def card(case: RepairRequest, policy: ApprovalPolicy, approvers: Sequence[Mention] = ()) -> Reply:
    """The message in the operations channel."""
    is_open = case.state is RequestState.OPEN
    body = (case.effect,) if case.effect and (is_open or case.state is RequestState.APPROVED) else ()
    notes = [f"{case.id} · asked {words.clock(case.request.created_at)}"]
    if is_open:
        notes.append(f"void if {case.action.bound_to(case.request.snapshot)} changes")
    return Reply(
        headline(case),
        body=body,
        facts=tuple(_facts(case, policy)),
        buttons=_buttons(case, policy),
        notes=(" · ".join(notes),),
        notify=tuple(approvers) if is_open else (),
        shareable=False,
        repeatable=False,
    )


def _facts(case: RepairRequest, policy: ApprovalPolicy) -> list[Fact]:
    request = case.request
    asked: list[str | Mention] = _parts(person(request.requester))
    for other in case.joined:
        asked += [", ", *_parts(person(other))]
    facts = [Fact("Asked by", tuple(asked))]
    if case.reason:
        facts.append(Fact("Reason", case.reason))
    if not case.state.final:  # the target's earlier state doesn't help once it is over
        facts += [Fact(label, value) for label, value in case.facts]
    elif case.progress is not None and case.progress.pod:
        facts.append(Fact("New pod", case.progress.pod))
    facts += [_said(d) for d in request.decisions]
    if case.wait is not None:
        facts.append(Fact("Next try", words.clock(case.wait.until)))
    if case.state is RequestState.OPEN:
        facts.append(Fact("Decides", _decides(case, policy)))
    if case.outcome is not None and case.state.final:
        facts += _evidence(case)
        if case.state in (
            RequestState.SUCCEEDED,
            RequestState.FAILED,
        ):  # the others end with what was said or changed
            facts.append(Fact("Ended", words.clock(case.outcome.at)))
    return facts


def _decides(case: RepairRequest, policy: ApprovalPolicy) -> str:
    who = "an approver" if policy.self_approval else "an approver who did not ask or join"
    needed = case.request.needed
    count = "" if needed == 1 else f", {words.plural(needed, 'approval')} needed"
    if case.request.requester.startswith(SHELL) and not policy.self_approval:
        count += " (one more than usual: one could be of whoever sits at the shell)"
    return f"{who}{count}, by {words.clock(case.request.expires_at)}"


def _evidence(case: RepairRequest) -> list[Fact]:
    """Evidence of a failure; where no change was sent, what to do about it."""
    label = "Evidence" if case.progress is not None else "What to do"
    return [Fact(label, line) for line in case.outcome.evidence] if case.outcome else []


def _parts(line: Line) -> list[str | Mention]:
    return [line] if isinstance(line, str) else list(line)


_SAID = {
    Choice.APPROVE: "Approved by",
    Choice.DENY: "Denied by",
    Choice.WITHDRAW: "Withdrawn by",
    Choice.BREAK_GLASS: "Went ahead alone",
}


def _said(decision: Decision) -> Fact:
    rest = f" at {words.clock(decision.at)}" + (f": {decision.reason}" if decision.reason else "")
    return Fact(_SAID[decision.choice], (*_parts(person(decision.by)), rest))


def _buttons(case: RepairRequest, policy: ApprovalPolicy) -> tuple[Button, ...]:
    if case.state is RequestState.OPEN:
        glass = (Button("Break glass", f"break-glass {case.id}", style="danger"),) if policy.break_glass else ()
        return (
            Button("Approve", f"approve {case.id}", style="primary"),
            Button("Deny", f"deny {case.id}", style="danger"),
            Button("Withdraw", f"withdraw {case.id}"),
            *glass,
        )
    return _afterwards(case)


def _label(line: str) -> str:
    """The label of a command's button, without a container's name, which would be cut on a phone."""
    if not line.startswith("logs "):
        return f"Run {line}"
    return "Logs before the restart" if line.endswith("--previous") else "Its log"


def _afterwards(case: RepairRequest) -> tuple[Button, ...]:
    """Buttons for the next steps once the request is over."""
    if case.state in (RequestState.EXPIRED, RequestState.VOID) and (line := case.action.again_line(case)):
        return (Button("Ask again", line),)
    if case.state is RequestState.FAILED and case.outcome and case.outcome.advice:
        return (Button(_label(case.outcome.advice), case.outcome.advice, style="primary"),)
    return case.action.next_steps(case) if case.state is RequestState.SUCCEEDED else ()


def progress(case: RepairRequest, now: datetime) -> Reply:
    """The message in the card's thread, which is edited during the rollout."""
    if case.progress is None:
        return Reply(headline(case), shareable=False, repeatable=False)
    done = case.state.final
    ended = case.outcome.at if case.outcome else now
    return Reply(
        headline(case) if done else f"⏳ {rollout.headline(case.progress)}",
        body=("\n".join(rollout.lines(case.progress, ended if done else now)),),
        facts=tuple(Fact("Event", line) for line in case.progress.evidence) if not done else (),
        notes=(f"{case.id} · as of {words.clock(ended if done else now)}",),
        shareable=False,
        repeatable=False,
    )


def outcome(case: RepairRequest, *, joined: bool = False) -> Reply:
    """The direct message at the end, to the requester or to somebody who ``joined``."""
    facts = [_said(d) for d in case.request.decisions]
    facts += _evidence(case)
    return Reply(
        headline(case),
        facts=tuple(facts),
        buttons=_afterwards(case),
        notes=(f"{case.id} · {_why_told(case, joined)}",),
        shareable=False,
        repeatable=False,
    )


def _why_told(case: RepairRequest, joined: bool) -> str:
    return "you asked for the same" if joined else f"you asked for it at {words.clock(case.request.created_at)}"


_LATE = {
    RequestState.APPROVED: "is approved already",
    RequestState.EXECUTING: "is approved already, and under way",
    RequestState.SUCCEEDED: "is approved already, and done",
    RequestState.FAILED: "is approved already, and has failed",
    RequestState.DENIED: "is denied already",
    RequestState.WITHDRAWN: "is withdrawn already",
    RequestState.EXPIRED: "has expired",
    RequestState.VOID: "is void",
}


def late(case: RepairRequest) -> Reply:
    """The reply to a decision that comes too late: the state, and who decided."""
    said = [_said(d) for d in case.request.decisions]
    body: list[Line] = [(f"{fact.label} ", *_parts(fact.value)) for fact in said]
    if case.outcome is not None and case.state in (RequestState.VOID, RequestState.FAILED):
        body.append(f"Why: {case.outcome.text}")
    text = f"Too late: {case.id} {_LATE[case.state]}"
    return Reply(text, body=tuple(body), shareable=False, repeatable=False)


def value_wanted(case: RepairRequest, until: datetime) -> Reply:
    """The direct message with the one-time button to enter a value; later, the outcome."""
    if case.state is not RequestState.APPROVED:
        return outcome(case)
    return Reply(
        f"🔑 {what(case)} is approved: enter it by {words.clock(until)}",
        body=("It goes straight to the API server: it is neither shown nor kept anywhere.",),
        facts=tuple(_said(d) for d in case.request.decisions),
        buttons=(Button("Enter the value", f"secrets enter {case.id}", style="primary"),),
        notes=(f"{case.id} · works once",),
        shareable=False,
        repeatable=False,
    )


def posted_late(case: RepairRequest) -> Reply:
    """Replaces the message of `unposted` once the card is posted."""
    return Reply(
        f"📌 {what(case)}: your request was posted late",
        body=(("Its card is in ", Mention(case.channel), ", and says how it stands."),),
        notes=(case.id,),
        shareable=False,
        repeatable=False,
    )


def unposted(case: RepairRequest, why: str) -> Reply:
    """The direct message to the requester while the card can't be posted."""
    if case.state is not RequestState.OPEN:
        body = (f"The card could not be posted. {why}",)
        return Reply(headline(case), body=body, notes=(case.id,), shareable=False, repeatable=False)
    return Reply(
        f"⚠️ {what(case)}: nobody sees your request yet",
        body=(f"The card could not be posted. {why}", "It is tried again every minute until the request expires."),
        notes=(f"{case.id} · approvers can decide with approve {case.id}",),
        shareable=False,
        repeatable=False,
    )
