"""``dashboard``: the verdict, problems, incidents, requests and heartbeats; the Home tab shows it as well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.approvals import card, decision_buttons
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import labels, summary, words
from bot.domain.core.probes import SIGNS, Finding, Verdict, worst
from bot.domain.core.reply import Button, Card, Line, Link, Mention, Reply, parts
from bot.domain.heartbeats import judge_heartbeats
from bot.domain.heartbeats.heartbeat import JobStatus
from bot.domain.incidents import alerting, incident_card
from bot.domain.incidents.concerned import concerned
from bot.domain.incidents.sources.heartbeat import HEARTBEAT
from bot.domain.outbox.message import UNDELIVERED_FOR
from bot.domain.rbac.access import allowed_in
from bot.domain.rbac.roles import Capability
from bot.domain.rbac.scope import ANY
from bot.errors import AgentpodError
from bot.runbook.command import Command, Concerns, NoParams
from bot.runbook.context import Context
from bot.services.health.checks import registry
from bot.services.health.checks.heartbeats import HeartbeatsCheck
from bot.services.incidents import incident_links
from bot.services.runbook.all_checks import runbook_rights
from bot.services.runbook.status import Status, StatusChecks, rights_beside
from commands.shared import requests, shape

MOST = 5
"""Maximum incidents and requests that are shown; `incidents` and `approvals` show all."""
MOST_TARGETS = 10
"""Maximum targets with a card each, the worst; the others share one."""
MOST_BEATS = 25
"""Maximum jobs that are shown: more would be no overview on a phone."""
_WORDS = {Verdict.WARN: "Healthy, with warnings", Verdict.FAIL: "Not healthy", Verdict.UNKNOWN: "Could not tell"}


@dataclass(frozen=True)
class _TargetFacts:
    """What `status` says of a target, and its heartbeats."""

    name: str
    status: Status
    beats: Sequence[JobStatus]

    @property
    def verdict(self) -> Verdict:
        return self.status.verdict

    @property
    def headline(self) -> str:
        return self.status.headline

    def wrong(self, incidents: Sequence[alerting.Incident]) -> list[str]:
        """Return the problems, a line each, that the headline, the incidents and the jobs don't already state."""
        said = {text for one in incidents if one.problem.target == self.name for text in _said_by(one)}
        listed = judge_heartbeats.PROBE if self.beats else ""
        bad = [f for f in self.status.findings if f.verdict is not Verdict.OK and f.probe != listed]
        return [_finding(f) for f in bad if f.summary not in said and not summary.said_in(self.headline, f)]


def _said_by(incident: alerting.Incident) -> tuple[str, str]:
    """What an incident says, as findings say it."""
    problem = incident.problem
    return problem.summary, f"{problem.subject} {problem.summary}"


