"""Render a repair request for Slack: the card, the progress in its thread, the messages to the requester. Pure.

Each message is rendered from the whole request, so that any process can update it at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.approvals import decision_buttons, forecast
from bot.domain.approvals.approval import ApprovalPolicy, Choice, Decision, RequestState
from bot.domain.approvals.repair import SHELL, RepairRequest, failed
from bot.domain.core import labels, words
from bot.domain.core.reply import Button, Excerpt, Fact, Line, Mention, Reply
from bot.domain.health import rollout

ASKED = ("Asked by", "Reason")
"""The labels of the facts that say who asked and why."""


def what(repair: RepairRequest) -> str:
    """The requested repair, as the beginning of a headline."""
    return repair.action.what(repair)


def person(who: str) -> Line:
    """A Slack user as a mention; a requester from a shell by login name; anything else as plain text."""
    if who.startswith(SHELL):
        return f"somebody in a shell (as {who.removeprefix(SHELL)})"
    return (Mention(who),) if who.startswith(("U", "W")) and who.isalnum() else who


def shell(repair: RepairRequest) -> bool:
    """Whether it was asked for in a shell: nobody in Slack can be known to be its requester, or withdraw it."""
    return repair.request.requester.startswith(SHELL)


def headline(repair: RepairRequest) -> str:
    """The state of the request in one line."""
    loud = "💥 BREAK-GLASS · " if any(d.choice is Choice.BREAK_GLASS for d in repair.request.decisions) else ""
    return loud + _headline(repair)


def _headline(repair: RepairRequest) -> str:
    outcome = repair.outcome
    text = outcome.text if outcome else ""
    match repair.state:
        case RequestState.OPEN:
            needed, has = repair.request.needed, len(repair.request.approvals)
            wanted = "needs approval" if needed == 1 else f"has {has} of {needed} approvals"
            return f"✋ {what(repair)}: {wanted}"
        case RequestState.APPROVED:
            where = "(button in their direct messages)"
            return f"🔑 {what(repair)}: approved, waiting for the requester to enter it {where}"
        case RequestState.EXECUTING:
            if repair.wait is not None:
                pause = words.age(repair.wait.until - repair.wait.since)
                return f"⏳ {what(repair)}: waiting {pause}, the API server asked for a pause"
            where = ", see the thread" if repair.action.rolls_out else ""
            return f"⏳ {what(repair)}: under way{where}"
        case RequestState.SUCCEEDED:
            took = f": {repair.action.took(repair, outcome.seconds)}" if outcome and outcome.seconds else ""
            return f"✅ {repair.action.was_done(repair)}{took}"
        case RequestState.FAILED:
            return f"🔴 {what(repair)} {failed(text)}"
        case RequestState.DENIED:
            return f"⛔ {what(repair)}: denied"
        case RequestState.WITHDRAWN:
            return f"↩️ {what(repair)}: withdrawn"
        case RequestState.EXPIRED:
            return f"⌛ {what(repair)}: expired, nobody decided in time"
        case RequestState.VOID:
            return f"🚫 {what(repair)} is void{f': {text}' if text else ''}"
    raise AssertionError(repair.state)


def warnings(repair: RepairRequest) -> tuple[str, ...]:
    """What whoever asked and whoever decides read first, a line each; none once it is being carried out."""
    undone = repair.state in (RequestState.OPEN, RequestState.APPROVED)
    seen = words.clock(repair.request.created_at)
    return tuple(f"{one}. Seen at {seen}." for one in repair.forecast.warnings) if undone else ()


def effect(repair: RepairRequest) -> tuple[str, ...]:
    """What will happen, until it is being carried out."""
    undone = repair.state in (RequestState.OPEN, RequestState.APPROVED)
    return (repair.effect,) if repair.effect and undone else ()


def card(
    repair: RepairRequest,
    policy: ApprovalPolicy,
    approvers: Sequence[Mention] = (),
    deadlock: str = "",
    meanwhile: str = "",
) -> Reply:
    """The message in the operations channel.

    ``deadlock`` says why nobody can approve it, ``meanwhile`` that the problem it was asked for is gone.
    """
    is_open = repair.state is RequestState.OPEN
    body = (*warnings(repair), *effect(repair))
    notes = [f"{repair.id} · asked {words.clock(repair.request.created_at)}"]
    if is_open:
        notes.append(f"void if {repair.action.bound_to(repair.request.snapshot)} changes")
    return Reply(
        headline(repair),
        body=body,
        facts=tuple(_facts(repair, policy, deadlock, meanwhile)),
        excerpts=_output(repair),
        buttons=_buttons(repair, policy),
        notes=(" · ".join(notes),),
        notify=tuple(approvers) if is_open else (),
        shareable=False,
        repeatable=False,
    )


def _facts(repair: RepairRequest, policy: ApprovalPolicy, deadlock: str, meanwhile: str) -> list[Fact]:
    request = repair.request
    asked: list[str | Mention] = _parts(person(request.requester))
    for other in repair.joined:
        asked += [", ", *_parts(person(other))]
    facts = [Fact("Asked by", tuple(asked))]
    if repair.reason:
        facts.append(Fact("Reason", repair.reason))
    if meanwhile:
        facts.append(Fact("Meanwhile", meanwhile))
    if repair.state is RequestState.EXECUTING:
        facts += [Fact(forecast.DOWN_FOR, text) for text in forecast.down_for(repair.forecast)]
    elif not repair.state.final:  # what is decided on doesn't help once it is decided
        facts += [Fact(label, value) for label, value in (*forecast.facts(repair.forecast), *repair.facts)]
    elif repair.progress is not None and repair.progress.pod:
        facts.append(Fact("New pod", repair.progress.pod))
    facts += decisions(repair)
    facts += _results(repair)
    if repair.state is RequestState.SUCCEEDED and repair.outcome is not None:
        held = forecast.held(repair.forecast, repair.outcome.seconds)
        facts += [Fact("Predicted", held)] if held else []
    if repair.wait is not None:
        facts.append(Fact("Next try", words.clock(repair.wait.until)))
    if repair.state is RequestState.OPEN:
        facts.append(Fact("Approval", deadlock or _needed(repair, policy)))
    if repair.outcome is not None and repair.state.final:
        facts += _evidence(repair)
        if repair.state in (
            RequestState.SUCCEEDED,
            RequestState.FAILED,
        ):  # others end by a decision or a change, shown above
            facts.append(Fact("Ended", words.clock(repair.outcome.at)))
    return facts


def _results(repair: RepairRequest) -> list[Fact]:
    """What was done; where a restart could start another image, which one runs now."""
    found = repair.action.results(repair)
    if not found and repair.forecast.image and repair.done_as:
        found = [("Now", repair.done_as)]
    return [Fact(label, value) for label, value in found]


def _needed(repair: RepairRequest, policy: ApprovalPolicy) -> str:
    """How many approvals are still needed, from whom and by when."""
    missing = repair.request.missing
    count = f"{missing} {'more ' if repair.request.approvals else ''}needed"
    who = "an approver" if missing == 1 else "approvers"
    other = "" if policy.self_approval else " who did not ask for it"
    more = shell(repair) and not policy.self_approval
    why = ". A request from a shell needs one more than usual" if more else ""
    return f"{count} by {words.clock(repair.request.expires_at)}, from {who}{other}{why}"


def _evidence(repair: RepairRequest) -> list[Fact]:
    """Evidence of a failure; where no change was sent, what to do about it; of a void request, what is new."""
    if found := new_since(repair):
        return found
    label = "Evidence" if repair.progress is not None else "What to do"
    return [Fact(label, line) for line in repair.outcome.evidence] if repair.outcome else []


def new_since(repair: RepairRequest) -> list[Fact]:
    """What a void request would have ended or warned of that was not there when it was asked for."""
    lines = repair.outcome.unapproved if repair.outcome is not None else ()
    return [Fact(*forecast.labelled(line, repair.forecast)) for line in lines]


def _output(repair: RepairRequest) -> tuple[Excerpt, ...]:
    """What the command that failed printed: the program's words, not the bot's."""
    lines = repair.action.output(repair)
    return (Excerpt("\n".join(lines), title="Output"),) if lines else ()


def _parts(line: Line) -> list[str | Mention]:
    return [line] if isinstance(line, str) else list(line)


_SAID = {
    Choice.APPROVE: "Approved by",
    Choice.DENY: "Denied by",
    Choice.WITHDRAW: "Withdrawn by",
    Choice.BREAK_GLASS: "Break-glass by",
}


def decisions(repair: RepairRequest) -> list[Fact]:
    """Who decided what so far."""
    return [decision_fact(d) for d in repair.request.decisions]


def decision_fact(decision: Decision) -> Fact:
    """Who decided what, when and why."""
    rest = f" at {words.clock(decision.at)}" + (f": {decision.reason}" if decision.reason else "")
    return Fact(_SAID[decision.choice], (*_parts(person(decision.by)), rest))


def _buttons(repair: RepairRequest, policy: ApprovalPolicy) -> tuple[Button, ...]:
    if repair.state is RequestState.OPEN:
        glass = (decision_buttons.break_glass(repair),) if policy.break_glass else ()
        withdraw = () if shell(repair) else (Button("Withdraw", f"withdraw {repair.id}"),)
        return (decision_buttons.approve(repair), decision_buttons.deny(repair), *withdraw, *glass)
    return _next_buttons(repair)


_LAPSED = {RequestState.EXPIRED, RequestState.VOID}
_REFUSED = {RequestState.DENIED, RequestState.WITHDRAWN}


def _next_buttons(repair: RepairRequest, *, to_asker: bool = False) -> tuple[Button, ...]:
    """Buttons for the next steps once the request is over; who asked may ask again after a denial, too."""
    over = repair.state in (_REFUSED | _LAPSED if to_asker else _LAPSED) or repair.unchanged
    if over and (again := decision_buttons.ask_again(repair)):
        return (again,)
    if repair.state is RequestState.FAILED and repair.outcome and repair.outcome.advice:
        back = repair.action.after_failure(repair) if repair.sent_at is not None else ()
        advice = repair.outcome.advice
        look = Button(labels.of(advice) or f"Run {advice}", advice, style="" if back else "primary")
        diagnose = Button("Diagnose", f"diagnose --target {words.quoted(repair.target)}")
        return (*back, look, *([diagnose] if repair.action.restarts else []))
    return repair.action.next_steps(repair) if repair.state is RequestState.SUCCEEDED else ()


def progress(repair: RepairRequest, now: datetime) -> Reply:
    """The message in the card's thread, which is edited during the rollout."""
    if repair.progress is None:
        return Reply(headline(repair), shareable=False, repeatable=False)
    done = repair.state.final
    ended = repair.outcome.at if repair.outcome else now
    return Reply(
        headline(repair) if done else f"⏳ {rollout.headline(repair.progress)}",
        body=("\n".join(rollout.lines(repair.progress, ended if done else now)),),
        facts=tuple(Fact("Event", line) for line in repair.progress.evidence) if not done else (),
        notes=(f"{repair.id} · as of {words.clock(ended if done else now)}",),
        shareable=False,
        repeatable=False,
    )


