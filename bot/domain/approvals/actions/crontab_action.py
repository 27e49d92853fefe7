"""The base of both changes of the pod's crontab: an edit, and a return to the version before."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted
from bot.domain.approvals.approval import Snapshot
from bot.domain.approvals.crontab_change import change_of
from bot.domain.core import labels, words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right


class CrontabAction(RepairAction):
    """A change of the crontab. It is bound to the pod and to the file's content."""

    mends = frozenset({"heartbeat", "check"})

    def exclusive(self, wanted: Wanted) -> str:  # noqa: ARG002 - one file
        """See `RepairAction`: one change of the crontab at a time."""
        return "crontab"

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        if approved.uid != now.uid:
            before, after = (", ".join(name for name, _ in one.pods) for one in (approved, now))
            return [f"the pod was replaced ({before} → {after})" if after else f"the pod is gone ({before})"]
        found = ["the crontab was edited meanwhile"] if approved.version != now.version else []
        if not found and approved.images and now.images and approved.images != now.images:
            found.append("the version before is another one now")
        return found

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the pod or its crontab"

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        target = words.quoted(wanted.target)
        return (
            Button("Crontab", f"cron --target {target}", style="primary"),
            Button(labels.of("cron undo"), f"cron undo --target {target}"),
        )

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        return [("Then checked", wanted.done_as)] if wanted.done_as else ()

    def is_set_up(self, target: Target) -> bool:
        """See `RepairAction`."""
        return target.crontab is not None

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`: also where the crontab is another file by now."""
        spec, change = target.crontab, change_of(wanted.details)
        same = spec is not None and (change is None or change.path == spec.path(target.container().home))
        return "" if same else "targets[].crontab"

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        if target.crontab is None:
            return ()
        return [
            Right("list", "pods"),
            Right("get", "pods", subresource="exec"),
            Right("create", "pods", subresource="exec"),
            Right("get", "pods", subresource="log"),
        ]
