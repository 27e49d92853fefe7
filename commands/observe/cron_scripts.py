"""``cron scripts``: the scripts that the pod's image has for its cron."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.core import words
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Reply, Table
from bot.domain.core.target import CrontabSpec, Target
from bot.domain.core.workload import Right
from bot.domain.rbac.exec_forms import ExecForm
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Context
from bot.services.health.check import Check, run_checks
from bot.services.health.checks.crontab import CrontabCheck
from bot.services.health.in_container import in_first_container
from bot.services.health.reads import Reads
from commands.observe.cron import none_in_the_settings
from commands.shared import part_answer

MOST = 200
"""Maximum names that are shown."""


class ScriptsCheck(Check):
    """Lists the scripts' folder."""

    id, title = "scripts", "Scripts"
    names: Sequence[str] = ()

    def __init__(self, spec: CrontabSpec) -> None:
        """``spec`` says which folder."""
        self.spec = spec

    async def run(self, reads: Reads) -> Finding:
        """List the folder."""
        folder = self.spec.folder(reads.target.containers[0].home)
        result = await in_first_container(reads, "ls", "-1", folder)
        if result.exit_code != 0:
            said = words.cut(result.stderr, 200) or "ls printed nothing"
            remedy = "Check crontab.scripts in the settings, and the image."
            verdict = Verdict.FAIL if "no such file" in said.lower() else Verdict.UNKNOWN
            return Finding(self.id, self.title, verdict, f"{folder} can't be listed", (said,), remedy)
        self.names = [words.cut(name, 100) for name in result.stdout.split("\n") if name.strip()]
        if not self.names:
            return Finding(self.id, self.title, Verdict.WARN, f"{folder} is empty")
        return Finding(self.id, self.title, Verdict.OK, f"{words.plural(len(self.names), 'file')} in {folder}")

    @classmethod
    def rights(cls, target: Target) -> Sequence[Right]:
        """The pod, and commands in it."""
        return CrontabCheck.rights(target)


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """List the scripts."""
    began = ctx.clock.monotonic()
    if ctx.target.crontab is None:
        return none_in_the_settings(ctx, began)
    check = ScriptsCheck(ctx.target.crontab)
    outcomes = await run_checks(ctx, [check])
    left_out = len(check.names) - MOST
    return part_answer.reply(
        ctx,
        outcomes,
        began,
        own="cron scripts",
        body=[f"{left_out:,} more are not shown."] if left_out > 0 else (),
        tables=[Table(("Script",), tuple((name,) for name in check.names[:MOST]))],
        more=(("Crontab", "cron"),),
        data={"scripts": list(check.names)},
    )


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare how the folder is listed."""
    spec = target.container()
    return [ExecForm(spec.name, ("ls", "-1", target.crontab.folder(spec.home)))] if target.crontab else []


COMMAND = Command(
    name="cron scripts",
    audited=True,
    sensitive_args=True,
    summary="The scripts that the image has for cron",
    needs=Capability.VIEW,
    run=run,
    examples=("cron scripts",),
    details="They are part of the image: to change one, rebuild the image and restart the pod.",
    rights=ScriptsCheck.rights,
)
