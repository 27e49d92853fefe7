"""Judge the volume: whether it is bound, and how full it is in bytes and inodes. Sizes are in bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.target import StorageSpec, Target
from bot.domain.core.workload import Claim, ExecResult


@dataclass(frozen=True)
class DiskUse:
    """One file system in the output of ``df``: in bytes (``df -Pk``) or in inodes (``df -Pi``)."""

    mount: str
    total: int
    used: int
    free: int

    @property
    def has_size(self) -> bool:
        """Whether df knows its size: some file systems report zero, all ones, or more free than total."""
        return 0 < self.total < _NO_LIMIT and self.used + self.free > 0 and self.free <= self.total

    @property
    def percent(self) -> int:
        """Used, in percent of what users may use; rounded up as in df. Only meaningful if `has_size`."""
        usable = self.used + self.free
        return -(-self.used * 100 // usable) if usable > 0 else 100


def judge_claims(claims: Sequence[Claim], target: Target, used: frozenset[str] | None = None) -> Finding:
    """Judge whether every claim that the pod uses exists and is Bound; other claims are ignored.

    ``used`` has their names; None where it is not known which the pod uses.
    """
    own = [c for c in claims if used is None or c.name in used]
    loose = [c for c in own if c.phase != "Bound"]
    absent = sorted((used or frozenset()) - {c.name for c in claims})
    if own and not loose and not absent:
        return Finding("claim", "Volume claim", Verdict.OK, _bound(own), tuple(_claim(c) for c in own))
    if used is None and own:
        said = f"{loose[0].name} is {loose[0].phase}: whether the pod uses it is not known"
        return Finding("claim", "Volume claim", Verdict.UNKNOWN, said, tuple(_claim(c) for c in own))
    lines = tuple(_claim(c) for c in [*loose, *(c for c in own if c not in loose)])
    named = f" {loose[0].name}" if loose else ""
    return Finding(
        "claim",
        "Volume claim",
        Verdict.FAIL,
        _without(loose, absent, used),
        lines or (f"none in {target.namespace}",) if not claims else lines,
        _remedy(loose, absent),
        f"kubectl -n {target.namespace} {f'describe pvc{named}' if named else 'get pvc'}",
    )


def _remedy(loose: Sequence[Claim], absent: Sequence[str]) -> str:
    if loose and loose[0].phase == "Lost":
        return "Its PersistentVolume is gone or belongs to another claim: find it, or restore it from a backup."
    if loose:
        return "Check its storage class and the provisioner: a new pod can't start without it."
    if absent:
        return "Create it, or correct its name in the pod's template: a new pod can't start without it."
    return "Nothing that the pod writes outlives it: give its template the volume of the home directory."


def _without(loose: Sequence[Claim], absent: Sequence[str], used: frozenset[str] | None) -> str:
    if loose:
        return f"{loose[0].name} is {loose[0].phase}"
    if absent:
        return f"there is no PersistentVolumeClaim {absent[0]}, which the pod uses"
    return "there is no PersistentVolumeClaim" if used is None else "the pod uses no PersistentVolumeClaim"


def _bound(claims: Sequence[Claim]) -> str:
    if len(claims) == 1:
        return f"{claims[0].name} is bound, {words.size(claims[0].capacity)}"
    return f"all {len(claims)} claims are bound"


def _claim(claim: Claim) -> str:
    parts = [claim.phase, words.size(claim.capacity) if claim.capacity else "", claim.storage_class or ""]
    return f"{claim.name}: {', '.join(p for p in parts if p)}"


_MOST_LINES = 1_000
"""Most lines of df's output that are read; it prints two for one path."""
_WIDEST = 4_096
"""Most characters of a line that are read: Linux' PATH_MAX."""
_NO_LIMIT = 2**63
"""From here on a size means "no limit": FUSE and sandboxed runtimes report all ones."""


