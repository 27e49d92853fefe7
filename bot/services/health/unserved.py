"""Where the API server answers 404 for what each one has, no other 404 of it says that something is not installed.

A wrong address, or a proxy before the API server, does so for every kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.core.probes import Verdict
from bot.domain.core.summary import ProbeResult, UnknownCause
from bot.errors import NoSuchKind, NotServed
from bot.services.health.sources import SourceUnavailable


def lacks_kind(unread: SourceUnavailable) -> bool:
    """Whether the API server does not know the kind that was read."""
    return isinstance(unread.error, NoSuchKind)


def cause_among(results: Sequence[ProbeResult]) -> UnknownCause | None:
    """The cause of a check to which the API server answered 404 for a kind that each one has."""
    causes = (one.cause for one in results if one.cause is not None)
    return next((cause for cause in causes if NotServed.__name__ in cause.key), None)


def shared(results: Sequence[ProbeResult]) -> list[ProbeResult]:
    """The results, of which those that only say that a kind is not known are not known for that cause."""
    cause = cause_among(results)
    return [unknown_for(one, cause) if cause is not None and one.lacks_kind else one for one in results]


def unknown_for(one: ProbeResult, cause: UnknownCause) -> ProbeResult:
    """The result as one that is not known for this cause."""
    finding = replace(
        one.finding,
        verdict=Verdict.UNKNOWN,
        summary=cause.summary,
        evidence=(),
        remedy=cause.remedy,
        run=cause.run,
    )
    return replace(one, finding=finding, cause=cause)
