"""The volume: bound, how full it is, and what fills it. Sizes are bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain import words
from bot.domain.probes import Finding, Verdict
from bot.domain.target import StorageSpec, Target
from bot.domain.workload import Claim, ExecResult


@dataclass(frozen=True)
class DiskUse:
    """One file system as ``df -Pk`` shows it."""

    mount: str
    total: int
    used: int
    free: int

    @property
    def percent(self) -> int:
        """Used, in percent of what users can have; rounded up as df does."""
        usable = self.used + self.free
        return -(-self.used * 100 // usable) if usable > 0 else 100


def judge_claims(claims: Sequence[Claim], target: Target) -> Finding:
    """Every claim is Bound, and there is one."""
    loose = [c for c in claims if c.phase != "Bound"]
    lines = tuple(_claim(c) for c in [*loose, *(c for c in claims if c not in loose)])
    if claims and not loose:
        return Finding("claim", "Volume claim", Verdict.OK, _bound(claims), lines)
    summary = f"{loose[0].name} is {loose[0].phase}" if loose else "there is no PersistentVolumeClaim"
    return Finding(
        "claim",
        "Volume claim",
        Verdict.FAIL,
        summary,
        lines or (f"none in {target.namespace}",),
        "The home directory is on this volume. Check the storage class and its provisioner.",
        f"kubectl -n {target.namespace} describe pvc" + (f" {loose[0].name}" if loose else ""),
    )


def _bound(claims: Sequence[Claim]) -> str:
    if len(claims) == 1:
        return f"{claims[0].name} is bound, {words.size(claims[0].capacity)}"
    return f"all {len(claims)} claims are bound"


def _claim(claim: Claim) -> str:
    parts = [claim.phase, words.size(claim.capacity) if claim.capacity else "", claim.storage_class or ""]
    return f"{claim.name}: {', '.join(p for p in parts if p)}"


# Available is below nothing where root has used the blocks reserved for it.
_DF = re.compile(r"^\S.*?\s+(\d+)\s+(\d+)\s+(-?\d+)\s+(?:\d+%|-)\s+(/.*)$")


def parse_df(text: str) -> DiskUse | None:
    """Read ``df -Pk PATH``: the last line that has its columns; None where there is none."""
    for line in reversed(text.splitlines()):
        if match := _DF.match(line.strip()):
            total, used, free = (max(0, int(n)) * 1024 for n in match.groups()[:3])
            return DiskUse(match[4], total, used, free)
    return None


def judge_disk(home: str, result: ExecResult, limits: StorageSpec) -> Finding:
    """Compare the home's file system with the thresholds; boundaries are ``>=``."""
    disk = parse_df(result.stdout)
    if disk is None:
        said = words.cut(result.stderr or result.stdout, 160) or "it said nothing"
        return Finding("disk", "Disk", Verdict.UNKNOWN, f"df gave no numbers for {home}", (said,))
    verdict = Verdict.OK
    if disk.percent >= limits.warn_percent:
        verdict = Verdict.FAIL if disk.percent >= limits.fail_percent else Verdict.WARN
    free = f"{words.size(disk.free)} free of {words.size(disk.total)}"
    if verdict is Verdict.OK:
        return Finding("disk", "Disk", verdict, f"{disk.percent} % used, {free}")
    return Finding(
        "disk",
        "Disk",
        verdict,
        f"the disk of {home} is {disk.percent} % full",
        (free, f"warns from {limits.warn_percent} %, fails from {limits.fail_percent} %"),
        "Find the largest folders and clear what is not needed (caches, old worktrees).",
        "/agentpod storage",
    )


_DU = re.compile(r"^(\d+)\s+(/.*)$")


def parse_du(text: str, home: str, top: int = 10) -> list[tuple[str, int]]:
    """Read ``du -k -d 1 HOME``: the largest ``top`` entries by size, without the total of the home itself."""
    root = home.rstrip("/")
    rows = [(m[2].rstrip("/"), int(m[1]) * 1024) for line in text.splitlines() if (m := _DU.match(line.strip()))]
    inside = [(path, count) for path, count in rows if path != root]
    return sorted(inside, key=lambda row: (-row[1], row[0]))[:top]