def parse_df(text: str, home: str | None = None, unit: int = 1024) -> DiskUse | None:
    """Parse ``df -Pk PATH``, with a header in any language, also where a long device name is on a line of its own.

    ``unit`` is the size of one block in bytes; use 1 for ``df -Pi``. Of several file systems, it returns the one
    that ``home`` is on, or the last without ``home``. None where there is none, or where df printed dashes for
    numbers.
    """
    lines = text.splitlines()[:_MOST_LINES]
    found = [disk for line in lines if (disk := _disk(line[:_WIDEST], unit)) is not None]
    if home is None or len(found) < 2:
        return found[-1] if found else None
    above = [disk for disk in found if _holds(disk.mount, home)]
    return max(above, key=lambda disk: len(disk.mount), default=None)


def _holds(mount: str, path: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{mount.rstrip('/')}/")


_DF = re.compile(r"(?:^|\s)([0-9]{1,20})\s+([0-9]{1,20})\s+(-?[0-9]{1,20})\s+(?:-?[0-9]{1,20}%|-)\s+(/.*)$")


def _disk(line: str, unit: int) -> DiskUse | None:
    """Parse one line of df's table. Available is negative where root has used the blocks reserved for it."""
    match = _DF.search(line.rstrip())
    if match is None:
        return None
    total, used, free = (max(0, int(n)) * unit for n in match.groups()[:3])
    return DiskUse(match[4], total, used, free)


def inodes_of(result: ExecResult | None, blocks: DiskUse | None, home: str) -> DiskUse | None:
    """The inodes of the home's file system; None where they are not known.

    Some file systems have no fixed number (btrfs: 0 0 0), and a df without ``-i`` prints the blocks again.
    """
    found = parse_df(result.stdout, home, unit=1) if result is not None else None
    if found is None or not found.has_size:
        return None
    again = blocks is not None and (found.total * 1024, found.used * 1024) == (blocks.total, blocks.used)
    return None if again else found


def _verdict(percent: int, limits: StorageSpec) -> Verdict:
    if percent < limits.warn_percent:
        return Verdict.OK
    return Verdict.FAIL if percent >= limits.fail_percent else Verdict.WARN


CLEAR = "Find the largest folders and clear what is not needed (caches, old worktrees)."
"""What to do about a full disk where the folders' sizes are not known."""


def clear_largest(rows: Sequence[tuple[str, int]], total: int, disk: DiskUse, home: str) -> str:
    """What to do about a full disk: the largest of the folders is named, unless more is in none of them."""
    path, size = rows[0] if rows else ("", 0)
    if not size or not_counted(disk, total) > size:
        return CLEAR
    name = path.removeprefix(home.rstrip("/") + "/")
    return f"`{name}` has {words.size(size)} of the {words.size(disk.used)} used: clear what is not needed there."


_WORSE = (Verdict.OK, Verdict.WARN, Verdict.FAIL)


def inodes_said(inodes: DiskUse) -> str:
    """The use of inodes, as part of a sentence about the file system."""
    if not inodes.free:
        return "no inodes left (100 %)"
    return f"{inodes.percent} % of the inodes are used, {inodes.free:,} left"


def short_of_inodes(disk: DiskUse, inodes: DiskUse | None, limits: StorageSpec) -> DiskUse | None:
    """The inodes, if their verdict is worse than that of the bytes; else None."""
    if inodes is None:
        return None
    theirs, blocks = _verdict(inodes.percent, limits), _verdict(disk.percent, limits)
    return inodes if _WORSE.index(theirs) > _WORSE.index(blocks) else None


def judge_disk(home: str, result: ExecResult, limits: StorageSpec, counted: ExecResult | None = None) -> Finding:
    """Compare the home's file system with the thresholds (``>=``). ``counted`` is the output of ``df -Pi``."""
    disk = parse_df(result.stdout, home)
    if disk is None or not disk.has_size:
        return _no_size(home, disk, result)
    if (inodes := short_of_inodes(disk, inodes_of(counted, disk, home), limits)) is not None:
        return _no_inodes(home, disk, inodes, limits)
    verdict = _verdict(disk.percent, limits)
    free = f"{words.size(disk.free)} free"
    if verdict is Verdict.OK:
        return Finding("disk", "Disk", verdict, f"{disk.percent} % used, {free} of {words.size(disk.total)}")
    return Finding(
        "disk",
        "Disk",
        verdict,
        f"the disk of {home} is {disk.percent} % full",
        (
            f"{words.size(disk.used)} of {words.size(disk.total)} used, {free}",
            f"warns from {limits.warn_percent} %, fails from {limits.fail_percent} %",
        ),
        CLEAR,
        "/agentpod storage",
    )


def _no_inodes(home: str, disk: DiskUse, inodes: DiskUse, limits: StorageSpec) -> Finding:
    """The finding for few inodes: without a free inode, no file can be created, however much space is free."""
    return Finding(
        "disk",
        "Disk",
        _verdict(inodes.percent, limits),
        f"{home}: {inodes_said(inodes)}",
        (
            f"{inodes.used:,} files and folders, and room for {inodes.free:,} more"
            if inodes.free
            else f"no room for another file: all {inodes.used:,} inodes are used",
            f"bytes are not what is missing: {words.size(disk.free)} free of {words.size(disk.total)}",
        ),
        "Find the folder with very many small files and clear it (caches, node_modules, old worktrees).",
        "/agentpod storage",
    )


def _no_size(home: str, disk: DiskUse | None, result: ExecResult) -> Finding:
    """The finding for an unknown size: unknown, never ok."""
    if disk is None:
        said = words.cut((result.stderr or result.stdout)[:_WIDEST], 160) or "it said nothing"
        if refused := _REFUSED.search(result.stderr[:_WIDEST]):
            return Finding(
                "disk",
                "Disk",
                Verdict.UNKNOWN,
                f"df can't read {home}: {words.cut(refused[1], 80)}",
                (said,),
                "See whether the home can be used, and whether what serves its volume is well.",
            )
        return Finding("disk", "Disk", Verdict.UNKNOWN, f"df gave no numbers for {home}", (said,))
    return Finding(
        "disk",
        "Disk",
        Verdict.UNKNOWN,
        f"the file system of {home} reports no size",
        (f"mounted at {disk.mount}: df shows no size that could be compared",),
        "Whatever serves this volume knows how full it is: look there.",
    )


_REFUSED = re.compile(r"^df: \S*/.{0,1000}: ([^:\n]{1,200})$", re.MULTILINE)
"""Matches ``df: /home/claude: Stale file handle``."""
_DU = re.compile(r"^([0-9]{1,19})\s+(/.*)$")
_MOST_FOLDERS = 20_000
"""Most lines of du's output that are read."""


def parse_du(text: str, home: str, top: int = 10) -> list[tuple[str, int]]:
    """Parse ``du -k -d 1 HOME``: path and size of the ``top`` largest entries, without the home's own total."""
    inside = [row for row in _du_rows(text) if row[0] != home.rstrip("/")]
    return sorted(inside, key=lambda row: (-row[1], row[0]))[:top]


def du_total(text: str, home: str) -> int:
    """The size of all that du counted: the home's own total, or the sum of its entries."""
    rows = _du_rows(text)
    return dict(rows).get(home.rstrip("/"), sum(count for _, count in rows))


def _du_rows(text: str) -> list[tuple[str, int]]:
    lines = (line[:_WIDEST].strip() for line in text.splitlines()[:_MOST_FOLDERS])
    rows = [(m[2].rstrip("/"), int(m[1]) * 1024) for line in lines if (m := _DU.match(line))]
    return [(path, count) for path, count in rows if count < _NO_LIMIT]


def not_counted(disk: DiskUse, total: int) -> int:
    """How much of the used space du did not count; 0 where that is too little to explain."""
    rest = disk.used - total
    return rest if rest * 100 >= disk.total else 0
