"""``ssh keys copy``: requests that the pod's own file of SSH keys be made as the Secret, without a restart."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.ssh_keys_copy import SSH_KEYS_COPY, snapshot
from bot.domain.approvals.repair import Proposal
from bot.domain.core import labels, words
from bot.domain.core.reply import Form, FormField, Reply
from bot.domain.core.workload import Pod, Right
from bot.domain.health import judge_pod, judge_ssh_keys, secret_mount, ssh_keys
from bot.domain.health.judge_ssh_keys import KeyFileUnread
from bot.domain.health.secret_mount import SecretMount
from bot.domain.health.ssh_keys import Key
from bot.domain.rbac.roles import Capability
from bot.errors import Refused, UsageError
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services import container_exec
from bot.services.approvals.actions.ssh_keys_copy import exec_forms
from commands.repair import key_file
from commands.shared import requests

__all__ = ["COMMAND", "exec_forms"]
SHOWN = 10
"""Most keys that are named each way."""
RESTART = "Restart the pod instead: it copies the keys when it starts."


class CopyParams(Params):
    """Why."""

    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: CopyParams) -> Reply:
    """Request a copy of the keys; without a reason, open a form that asks for it."""
    spec, container = key_file.spec_of(ctx), ctx.target.container()
    file = spec.path(container.home)
    if file is None:
        raise UsageError("The pod has no file of its own.", remedy="targets[].ssh.file in the settings names it.")
    if params.reason is None:
        why = FormField("reason", "Why?", hint="Approvers and the audit trail see it", multiline=True)
        note = f"The pod of {ctx.target.name} gets the Secret's keys without a restart: an approver decides."
        return requests.form(
            ctx, Form(labels.of("ssh keys copy"), "ssh keys copy", (why,), submit="Ask", note=note)
        )
    requests.ledger(ctx)
    seen = await key_file.secret(ctx)  # before the file: a change between the reads voids the request
    text, own, pods = await asyncio.gather(
        key_file.text(ctx), key_file.in_pod(ctx), ctx.cluster.pods(ctx.target.selector)
    )
    pod = judge_pod.current(pods)
    if pod is None:
        raise Refused("No pod is running, so nothing can be copied into it.", remedy=f"{ctx.prefix} status")
    mount = await _mount(ctx, pod)
    digest = hashlib.sha256(ssh_keys.as_bytes(text)).hexdigest()
    return await requests.ask(
        ctx,
        Proposal(
            action=SSH_KEYS_COPY,
            snapshot=snapshot(seen, pod),
            reason=params.reason,
            effect=SSH_KEYS_COPY.effect(
                locked_out=not ctx.dry_run and not ssh_keys.ways_in(text, ctx.clock.now())
            ),
            facts=(
                *_difference(text, _own(own)),
                ("File", f"{file}, in {container.name} of {pod.name}"),
                *await _state(ctx, pod, mount, file, digest),
            ),
            details={
                "secret": spec.secret,
                "key": spec.key,
                "container": container.name,
                "file": file,
                "mount": mount.path,
                "sha256": digest,
            },
        ),
    )


async def _mount(ctx: Context, pod: Pod) -> SecretMount:
    """Return where the Secret's file is mounted, by the settings or the spec. Raises `Refused` without."""
    spec, container = key_file.spec_of(ctx), ctx.target.container().name
    if spec.mount is not None:
        return SecretMount(spec.mount)
    found = await ctx.cluster.objects(Right("list", "pods"), "v1", ctx.target.selector)
    items = [one for one in found.get("items") or () if _name(one) == pod.name]
    mount = secret_mount.find(items[0], container, spec.secret, spec.key) if items else None
    if mount is None and ctx.dry_run:  # no pod was read
        return SecretMount("<the mounted file>")
    if mount is None:
        raise Refused(
            f"Secret {spec.secret} is not mounted in {container}, as far as the pod's spec says.",
            remedy=f"Set targets[].ssh.mount to where its file is. {RESTART}",
        )
    return mount


def _name(pod: Any) -> object:
    return pod["metadata"].get("name") if isinstance(pod, dict) and isinstance(pod.get("metadata"), dict) else None


def _own(own: str | KeyFileUnread | None) -> str:
    """Return the text of the pod's own file; an absent one is empty. Raises `Refused` where it is unread."""
    if not isinstance(own, KeyFileUnread):
        return own or ""
    if "No such file" in own.why:
        return ""
    raise Refused(f"The pod's own file can't be compared with the Secret: {own.why.rstrip('.')}.")


async def _state(ctx: Context, pod: Pod, mount: SecretMount, file: str, digest: str) -> list[tuple[str, str]]:
    """Return what is said of the mounted file. Raises `Refused` where there is nothing to do, or nothing helps."""
    container = ctx.target.container().name
    now, mounted = await container_exec.digests(ctx.cluster, pod.name, container, file, mount.path)
    if ctx.dry_run:
        return []
    if now == digest:
        raise Refused("Nothing to do: the pod's own file is the same as in the Secret.")
    if mounted == digest:
        return []
    if mount.frozen:
        raise Refused(
            f"{mount.path} has the old keys, and never gets others: it is mounted by subPath.", remedy=RESTART
        )
    what = "still has the old keys" if mounted else "is not there"
    return [("Mounted file", f"{mount.path} {what}; the kubelet refreshes it within about 90 s")]


def _difference(secret: str, own: str) -> list[tuple[str, str]]:
    """Return the keys that come and go, each with type, comment and fingerprint."""
    other = ssh_keys.difference(ssh_keys.keys(secret), ssh_keys.keys(own))
    found = [*_keys("Added", other.missing), *_keys("Removed", other.extra)]
    return found or [("Keys", "the same; comments, order or lines that are no keys differ")]


def _keys(label: str, keys: Sequence[Key]) -> list[tuple[str, str]]:
    shown = [(label, f"{judge_ssh_keys.kind(k)} {words.cut(k.comment, 60)} {k.fingerprint}") for k in keys[:SHOWN]]
    return [*shown, (label, f"{len(keys) - SHOWN:,} more")] if len(keys) > SHOWN else shown


def _off(ctx: Context) -> str:
    spec = ctx.target.ssh
    if spec is not None and spec.path(ctx.target.container().home) is None:
        return "targets[].ssh.file"
    return key_file.off(ctx)


COMMAND = Command(
    "ssh keys copy",
    "Copy the SSH keys into the pod without a restart; an approver decides",
    Capability.REQUEST,
    run,
    CopyParams,
    group="SSH",
    sensitive_args=True,
    examples=('ssh keys copy --reason "a key was added"',),
    details="The card shows which keys are added and removed. Once approved, the Secret's file is copied from its "
    "mount in the pod over the pod's own file, and that is read back. The kubelet takes up to 90 s to refresh "
    "a mounted Secret; the bot waits for that. The approval is void when the Secret or the pod has changed since.",
    off=_off,
    rights=SSH_KEYS_COPY.rights,
)
