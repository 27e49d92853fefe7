"""What a repair will change, end and cost, as it was told to whoever approves it. Pure.

It is read when somebody asks and stored with the request. What the repair ends is read again right before it is
carried out: what nobody has approved must not be lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

from bot.domain.core import words
from bot.domain.core.images import TagNow, shortened
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.object_diff import FieldChange
from bot.domain.health.rollout import APPROVAL_ANNOTATION, RESTARTED_ANNOTATION

MOST_KEPT, MOST_SHOWN, LONGEST = 100, 5, 120
"""Things of one kind that are kept and that are shown, and characters of one."""
MOST_FIELDS = 6
"""Changed fields that are shown."""
DOWN_FOR = "Down for"
NOT_KNOWN = "Not known"
"""The label of losses that are unknown for the same reason."""
ENOUGH = 5
"""Past restarts from which the range is drawn closely."""


@dataclass(frozen=True)
class Loss:
    """What of one kind the repair ends: sessions, uncommitted work."""

    name: str
    """The runbook's entry."""
    title: str
    things: tuple[str, ...] = ()
    """One line each: a key, and after ``": "`` what may change while it stays the same thing."""
    more: bool = False
    """Whether there are more than are listed."""
    unknown: str = ""
    """Why it is not known; empty where it is."""

    @property
    def text(self) -> str:
        """The things on one line; ``none`` where there are none."""
        if self.unknown:
            return f"unknown: {self.unknown}"
        if not self.things:
            return "none"
        left = len(self.things) - MOST_SHOWN
        rest = [f"and {left:,} more"] if left > 0 else []
        if self.more:
            rest = ["and many more" if rest else "and perhaps more"]
        return "; ".join([*(words.cut(one, LONGEST) for one in self.things[:MOST_SHOWN]), *rest])

    def new_since(self, approved: Loss) -> list[str]:
        """Things that were not there when it was asked for; none where either is not known."""
        if self.unknown or approved.unknown or approved.more:
            return []
        before = {_key(one) for one in approved.things}
        return [one for one in self.things if _key(one) not in before]


@dataclass(frozen=True)
class DownFor:
    """How long the target will be down, by its past restarts."""

    least: float
    most: float
    """Seconds."""
    restarts: int
    """How many it is drawn from."""
    fastest: float = 0.0
    slowest: float = 0.0
    """How many seconds those took; 0 where that was not kept."""

    @property
    def drawn_from(self) -> str:
        """The past restarts in words: ``the last 2 restarts took 3.1 s to 3.4 s``."""
        restarts = f"the last {_restarts(self.restarts)}"
        if not self.slowest:
            return f"by {restarts}"
        least, most = words.span(self.fastest), words.span(self.slowest)
        return f"{restarts} took {least if least == most else f'{least} to {most}'}"

    def __str__(self) -> str:
        """The range in words, in whole seconds."""
        most = words.age(timedelta(seconds=math.ceil(self.most)))
        least = math.floor(self.least)
        return f"{words.age(timedelta(seconds=least))} to {most}" if least else f"up to {most}"

    def holds(self, seconds: float) -> bool:
        """Whether a restart that took that long is within the range."""
        return self.least <= seconds <= self.most


@dataclass(frozen=True)
class Forecast:
    """All of it; parts that don't apply are empty."""

    changes: tuple[FieldChange, ...] = ()
    """What the API server would make of it, by a dry run there."""
    untried: str = ""
    """Why there was no dry run, where there should have been one."""
    losses: tuple[Loss, ...] = ()
    cron: str = ""
    """Cron runs that may be skipped."""
    down_for: DownFor | None = None
    image: str = ""
    """That it starts another image than the one that runs, or that this is not known; empty where it doesn't."""
    restarts: bool = False
    """Whether it ends the pod, or a container of it."""
    stuck: str = ""
    """Why no new pod will start; empty where that is not known."""
    no_cron: str = ""
    """That the pod's cron ends at a wrong crontab, and with it the container; empty where it doesn't."""
    doubt: str = ""
    """Why no new pod may start; empty where nothing says so."""
    spared: bool = False
    """Whether the old pod runs on until a new one is ready."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What whoever decides has to read first, a line each."""
        return tuple(f"⚠️ {one}" for one in (*_unhelpful(self), self.no_cron) if one)

    @property
    def stays_down(self) -> bool:
        """Whether the target stays down until somebody mends what it warns of.

        A container that ends at the crontab may be ready for a moment, in which a rollout ends the old pod.
        """
        return bool(self.stuck and not self.spared) or bool(self.no_cron)


NOTHING = Forecast()
"""Of a repair of which nothing was asked."""


def range_of(past: Sequence[float]) -> DownFor | None:
    """The range in which the next restart will lie, by how many seconds the last ones took; None without any.

    The next value of a series lies between the least and the most of n earlier ones in (n - 1) of (n + 1) cases.
    The range is wider than that by a fifth, and by much more while there are few.
    """
    if not past:
        return None
    wider = 1.25 if len(past) >= ENOUGH else 2.0
    fastest, slowest = min(past), max(past)
    return DownFor(max(0.0, fastest / wider - 1.0), slowest * wider + 1.0, len(past), fastest, slowest)


WORSE = "it would end more now than when it was asked for"
"""Why a request is void of which `worse` says something."""
WARNED = "it has a warning now that it did not have when it was asked for"
"""Why a request is void of which `newly_warned` says something."""


def newly_warned(approved: Forecast, now: Forecast) -> tuple[str, ...]:
    """What it would warn of now and did not when it was asked for: a line each, with its label first."""
    stuck = "" if approved.stuck or approved.doubt else now.stuck
    no_cron = "" if approved.no_cron else now.no_cron
    return tuple(one for one in (*_unhelpful(Forecast(stuck=stuck)), no_cron) if one)


