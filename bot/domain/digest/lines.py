"""The text of a digest: the headline, and a line for each job or pod with problems. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bot.domain.core import words
from bot.domain.core.intervals import What
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Line
from bot.domain.digest.day import NOTHING, Day, DayTrack, DigestFacts, window
from bot.domain.digest.restarts import are_planned

MOST_BAD, MOST_GOOD = 10, 8
"""Most lines and names in a digest, so that it fits into one message; the worst are shown."""
ALIKE = timedelta(minutes=3)
"""Gaps in the data of jobs and pod that differ by less are the same gap: the two are polled at different times."""
UNSEEN, UNSEEN_POD = "pod unknown", "the pod"


def headline(facts: DigestFacts) -> str:
    """The headline of the digest."""
    of = facts.days[0].window
    over = of.length >= window(of.day, facts.zone).length
    name = of.day.strftime("%a %d %b") + ("" if over else " so far")
    if not any(d.known for d in facts.days):
        return f"🔎 {name}: no data"
    uptime = _uptime(facts.days)
    if not _well(facts):
        worst = _worst(facts)
        said = uptime == UNSEEN and UNSEEN_POD in worst
        return f"🔎 {name}: {worst}" + ("" if said else f", {uptime}")
    jobs = [*([_late(facts)] if _late(facts) else _on_time(facts)), *_left_out(facts)]
    mark, all_ = ("🕒", "all healthy, but") if _late(facts) else (_good(facts), "all good,")
    return f"{mark} {name}: {all_} {', '.join([*jobs, uptime])}"


def _good(facts: DigestFacts) -> str:
    """The mark of a good day; not a check mark where every job has yet to send a heartbeat."""
    return "🔎" if not _count(facts) and any(d.never for d in facts.days) else "✅"


def _well(facts: DigestFacts) -> bool:
    """Whether nothing was down, no data is missing, no incident is open, and every check is ok."""
    return all(d.good for d in facts.days) and not facts.open and not facts.not_ok


def _count(facts: DigestFacts) -> int:
    return sum(len(d.jobs) for d in facts.days)


def _on_time(facts: DigestFacts) -> list[str]:
    return [f"{words.plural(_count(facts), 'job')} on time"] if _count(facts) else []


def _late(facts: DigestFacts) -> str:
    late = sum(d.late for d in facts.days)
    return f"{late} of {words.plural(_count(facts), 'job')} ran late" if late else ""


def _left_out(facts: DigestFacts) -> list[str]:
    return [f"{len(names)} {what}" for _, what, names in _uncounted(facts)]


def _uncounted(facts: DigestFacts) -> list[tuple[str, str, list[str]]]:
    """Jobs that count neither as on time nor as late: mark, reason and names."""
    paused = [name for d in facts.days for name in d.paused]
    never = [name for d in facts.days for name in d.never]
    away = [name for d in facts.days for name in d.away]
    each = (("⏸️", "paused", paused), ("🙈", "never seen", never), ("🛠️", "in maintenance", away))
    return [one for one in each if one[2]]


def _uptime(days: Sequence[Day]) -> str:
    """The pod's uptime; with several targets, the worst."""
    if not all(d.knows(d.pod) for d in days):
        return UNSEEN if len(days) == 1 else "a pod unknown"
    shares = {share: d for d in days if (share := d.uptime) is not None}
    if not shares:
        return "pod in maintenance"
    worst = shares[min(shares)]
    part = f" of {words.age(worst.window.length - worst.of_pod)} with data" if worst.of_pod else ""
    apart = " outside maintenance" if worst.pod.total(What.MAINTENANCE) else ""
    return f"pod up {_percent(min(shares))}{part}{apart}"


def _percent(share: float) -> str:
    """A percentage, never rounded up to 100."""
    if share >= 100.0:
        return "100 %"
    return f"{min(share, 99.99):.2f}".rstrip("0").rstrip(".") + " %"