def outcome(repair: RepairRequest, *, joined: bool = False) -> Reply:
    """The direct message at the end, to the requester or to somebody who ``joined``."""
    facts = decisions(repair)
    facts += _results(repair)
    facts += _evidence(repair)
    return Reply(
        headline(repair),
        facts=tuple(facts),
        excerpts=_output(repair),
        buttons=_next_buttons(repair, to_asker=True),
        notes=(f"{repair.id} · {_why_sent(repair, joined)}",),
        shareable=False,
        repeatable=False,
    )


def _why_sent(repair: RepairRequest, joined: bool) -> str:
    return "you asked for the same" if joined else f"you asked for it at {words.clock(repair.request.created_at)}"


_LATE = {
    RequestState.APPROVED: "was already approved",
    RequestState.EXECUTING: "was already approved and is under way",
    RequestState.SUCCEEDED: "was already approved, and is done",
    RequestState.FAILED: "was already approved, and has failed",
    RequestState.DENIED: "was already denied",
    RequestState.WITHDRAWN: "was already withdrawn",
    RequestState.EXPIRED: "has expired",
    RequestState.VOID: "is void",
}


def late(repair: RepairRequest) -> Reply:
    """The reply to a decision that comes too late: the state, and who decided."""
    body: list[Line] = [(f"{fact.label} ", *_parts(fact.value)) for fact in decisions(repair)]
    if repair.outcome and repair.outcome.text and repair.state in (RequestState.VOID, RequestState.FAILED):
        body.append(f"Why: {repair.outcome.in_full}")
    text = f"Too late: {what(repair)} {_LATE[repair.state]}"
    return Reply(text, body=tuple(body), notes=(repair.id,), shareable=False, repeatable=False)