@dataclass(frozen=True)
class _LedgerFacts:
    """Incidents, requests and undeliverable messages from the ledger, or why it can't be read."""

    incidents: Sequence[alerting.Incident] = ()
    """Open incidents."""
    repairs: Sequence[RepairRequest] = ()
    undelivered: Sequence[Line] = ()
    """Undeliverable messages, a line for each place and reason."""
    problem: str = ""


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Run all checks of all targets, read the ledger, and reply with an overview."""
    began = ctx.clock.monotonic()
    shown = [c for c in (ctx, *ctx.others) if shape.sees(ctx, (c.target.name,))]
    looks = asyncio.gather(*(_check_target(c) for c in shown))
    seen, kept = await asyncio.gather(looks, _read_ledger(ctx))
    ordered = sorted(seen, key=lambda s: -s.verdict.badness)
    kept = replace(kept, incidents=_ordered(kept.incidents, ordered))
    return _reply(ctx, ordered, kept, await _cards(ctx, ordered, kept), began)


def _ordered(incidents: Sequence[alerting.Incident], seen: Sequence[_TargetFacts]) -> Sequence[alerting.Incident]:
    """The incidents, of equally bad ones first those that `status` names first."""
    lines = ((one.name, finding.summary) for one in seen for finding in one.status.findings)
    place = {line: number for number, line in enumerate(lines)}

    def named(one: alerting.Incident) -> tuple[object, ...]:
        places = (place.get((one.problem.target, text), len(place)) for text in _said_by(one))
        by_severity, others = incident_card.rank(one)[:3], incident_card.rank(one)[3:]
        return (*by_severity, min(places), *others)

    return sorted(incidents, key=named)


async def _check_target(ctx: Context) -> _TargetFacts:
    status = await StatusChecks(ctx).run()
    jobs = [s for check in status.checks if isinstance(check, HeartbeatsCheck) for s in check.statuses]
    return _TargetFacts(ctx.target.name, status, [s for s in jobs if s.policy is not None])


async def _read_ledger(ctx: Context) -> _LedgerFacts:
    if ctx.ledger is None:
        return _LedgerFacts()
    try:
        found = await ctx.ledger.incidents(live=True, limit=None)
        incidents = [i for i in found if shape.sees(ctx, concerned(i, ctx.targets))]
        seen = shape.seen_targets(ctx)
        repairs = await ctx.ledger.requests(states={RequestState.OPEN}, targets=seen, limit=None)
        everything = shape.sees(ctx, ctx.targets)
        dead = await ctx.ledger.dead(ctx.clock.now() - UNDELIVERED_FOR) if everything else ()
        undelivered = await shape.undelivered(ctx, dead)
    except AgentpodError as error:
        return _LedgerFacts(problem=f"Incidents and requests are not known: {words.lower_first(error.message)}")
    return _LedgerFacts(incidents, repairs, undelivered)


def _reply(
    ctx: Context, seen: Sequence[_TargetFacts], kept: _LedgerFacts, cards: tuple[Card, ...], began: float
) -> Reply:
    of = ", ".join(s.name for s in seen)
    return Reply(
        seen[0].headline if len(seen) == 1 else _of_several(seen),
        verdict=worst(s.verdict for s in seen),
        body=tuple(_body(ctx, seen, kept)),
        cards=cards,
        buttons=_buttons(ctx, seen),
        links=_links(ctx, seen[0].name) if len(seen) == 1 else (),
        notes=shape.notes(ctx, began, *_notes(seen), *([kept.problem] if kept.problem else []), of=of),
        shareable=False,
        again="Refresh",
        data={"incidents": [i.id for i in kept.incidents], "waiting": [c.id for c in kept.repairs]},
    )


def _notes(seen: Sequence[_TargetFacts]) -> Iterator[str]:
    """The notes of `status`, of several targets each with its name."""
    for one in seen:
        yield from (f"{one.name}: {note}" if len(seen) > 1 else note for note in one.status.notes)


def _links(ctx: Context, target: str) -> tuple[Link, ...]:
    return ctx.links.of_target(target, "home") if ctx.links is not None else ()


def _of_several(seen: Sequence[_TargetFacts]) -> str:
    """Return the headline for several targets: the worst verdict, and which have it."""
    verdict = seen[0].verdict
    if verdict is Verdict.OK:
        checks = sum(len(s.status.results) for s in seen)
        return f"Healthy: {len(seen)} targets, {words.plural(checks, 'check')} ok"
    names = [s.name for s in seen if s.verdict is verdict]
    return f"{_WORDS[verdict]}: {words.listed(names)} ({len(names)} of {len(seen)} targets)"


def _body(ctx: Context, seen: Sequence[_TargetFacts], kept: _LedgerFacts) -> Iterator[Line]:
    if len(seen) == 1:
        yield from _section("Also not as it should be", seen[0].wrong(kept.incidents[:MOST]))
    yield from _undelivered(ctx, kept.undelivered)
    yield from shape.not_shown(ctx)
    yield from _where(ctx)


async def _cards(ctx: Context, seen: Sequence[_TargetFacts], kept: _LedgerFacts) -> tuple[Card, ...]:
    """A card for each target (of several), open incident and open request, and for the heartbeats."""
    mine = [c for c in kept.repairs if requests.may_approve(ctx, c)]
    others = [c for c in kept.repairs if c not in mine]
    alone = seen[0].headline if len(seen) == len(kept.incidents) == 1 else ""
    incidents, decisions = await asyncio.gather(
        asyncio.gather(*(_incident(ctx, one, alone) for one in kept.incidents[:MOST])),
        asyncio.gather(
            *(_request(ctx, "Waiting for your decision", one, decides=True) for one in mine[:MOST]),
            *(_request(ctx, "Waiting for somebody else", one) for one in others[:MOST]),
        ),
    )
    return (
        *_targets(ctx, seen, kept),
        *incidents,
        *_not_listed(ctx, len(kept.incidents[MOST:]), "open incident", "incidents"),
        *decisions,
        *_not_listed(ctx, len(mine[MOST:]) + len(others[MOST:]), "open request", "approvals"),
        *_heartbeats(ctx, seen[:MOST_TARGETS], kept.incidents[:MOST], several=len(seen) > 1),
    )


def _targets(ctx: Context, seen: Sequence[_TargetFacts], kept: _LedgerFacts) -> Iterator[Card]:
    for one in seen[:MOST_TARGETS] if len(seen) > 1 else ():
        text = "\n".join([f"{SIGNS[one.verdict]} {one.name}: {one.headline}", *one.wrong(kept.incidents[:MOST])])
        status = shape.buttons(ctx, [("Status", f'status --target "{one.name}"')])
        yield Card((text,), status, _links(ctx, one.name))
    if more := seen[MOST_TARGETS:]:
        signs = dict.fromkeys(SIGNS[one.verdict] for one in more)
        named = [f"{sign} {words.listed([o.name for o in more if SIGNS[o.verdict] == sign])}" for sign in signs]
        shows = f"`{ctx.prefix} status --target NAME` shows one."
        yield Card(("\n".join([f"… and {words.plural(len(more), 'more target')}:", *named, shows]),))


def _not_listed(ctx: Context, left: int, what: str, command: str) -> Iterator[Card]:
    if left > 0:
        text = words.plural(left, f"more {what}")
        yield Card((f"… and {text}",), shape.buttons(ctx, [(labels.of(command), command)]))


def _heartbeats(
    ctx: Context, seen: Sequence[_TargetFacts], incidents: Sequence[alerting.Incident], *, several: bool
) -> Iterator[Card]:
    """A card for each target's jobs, without those that an incident above is about."""
    listed = {i.key for i in incidents if i.open}
    for one in seen:
        target, of = (f' --target "{one.name}"', f" of {one.name}") if several else ("", "")
        others = [s for s in one.beats if HEARTBEAT.key(one.name, s.job) not in listed]
        title = "Heartbeats" if len(others) == len(one.beats) else "Other heartbeats"
        for text in _section(f"{title}{of}", _beats(others, ctx.clock.now())):
            yield Card((text,), shape.buttons(ctx, [("Heartbeats", f"heartbeats{target}")]))


