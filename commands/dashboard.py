"""``dashboard``: the verdict, what is wrong, what waits for you, the heartbeats; the Home tab shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import card, incident_card, judge_heartbeats, summary, words
from bot.domain.access import Role
from bot.domain.alerting import Incident
from bot.domain.approval import State
from bot.domain.heartbeat import JobStatus
from bot.domain.probes import Verdict
from bot.domain.repair import Case
from bot.domain.reply import Button, Line, Reply
from bot.errors import AgentpodError
from bot.runbook import Command, Context, NoParams
from commands import _shape, status
from commands._checks import Checks
from commands._probes import run_probes
from commands._reads import Reads

MOST = 5
"""Incidents and requests that are shown; `incidents` and `approvals` show all."""
_SIGNS = {Verdict.OK: "✅", Verdict.WARN: "⚠️", Verdict.FAIL: "🔴", Verdict.UNKNOWN: "❔"}


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Look at everything once, and at the ledger."""
    began, now = ctx.clock.monotonic(), ctx.clock.now()
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)
        outcomes = await run_probes(checks.all(), ctx.probe_timeout)
    findings = status.folded(ctx.target, outcomes)
    incidents, cases, problem = await _kept(ctx)
    mine = [c for c in cases if _may_decide(ctx, c)]
    wrong = [f"{f.title}: {f.summary}" for f in findings if f.verdict is not Verdict.OK]
    body: list[Line] = []
    body += _section("Not as it should be", wrong if len(wrong) > 1 else [])  # one is the headline already
    body += _section("Open incidents", [incident_card.headline(i, now) for i in incidents[:MOST]])
    body += _section("Waiting for your decision", [_case(c, now) for c in mine[:MOST]])
    others = [c for c in cases if c not in mine]
    body += _section("Waiting for somebody else", [_case(c, now) for c in others[:MOST]])
    body += _section("Heartbeats", [_beat(s, now) for s in checks.seen.statuses or () if s.policy is not None])
    return Reply(
        summary.headline(findings, len(outcomes)),
        verdict=summary.overall(findings),
        body=tuple(body),
        buttons=_buttons(ctx, incidents, mine),
        notes=_shape.notes(ctx, began, *([problem] if problem else [])),
        shareable=False,
        data={"incidents": [i.id for i in incidents], "waiting": [c.id for c in cases]},
    )


async def _kept(ctx: Context) -> tuple[list[Incident], list[Case], str]:
    """Open incidents, the worst first, and open requests; and why they are not known."""
    if ctx.ledger is None:
        return [], [], ""
    try:
        incidents = list(await ctx.ledger.incidents(live=True, limit=50))
        cases = list(await ctx.ledger.cases(states={State.OPEN}, limit=20))
    except AgentpodError as error:
        return [], [], f"Incidents and requests are not known: {words.lower_first(error.message)}"
    incidents.sort(key=lambda i: (i.problem.severity != "critical", i.problem.since))
    return incidents, cases, ""


def _may_decide(ctx: Context, case: Case) -> bool:
    """Whether this caller's approval would count; at the click it is looked at again."""
    if not _shape.allowed(ctx, Role.APPROVER, case.places).allowed or ctx.caller.is_terminal:
        return False
    own = case.request.requester == ctx.caller.identity.user
    return not own or (ctx.repairs is not None and ctx.repairs.policy.self_approval)


def _section(title: str, lines: Sequence[str]) -> list[Line]:
    return ["\n".join([f"{title}:", *lines])] if lines else []


def _case(case: Case, now: datetime) -> str:
    reason = f": {words.cut(case.reason, 80)}" if case.reason else ""
    return f"✋ {case.id} {card.what(case)}{reason} ({words.ago(case.request.created_at, now)})"


def _beat(status_: JobStatus, now: datetime) -> str:
    sign = _SIGNS[judge_heartbeats.verdict_of(status_)]
    last = words.ago(status_.last_success, now) if status_.last_success else "never seen"
    note = f" ({status_.note})" if status_.note else ""
    return f"{sign} {status_.job}: {status_.health.value}, {last}{note}"


def _buttons(ctx: Context, incidents: Sequence[Incident], mine: Sequence[Case]) -> tuple[Button, ...]:
    decide = [Button(f"Approve {c.id}", f"approve {c.id}") for c in mine[:2]]
    decide += [Button(f"Deny {c.id}", f"deny {c.id}") for c in mine[:1]]
    wanted = [(f"Acknowledge {i.problem.subject}", f"ack {i.id}") for i in incidents if i.ack is None][:2]
    more = _shape.buttons(ctx, [*wanted, ("Status", "status"), ("Digest", "digest")])
    return (*decide, *more)[:6]


COMMAND = Command(
    "dashboard",
    "The verdict, what is wrong, what waits for you, and the heartbeats",
    Role.VIEWER,
    run,
    group="Around it",
    details="What the app's Home tab shows.",
    rights=status.rights,
)
