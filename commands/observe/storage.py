"""``storage``: the volume claims, how full the home's disk is, and its largest folders."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.target import Target
from bot.domain.core.workload import Claim, ExecResult
from bot.domain.health import judge_storage
from bot.domain.rbac.exec_forms import ExecForm
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services import container_exec
from bot.services.health.check import Check, rights_of, run_checks
from bot.services.health.checks.claim import ClaimCheck
from bot.services.health.checks.disk import DiskCheck
from bot.services.health.reads import Reads, running_container
from bot.services.health.sources import EXEC, Blocked
from commands.shared import part_answer

SECONDS = 15.0
"""The deadline in seconds for measuring the folders: du reads every inode."""

IN_THE_POD = 12
"""Seconds after which du is ended inside the pod: it would keep running there after the bot's deadline. What it
has printed by then is shown, as GNU du flushes every line."""

TITLE = "Folder sizes"
_LISTED = 1024 * 1024
"""Fewest bytes beside the listed folders that have a row."""


class FoldersCheck(Check):
    """Measures the largest folders with du, and whether the result is complete."""

    id, title, seconds = "folders", TITLE, SECONDS

    rows: Sequence[tuple[str, int]] = ()
    total: int = 0
    """The size of the whole home, as far as du counted it."""
    partial: str = ""
    """Why the result may be incomplete; empty if du read everything."""

    async def run(self, reads: Reads) -> Finding:
        """Run du in the container that has the home."""
        spec = reads.target.container()
        # The long deadline is for du only.
        pod = await reads.within(reads.ctx.probe_timeout).pod()
        if running_container(pod, spec) is None:
            raise Blocked("pod", f"the pod has no container {spec.name}")
        measured = container_exec.first_that_works(
            reads.ctx.cluster,
            pod.name,
            spec.name,
            du_commands(spec.home),
            lambda r: bool(judge_storage.parse_du(r.stdout, spec.home)),
            SECONDS,
        )
        result = await reads.of(EXEC, measured)
        self.rows = judge_storage.parse_du(result.stdout, spec.home)
        self.total = judge_storage.du_total(result.stdout, spec.home)
        self.partial = _why_partial(result) if self.rows else ""
        return _concluded(self.rows, spec.home, result)


@dataclass(frozen=True)
class _Checks:
    """The three checks, which hold what they have read."""

    claim: ClaimCheck = field(default_factory=ClaimCheck)
    disk: DiskCheck = field(default_factory=DiskCheck)
    folders: FoldersCheck = field(default_factory=FoldersCheck)


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Judge claims and disk, then add the folders, which neither delay nor change the verdict."""
    began = ctx.clock.monotonic()
    checks = _Checks()

    async def show(outcomes: Sequence[ProbeResult], pending: Sequence[str]) -> None:
        await ctx.progress(_partial(ctx, checks, outcomes, pending, began))

    outcomes = await run_checks(ctx, [checks.claim, checks.disk, checks.folders], show)
    return _reply(ctx, checks, [_with_largest(ctx, checks, one) for one in outcomes[:2]], began, outcomes[2])


def _with_largest(ctx: Context, checks: _Checks, outcome: ProbeResult) -> ProbeResult:
    """Name the largest folder as what to clear, where the disk is full of bytes, and it is known for certain."""
    disk, folders, home = checks.disk.disk, checks.folders, ctx.target.container().home
    if outcome.finding.remedy != judge_storage.CLEAR or disk is None or folders.partial:
        return outcome
    remedy = judge_storage.clear_largest(folders.rows, folders.total, disk, home)
    return replace(outcome, finding=replace(outcome.finding, remedy=remedy))


def _partial(
    ctx: Context, checks: _Checks, outcomes: Sequence[ProbeResult], pending: Sequence[str], began: float
) -> Reply:
    judged = [o for o in outcomes if o.finding.probe != FoldersCheck.id]
    reply = _reply(ctx, replace(checks, folders=FoldersCheck()), judged, began, None)
    headline = reply.headline if len(judged) == 2 else "Reading the volume"
    return Reply(headline, findings=reply.findings, facts=reply.facts, tables=reply.tables, pending=tuple(pending))


def _reply(
    ctx: Context, checks: _Checks, judged: Sequence[ProbeResult], began: float, sizes: ProbeResult | None
) -> Reply:
    claims, disk, inodes, folders = checks.claim.claims, checks.disk.disk, checks.disk.inodes, checks.folders
    unread = sizes is not None and sizes.finding.verdict is Verdict.UNKNOWN
    one = len(claims or ()) == 1
    tables = [_largest(folders, ctx.target.container().home), *(() if one else (_claims(claims or ()),))]
    body = [f"{TITLE}: {sizes.finding.summary}."] if unread and sizes and not _said(sizes, judged) else []
    if folders.partial:
        body.append(f"{TITLE} are partial: {folders.partial}.")
    short = any(o.finding.probe == DiskCheck.id and o.finding.verdict is not Verdict.OK for o in judged)
    return part_answer.reply(
        ctx,
        judged,
        began,
        own="storage",
        said=_all_well(judged),
        detailed=disk is not None and claims is not None and not short,
        body=body,
        facts=[
            *_disk(checks.disk, ctx, said=short, well=all(o.finding.verdict is Verdict.OK for o in judged)),
            *_rest(checks, ctx.target.container().home),
            *(map(_claim, claims or ()) if one else ()),
        ],
        tables=tables,
        data={
            "claims": [{"name": c.name, "phase": c.phase, "capacity_bytes": c.capacity} for c in claims or ()],
            "disk_percent": disk.percent if disk and disk.has_size else None,
            "inodes_percent": inodes.percent if inodes else None,
            "folders": [{"path": path, "bytes": count} for path, count in folders.rows],
            "folders_complete": sizes is not None and not unread and not folders.partial,
        },
    )


