"""The result type of the judges of the pod and of its Deployment."""

from __future__ import annotations

from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.probes import Verdict


@dataclass(frozen=True)
class PodIssue:
    """A problem of the pod, with its remedy from the handbook."""

    verdict: Verdict
    summary: str
    remedy: str | None = None
    run: str | None = None
    evidence: tuple[str, ...] = ()
    passing: bool = False
    """Whether each restart looks like this for a while, so that it says nothing of a cause."""