def _where(ctx: Context) -> Iterator[Line]:
    """Tell users who may view in a channel only, not in direct messages, where to type commands."""
    if ctx.caller.surface == "home" and not shape.allowed(ctx, Capability.VIEW, ANY).allowed:
        where = allowed_in(ctx.access, ctx.caller.identity, Capability.VIEW, ANY)
        yield ("You may run commands in ", Mention(where[0]), ": type them there.")


def _undelivered(ctx: Context, lines: Sequence[Line]) -> list[Line]:
    """Return a section of undeliverable messages; mentions in it show names."""
    left = len(lines) - MOST
    more = (f"\n… and {left} more: `{ctx.prefix} incidents` lists them",) if left > 0 else ()
    shown = (part for line in lines[:MOST] for part in ("\n⚠️ ", *parts(line)))
    return [("Not delivered:", *shown, *more)] if lines else []


def _section(title: str, lines: Sequence[str]) -> list[Line]:
    return ["\n".join([f"{title}:", *lines])] if lines else []


def _finding(finding: Finding) -> str:
    """Return a finding as a line, with its title."""
    return f"{SIGNS[finding.verdict]} {''.join(summary.titled(finding))}"


async def _incident(ctx: Context, incident: alerting.Incident, headline: str) -> Card:
    """An incident's card; where it is the only one, it does not name what the ``headline`` names."""
    of = concerned(incident, ctx.targets)
    handles = shape.allowed(ctx, Capability.HANDLE_INCIDENTS, of).allowed
    looks = [incident_card.first_look(incident)] if incident.there else []
    wanted = [*((look.label, look.command) for look in looks), ("Details", f"incidents {incident.id}")]
    if handles and incident.state is alerting.IncidentState.FIRING:
        wanted.insert(0, ("Acknowledge", f"ack {incident.id}"))
    named, now = not (incident.there and incident.problem.subject in headline), ctx.clock.now()
    line: Line = incident_card.headline(_shown(ctx, incident), now, named=named)
    if answered := incident_card.answered(incident, now):
        line = (*parts(line), "\n", *parts(answered))
    links = () if ctx.ledger is None else await incident_links.of(ctx.message_links, ctx.ledger, incident)
    return Card((line,), shape.buttons(ctx, wanted, targets=of), links)