def _said(sizes: ProbeResult, judged: Sequence[ProbeResult]) -> bool:
    """Whether what kept the folders from being measured kept other checks from being made too, which say it."""
    return any(_kept(o) == _kept(sizes) for o in judged if _kept(sizes) is not None)


def _kept(outcome: ProbeResult) -> object:
    """What kept a check from being made; None where it was made."""
    if outcome.blocked_by:
        return outcome.finding.summary
    return outcome.cause.key if outcome.cause is not None else None


def _all_well(judged: Sequence[ProbeResult]) -> str:
    """Return the headline for when all is well: how full the disk is."""
    return next((f"Disk: {o.finding.summary}" for o in judged if o.finding.probe == "disk"), "")


def _claim(claim: Claim) -> Fact:
    said = (claim.name, claim.phase, words.size(claim.capacity), claim.storage_class, *claim.access_modes)
    return Fact("Volume claim", ", ".join(part for part in said if part))


def _rest(checks: _Checks, home: str) -> list[Fact]:
    """Return the used space that the sizes of the folders don't explain, with what it may be."""
    disk, folders = checks.disk.disk, checks.folders
    if disk is None or not folders.rows or folders.partial:
        return []
    if not (rest := judge_storage.not_counted(disk, folders.total)):
        return []
    outside = "" if disk.mount.rstrip("/") == home.rstrip("/") else f"files outside {home}, "
    what = f"{outside}deleted files that a process keeps open, or the file system's own data"
    return [Fact("Outside all folders", f"{words.size(rest)} of what is used: {what}")]


def _disk(check: DiskCheck, ctx: Context, *, said: bool, well: bool) -> list[Fact]:
    """Return the facts about the disk, without those that its finding has ``said``.

    Where all is ``well``, the headline says how much is free, and of how much.
    """
    disk, inodes = check.disk, check.inodes
    if disk is None or not disk.has_size:
        return []
    limits = ctx.target.storage
    rest = "" if well else f" of {words.size(disk.total)}, {words.size(disk.free)} free"
    used = Fact("Used", f"{words.size(disk.used)}{rest}")
    thresholds = Fact("Thresholds", f"warns from {limits.warn_percent} %, fails from {limits.fail_percent} %")
    return [
        Fact("Mounted at", disk.mount, code=True),
        *(() if said else (used,)),
        *([Fact("Inodes", f"{inodes.used:,} of {inodes.used + inodes.free:,}")] if inodes is not None else []),
        *(() if said else (thresholds,)),
    ]


def _claims(claims: Sequence[Claim]) -> Table:
    rows = tuple(
        (c.name, c.phase, words.size(c.capacity), c.storage_class or "-", ", ".join(c.access_modes) or "-")
        for c in claims
    )
    verdicts = tuple(Verdict.OK if c.phase == "Bound" else Verdict.FAIL for c in claims)
    return Table(("Claim", "Status", "Size", "Class", "Access"), rows, "Volume claims", verdicts)


def _largest(folders: FoldersCheck, home: str) -> Table:
    root = home.rstrip("/") + "/"
    rows = tuple((path.removeprefix(root), words.size(count)) for path, count in folders.rows)
    others = folders.total - sum(count for _, count in folders.rows)
    if rows and others >= _LISTED and not folders.partial:
        rows = (*rows, ("files and smaller folders", words.size(others)))
    title = f"Largest in {home}" + (" (partial)" if folders.partial else "")
    return Table(("Folder", "Size"), rows, title)


def _why_partial(result: ExecResult) -> str:
    # 124: ended by coreutils' timeout; 143: ended by SIGTERM, which busybox's timeout reports.
    if result.truncated or result.exit_code in (124, 143):
        return f"du did not finish in {IN_THE_POD} s, so larger folders may be missing"
    if result.exit_code == 0:
        return ""
    said = words.cut(result.stderr[:1_000], 120)
    return "du could not read everything" + (f" ({said})" if said else "")


def _concluded(rows: Sequence[tuple[str, int]], home: str, result: ExecResult) -> Finding:
    if rows:
        return Finding("folders", TITLE, Verdict.OK, words.plural(len(rows), "folder"))
    if result.exit_code == 0:
        return Finding("folders", TITLE, Verdict.OK, f"{home} has no folders")
    said = words.cut(result.stderr or result.stdout, 160) or "it said nothing"
    return Finding("folders", TITLE, Verdict.UNKNOWN, f"du gave no sizes for {home}: {said}")


def du_commands(home: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands to try: du with a time limit in the pod, without one, and for a du without ``-d``."""
    plain = ("du", "-k", "-x", "-d", "1", home)
    quoted = shlex.quote(home.rstrip("/"))
    return (
        ("timeout", str(IN_THE_POD), *plain),
        plain,
        ("sh", "-c", f"du -sk {quoted}/* {quoted}/.[!.]*"),
    )


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare how the home is measured."""
    spec = target.container()
    return [ExecForm(spec.name, argv) for argv in du_commands(spec.home)]


COMMAND = Command(
    name="storage",
    audited=True,
    summary="The volume: bound, how full, and by what",
    needs=Capability.VIEW,
    run=run,
    examples=("storage",),
    details=f"The folders' sizes have {SECONDS:.0f} s; claims and disk don't wait for them. In the pod it "
    f"runs df -Pk, df -Pi, and du -k -x -d 1 of the home, stopped after {IN_THE_POD} s. A df without -i says "
    "nothing of inodes.",
    rights=lambda target: rights_of((ClaimCheck, DiskCheck), target),
)
