"""Run one of the cron's scripts now. The answer is its exit code and the end of its output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import Wanted
from bot.domain.approvals.actions.steps_action import StepsAction, outcome_of
from bot.domain.approvals.approval import Snapshot
from bot.domain.approvals.steps import log_of, plan_of
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.stored import Unreadable
from bot.domain.core.target import canonical_job


class CronRun(StepsAction):
    """See the module."""

    name = "cron run"
    title = "Run of {subject} on {target}"
    done = "Ran {subject} on {target}"
    edited = "the settings for the scripts were changed"
    mends = frozenset({"heartbeat"})

    def what(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return self.title.format(target=wanted.target, subject=_script(wanted))

    def was_done(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return self.done.format(target=wanted.target, subject=_script(wanted))

    def may_end(self, wanted: Wanted, source: str, subject: str, *, of_pod: bool) -> bool:
        """Whether the problem is about the script's job."""
        job = _script(wanted).partition(".")[0]
        mine = canonical_job(job) == canonical_job(subject)
        return mine and super().may_end(wanted, source, subject, of_pod=of_pod)

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the pod or its container"

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return (Button("Heartbeats", f"heartbeats --target {words.quoted(wanted.target)}"),)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        try:
            runs = log_of(wanted.details).runs
        except Unreadable:
            return ()
        return [("Result", outcome_of(run, wanted.state)) for run in runs]

    def output(self, wanted: Wanted) -> Sequence[str]:
        """See `RepairAction`: also where it succeeded."""
        try:
            runs = log_of(wanted.details).runs
        except Unreadable:
            return ()
        if not runs or runs[-1].ended is None:
            return ()
        last = runs[-1]
        return ("… what it printed before is left out", *last.output) if last.cut else last.output

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        plan = plan_of(wanted.details)
        if plan is None:
            return {}
        steps = [{"container": step.container, "argv": list(step.argv)} for step in plan.steps]
        return {"called": wanted.subject, "steps": steps}


def _script(wanted: Wanted) -> str:
    """The script's name, without its folder."""
    return wanted.subject.removeprefix(f"{CronRun.name} ").strip("'\"").rpartition("/")[2]


CRON_RUN = CronRun()
