"""One thing wrong, as the judges of the pod and of its Deployment conclude it."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.core.probes import Verdict


@dataclass(frozen=True)
class PodIssue:
    """One thing wrong with the pod, and what the handbook does about it."""

    verdict: Verdict
    summary: str
    remedy: str | None = None
    run: str | None = None
    evidence: tuple[str, ...] = ()