def _worst(facts: DigestFacts) -> str:
    """The worst problem, in few words."""
    if down := _down(facts):
        name, first = max(down, key=lambda d: d[1].total(What.DOWN))
        more = f" and {words.plural(len(down) - 1, 'other')}" if len(down) > 1 else ""
        long = "all day" if _all_day(first, facts.days[0]) else words.age(first.total(What.DOWN))
        return f"{words.cut(name, 60)} down {long}{_apart(first.gap)}{more}"
    unsure, late = _missing_data_phrase(facts), _late(facts)
    opened = f"{words.plural(len(facts.open), 'incident')} open now" if facts.open else ""
    parts = (unsure, "" if unsure or late else _nothing_down(facts), late, opened, *_checks(facts))
    return ", ".join(part for part in parts if part)


def _checks(facts: DigestFacts) -> list[str]:
    """How many checks are not ok, and how many could not tell."""
    unknown = sum(one.verdict is Verdict.UNKNOWN for one in facts.checks.not_ok) if facts.checks is not None else 0
    each = {"not ok": facts.not_ok - unknown, "unknown": unknown}
    return [f"{words.plural(count, 'check')} {what}" for what, count in each.items() if count]


def _nothing_down(facts: DigestFacts) -> str:
    planned = any(are_planned(d.pod, d, facts) for d in facts.days)
    return "nothing was down but for a requested restart" if planned else "nothing was down"


def _missing_data_phrase(facts: DigestFacts) -> str:
    """A phrase on missing data; empty where none is missing."""
    unknown = _missing_data(facts)
    if not unknown:
        return ""
    most = max(unknown, key=lambda what: unknown[what])
    long, whole = words.age(unknown[most]), unknown[most] >= facts.days[0].window.length
    if not most:
        return f"no problems seen, no data for {long}"
    span = "" if whole else f" for {long}"
    return f"no problems seen, no data on {most}{span}"


def _missing_data(facts: DigestFacts) -> dict[str, timedelta]:
    """How long data is missing, by what it is missing on; an empty name stands for everything."""
    found: dict[str, timedelta] = {}
    for d in facts.days:
        pod = f"{d.target}'s pod" if len(facts.days) > 1 else UNSEEN_POD
        whole = {long >= d.window.length for long in (d.of_jobs, d.of_pod)}  # all day and nearly all day differ
        alike = bool(d.jobs) and abs(d.of_jobs - d.of_pod) < ALIKE and len(whole) == 1
        parts = {"": max(d.of_jobs, d.of_pod)} if alike else {"the jobs": d.of_jobs, pod: d.of_pod}
        for what, long in parts.items():
            found[what] = max(found.get(what, NOTHING), long)
    return {what: long for what, long in found.items() if long}


def _down(facts: DigestFacts) -> list[tuple[str, DayTrack]]:
    """The lanes that were down, with their names; without restarts of pods on request."""
    return [
        (_name(lane, d, facts), lane.unplanned)
        for d in facts.days
        for lane in d.lanes
        if lane.unplanned.downs and not are_planned(lane, d, facts)
    ]


def _name(lane: DayTrack, day: Day, facts: DigestFacts) -> str:
    """The name of a job or the pod; with several targets, it names the target."""
    return words.of_target(lane.subject, day.target) if len(facts.days) > 1 else lane.subject


def lanes(facts: DigestFacts) -> list[Line]:
    """A line for each lane with problems, worst first, compared with the day before; good lanes in one line."""
    bad: list[_SubjectProblem] = []
    good: list[str] = []
    away: list[tuple[timedelta, str]] = []
    for now, then in zip(facts.days, facts.before, strict=True):
        past = {lane.subject: lane for lane in then.lanes}
        for lane in now.lanes:
            name = _name(lane, now, facts)
            old = past.get(lane.subject)
            if lane.downs or lane.total(What.LATE) or (old is not None and old.downs):
                if are_planned(lane, now, facts):  # how long each took is in the restart's own line
                    text = f"🔁 {name}: restarted on request, {_often(lane.downs)}"
                else:
                    text = f"{_mark(lane, now)} {name}: {_describe(lane, now)}"
                bad.append(_SubjectProblem(lane, text, _day_before(lane.subject, old, then)))
            elif long := lane.total(What.MAINTENANCE):
                away.append((long, name))
            elif now.knows(lane):
                good.append(name)
    return [*_problem_lines(bad, good), *_maintenance_lines(away)]