def _unhelpful(forecast: Forecast) -> tuple[str, ...]:
    """That it won't help, or may not."""
    if forecast.stuck:
        return (f"Won't help: {forecast.stuck}",)
    return (f"May not help: {forecast.doubt}",) if forecast.doubt else ()


def worse(approved: Forecast, now: Sequence[Loss]) -> tuple[str, ...]:
    """What would be lost now and was not when it was asked for: a line for each title, with its label first."""
    before = {loss.name: loss for loss in approved.losses}
    found = []
    for loss in now:
        if (known := before.get(loss.name)) is None or not (new := loss.new_since(known)):
            continue
        listed = "; ".join(words.cut(one, LONGEST) for one in new[:2]) + ("; …" if len(new) > 2 else "")
        found.append(f"{loss.title}: {len(new)} more ({listed})")
    return tuple(found)


def labelled(line: str, approved: Forecast) -> tuple[str, str]:
    """A line of `worse` as label and value: a title that was approved is kept whole, whatever is in it."""
    titles = [loss.title for loss in approved.losses if line.startswith(f"{loss.title}: ")]
    label = max(titles, key=len, default=line.partition(": ")[0])
    return label, line.removeprefix(f"{label}: ")


def facts(forecast: Forecast) -> list[tuple[str, str]]:
    """Labels and values for the card: another image first, since nobody expects it, then what is lost."""
    found = [("New image", forecast.image)] if forecast.image else []
    found += _together(forecast.losses)
    if forecast.stays_down:
        found.append((DOWN_FOR, "until the cause above is fixed"))
    elif forecast.stuck:
        found.append((DOWN_FOR, "no time: the old pod keeps running"))
    elif forecast.restarts:
        past = down_for(forecast) or ["not known: no restart like this one is on record"]
        found += [(DOWN_FOR, text) for text in past]
    if forecast.cron:
        found.append(("Cron runs at risk", forecast.cron))
    if forecast.untried:
        found.append(("Dry run", f"not possible: {forecast.untried}"))
    elif forecast.changes:
        found.append(("Dry run", _changes(forecast.changes)))
    return found


def down_for(forecast: Forecast) -> list[str]:
    """How long a restart will take, by the past ones; empty where that is not known."""
    down = forecast.down_for if forecast.restarts else None
    return [f"{down} expected ({down.drawn_from})"] if down else []


def another_image(tags: Sequence[TagNow]) -> str:
    """Which images a restart starts instead of those that run, or why that is not known; else empty."""
    texts, several = [], len(tags) > 1
    for tag in tags:
        about = f"{tag.container}: " if several else ""
        if tag.moved and tag.running is not None:
            this, instead = shortened(tag.digest), shortened(tag.running)
            texts.append(f"{about}{tag.tag} has moved: this starts {this} instead of {instead}")
        elif tag.unknown:
            texts.append(f"{about}not known whether {tag.tag} has moved: {words.cut(tag.unknown, LONGEST)}")
    return "; ".join(texts)


def held(forecast: Forecast, seconds: float | None) -> str:
    """Whether the prediction of the downtime held; empty where there was none, or it was not measured."""
    if forecast.down_for is None or seconds is None:
        return ""
    if forecast.down_for.holds(seconds):
        return f"{forecast.down_for}, which held"
    return f"{forecast.down_for}; it took {'less' if seconds < forecast.down_for.least else 'longer'}"


def cost(forecast: Forecast) -> str:
    """The cost in a sentence or two, for a small dialog; empty where there is none."""
    image = [words.upper_first(forecast.image)] if forecast.image else []
    lost = [
        f"{loss.title}: {len(loss.things)}{'+' if loss.more else ''}" for loss in forecast.losses if loss.things
    ]
    down = [f"Expected to be down for {forecast.down_for}"] if forecast.down_for else []
    return "".join(f" {one}." for one in (*forecast.warnings, *image, *lost, *down)).strip()


def _changes(changes: Sequence[FieldChange]) -> str:
    """The changes, object by object; those by which a restart is made, in words."""
    marks = tuple(f"annotations[{name}]" for name in (APPROVAL_ANNOTATION, RESTARTED_ANNOTATION))
    others = [one for one in changes if not one.path.endswith(marks)]
    if not others:
        return f"accepted; it only changes the restart annotation of {changes[0].object}"
    texts = []
    for name in dict.fromkeys(one.object for one in others):
        mine = [one for one in others if one.object == name]
        if any(not one.path for one in mine):
            texts.append(f"{name} is deleted")
            continue
        fields = ", ".join(str(one) for one in mine[:MOST_FIELDS])
        more = len(mine) - MOST_FIELDS
        texts.append(f"{fields}{f', and {more} more' if more > 0 else ''}, in {name}")
    return "accepted; " + "; ".join(texts)


def _together(losses: Sequence[Loss]) -> list[tuple[str, str]]:
    """Titles and what would be lost, with what is unknown for one reason in one line."""
    by_reason: dict[str, list[str]] = {}
    for loss in losses:
        if loss.unknown:
            by_reason.setdefault(loss.unknown, []).append(loss.title)
    lines: dict[tuple[str, str], None] = {}
    for loss in losses:
        titles = by_reason.get(loss.unknown, [])
        if len(titles) > 1:
            lines[NOT_KNOWN, f"{', '.join(titles)}: {loss.unknown}"] = None
        else:
            many = f"{len(loss.things)} ({loss.text})" if len(loss.things) > 1 else loss.text
            lines[loss.title, many] = None
    return list(lines)


def _key(thing: str) -> str:
    return thing.partition(": ")[0]


def _restarts(count: int) -> str:
    return "restart" if count == 1 else f"{count} restarts"
