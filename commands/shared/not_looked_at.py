"""What a diagnosis could not decide or read, by the reason: one reason often hides many causes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.domain.core import words
from bot.domain.core.reply import Fact
from bot.domain.core.summary import UnknownCause
from commands.shared.diagnosis import listed, plain

if TYPE_CHECKING:  # the runbook's engine is loaded at its first use
    from bot.runbook.file.judge import Diagnosed
    from bot.runbook.file.known import Unread

MOST_NAMES = 8
"""Most causes that one reason lists; more are counted, since they would read like findings."""
SAID = "hidden by what is unknown above"
"""The reason of causes whose own is said elsewhere."""


@dataclass
class _Hidden:
    """What one reason hides."""

    grant: str = ""
    """What gives the right that is missing."""
    of_all: bool = False
    """Whether the reason itself says what failed, so that it needs no source."""
    causes: dict[str, None] = field(default_factory=dict)
    sources: dict[str, None] = field(default_factory=dict)

    def line(self, reason: str) -> str:
        """The causes, and where one thing only was to be read, what. An empty reason is said elsewhere."""
        causes, sources = list(self.causes), [] if self.of_all and self.causes else list(self.sources)
        if not reason:
            return f"{_causes(causes) if causes else _some(sources)} ({SAID})"
        said = f"{sources[0]}: {reason}" if len(sources) == 1 else reason
        more = "" if len(sources) < 2 or causes else f" ({_some(sources)})"
        whole = f"{_causes(causes)} ({said})" if causes else f"{said}{more}"
        return f"{whole}. {self.grant}" if self.grant else whole


def not_looked_at(every: Sequence[Diagnosed], said: Iterable[UnknownCause] = ()) -> Iterator[Fact]:
    """Yield what was not decided or not read. Reasons that are ``said`` elsewhere are left out.

    Beside a missing right stands what grants it.
    """
    unread = [(source, why) for found in every for source, why in found.unread.items()]
    as_said = _as_said([why for _, why in unread], {cause.key for cause in said})
    hidden: dict[str, _Hidden] = {}
    for source, why in unread:
        reason, grant = as_said[why.reason]
        one = hidden.setdefault(reason, _Hidden(grant, why.whole))
        one.sources[plain(source)] = None
    for title, reason in _undecided(every):
        known, _ = as_said.get(reason, (reason, ""))
        hidden.setdefault(known, _Hidden()).causes[title] = None
    by_causes = sorted(hidden, key=lambda reason: not hidden[reason].causes)
    if lines := [hidden[reason].line(reason) for reason in by_causes]:
        yield Fact("Not looked at", lines[0] if len(lines) == 1 else listed(lines))


def _undecided(every: Sequence[Diagnosed]) -> Iterator[tuple[str, str]]:
    """Yield each cause that is not decided with the reason, without the source that could not be read."""
    for found in every:
        for one in found.open:
            source = next((name for name in found.unread if one.reason.startswith(f"{name}: ")), "")
            yield one.title, one.reason.removeprefix(f"{source}: ")


def _as_said(unread: Sequence[Unread], said: Container[tuple[str, ...]]) -> dict[str, tuple[str, str]]:
    """Why each thing could not be read → how that is said for all with the same cause, and what grants it."""
    return {why.reason: _reason(why, unread, said) for why in unread}


def _reason(why: Unread, unread: Sequence[Unread], said: Container[tuple[str, ...]]) -> tuple[str, str]:
    cause = why.cause
    if cause is not None and cause.key in said:
        return "", ""
    if cause is None or not cause.right:
        return why.reason, why.remedy if why.not_allowed else ""
    reason, remedy = cause.said([one.cause for one in unread if one.cause and one.cause.key == cause.key])
    return reason, remedy or ""


def _causes(names: Sequence[str]) -> str:
    """The causes, or how many they are."""
    return ", ".join(names) if len(names) <= MOST_NAMES else words.plural(len(names), "cause")


def _some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names if more <= 1 else names[:MOST_NAMES]) + (f" and {more} more" if more > 1 else "")