def _shown(ctx: Context, incident: alerting.Incident) -> alerting.Incident:
    return incident_card.with_target(incident, several=ctx.several)


async def _request(ctx: Context, heading: str, repair: RepairRequest, *, decides: bool = False) -> Card:
    reason = f": {words.cut(repair.reason, 80)}" if repair.reason else ""
    line = f"✋ {card.what(repair)}{reason} ({repair.id}, {words.ago(repair.request.created_at, ctx.clock.now())})"
    decide = (decision_buttons.approve(repair), decision_buttons.deny(repair)) if decides else ()
    wanted = [("Details", f"approvals {repair.id}")]
    details = shape.buttons(ctx, wanted, places=repair.places, targets=(repair.target,))
    shown = (f"{heading}:\n{line}", *card.warnings(repair))
    return Card(shown, (*decide, *details), await requests.links(ctx, repair))


def _beats(statuses: Sequence[JobStatus], now: datetime) -> list[str]:
    """Return the jobs as lines, worst first, otherwise in the settings' order."""
    apart, note = judge_heartbeats.shared_note(statuses)
    worst_first = sorted(apart, key=lambda s: -judge_heartbeats.verdict_of(s).badness)
    left = len(apart) - MOST_BEATS
    more = [f"… and {left} more: `/agentpod heartbeats` shows all"] if left > 0 else []
    return [
        *(_beat(s, now) for s in worst_first[:MOST_BEATS]),
        *more,
        *([f"Each job: {note}"] if note else []),
    ]


def _beat(status_: JobStatus, now: datetime) -> str:
    sign = SIGNS[judge_heartbeats.sign_of(status_)]
    last = f"last success {words.ago(status_.last_success, now)}" if status_.last_success else "never seen"
    how = dict.fromkeys((judge_heartbeats.health_of(status_), last))  # the health may be "never seen" as well
    note = f" ({status_.note})" if status_.note else ""
    return f"{sign} {status_.job}: {', '.join(how)}{note}"


def _buttons(ctx: Context, seen: Sequence[_TargetFacts]) -> tuple[Button, ...]:
    status = []
    if len(seen) == 1:
        here = seen[0].name == ctx.target.name
        status = [("Status", "status" if here else f'status --target "{seen[0].name}"')]
    return shape.buttons(ctx, [*status, ("Digest", "digest")])


COMMAND = Command(
    "dashboard",
    "The verdict, what is wrong, what waits for you, and the heartbeats",
    Capability.VIEW,
    run,
    group="General",
    concerns=Concerns.SEEN,
    details="What the app's Home tab shows: of each target, or of the one that --target names.",
    rights=registry.rights,
    runbook_rights=runbook_rights,
    rights_beside=rights_beside,
)