def value_wanted(repair: RepairRequest, until: datetime) -> Reply:
    """The direct message with the one-time button to enter a value; later, the outcome."""
    if repair.state is not RequestState.APPROVED:
        return outcome(repair)
    return Reply(
        f"🔑 {what(repair)} is approved: enter it by {words.clock(until)}",
        body=("It goes straight to the API server: it is neither shown nor kept anywhere.",),
        facts=tuple(decisions(repair)),
        buttons=(Button("Enter the value", f"secrets enter {repair.id}", style="primary"),),
        notes=(f"{repair.id} · works once",),
        shareable=False,
        repeatable=False,
    )


def posted_late(repair: RepairRequest) -> Reply:
    """Replaces the message of `unposted` once the card is posted."""
    return Reply(
        f"📌 {what(repair)}: your request was posted late",
        body=(("Its card is in ", Mention(repair.channel), ", and shows its current state."),),
        notes=(repair.id,),
        shareable=False,
        repeatable=False,
    )


def unposted(repair: RepairRequest, why: str) -> Reply:
    """The direct message to the requester while the card can't be posted."""
    if repair.state is not RequestState.OPEN:
        body = (f"The card could not be posted. {why}",)
        return Reply(headline(repair), body=body, notes=(repair.id,), shareable=False, repeatable=False)
    return Reply(
        f"⚠️ {what(repair)}: nobody sees your request yet",
        body=(f"The card could not be posted. {why}", "I try again every minute until the request expires."),
        notes=(f"{repair.id} · approvers can decide with /agentpod approve {repair.id}",),
        shareable=False,
        repeatable=False,
    )
