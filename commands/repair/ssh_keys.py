"""``ssh keys`` lists the keys that can sign in; ``ssh keys add`` and ``ssh keys remove`` request a change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.actions.ssh_key_remove import LAST, SSH_KEY_REMOVE
from bot.domain.approvals.actions.ssh_keys_copy import COPY
from bot.domain.approvals.repair import Proposal, secret_snapshot
from bot.domain.core import labels
from bot.domain.core.outside import Outside
from bot.domain.core.reply import Form, FormField, Reply, Table
from bot.domain.core.target import SshSpec, Target
from bot.domain.core.workload import Right, SecretFacts
from bot.domain.health import judge_ssh_keys, ssh_keys
from bot.domain.health.ssh_keys import BadKey, Key
from bot.domain.rbac.roles import Capability
from bot.errors import Refused, UsageError
from bot.runbook.command import Command, NoParams, Params
from bot.runbook.context import Context
from bot.services.health.rights import EXEC, POD_READ
from commands.repair import key_file, managed
from commands.shared import requests, shape

T = TypeVar("T")


class AddParams(Params):
    """The key, and why."""

    key: str | None = Param(default=None, description="the public key: the line in the file that ends in .pub")
    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("key")
    @classmethod
    def _one_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        key = ssh_keys.parse_key(value)
        if isinstance(info.context, Outside) and info.context.text(key.comment) != key.comment:
            raise ValueError(
                "its comment has something in it that looks like a secret: leave it out, since it is kept"
            )
        return key.text

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


class RemoveParams(Params):
    """Which key, and why."""

    fingerprint: str = Param(
        json_schema_extra={"positional": True, "listed": "ssh keys"},
        description="the fingerprint that ssh keys shows: SHA256:…",
    )
    last: bool = Param(default=False, description="also when it is the only key, so that nobody can sign in")
    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: NoParams) -> Reply:  # noqa: ARG001 - every command takes its params
    """Reply with each key's type, whether it can sign in, and whether the pod's own file has the same keys."""
    began = ctx.clock.monotonic()
    text, pod = await asyncio.gather(key_file.text(ctx), key_file.in_pod(ctx))
    judged = judge_ssh_keys.judge(text, pod, ctx.clock.now())
    steps = [
        ("Copy the SSH keys", 'ssh keys copy --reason "SSH keys were changed"'),
        ("Ask for a restart", 'restart --reason "SSH keys were changed"'),
    ]
    buttons = steps if judged.restart else []
    return Reply(
        judged.headline,
        judged.verdict,
        body=judged.lines,
        tables=(Table(("Who", "Type", "Can sign in", "Fingerprint"), judged.rows),) if judged.rows else (),
        buttons=shape.buttons(ctx, [*buttons, ("Add an SSH key", "ssh keys add")]),
        notes=shape.notes(ctx, began, "The pod copies them from the Secret when it starts"),
        data={"keys": judged.data, "same_in_pod": judged.same},
    )


async def add(ctx: Context, params: AddParams) -> Reply:
    """Request that a key be added; without key or reason, open a form."""
    if params.key is None or params.reason is None:
        return _add_form(ctx, params)
    spec, key = key_file.spec_of(ctx), ssh_keys.parse_key(params.key)
    requests.ledger(ctx)
    seen = await key_file.secret(ctx)
    warnings = await managed.warnings(ctx, seen, [spec.key])
    try:
        ssh_keys.added(await key_file.text(ctx), key)
    except BadKey as error:
        raise Refused(f"Nothing to do: {error}.") from error
    proposal = Proposal(
        action=SSH_KEY_ADD,
        snapshot=secret_snapshot(seen),
        reason=params.reason,
        effect=SSH_KEY_ADD.effect,
        facts=(*_shown(key), *warnings),
        subject=key.fingerprint,
        details={
            "secret": spec.secret,
            "key": spec.key,
            "line": key.text,
            "fingerprint": key.fingerprint,
            **_copies(spec),
        },
    )
    return await requests.ask(ctx, proposal)


def _copies(spec: SshSpec) -> dict[str, str]:
    """The detail of a change after which the keys can be copied into the pod."""
    return {COPY: "yes"} if spec.file is not None else {}


def _shown(key: Key) -> tuple[tuple[str, str], ...]:
    return (("Key", f"{judge_ssh_keys.kind(key)} {key.comment}".strip()), ("Fingerprint", key.fingerprint))


def _add_form(ctx: Context, params: AddParams) -> Reply:
    key = FormField(
        "key",
        "Public key",
        hint="The line in the file that ends in .pub; never the private half",
        multiline=True,
        max_length=ssh_keys.MAX_LENGTH,
        initial=params.key or "",
    )
    reason = FormField("reason", "Whose, and why?", multiline=True, initial=params.reason or "")
    note = f"Lets another SSH key sign in to {ctx.target.name}: an approver sees its fingerprint, and decides."
    return requests.form(
        ctx, Form(labels.of("ssh keys add"), "ssh keys add", (key, reason), submit="Ask", note=note)
    )


async def remove(ctx: Context, params: RemoveParams) -> Reply:
    """Request that a key be removed; the last one that can sign in only with ``--last``."""
    spec = key_file.spec_of(ctx)
    # Read before the file: the request is bound to this version, so a change between the reads voids it.
    seen = await key_file.secret(ctx)
    text = await key_file.text(ctx)
    if ctx.dry_run and params.reason is not None:  # no keys were read
        return await requests.ask(ctx, _removal(ctx, params, params.fingerprint, seen, (), is_last=False))
    key = _named(ctx, text, params.fingerprint)
    warnings = await managed.warnings(ctx, seen, [spec.key])
    is_last = ssh_keys.is_last(text, key.fingerprint, ctx.clock.now())
    if is_last and not params.last:
        others = len({k.fingerprint for k in ssh_keys.keys(text)}) > 1
        raise Refused(
            f"That is the only key{' that can sign in' if others else ''}: nobody could sign in any more.",
            remedy=f"Add another first ({ctx.prefix} ssh keys add), or say --last if that is what you want.",
        )
    if params.reason is None:
        switch = " --last" if params.last else ""
        field = FormField("reason", "Why?", multiline=True)
        line = f"ssh keys remove {key.fingerprint}{switch}"
        whose = f"{judge_ssh_keys.kind(key)} {key.comment}".strip()
        note = f"The key {whose} can't sign in to {ctx.target.name} any more: an approver decides."
        return requests.form(ctx, Form(labels.of(line), line, (field,), submit="Ask", note=note))
    requests.ledger(ctx)
    facts = (*_shown(key), ("Can sign in", judge_ssh_keys.sign_in(key, ctx.clock.now())), *warnings)
    return await requests.ask(ctx, _removal(ctx, params, key.fingerprint, seen, facts, is_last=is_last))


def _removal(
    ctx: Context,
    params: RemoveParams,
    fingerprint: str,
    seen: SecretFacts,
    facts: tuple[tuple[str, str], ...],
    *,
    is_last: bool,
) -> Proposal:
    """The request that a key be removed."""
    spec, last = key_file.spec_of(ctx), {LAST: "yes"} if is_last else {}
    return Proposal(
        action=SSH_KEY_REMOVE,
        snapshot=secret_snapshot(seen),
        reason=params.reason or "",
        effect=SSH_KEY_REMOVE.effect(is_last=is_last),
        facts=facts,
        subject=fingerprint,
        details={"secret": spec.secret, "key": spec.key, "fingerprint": fingerprint, **last, **_copies(spec)},
    )


def _named(ctx: Context, text: str, fingerprint: str) -> Key:
    """Return the key with a fingerprint, or with a unique prefix of six or more characters. Raises UsageError."""
    wanted = fingerprint if fingerprint.startswith("SHA256:") else f"SHA256:{fingerprint}"
    each = {k.fingerprint: k for k in ssh_keys.keys(text)}
    fitting = [f for f in each if f.startswith(wanted)]
    if len(fitting) == 1 and len(wanted) >= len("SHA256:") + 6:
        return each[fitting[0]]
    known = ", ".join(f[:19] + "…" for f in each) or "none"
    wrong = "Several fingerprints begin like that" if fitting else "No key has that fingerprint"
    if len(fitting) == 1:
        wrong = "Give six or more characters of the fingerprint"
    raise UsageError(f"{wrong}. There are {known}.", remedy=f"{ctx.prefix} ssh keys")


def read_rights(target: Target) -> Sequence[Right]:
    """Return the rights to read the Secret by name, and the pod's own file."""
    if target.ssh is None:
        return []
    compared = [*POD_READ, *EXEC] if target.ssh.file else []
    return [Right("get", "secrets", name=target.ssh.secret), *compared]


