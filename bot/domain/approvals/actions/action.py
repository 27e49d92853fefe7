"""The base classes of repair actions: name in the ledger, texts, what an approval is bound to, and rights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Protocol

from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.writes import Write


class Wanted(Protocol):
    """The parts of a repair request that an action's texts depend on; see `bot.domain.approvals.repair`."""

    @property
    def target(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def subject(self) -> str: ...

    @property
    def details(self) -> Mapping[str, str]: ...

    @property
    def state(self) -> RequestState: ...

    @property
    def done_as(self) -> str: ...

    @property
    def unchanged(self) -> bool: ...


class RepairAction:
    """A kind of repair. The defaults are for changing one object, which takes effect after a restart."""

    name: ClassVar[str]
    """Its name in the ledger, the log and the metrics, which must not change; also the words of the command."""
    title: ClassVar[str]
    """The beginning of a headline about a request; may contain {target} and {subject}."""
    done: ClassVar[str]
    """The headline once it is done; may contain the same."""
    restarts: ClassVar[bool] = False
    """Whether it ends the pod or a container of it: alerts are muted meanwhile."""
    rolls_out: ClassVar[bool] = False
    """Whether it replaces the pod: the card's thread shows the rollout."""
    deletes_pod: ClassVar[bool] = False
    """Whether it deletes the pod, rather than having its Deployment replace it."""
    predicted_by: ClassVar[tuple[str, ...]] = ()
    """Actions whose downtime predicts its own, as long as none of its kind is on record."""
    needs_value: ClassVar[bool] = False
    """Whether, once approved, it waits for the requester to enter a value."""
    by_form: ClassVar[bool] = False
    """Whether the request takes a form, which its command opens, so that no command line repeats it."""

    mends: ClassVar[frozenset[str]] = frozenset({"pod", "process", "check", "heartbeat"})
    """The sources of problems of a pod and its jobs (`ProblemSource.name`) that it can end."""

    names_changes: ClassVar[bool] = False
    """Whether its facts name what it changes, so that the card doesn't show the dry run's difference as well."""

    def __repr__(self) -> str:
        """The name, for test ids and errors."""
        return f"<{self.name}>"

    def what(self, wanted: Wanted) -> str:
        """The beginning of a headline about a request."""
        return self.title.format(target=wanted.target, subject=wanted.subject)

    def was_done(self, wanted: Wanted) -> str:
        """The headline once it is done."""
        return self.done.format(target=wanted.target, subject=wanted.subject)

    def took(self, wanted: Wanted, down: float) -> str:  # noqa: ARG002 - for most the downtime is all
        """What follows `was_done`, of a change after which the pod was ``down`` for so many seconds."""
        return f"ready after {words.span(down)}"

    def ready_at(self, wanted: Wanted, ended: datetime) -> datetime:  # noqa: ARG002 - for most the end is all
        """When the pod was ready again, of a change that ``ended`` then."""
        return ended

    def exclusive(self, wanted: Wanted) -> str:
        """A key for mutual exclusion: a target has at most one open request for each."""
        return f"{self.name} {wanted.subject}"

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """Describe what makes an approval void; empty while it is valid."""
        return approved.changes(now)

    def bound_to(self, snapshot: Snapshot) -> str:
        """What must not change, in the words of the card."""
        return f"the {snapshot.kind}"

    def again_line(self, wanted: Wanted) -> str:  # noqa: ARG002 - a request by form has no command line
        """The command line that makes the same request again; empty if there is none."""
        return ""

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """Buttons for the next steps after success."""
        line = restart_line(f"{wanted.subject} was changed", wanted.target)
        return (Button("Ask for a restart", line, style="primary"),)

    def after_failure(self, wanted: Wanted) -> tuple[Button, ...]:  # noqa: ARG002 - most change nothing that lasts
        """Buttons for the next steps after a failure of what was sent."""
        return ()

    def consequences(self, effect: str) -> str:
        """The effect as the dialog says it before an approval: that cuts its end."""
        return effect

    def called(self, wanted: Wanted) -> str:  # noqa: ARG002 - most are called by their name
        """What people call it, in the middle of a sentence: as they would type it."""
        return self.name

    def container(self, wanted: Wanted) -> str:  # noqa: ARG002 - most end no container alone
        """The only container that it ends; empty where there is no single one."""
        return ""

    def new_image_of(self, wanted: Wanted) -> str:  # noqa: ARG002 - most change none
        """The container that gets another image; empty where none does."""
        return ""

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:  # noqa: ARG002 - most have none
        """What was done so far: labels and values for the card."""
        return ()

    def output(self, wanted: Wanted) -> Sequence[str]:  # noqa: ARG002 - most run no command
        """The end of what the command that failed printed, line by line, redacted."""
        return ()

    def audited(self, wanted: Wanted) -> Mapping[str, object]:  # noqa: ARG002 - most have no more
        """What the audit trail records of a request, besides what it records of all."""
        return {}

    def may_end(
        self,
        wanted: Wanted,  # noqa: ARG002 - for subclasses
        source: str,
        subject: str,  # noqa: ARG002
        *,
        of_pod: bool,
    ) -> bool:
        """Whether it can end a problem of that source and subject; ``of_pod``: the pod causes such problems."""
        return of_pod and source in self.mends

    def is_set_up(self, target: Target) -> bool:  # noqa: ARG002 - most need no setting
        """Whether the target's settings have it: where they don't, it is offered by no button."""
        return True

    def switched_off(self, wanted: Wanted, target: Target) -> str:  # noqa: ARG002 - most need no setting
        """The setting that no longer allows what was asked for; empty while the target's settings do."""
        return ""

    def rights(self, target: Target) -> Sequence[Right]:
        """The Kubernetes rights to read the target, change it and follow the change."""
        raise NotImplementedError

    def writes(self, target: Target) -> Sequence[Write]:  # noqa: ARG002 - most run commands, which are declared there
        """What its calls change in the cluster, for the admission policies."""
        return ()


RESTART_KEY = "restart"
"""The key that all restarts exclude each other by."""


class PodRestart(RepairAction):
    """A repair that ends the pod. It is bound to the pod, its images and the Deployment."""

    restarts = True
    rolls_out = True
    mends = RepairAction.mends | {"restarts"}

    def exclusive(self, wanted: Wanted) -> str:  # noqa: ARG002 - one at a time, whatever the request
        """Allow one restart of a target at a time, of any kind."""
        return RESTART_KEY

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "the pod, the image or the Deployment"

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:  # noqa: ARG002 - the same for each
        """None: the restart is complete."""
        return ()

    def rights(self, target: Target) -> Sequence[Right]:
        """The rights to read the pod and follow the rollout."""
        return [
            Right("list", "pods"),
            Right("get", "deployments", "apps", name=target.deployment),
            Right("watch", "pods"),
            Right("list", "events"),
        ]


def restart_line(reason: str, target: str) -> str:
    """The command line that requests a restart of the target."""
    return f"restart --reason {words.quoted(reason)} --target {words.quoted(target)}"


def with_reason(line: str, wanted: Wanted) -> str:
    """Add the request's reason and target to a command line."""
    return f"{line} --reason {words.quoted(wanted.reason)} --target {words.quoted(wanted.target)}"
