"""``report``: what happened in an incident, in order, each line with where it is recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import Field as Param

from bot.domain.approvals.repair import RepairRequest
from bot.domain.core import words
from bot.domain.core.audit import Record
from bot.domain.core.change import BOT
from bot.domain.core.reply import Excerpt, Fact, Line, Reply, parts, plain
from bot.domain.incidents import incident_card, report
from bot.domain.incidents.alerting import Incident
from bot.domain.incidents.background import BEFORE
from bot.domain.incidents.concerned import concerned
from bot.domain.incidents.report import Answer, Entry, Report
from bot.domain.rbac.roles import Capability
from bot.errors import Permanent
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Concerns, Params
from bot.runbook.context import Context
from bot.services.incidents import incident_links
from commands.shared import incident_ids, shape
from commands.shared.audit_words import entry, names_of, said

SHOWN = 12
"""Lines of the message; the file has all."""
READ = 20_000
"""Most audit records that are read for one report."""
CHANGES = 200
"""Most changes that are read for one report, the newest."""
REQUESTED = timedelta(days=2)
"""How long before an incident a request may have been made that was carried out during it."""
HISTORY = timedelta(days=15)
"""How long the pod's history is kept."""


class ReportParams(Params):
    """Which incident."""

    id: str | None = Param(
        default=None,
        json_schema_extra={"positional": True},
        description="the incident's id, such as i-7k2m9xw; without it, the only open one",
    )
    markdown: bool = Param(default=False, description="answer with the whole report as Markdown")


async def run(ctx: Context, params: ReportParams) -> Reply:
    """Reply with the report without log lines; the whole of it is attached as Markdown."""
    return await _reply(ctx, params, with_log=False)


async def with_log(ctx: Context, params: ReportParams) -> Reply:
    """Reply with the report and the log lines that were kept when the incident was announced."""
    return await _reply(ctx, params, with_log=True)


async def _reply(ctx: Context, params: ReportParams, *, with_log: bool) -> Reply:
    if ctx.ledger is None:
        raise Permanent("There is no ledger here.", remedy="Set AGENTPOD_LEDGER__URL.")
    began, now, ledger = ctx.clock.monotonic(), ctx.clock.now(), ctx.ledger
    command = LOGS if with_log else COMMAND
    id_ = params.id or await incident_ids.only_open(ctx, ledger, f"{command.name} {{}}", command.needs, ended=True)
    if isinstance(id_, Reply):
        return id_
    found = await ledger.incident(id_)
    if found is None or not found.notified:
        raise await incident_ids.unknown(ctx, ledger, id_, command.name)
    incident = incident_card.with_target(found, several=ctx.several)
    made = ctx.outside.of(await _read(ctx, ledger, incident, now))
    kept = len(made.log)
    made = made if with_log else replace(made, log=())
    whole = report.markdown(made, now)
    if params.markdown:
        return Reply(f"# Report of {incident.id}", excerpts=(Excerpt(whole, filename=_file(incident), ends=True),))
    return Reply(
        report.headline(made, now),
        body=(*_body(ctx, made), *made.unknown),
        facts=tuple(Fact(label, fact.line(incident)) for label, fact in zip(made.labels, made.facts, strict=True)),
        excerpts=(*_log(made), Excerpt(whole, filename=_file(incident), attached=True)),
        buttons=shape.buttons(
            ctx,
            [("Report with log lines", f"report logs {incident.id}")] if kept > len(made.log) else [],
            targets=concerned(incident, ctx.targets),
        ),
        links=await incident_links.of(ctx.message_links, ledger, found),
        notes=shape.notes(ctx, began, incident.id, of=incident.problem.target),
        data={"id": incident.id, "entries": [_as_json(entry) for entry in (*made.entries, *made.log)]},
    )


def _log(made: Report) -> list[Excerpt]:
    """The log lines that were kept."""
    if not made.log:
        return []
    which = made.log[0].source.partition(" of ")[2]
    title = f"The last {words.plural(len(made.log), 'line')} of {which}, read at {words.moment(made.log[0].at)}"
    return [Excerpt("\n".join(plain(entry.text) for entry in made.log), title, f"{made.incident.id}.log")]


def _file(incident: Incident) -> str:
    return f"report-{incident.id}.md"