@dataclass(frozen=True)
class _SubjectProblem:
    """A lane with problems on the day or the day before."""

    lane: DayTrack
    text: str
    past: str

    @property
    def order(self) -> tuple[timedelta, timedelta, str]:
        """Sort key: longest downtime first, then longest lateness."""
        return -self.lane.total(What.DOWN), -self.lane.total(What.LATE), self.text


def _problem_lines(bad: Sequence[_SubjectProblem], good: Sequence[str]) -> list[Line]:
    pasts = {b.past for b in bad}
    alike = pasts.pop() if len(bad) > 1 and len(pasts) == 1 else ""
    worst = sorted(bad, key=lambda b: b.order)[:MOST_BAD]
    found: list[Line] = [b.text if alike else f"{b.text} · the day before: {b.past}" for b in worst]
    if len(bad) > MOST_BAD:
        found.append(f"… and {words.plural(len(bad) - MOST_BAD, 'more', 'more')} with problems")
    if alike:
        found.append(f"Each of these, the day before: {alike}")
    if bad and good:
        found.append(f"✅ {_named(good)}: all good")
    return found


def _maintenance_lines(away: Sequence[tuple[timedelta, str]]) -> list[Line]:
    """A line on lanes whose only downtime was maintenance, longest first."""
    names = [f"{name} ({words.age(long)})" for long, name in sorted(away, key=lambda a: (-a[0], a[1]))]
    return [f"🛠️ {_named(names)}: not up in maintenance; not counted."] if names else []


def beside(facts: DigestFacts) -> list[Line]:
    """Lines that don't fit into the headline: missing data, and paused, never seen or maintained jobs."""
    if _well(facts) or not any(d.known for d in facts.days):
        return []
    found: list[Line] = []
    said = 0 if _down(facts) else 1
    unknown = sorted(_missing_data(facts).items(), key=lambda u: -u[1])
    found += [_nothing_known(what, long, facts) for what, long in unknown[said:]]
    found += [f"{mark} {_named(names)}: {what}" for mark, what, names in _uncounted(facts)]
    return found


def _named(names: Sequence[str]) -> str:
    """List names, at most `MOST_GOOD`."""
    more = [words.plural(len(names) - MOST_GOOD, "other")] if len(names) > MOST_GOOD else []
    return words.listed([*names[:MOST_GOOD], *more])


def _nothing_known(what: str, long: timedelta, facts: DigestFacts) -> str:
    if long >= facts.days[0].window.length:
        return f"🙈 No data{f' on {what}' if what else ''}."
    return f"🙈 No data{f' on {what}' if what else ''} for {words.age(long)}: left out of the totals."


def _mark(lane: DayTrack, day: Day) -> str:
    if not day.knows(lane):
        return "🙈"
    if lane.downs or lane.total(What.LATE):
        return "🔴" if lane.downs else "🕒"
    return "🛠️" if lane.total(What.MAINTENANCE) else "✅"


def _all_day(lane: DayTrack, day: Day) -> bool:
    return lane.total(What.DOWN) >= day.window.length


def _day_before(name: str, lane: DayTrack | None, day: Day) -> str:
    """Describe the day before, on which there may have been no lane."""
    if lane is not None:
        return _describe(lane, day)
    if name in day.away:
        return "in maintenance"
    return "paused" if name in day.paused else "never seen" if name in day.never else "not watched"


def _apart(gap: timedelta) -> str:
    """What a downtime leaves out, so that it is shorter than the incident: time in which nothing was known."""
    return f" ({words.age(gap)} without data not counted)" if gap else ""


def _often(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _describe(lane: DayTrack, day: Day) -> str:
    """Describe a lane's day."""
    if not day.knows(lane):
        return "no data"
    if _all_day(lane, day):
        return "down all day"
    said = []
    rest = lane.unplanned
    if rest.downs:
        said.append(f"down {words.age(rest.total(What.DOWN))}, {_often(rest.downs)}{_apart(rest.gap)}")
    if lane.planned:
        said.append(f"restarted on request, {_often(len(lane.planned))}")
    if not lane.downs and (late := lane.total(What.LATE)):
        said.append(f"late for {words.age(late)}")
    if away := lane.total(What.MAINTENANCE):
        said.append(f"{words.age(away)} in maintenance")
    return "; ".join(said) or "all good"
