"""Reads the file of SSH keys: in its Secret, in the pod, and as the Secret is mounted there."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from bot.domain.core import words
from bot.domain.core.target import SshSpec, Target
from bot.domain.core.workload import SecretFacts
from bot.domain.health import judge_pod
from bot.domain.health.judge_ssh_keys import KeyFileUnread
from bot.domain.rbac.exec_forms import ExecForm
from bot.errors import AgentpodError, NotFound, UsageError
from bot.runbook.context import Context
from bot.services import container_exec

T = TypeVar("T")


def spec_of(ctx: Context) -> SshSpec:
    """Return where the target's SSH keys are. Raises UsageError where the settings don't say."""
    if ctx.target.ssh is None:
        raise UsageError("SSH keys are not looked after here.", remedy="Set targets[].ssh in the settings.")
    return ctx.target.ssh


def off(ctx: Context) -> str:
    """The setting that is missing where the target's SSH keys are not looked after."""
    return "" if ctx.target.ssh is not None else "targets[].ssh"


async def text(ctx: Context) -> str:
    """Read the authorized_keys text from its Secret."""
    spec = spec_of(ctx)
    return await _required(ctx, ctx.cluster.authorized_keys(spec.secret, spec.key))


async def secret(ctx: Context) -> SecretFacts:
    """Read the Secret that holds the keys, without its values."""
    return await _required(ctx, ctx.cluster.secret(spec_of(ctx).secret))


async def _required(ctx: Context, read: Awaitable[T]) -> T:
    """Return a read's result. For a missing Secret raises NotFound with the command that creates it."""
    spec = spec_of(ctx)
    try:
        return await read
    except NotFound as error:
        make = (
            f"kubectl -n {ctx.target.namespace} create secret generic {spec.secret} --from-file={spec.key}=KEY.pub"
        )
        raise NotFound(error.message, remedy=f"The pod can't start without it. Make it: {make}") from error


def exec_forms(target: Target) -> list[ExecForm]:
    """Declare how the pod's own file is read."""
    spec = target.container()
    path = target.ssh.path(spec.home) if target.ssh else None
    return [ExecForm(spec.name, ("cat", path))] if path else []


async def in_pod(ctx: Context) -> str | KeyFileUnread | None:
    """Return the pod's own file, or why it could not be read; None if the settings name no file to compare."""
    spec = ctx.target.container()
    path = spec_of(ctx).path(spec.home)
    if path is None:
        return None
    try:
        pod = judge_pod.current(await ctx.cluster.pods(ctx.target.selector))
        if pod is None:
            return KeyFileUnread("no pod is running")
        result = await container_exec.text_file(ctx.cluster, pod.name, spec.name, path)
    except AgentpodError as error:
        return KeyFileUnread(words.lower_first(words.cut(error.message, 200)))
    if result.truncated:
        return KeyFileUnread(f"{path} is larger than 1 MB")
    if result.exit_code != 0:
        return KeyFileUnread(words.cut(result.stderr[:1_000], 160) or f"{path} could not be read")
    return result.stdout
