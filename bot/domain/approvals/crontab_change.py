"""A change of the pod's crontab as it was approved: an edit, or a return to the version before. Pure.

Stored in a request's details. It has lines that are new, and digests of what was and will be there; never a line
that was there, since that may have a secret in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.approvals.approval import Snapshot
from bot.domain.core.cron.edit import Part
from bot.domain.core.stored import Stored, Unreadable
from bot.domain.core.workload import Pod

CHANGE = "crontab"
"""Key of a request's details."""
KIND = "crontab"


@dataclass(frozen=True)
class CrontabChange:
    """What is approved."""

    container: str
    path: str
    before: str
    """The file's SHA-256."""
    after: str
    """Its SHA-256 once the change is made."""
    size: int
    """Its size then, in bytes."""
    edit: tuple[Part, ...] | None = None
    """None: the version before takes its place."""

    @property
    def new(self) -> str:
        """Where the new file is made."""
        return f"{self.path}.agentpod-new"

    @property
    def old(self) -> str:
        """Where the file is copied to before it is changed."""
        return f"{self.path}.agentpod-old"

    @property
    def previous(self) -> str:
        """Where the version before is kept."""
        return previous_of(self.path)


_CHANGES = Stored(CrontabChange)


def previous_of(path: str) -> str:
    """The path of the version before."""
    return f"{path}.agentpod-previous"


def dump_change(change: CrontabChange) -> str:
    """Serialize for a request's details."""
    return _CHANGES.dump(change)


def change_of(details: Mapping[str, str]) -> CrontabChange | None:
    """The change in a request's details; None where this version can't read it."""
    try:
        return _CHANGES.load(details.get(CHANGE))
    except Unreadable:
        return None


def snapshot(pod: Pod | None, digest: str, previous: str = "") -> Snapshot:
    """What an approval is bound to: the pod and its crontab; ``previous`` is the digest of the version before."""
    return Snapshot(
        pod.uid if pod is not None else "",
        0,
        ((KIND, previous),) if previous else (),
        ((pod.name, pod.uid),) if pod is not None else (),
        digest,
        KIND,
    )
