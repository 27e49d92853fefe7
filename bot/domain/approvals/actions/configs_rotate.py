"""Make the Secret of the config files anew from their encrypted file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted, restart_line, with_reason
from bot.domain.approvals.approval import Snapshot
from bot.domain.core import words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Right, SecretFacts
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.domain.health.secret_mount import ENV, FILES, FROZEN
from bot.domain.rbac.writes import SecretRotation, Write

USED = "used"
"""The detail that says how the pod uses the Secret: words of `secret_mount.uses`; empty where it isn't known."""
_FILES = "the kubelet refreshes its files within about 90 s; only a program that keeps them open needs a restart"
_RESTART = "it has the new values after a restart: {why}"
_UNUSED = "none uses this Secret now"


class ConfigsRotate(RepairAction):
    """See the module. Its subject is the Secret; its details hold the file's name and SHA-256, and the keys."""

    name = "configs rotate"
    title = "Rotation of {subject} on {target}"
    done = "{subject} has the values of the encrypted file"
    names_changes = True
    effect = "The Secret gets the values of the encrypted file; keys that the file doesn't have are removed."

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        found = approved.changes(now)
        if not now.file:
            found.append("the encrypted file is gone or can't be read")
        elif now.file != approved.file:
            found.append("the encrypted file was changed")
        return found

    def bound_to(self, snapshot: Snapshot) -> str:
        """See `RepairAction`."""
        return f"the {snapshot.kind} or the encrypted file"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(self.name, wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`: a restart only where the pod can't have the values without one."""
        look = Button("Config files", f"configs --target {words.quoted(wanted.target)}")
        if not needs_restart(wanted.details.get(USED, "")):
            return (look,)
        line = restart_line(f"{wanted.subject} was changed", wanted.target)
        return (Button("Ask for a restart", line, style="primary"), look)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        if not wanted.done_as:
            return ()
        return [("Read back", wanted.done_as), ("Pod", in_pod(wanted.details.get(USED, "")))]

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        return {name: wanted.details.get(name, "") for name in ("secret", "file", "sha256")}

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`. None where the settings don't have it."""
        spec = target.configs_rotate
        if spec is None:
            return []
        return [*(Right(verb, "secrets", name=spec.secret) for verb in ("get", "patch")), Right("list", "pods")]

    def writes(self, target: Target) -> Sequence[Write]:
        """See `RepairAction`."""
        spec = target.configs_rotate
        return [SecretRotation(spec.secret, (APPROVAL_ANNOTATION,))] if spec is not None else []


def needs_restart(used: str) -> bool:
    """Whether the pod has the new values only after a restart."""
    return bool({ENV, FROZEN} & set(used.split()))


def in_pod(used: str) -> str:
    """When the pod has the new values, by how it uses the Secret."""
    ways = set(used.split())
    if needs_restart(used):
        whys = {ENV: "environment variables are set when it starts", FROZEN: "a subPath mount is never refreshed"}
        return _RESTART.format(why=" and ".join(why for way, why in whys.items() if way in ways))
    if FILES in ways:
        return _FILES
    return _UNUSED if used else "not read, so it isn't known whether it needs a restart"


def snapshot(secret: SecretFacts, file: str) -> Snapshot:
    """What an approval is bound to: the Secret's exact version, and the encrypted file's SHA-256."""
    return Snapshot(secret.uid, 0, version=secret.resource_version, kind=f"Secret {secret.name}", file=file)


CONFIGS_ROTATE = ConfigsRotate()
