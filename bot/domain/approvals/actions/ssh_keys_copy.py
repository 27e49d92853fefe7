"""Copy the Secret's SSH keys over the pod's own file, without a restart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.approvals.actions.action import RepairAction, Wanted, with_reason
from bot.domain.approvals.approval import Snapshot
from bot.domain.core import labels, words
from bot.domain.core.reply import Button
from bot.domain.core.target import Target
from bot.domain.core.workload import Pod, Right, SecretFacts

COPY = "copy"
"""The detail of a change of the keys after which they can be copied."""


class SshKeysCopy(RepairAction):
    """See the module.

    Its details hold the Secret and its key, the container, the file in it, the mounted file, and the SHA-256 of
    what is to be there.
    """

    name = "ssh keys copy"
    title = "Copy of the SSH keys into {target}"
    done = "SSH keys copied into {target}"
    mends = frozenset({"check"})

    def effect(self, *, locked_out: bool) -> str:
        """What will happen."""
        then = " Then NOBODY can sign in." if locked_out else ""
        return f"The pod gets the Secret's keys without a restart; open sessions go on.{then}"

    def changes(self, approved: Snapshot, now: Snapshot) -> list[str]:
        """See `RepairAction`."""
        found = approved.changes(now)
        if approved.pods != now.pods:
            before, after = (", ".join(name for name, _ in one.pods) for one in (approved, now))
            found.append(f"the pod was replaced ({before} → {after})" if after else f"the pod is gone ({before})")
        return found

    def bound_to(self, snapshot: Snapshot) -> str:
        """See `RepairAction`."""
        return f"the {snapshot.kind} or the pod"

    def again_line(self, wanted: Wanted) -> str:
        """See `RepairAction`."""
        return with_reason(self.name, wanted)

    def next_steps(self, wanted: Wanted) -> tuple[Button, ...]:
        """See `RepairAction`."""
        return (Button("SSH keys", f"ssh keys --target {words.quoted(wanted.target)}"),)

    def results(self, wanted: Wanted) -> Sequence[tuple[str, str]]:
        """See `RepairAction`."""
        return [("Read back", wanted.done_as)] if wanted.done_as else ()

    def audited(self, wanted: Wanted) -> Mapping[str, object]:
        """See `RepairAction`."""
        return {name: wanted.details.get(name, "") for name in ("secret", "container", "mount", "file", "sha256")}

    def switched_off(self, wanted: Wanted, target: Target) -> str:
        """See `RepairAction`: also where one of the files is another one by now."""
        spec, container, details = target.ssh, target.container(), wanted.details
        if spec is None or spec.file is None:
            return "targets[].ssh"
        mount = details.get("mount") if spec.mount is None else spec.mount  # without the setting: as in the pod
        now = (spec.secret, spec.key, container.name, spec.path(container.home), mount)
        then = tuple(details.get(name) for name in ("secret", "key", "container", "file", "mount"))
        return "" if now == then else "targets[].ssh"

    def rights(self, target: Target) -> Sequence[Right]:
        """See `RepairAction`."""
        if target.ssh is None or target.ssh.file is None:
            return []
        exec_ = [Right(verb, "pods", subresource="exec") for verb in ("get", "create")]
        return [Right("get", "secrets", name=target.ssh.secret), Right("list", "pods"), *exec_]


def snapshot(secret: SecretFacts, pod: Pod | None) -> Snapshot:
    """What an approval is bound to: the Secret's exact version, and the pod."""
    pods = ((pod.name, pod.uid),) if pod is not None else ()
    return Snapshot(secret.uid, 0, (), pods, secret.resource_version, f"Secret {secret.name}")


def copy_button(target: str, reason: str, style: str = "primary") -> Button:
    """The button that asks for a copy of the keys."""
    line = f"{SshKeysCopy.name} --reason {words.quoted(reason)} --target {words.quoted(target)}"
    return Button(labels.of(line), line, style=style)


SSH_KEYS_COPY = SshKeysCopy()
