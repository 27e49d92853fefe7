"""Creation of an egress policy that a failed repair left missing, from the manifest stored with that repair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals import egress_policy, egress_steps
from bot.domain.approvals.actions.action import RepairAction, Wanted, restart_line, with_reason
from bot.domain.approvals.approval import Snapshot
from bot.domain.approvals.egress_policy import MANIFEST
from bot.domain.approvals.egress_steps import CREATE, TEST, VALID
from bot.domain.core import labels, words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.rbac.writes import PolicyReplacement, Write

STEPS = (CREATE, VALID, TEST)
ORIGIN = "created_from"
"""The detail with the id of the request that the manifest was stored with."""
REPAIRABLE = "repairable"
"""The detail that says that the policy was created and has the bug that the repair mends: ``yes``, or nothing."""
_COMMAND = "egress repair"


class EgressCreation(RepairAction):
    """See the module. Its subject is the policy's name; its details hold the manifest and the steps so far."""

    name = "egress repair --create"
    title = "Creation of missing egress policy {subject} on {target}"
    done = "Created egress policy {subject} on {target} again"
    names_changes = True
    mends = frozenset({"heartbeat", "check"})

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        found = []
        if now.uid:
            found.append("the policy is there again")
        if approved.file != now.file:
            found.append("the manifest to create it from is another one")
        return found

    def bound_to(self, snapshot: Snapshot) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return "anything about the policy"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(_COMMAND, wanted)

    def called(self, wanted: Wanted) -> str:  # noqa: ARG002 - the same for each
        """See `RepairAction`."""
        return _COMMAND

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: the handbook ends the pod after the policy was created."""
        restart = restart_line(f"{wanted.subject} was created again", wanted.target)
        look = f"egress --target {words.quoted(wanted.target)}"
        return (Button("Ask for a restart", restart), Button(labels.of(look), look))

    def after_failure(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        if not wanted.details.get(REPAIRABLE):
            return ()
        return (Button(labels.of(_COMMAND), self.again_line(wanted), style="primary"),)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        return egress_steps.results(wanted, STEPS)

    def output(self, wanted: Wanted) -> Sequence[str]:
        """See `RepairAction`: the manifest of a policy that is still missing."""
        return egress_steps.manifest_if_missing(wanted)

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        manifest = egress_policy.digest(wanted.details.get(MANIFEST, ""))
        return {
            "policy": wanted.subject,
            "manifest_of": wanted.details.get(ORIGIN, ""),
            "manifest_sha256": manifest,
        }

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`."""
        same = target.egress is not None and target.egress.policy == wanted.subject
        return "" if same else "targets[].egress"

    def is_set_up(self, target: Target) -> bool:
        """See `RepairAction`."""
        return target.egress is not None

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`. None where the settings don't have it."""
        if target.egress is None:
            return []
        policy = [egress_policy.right(verb, target.egress.policy) for verb in ("get", "create")]
        return [
            *policy,
            Right("list", "pods"),
            *(Right(verb, "pods", subresource="exec") for verb in ("get", "create")),
        ]

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`: a part of what the repair writes."""
        return [PolicyReplacement(target.egress.policy)] if target.egress is not None else []


EGRESS_CREATE = EgressCreation()
