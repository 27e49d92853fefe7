"""Push a heartbeat by hand, where the settings ask for approval."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted, with_reason
from bot.domain.approvals.approval import Snapshot
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target, canonical_job
from bot.domain.core.workload import Right
from bot.domain.heartbeats.heartbeat import PUSHED, Group


class HeartbeatPush(RepairAction):
    """See the module. Its details hold the job and the labels of its group."""

    name = "heartbeats push"
    title = "Heartbeat of {subject} by hand"
    done = "Pushed a heartbeat for {subject} by hand"
    effect = (
        "It counts as a success of the job, so its alert ends. `/agentpod heartbeats` marks it as pushed by hand."
    )

    mends = frozenset({"heartbeat"})

    def may_end(self, wanted: Wanted, source: str, subject: str, *, of_pod: bool) -> bool:  # noqa: ARG002 - any job's
        """Whether the problem is about its job, wherever that runs."""
        return source in self.mends and canonical_job(wanted.subject) == canonical_job(subject)

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        if approved.version == now.version:
            return []
        gone = f"the last success of {now.kind} was deleted at the Pushgateway since"
        return [gone if now.version == NEVER else f"{now.kind} has pushed a heartbeat itself since"]

    def bound_to(self, snapshot: Snapshot) -> str:
        """See `RepairAction`."""
        return f"the last success of {snapshot.kind}"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        labels = labels_of(wanted)
        pairs = [words.quoted(f"{name}={value}") for name, value in labels.items() if name != "job"]
        return with_reason(" ".join([self.name, words.quoted(labels.get("job", "")), *pairs]), wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return (Button("Heartbeats", f"heartbeats --target {words.quoted(wanted.target)}"),)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        return [("Read back", wanted.done_as)] if wanted.done_as else ()

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        return {"labels": labels_of(wanted), "by_hand": True}

    def rights(self, target: Target) -> Sequence[Right]:  # noqa: ARG002 - it is pushed to the Pushgateway
        """See `RepairAction`."""
        return ()


NEVER = "never"
"""The version of a group that has no last success."""


def labels_of(wanted: Wanted) -> dict[str, str]:
    """The labels of the group, ``job`` among them."""
    found = json.loads(wanted.details.get("labels", "{}"))
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def details(labels: Mapping[str, str]) -> dict[str, str]:
    """The details of a request."""
    return {"labels": json.dumps(dict(labels), ensure_ascii=False)}


def snapshot(labels: Mapping[str, str], group: Group | None) -> Snapshot:
    """What an approval is bound to: the group's last push."""
    last = group.gauges.get(PUSHED) if group is not None else None
    return Snapshot("", 0, version=NEVER if last is None else repr(last), kind=labels["job"])


HEARTBEAT_PUSH = HeartbeatPush()
