"""``changes``: what changed about the target, and what people did in between, each with its record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import Field as Param
from pydantic import field_validator

from bot.domain.core import change as change_words
from bot.domain.core import words
from bot.domain.core.change import BOT, CONFIG_MAP, SECRET, SETTINGS, Change
from bot.domain.core.reply import Line, Reply, parts, plain
from bot.domain.core.target import limited, parse_duration
from bot.domain.incidents.report import Entry
from bot.domain.rbac.roles import Capability
from bot.errors import Permanent
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.incidents.poll_coverage import GAP, pod_coverage
from commands.shared import shape
from commands.shared.audit_words import entry, names_of

SHOWN = 20
"""Lines of the message, the newest; those before are counted."""
LISTED = 500
"""Most changes and most actions that are read, and lines of ``--output json``."""
READ = 20_000
"""Most audit records that are read."""
REQUESTED = timedelta(days=2)
"""How long before the span a request may have been made that was decided on in it."""
ACTIONS = frozenset({"request", "decision", "outcome", "incident"})
"""Kinds of audit records that are listed: what people did, and what came of it."""
NOT_PUBLIC = frozenset({SECRET, CONFIG_MAP, SETTINGS})
"""Kinds of changes that are listed only where the caller alone sees the answer."""
_span = limited(timedelta(minutes=1), timedelta(days=90))


class ChangesParams(Params):
    """How far back."""

    since: timedelta = Param(default=timedelta(hours=2), description="how far back, such as 2h, at most 90d")

    @field_validator("since", mode="before")
    @classmethod
    def _duration(cls, value: object) -> timedelta:
        return _span(parse_duration(value))


async def run(ctx: Context, params: ChangesParams) -> Reply:
    """Reply with the changes and actions of the span, newest last."""
    began, now = ctx.clock.monotonic(), ctx.clock.now()
    if ctx.ledger is None:
        raise Permanent("There is no ledger here.", remedy="Set AGENTPOD_LEDGER__URL.")
    ledger, since = ctx.ledger, now - params.since
    targets = (ctx.target.name, *((BOT,) if shape.sees(ctx, ctx.targets) else ()))
    read = await ledger.changes(since, now, targets=targets, limit=LISTED)
    found = [_shown(ctx, one) for one in read if not (ctx.caller.public and one.kind in NOT_PUBLIC)]
    actions, whole = await _actions(ledger, ctx.target.name, since, now)
    entries = [(c.at, c.number, _line(change_words.when(c, now), c.text, c.source)) for c in reversed(found)]
    entries += [(e.at, e.number, _line(words.moment(e.at, now), e.text, e.source)) for e in actions]
    entries.sort(key=lambda entry: entry[:2])
    left_out = len(entries) - SHOWN
    more = "at least " if len(read) == LISTED or not whole else ""
    shown = ctx.outside.of(tuple(line for _, _, line in entries[-SHOWN:]))
    return Reply(
        _headline(len(read), len(actions), params.since, more),
        body=(
            *((f"{more}{left_out:,} before these; --since shortens the span",) if left_out > 0 else ()),
            *shown,
            *_not_listed(ctx, len(read) - len(found)),
            *await _unwatched(ledger, ctx.target.name, now),
        ),
        buttons=shape.buttons(ctx, [("Incidents", "incidents")]),
        notes=shape.notes(ctx, began),
        data={
            "changes": [_as_json(change) for change in reversed(ctx.outside.of(tuple(found)))],
            "actions": [
                {"at": e.at.isoformat(), "text": plain(e.text), "source": e.source}
                for e in ctx.outside.of(tuple(actions))
            ],
        },
    )


def _not_listed(ctx: Context, count: int) -> Iterator[Line]:
    """Yield the sentence on the changes that are left out where others see the answer."""
    if count:
        what = words.plural(count, "change")
        yield (
            f"Not shown here, where others see it: {what} of Secrets, ConfigMaps or the bot's settings. "
            f"Ask with {ctx.prefix} instead, which answers you alone."
        )


def _shown(ctx: Context, change: Change) -> Change:
    """The change; the keys of Secrets and ConfigMaps only for those who may run `secrets`."""
    return change if shape.allowed(ctx, Capability.VIEW_CREDENTIALS, (ctx.target.name,)).allowed else change.public


def _headline(changes: int, actions: int, span: timedelta, more: str) -> str:
    if not changes and not actions:
        return f"Nothing changed in the last {words.age(span)}"
    done = f", and {words.plural(actions, 'audit record')}" if actions else ""
    count = words.plural(changes, "change") if changes else "No change"
    return words.upper_first(f"{more if changes else ''}{count} in the last {words.age(span)}{done}")


def _line(when: str, text: Line, source: str) -> Line:
    return (f"{when}  ", *parts(text), f" · {source}")


def _as_json(change: Change) -> dict[str, object]:
    return {
        "number": change.number,
        "target": change.target,
        "kind": change.kind,
        "subject": change.subject,
        "before": change.before,
        "after": change.after,
        "at": change.at.isoformat(),
        "not_before": change.not_before.isoformat(),
        "text": change.text,
    }


async def _actions(ledger: Ledger, target: str, since: datetime, now: datetime) -> tuple[list[Entry], bool]:
    """What people did about the target, from the audit trail; and whether all of it was read."""
    repairs = await ledger.requests(target=target, since=since - REQUESTED, limit=LISTED)
    incidents = await ledger.incidents(since=since, limit=LISTED)
    called = names_of(repairs)
    subjects = set(called) | {i.id for i in incidents if i.problem.target == target}
    found: list[Entry] = []
    read = 0
    if subjects:
        async for record in ledger.records(since=since, limit=READ, newest=True):
            read += 1
            if record.subject in subjects and record.kind in ACTIONS and len(found) < LISTED:
                found.append(entry(record, now, called.get(record.subject, "")))
    return sorted(found, key=lambda one: (one.at, one.number)), read < READ and len(found) < LISTED


async def _unwatched(ledger: Ledger, target: str, now: datetime) -> Sequence[Line]:
    """Say so where the pod is not looked at now, so that changes would not be noticed."""
    at = words.moment_of(await ledger.mark(pod_coverage(target).last))
    if at is None:
        return ["The pod has not been looked at yet, so changes of it are not known."]
    if now - at <= GAP:
        return []
    return [f"The pod was last looked at {words.ago(at, now)}: later changes of it are not known."]


COMMAND = Command(
    "changes",
    "What changed, and what people did in between",
    Capability.VIEW,
    run,
    ChangesParams,
    group="Alerts",
    examples=("changes", "changes --since 1d"),
    details="Images, node, pod template, keys of Secrets and of the ConfigMaps in `config_maps`, Argo CD's "
    "revision, the crontab and the bot's own settings, as the bot noticed them; with requests, decisions, "
    "outcomes and acknowledgements from the audit trail. Each line cites its record. Of values that may be secret "
    "only the names are kept; those of keys are for operators. Where others see the answer, changes of Secrets, "
    "ConfigMaps and of the bot's settings are left out. The crontab is compared whenever it is read, Secrets and "
    "ConfigMaps every five minutes.",
)
