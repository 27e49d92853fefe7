"""``storage``: the claims, how full the home's disk is, and which folders fill it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Fact, Reply, Table
from bot.domain.core.summary import ProbeResult
from bot.domain.core.workload import Claim, ExecResult, Right
from bot.domain.health import judge_storage
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services import container_exec
from commands.shared import part_answer, shape
from commands.shared.checks import CheckFacts, Checks
from commands.shared.probes import EXEC, Ask, Blocked, Probe, run_probes
from commands.shared.reads import Reads, running_container

SECONDS = 15.0
"""The deadline of the folders' sizes: du reads every inode."""

IN_THE_POD = 12
"""When du is ended inside the pod, in seconds: it would read on there after the bot has given up. What it has
printed by then is shown, for GNU du flushes every line."""

TITLE = "Folder sizes"


@dataclass
class Folders:
    """What du said: the largest folders with bytes, and whether it was cut short."""

    rows: list[tuple[str, int]] = field(default_factory=list)
    partial: str = ""
    """Why there may be more than is shown; empty where du read everything."""


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Judge claims and disk, then add the folders; they never hold up or change the verdict."""
    began = ctx.clock.monotonic()
    folders = Folders()
    async with Reads(ctx) as reads:
        checks = Checks(ctx, reads)

        async def show(outcomes: Sequence[ProbeResult], pending: Sequence[str]) -> None:
            await ctx.progress(_partial(ctx, checks, outcomes, pending, began))

        probes = [checks.claim(), checks.disk(), _sizes(ctx, reads, folders)]
        outcomes = await run_probes(probes, ctx.probe_timeout, show)
    judged, sizes = outcomes[:2], outcomes[2].finding
    return _reply(ctx, checks.seen, judged, began, folders, sizes)


def _partial(
    ctx: Context, checks: Checks, outcomes: Sequence[ProbeResult], pending: Sequence[str], began: float
) -> Reply:
    judged = [o for o in outcomes if o.finding.probe != "folders"]
    reply = _reply(ctx, checks.seen, judged, began, Folders(), None)
    headline = reply.headline if len(judged) == 2 else "Reading the volume"
    return Reply(headline, findings=reply.findings, facts=reply.facts, tables=reply.tables, pending=tuple(pending))


def _reply(
    ctx: Context,
    seen: CheckFacts,
    judged: Sequence[ProbeResult],
    began: float,
    folders: Folders,
    sizes: Finding | None,
) -> Reply:
    unread = sizes is not None and sizes.verdict is Verdict.UNKNOWN
    one = len(seen.claims or ()) == 1
    tables = [_largest(folders, ctx.target.container().home), *(() if one else (_claims(seen.claims or ()),))]
    body = [f"{TITLE}: {sizes.summary}. What is above is complete without them."] if unread and sizes else []
    if folders.partial:
        body.append(f"{TITLE} are partial: {folders.partial}.")
    return part_answer.reply(
        ctx,
        judged,
        began,
        own="storage",
        said=_said(judged),
        detailed=seen.disk is not None and seen.claims is not None,
        body=body,
        facts=[*_disk(seen, ctx), *(map(_claim, seen.claims or ()) if one else ())],
        tables=tables,
        data={
            "claims": [
                {"name": c.name, "phase": c.phase, "capacity_bytes": c.capacity} for c in seen.claims or ()
            ],
            "disk_percent": seen.disk.percent if seen.disk and seen.disk.has_size else None,
            "inodes_percent": seen.inodes.percent if seen.inodes else None,
            "folders": [{"path": path, "bytes": count} for path, count in folders.rows],
            "folders_complete": sizes is not None and not unread and not folders.partial,
        },
    )


def _said(judged: Sequence[ProbeResult]) -> str:
    """The headline when all is well: how full it is, which is what was asked."""
    return next((f"Disk: {o.finding.summary}" for o in judged if o.finding.probe == "disk"), "")


def _claim(claim: Claim) -> Fact:
    said = (claim.name, claim.phase, words.size(claim.capacity), claim.storage_class, *claim.access_modes)
    return Fact("Volume claim", ", ".join(part for part in said if part))


def _disk(seen: CheckFacts, ctx: Context) -> list[Fact]:
    disk, inodes = seen.disk, seen.inodes
    if disk is None or not disk.has_size:
        return []
    limits = ctx.target.storage
    return [
        Fact("Mounted at", disk.mount, code=True),
        Fact("Used", f"{words.size(disk.used)} of {words.size(disk.total)}, {words.size(disk.free)} free"),
        *([Fact("Inodes", f"{inodes.used:,} of {inodes.used + inodes.free:,}")] if inodes is not None else []),
        Fact("Thresholds", f"warns from {limits.warn_percent} %, fails from {limits.fail_percent} %"),
    ]


def _claims(claims: Sequence[Claim]) -> Table:
    rows = tuple(
        (c.name, c.phase, words.size(c.capacity), c.storage_class or "-", ", ".join(c.access_modes) or "-")
        for c in claims
    )
    verdicts = tuple(Verdict.OK if c.phase == "Bound" else Verdict.FAIL for c in claims)
    return Table(("Claim", "Status", "Size", "Class", "Access"), rows, "Volume claims", verdicts)


def _largest(folders: Folders, home: str) -> Table:
    root = home.rstrip("/") + "/"
    rows = tuple((path.removeprefix(root), words.size(count)) for path, count in folders.rows)
    title = f"Largest in {home}" + (" (partial)" if folders.partial else "")
    return Table(("Folder", "Size"), rows, title)


def _sizes(ctx: Context, reads: Reads, into: Folders) -> Probe:
    spec = ctx.target.container()

    async def read(ask: Ask) -> Finding:
        # Only du may take its time.
        pod = await reads.pod(ask.within(ctx.probe_timeout))
        if running_container(pod, spec) is None:
            raise Blocked("pod", f"the pod has no container {spec.name}")

        measured = container_exec.first_that_works(
            ctx.cluster,
            pod.name,
            spec.name,
            du_commands(spec.home),
            lambda r: bool(judge_storage.parse_du(r.stdout, spec.home)),
            SECONDS,
        )
        result = await ask.of(EXEC, measured)
        into.rows = judge_storage.parse_du(result.stdout, spec.home)
        into.partial = _why_partial(result) if into.rows else ""
        return _concluded(into, spec.home, result)

    return Probe("folders", TITLE, read, SECONDS)


def _why_partial(result: ExecResult) -> str:
    # 124: timeout ended it (coreutils), 143: SIGTERM, as busybox's reports it.
    if result.truncated or result.exit_code in (124, 143):
        return f"du did not finish in {IN_THE_POD} s, so larger folders may be missing"
    if result.exit_code == 0:
        return ""
    said = words.cut(result.stderr[:1_000], 120)
    return "du could not read everything" + (f" ({said})" if said else "")


def _concluded(folders: Folders, home: str, result: ExecResult) -> Finding:
    if folders.rows:
        return Finding("folders", TITLE, Verdict.OK, words.plural(len(folders.rows), "folder"))
    if result.exit_code == 0:
        return Finding("folders", TITLE, Verdict.OK, f"{home} has no folders")
    said = words.cut(result.stderr or result.stdout, 160) or "it said nothing"
    return Finding("folders", TITLE, Verdict.UNKNOWN, f"du gave no sizes for {home}: {said}")


def du_commands(home: str) -> tuple[tuple[str, ...], ...]:
    """Ways to measure the home's folders: with a limit in the pod; without; and for a du that lacks ``-d``."""
    plain = ("du", "-k", "-x", "-d", "1", home)
    quoted = shlex.quote(home.rstrip("/"))
    return (
        ("timeout", str(IN_THE_POD), *plain),
        plain,
        ("sh", "-c", f"du -sk {quoted}/* {quoted}/.[!.]*"),
    )


COMMAND = Command(
    name="storage",
    summary="The volume: bound, how full, and by what",
    needs=Capability.VIEW,
    run=run,
    examples=("storage",),
    details=f"The folders' sizes have {SECONDS:.0f} s; claims and disk don't wait for them. In the pod it "
    "runs df -Pk, df -Pi (a df without -i says nothing of inodes) and "
    f" du -k -x -d 1 of the home, ended after {IN_THE_POD} s.",
    rights=lambda target: (
        Right("list", "persistentvolumeclaims"),
        *shape.POD_READ,
        shape.deployment_right(target),
        *shape.EXEC,
    ),
)
