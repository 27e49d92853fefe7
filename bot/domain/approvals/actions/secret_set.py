"""Set one key of a Secret. The value is entered after the approval, and stored nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted, with_reason
from bot.domain.core.target import Target
from bot.domain.core.workload import Right
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.domain.rbac.writes import SecretChange, Write


class SecretSet(RepairAction):
    """See the module."""

    name = "secrets set"
    title = "New value for {subject}"
    done = "{subject} has its new value"
    needs_value = True
    effect = (
        "The requester enters the value once approved, in a form that works once; nobody else sees it. "
        "The pod gets it with a restart, which is a separate request."
    )

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(f"secrets set {wanted.details.get('key', '')}", wanted)

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`."""
        return "" if wanted.details.get("secret") in target.secrets else "targets[].secrets"

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        return [Right(verb, "secrets", name=n) for n in target.secrets for verb in ("get", "patch")]

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        return [SecretChange(name, None, (APPROVAL_ANNOTATION,)) for name in target.secrets]


SECRET_SET = SecretSet()
