"""What a repair action is: its name in the ledger, its words, what it is bound to, and its rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from bot.domain.approvals.approval import Snapshot
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right


class Wanted(Protocol):
    """What was asked for, as far as an action's words depend on it: see `bot.domain.approvals.repair`."""

    @property
    def target(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def details(self) -> Mapping[str, str]: ...


class RepairAction:
    """One kind of repair. By default it changes one object, which the pod sees after a restart."""

    name: ClassVar[str]
    """How the ledger, the log and the metrics name it, for ever; also the command's words."""
    title: ClassVar[str]
    """What is asked for, as the beginning of a headline; may have {target} and {subject}."""
    done: ClassVar[str]
    """What was done, as a headline; may have the same."""
    restarts: ClassVar[bool] = False
    """Whether it ends the pod: alerts are excused meanwhile, and the card's thread shows the rollout."""
    needs_value: ClassVar[bool] = False
    """Whether it waits, once approved, for a value that only the requester gives."""

    def __repr__(self) -> str:
        """For test names and errors."""
        return f"<{self.name}>"

    def what(self, wanted: Wanted) -> str:
        """What is asked for, as a headline begins."""
        return self.title.format(target=wanted.target, subject=wanted.subject)

    def was_done(self, wanted: Wanted) -> str:
        """What was done, as a headline says it."""
        return self.done.format(target=wanted.target, subject=wanted.subject)

    def exclusive(self, wanted: Wanted) -> str:
        """Of the requests of a target that are open at one time, no two have the same."""
        return f"{self.name} {wanted.subject}"

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """What makes an approval void, in words; empty while it still fits."""
        return approved.changes(now)

    def bound_to(self, snapshot: Snapshot) -> str:
        """What must not change, as the card says it."""
        return f"the {snapshot.kind}"

    def again_line(self, wanted: Wanted) -> str:  # noqa: ARG002 - what takes a form can't be asked for in a line
        """The command line that asks for the same once more; empty where it takes a form."""
        return ""

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """What to go on with once it has succeeded."""
        line = restart_line(f"{wanted.subject} was changed", wanted.target)
        return (Button("Ask for a restart", line, style="primary"),)

    def rights(self, target: Target) -> Sequence[Right]:
        """What it takes in Kubernetes to look, to change and to follow."""
        raise NotImplementedError


class PodRestart(RepairAction):
    """A repair that ends the pod. It is bound to the pod, its images and the Deployment."""

    restarts = True

    def exclusive(self, wanted: Wanted) -> str:  # noqa: ARG002 - one at a time, whatever it is of the pod
        """One restart a target, of whatever kind."""
        return "restart"

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the pod, the image or the Deployment"

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:  # noqa: ARG002 - the same for each
        """It is over."""
        return ()

    def rights(self, target: Target) -> Sequence[Right]:
        """To look and to follow."""
        return [
            Right("list", "pods"),
            Right("get", "deployments", "apps", name=target.deployment),
            Right("watch", "pods"),
            Right("list", "events"),
        ]


def restart_line(reason: str, target: str) -> str:
    """The command line that asks for a restart of that target, whichever is the usual one."""
    return f"restart --reason {words.quoted(reason)} --target {words.quoted(target)}"


def with_reason(line: str, wanted: Wanted) -> str:
    """A command line with the reason and the target that it was asked with."""
    return f"{line} --reason {words.quoted(wanted.reason)} --target {words.quoted(wanted.target)}"
