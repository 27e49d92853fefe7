"""``processes``: the expected processes in each container, or all of them with ``--all``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import Field

from bot.domain.core import words
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Fact, Reply, Table
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health import judge_processes
from bot.domain.health.judge_processes import Match, Process
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.health.check import run_checks
from bot.services.health.checks.processes import ProcessesCheck
from commands.shared import part_answer
from commands.shared.secret_values import SecretValues, redacted

MOST = 200
"""Maximum rows per container."""


class ProcessesParams(Params):
    """Which processes."""

    all: bool = Field(default=False, description="Everything that runs, not only what is expected")


async def run(ctx: Context, params: ProcessesParams) -> Reply:
    """Look for the expected processes; with ``--all`` list every process, with secrets redacted."""
    began = ctx.clock.monotonic()
    check, secrets = ProcessesCheck(), SecretValues()
    outcomes = await run_checks(ctx, [check, secrets] if params.all else [check])
    lists = check.processes
    several = len(ctx.target.containers) > 1
    tables = [] if params.all else [_expected(check.matches, several)]
    body = []
    if params.all and lists:
        tables += [_everything(name, found, secrets.values, len(lists) > 1) for name, found in lists.items()]
        body = _left_out(lists, secrets.values)
    return part_answer.reply(
        ctx,
        part_answer.without(outcomes[:1], {judge_processes.describe(m, several) for m in check.matches}),
        began,
        own="processes --all" if params.all else "processes",
        facts=_expected_facts(check.matches, several) if params.all else (),
        body=[*body, *check.unwatched],
        tables=tables,
        more=(("All processes", "processes --all"), ("Logs", "logs")),
        data={"expected": [_data(m) for m in check.matches]},
    )


def _expected(matches: Sequence[Match], several: bool) -> Table:
    rows = []
    for match in matches:
        pids = ", ".join(str(p.pid) for p in match.found[:4]) + (" …" if len(match.found) > 4 else "")
        row = (match.name, pids or "not found", _running(match), match.container)
        rows.append(row if several else row[:3])
    columns = ("Process", "PID", "Running for", "Container")
    verdicts = tuple(Verdict.OK if m.found else Verdict.FAIL for m in matches)
    return Table(columns if several else columns[:3], tuple(rows), "", verdicts)


def _expected_facts(matches: Sequence[Match], several: bool) -> list[Fact]:
    """Return the expected processes as facts: a message has room for one table, that of all processes."""
    verdicts = (Verdict.OK if m.found else Verdict.FAIL for m in matches)
    lines = (judge_processes.describe(m, several) for m in matches)
    pairs = (line.partition(": ")[::2] for line in lines)
    return [Fact(name, said, verdict) for (name, said), verdict in zip(pairs, verdicts, strict=True)]


def _running(match: Match) -> str:
    """How long it has run, or is gone."""
    if match.gone is not None:
        return f"gone for {words.age(match.gone)}"
    return _elapsed(match.found[0] if match.found else None)


def _elapsed(process: Process | None) -> str:
    return words.age(process.elapsed) if process and process.elapsed is not None else "-"


def _everything(name: str, found: Sequence[Process], secrets: Collection[str] | None, several: bool) -> Table:
    shown = found[:MOST]
    commands = redacted([p.command for p in shown], secrets, 120)
    title = f"All {len(found)} in {name}" if several else f"All {len(found)}"
    users = {p.user for p in shown}
    if len(users) == 1:
        short = tuple((str(p.pid), _elapsed(p), c) for p, c in zip(shown, commands, strict=True))
        return Table(("PID", "Running for", "Command"), short, f"{title}, as {users.pop()}")
    rows = tuple((str(p.pid), p.user, _elapsed(p), c) for p, c in zip(shown, commands, strict=True))
    return Table(("PID", "User", "Running for", "Command"), rows, title)


def _left_out(lists: dict[str, Sequence[Process]], secrets: Collection[str] | None) -> list[str]:
    said = [
        f"{name} has {len(found):,} processes; the first {MOST} are shown."
        for name, found in lists.items()
        if len(found) > MOST
    ]
    if secrets is None:
        said.append("Arguments are left out: the Secrets whose values must not be shown could not be read.")
    return said


def _data(match: Match) -> dict[str, object]:
    oldest = match.found[0].elapsed if match.found else None
    return {
        "container": match.container,
        "process": match.name,
        "pids": [p.pid for p in match.found],
        "elapsed_seconds": int(oldest.total_seconds()) if oldest is not None else None,
    }


def rights(target: Target) -> list[Right]:
    """Return the rights of the check, and to read each Secret whose values are redacted."""
    return [*ProcessesCheck.rights(target), *SecretValues.rights(target)]


COMMAND = Command(
    name="processes",
    audited=True,
    summary="Do the expected processes run?",
    needs=Capability.VIEW,
    anew=True,
    run=run,
    params=ProcessesParams,
    examples=("processes", "processes --all"),
    details="Each process that the runbook or the settings expect must run in its container.",
    rights=rights,
)