def _body(ctx: Context, made: Report) -> list[Line]:
    """The closest lines, and where the others are."""
    short = report.shortened(made, SHOWN)
    more = len(made.entries) + made.left_out - len(short)
    command = f": `{ctx.prefix} report {made.incident.id} --markdown`"
    where = command if ctx.caller.is_terminal else " in the attached file"
    return [*_lines(short, made.incident), *([f"{words.plural(more, 'more line')}{where}"] if more else [])]


def _lines(entries: Sequence[Entry], incident: Incident) -> list[Line]:
    """A line for each entry; those of the same minute have their seconds."""
    minutes = Counter(words.moment(entry.at) for entry in entries)
    times = (words.moment if minutes[words.moment(entry.at)] == 1 else words.clock for entry in entries)
    return [
        (f"{time(entry.at)}  ", *parts(entry.line(incident))) for time, entry in zip(times, entries, strict=True)
    ]


def _as_json(entry: Entry) -> dict[str, str]:
    return {"at": entry.at.isoformat(), "text": plain(entry.text), "source": entry.source}


async def _read(ctx: Context, ledger: Ledger, incident: Incident, now: datetime) -> Report:
    """Read all that belongs to the incident from the ledger; of other incidents those that the caller may see."""
    first, last, target = report.begin(incident), report.end(incident, now), incident.problem.target
    repairs = report.concerned(
        incident, await ledger.requests(target=target, since=first - REQUESTED, limit=200), now
    )
    since = min((first, *(r.request.created_at for r in repairs)))
    unknown = []
    subjects = {incident.id, *(repair.id for repair in repairs)}
    records: list[Record] = []
    read = 0
    async for record in ledger.records(since=since, limit=READ):
        read += 1
        if record.subject in subjects or report.is_push(record, incident):
            records.append(record)
    if read == READ:
        unknown.append(f"Only the first {READ:,} audit records since it began were read.")
    if now - first > HISTORY:
        unknown.append(f"The pod's history is kept for {words.age(HISTORY)}, so it is not in this report.")
    history = await ledger.history(first, last + timedelta(seconds=1), beats=False)
    targets = (target, *((BOT,) if shape.sees(ctx, ctx.targets) else ()))
    changes = await ledger.changes(first - BEFORE, last, targets=targets, limit=CHANGES)
    around = await ledger.incidents(since=first, limit=incident_ids.MOST_READ)
    others = [i for i in around if incident_ids.sees(ctx, i)]
    return report.made(
        incident,
        list(_recorded(records, incident, repairs, now)),
        [Answer(str(r.data.get("what", "")), r.actor, r.at) for r in records if r.subject == incident.id],
        repairs,
        others,
        [event for event in history if event.target == target],
        now,
        unknown,
        changes=[change.public for change in changes],
        kept=await ledger.evidence(incident.id),
    )


def _recorded(
    records: Iterable[Record], incident: Incident, repairs: Sequence[RepairRequest], now: datetime
) -> Iterator[Entry]:
    """The records that belong to the incident; those of a request with its id."""
    called, by_id = names_of(repairs), {repair.id: repair for repair in repairs}
    for record in records:
        made = entry(record, called.get(record.subject, ""))
        if record.subject == incident.id:
            made = replace(made, text=said(record))
        kept = report.of_record(made, record, incident, by_id.get(record.subject), now)
        if kept is not None:
            yield kept


COMMAND = Command(
    "report",
    "What happened in an incident, in order",
    Capability.VIEW,
    run,
    ReportParams,
    threaded=True,
    group="Alerts",
    concerns=Concerns.INCIDENT,
    sensitive_args=True,
    examples=("report", "report i-7k2m9xw"),
    details="Changes of the half hour before it and meanwhile, alerts, answers, requests, decisions, executions "
    "and the pod's downtimes. Each line has the audit record, change or notice that says so, and how long it "
    "took. "
    "The whole is attached as Markdown; --markdown prints it.",
)

LOGS = Command(
    "report logs",
    "The report of an incident with its log lines",
    Capability.READ_LOGS,
    with_log,
    ReportParams,
    group="Alerts",
    concerns=Concerns.INCIDENT,
    audited=True,
    sensitive_args=True,
    examples=("report logs i-7k2m9xw",),
    details="As report, with the last lines of the pod's log, redacted, as kept when the alert was sent. They are "
    "of the container that had ended last, else of one that was not ready, else of the first.",
)