def add_rights(target: Target) -> Sequence[Right]:
    """Return the rights to add a key, and to list ExternalSecrets."""
    return _with_external(SSH_KEY_ADD.rights(target))


def remove_rights(target: Target) -> Sequence[Right]:
    """Return the rights to remove a key, and to list ExternalSecrets."""
    return _with_external(SSH_KEY_REMOVE.rights(target))


def _with_external(rights: Sequence[Right]) -> Sequence[Right]:
    return [*rights, Right("list", "externalsecrets", "external-secrets.io")] if rights else []


COMMAND = Command(
    "ssh keys",
    "Which SSH keys can sign in to the pod",
    Capability.VIEW_CREDENTIALS,
    run,
    audited=True,
    group="SSH",
    sensitive_args=True,
    off=key_file.off,
    rights=read_rights,
)
ADD = Command(
    "ssh keys add",
    "Add an SSH key that can sign in; an approver decides",
    Capability.REQUEST,
    add,
    AddParams,
    group="SSH",
    examples=("ssh keys add",),
    sensitive_args=True,
    details="Opens a form for the public key. An approver sees its fingerprint and decides; then the keys are "
    "copied into the pod (ssh keys copy), or it is restarted.",
    off=key_file.off,
    rights=add_rights,
)
REMOVE = Command(
    "ssh keys remove",
    "Remove an SSH key; an approver decides",
    Capability.REQUEST,
    remove,
    RemoveParams,
    group="SSH",
    examples=("ssh keys remove SHA256:3fYx…",),
    sensitive_args=True,
    off=key_file.off,
    rights=remove_rights,
)
