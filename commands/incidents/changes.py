"""``changes``: what changed about the target, and what people did in between, each with its record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field as Param
from pydantic import field_validator

from bot.domain.core import change as change_words
from bot.domain.core import words
from bot.domain.core.change import BOT, CONFIG_MAP, SECRET, SETTINGS, Change
from bot.domain.core.reply import Line, Reply, parts, plain
from bot.domain.core.target import limited, parse_duration
from bot.domain.incidents.concerned import concerned
from bot.domain.incidents.report import Entry
from bot.domain.rbac.roles import Capability
from bot.errors import Permanent
from bot.ports.ledger import Ledger
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.change_log import first_mark
from bot.services.incidents.poll_coverage import GAP, pod_coverage
from commands.shared import shape
from commands.shared.audit_words import entry, names_of

SHOWN, MOST = 20, 100
"""Lines of the message, the newest: by default, and at most. Those before are counted."""
LISTED = 500
"""Most changes and most actions that are read, and lines of ``--output json``."""
READ = 20_000
"""Most audit records that are read."""
ALWAYS = datetime.min.replace(tzinfo=UTC)
REQUESTED = timedelta(days=2)
"""How long before the span a request may have been made that was decided on in it."""
ACTIONS = frozenset({"request", "decision", "outcome", "incident", "heartbeat"})
"""Kinds of audit records that are listed: what people did, and what came of it."""
NOT_PUBLIC = frozenset({SECRET, CONFIG_MAP, SETTINGS})
"""Kinds of changes that are listed only where the caller alone sees the answer."""
_span = limited(timedelta(minutes=1), timedelta(days=90))


class ChangesParams(Params):
    """How far back, and how many lines."""

    since: timedelta = Param(default=timedelta(hours=2), description="how far back, such as 2h, at most 90d")
    tail: int = Param(default=SHOWN, ge=1, le=MOST, description="how many lines at most, the newest")

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
    actions, whole = await _actions(ctx, ledger, since)
    entries = [(c.at, c.number, _line(change_words.when(c), c.text, c.source)) for c in reversed(found)]
    entries += [(e.at, e.number, _line(words.moment(e.at), e.text, e.source)) for e in actions]
    entries.sort(key=lambda entry: entry[:2])
    older = _Older(params, len(entries), len(read) < LISTED and whole)
    recorded = await _recorded(ledger, ctx.target.name, now)
    shown = ctx.outside.of(tuple(line for _, _, line in entries[-params.tail :]))
    return Reply(
        _headline(_Counted(len(read), len(read) == LISTED, len(actions), whole), recorded, since, now),
        body=(
            *older.said,
            *shown,
            *_not_listed(ctx, len(read) - len(found)),
            *_not_known(recorded, since, now),
        ),
        buttons=shape.buttons(ctx, [*older.steps, ("Incidents", "incidents")]),
        notes=shape.notes(ctx, began),
        data={
            "changes": [_as_json(change) for change in reversed(ctx.outside.of(tuple(found)))],
            "actions": [
                {"at": e.at.isoformat(), "text": plain(e.text), "source": e.source}
                for e in ctx.outside.of(tuple(actions))
            ],
        },
    )


@dataclass(frozen=True)
class _Older:
    """The lines before those that are shown."""

    params: ChangesParams
    count: int
    """All lines that were found."""
    whole: bool
    """Whether that is all there is."""

    @property
    def said(self) -> tuple[str, ...]:
        """How many are shown of how many, and how to see more of them."""
        if self.count <= self.params.tail:
            return ()
        step = f"`--tail {self._wider}` shows {'all' if self._wider == self.count else 'more'} of them"
        step = step if self._wider > self.params.tail else "`--output json` in a terminal lists them"
        return (f"The newest {self.params.tail} of {'' if self.whole else 'at least '}{self.count:,}: {step}",)

    @property
    def steps(self) -> Iterator[tuple[str, str]]:
        """The button that shows more."""
        if self.count > self.params.tail and self._wider > self.params.tail:
            since = f"{self.params.since.total_seconds():.0f}s"
            yield f"The newest {self._wider}", f"changes --since {since} --tail {self._wider}"

    @property
    def _wider(self) -> int:
        return min(self.count, MOST)


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


@dataclass(frozen=True)
class _Counted:
    """How much was found, and whether that is all."""

    changes: int
    more_changes: bool
    actions: int
    all_actions: bool

    @property
    def did(self) -> str:
        """What the headline says of the audit records; empty where there are none."""
        if not self.actions:
            return "" if self.all_actions else "not all audit records were read"
        return f"{'' if self.all_actions else 'at least '}{words.plural(self.actions, 'audit record')}"


def _headline(found: _Counted, recorded: _Recorded, since: datetime, now: datetime) -> str:
    span = f"in {words.the_last(now - since)}"
    if found.changes:
        more = "at least " if found.more_changes else ""
        also = f" and {found.did}" if found.did and found.actions else ""
        unread = "" if found.actions or found.all_actions else f", and {found.did}"
        return words.upper_first(f"{more}{words.plural(found.changes, 'change')}{also} {span}{unread}")
    known = "is known" if recorded.last is None else ""
    if not known and recorded.began_after(since):
        span = f"since {words.moment(recorded.first)}"
    if found.actions:  # what was done comes first: somebody who reads "no change" reads no further
        return words.upper_first(f"{found.did} {span}, and no other change {known}".rstrip())
    if known:
        return f"No change {known} {span}{f', and {found.did}' if found.did else ''}"
    return f"No change {span}, and {found.did}" if found.did else f"Nothing changed {span}"


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


async def _actions(ctx: Context, ledger: Ledger, since: datetime) -> tuple[list[Entry], bool]:
    """What people did about the target, from the audit trail; and whether all of it was read."""
    target = ctx.target.name
    repairs = await ledger.requests(target=target, since=since - REQUESTED, limit=LISTED)
    incidents = await ledger.incidents(since=since, limit=LISTED)
    called = names_of(repairs)
    subjects = {*called, *(i.id for i in incidents if target in concerned(i, ctx.targets))}
    subjects |= {one.job for one in ctx.target.heartbeats}
    found: list[Entry] = []
    read = 0
    if subjects:
        async for record in ledger.records(since=since, limit=READ, newest=True):
            read += 1
            if record.subject in subjects and record.kind in ACTIONS and len(found) < LISTED:
                found.append(entry(record, called.get(record.subject, "")))
    whole = read < READ and max(len(found), len(repairs), len(incidents)) < LISTED
    return sorted(found, key=lambda one: (one.at, one.number)), whole


@dataclass(frozen=True)
class _Recorded:
    """Since when changes of the target are recorded, and when the pod was looked at last; None: never."""

    first: datetime
    last: datetime | None

    def began_after(self, since: datetime) -> bool:
        """Whether nothing is recorded of the beginning of the span."""
        return self.first > since


async def _recorded(ledger: Ledger, target: str, now: datetime) -> _Recorded:
    """Read both times. One that is still to come was written by a wrong clock, and says nothing."""
    coverage = pod_coverage(target)
    began = [words.moment_of(await ledger.mark(mark)) for mark in (coverage.first, first_mark(target))]
    last = words.moment_of(await ledger.mark(coverage.last))
    return _Recorded(max((at for at in began if at is not None and at <= now), default=ALWAYS), last)


def _not_known(recorded: _Recorded, since: datetime, now: datetime) -> Iterator[Line]:
    """Yield what is not known: changes before the record began, and those while the pod is not looked at."""
    if recorded.last is None:
        yield "The pod has not been checked yet, so its changes are not known."
        return
    if recorded.began_after(since):
        at = words.moment(recorded.first)
        yield f"Changes are recorded since {at}. There is no record of earlier ones."
    if now - recorded.last > GAP:
        yield f"The pod was last looked at {words.ago(recorded.last, now)}: later changes of it are not known."


COMMAND = Command(
    "changes",
    "What changed, and what people did in between",
    Capability.VIEW,
    run,
    ChangesParams,
    group="Alerts",
    examples=("changes", "changes --since 1d"),
    details="As the bot noticed them: images, restarts of containers, node, pod template, Argo CD's revision and "
    "the crontab. Also keys of Secrets and of the ConfigMaps in `config_maps`, and the bot's own settings. "
    "Requests, decisions, outcomes and acknowledgements come from the audit trail. Each line cites its "
    "record. Of values that may be secret only the names are kept; names of keys are shown to operators. Where "
    "others see the answer, changes of Secrets, ConfigMaps and of the bot's settings are left out. The "
    "crontab is compared whenever it is read, Secrets and ConfigMaps every five minutes.",
)
