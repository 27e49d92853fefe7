"""``configs rotate``: requests that the Secret of the config files be made anew from their encrypted file."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import Field as Param
from pydantic import ValidationInfo, field_validator

from bot.domain.approvals.actions.action import restart_line
from bot.domain.approvals.actions.configs_rotate import CONFIGS_ROTATE, USED, in_pod, snapshot
from bot.domain.approvals.repair import Proposal
from bot.domain.core import labels, words
from bot.domain.core.config_rotation import DEFAULT_SECRET, ConfigsRotateSpec
from bot.domain.core.planned import THEN
from bot.domain.core.probes import Verdict
from bot.domain.core.reply import Excerpt, Form, FormField, Reply
from bot.domain.core.secret_data import SecretData, SecretDifference
from bot.domain.core.target import Target
from bot.domain.core.workload import Right, SecretFacts
from bot.domain.health import secret_mount
from bot.domain.rbac.roles import Capability
from bot.errors import AgentpodError, Leaked, NotAllowed, NotFound, Permanent, Refused
from bot.runbook.command import Command, Params
from bot.runbook.context import Context
from bot.services.approvals.actions.configs_rotate import decrypted, remember_old
from commands.repair import managed
from commands.shared import requests, shape

OPTION = "deploy/options/configs-rotate"
MOST_NAMED = 10
"""Most keys that are named in one line of the card."""
MOST_REMOVED = 200
"""Most keys that one rotation removes."""


class RotateParams(Params):
    """Why."""

    reason: str | None = Param(default=None, description="why, for whoever decides and for the audit trail")

    @field_validator("reason")
    @classmethod
    def _short(cls, value: str | None, info: ValidationInfo) -> str | None:
        return requests.reason(value, info)


async def run(ctx: Context, params: RotateParams) -> Reply:
    """Request the rotation; without a reason, open a form that asks for it. Without settings, say how by hand."""
    spec = ctx.target.configs_rotate
    if spec is None:
        return _by_hand(ctx)
    requests.ledger(ctx)
    try:
        seen, difference, file = await _look(ctx, spec)
    except Leaked as error:
        return Reply(error.message.rstrip("."), verdict=Verdict.FAIL, body=(error.remedy,) if error.remedy else ())
    warnings = await managed.warnings(ctx, seen, [*difference.added, *difference.changed, *difference.removed])
    if params.reason is None:
        return _form(ctx, spec)
    used = "" if ctx.dry_run else await _used(ctx, spec)
    return await requests.ask(
        ctx,
        Proposal(
            action=CONFIGS_ROTATE,
            snapshot=snapshot(seen, file),
            reason=params.reason,
            effect=CONFIGS_ROTATE.effect,
            facts=(
                *(_keys(difference) if not ctx.dry_run else (("Keys", THEN),)),
                ("From", spec.encrypted_file),
                ("Pod", in_pod(used) if not ctx.dry_run else THEN),
                *warnings,
            ),
            subject=spec.secret,
            details={
                "secret": spec.secret,
                "file": spec.encrypted_file,
                "sha256": file,
                "set": " ".join((*difference.added, *difference.changed)),
                "removed": " ".join(difference.removed),
                USED: used,
            },
        ),
    )


async def _look(ctx: Context, spec: ConfigsRotateSpec) -> tuple[SecretFacts, SecretDifference, str]:
    """Return the Secret, what the file would change of it, and the file's SHA-256.

    Raises `Refused` where there is nothing to change.
    """
    try:
        data, file = await decrypted(ctx, spec)
    except Leaked:
        raise
    except Permanent as error:
        raise Refused(error.message, remedy=error.remedy) from error
    seen, difference = await _compared(ctx, spec, data)
    if not difference.any and not ctx.dry_run:
        raise Refused(
            f"{spec.secret} has the values of the encrypted file already: there is nothing to rotate.",
            remedy="Encrypt the new files, and mount the result into the bot's pod.",
        )
    if len(difference.removed) > MOST_REMOVED:
        raise Refused(
            f"More than {MOST_REMOVED} keys of {spec.secret} are not in the file.", remedy=_IS_IT_THE_FILE
        )
    return seen, difference, file


_IS_IT_THE_FILE = "Is targets[].configs_rotate.encrypted_file that Secret's file?"


async def _compared(
    ctx: Context, spec: ConfigsRotateSpec, data: SecretData
) -> tuple[SecretFacts, SecretDifference]:
    """Compare the Secret with the file's data; its values are redacted from now on."""
    try:
        found, _ = await asyncio.gather(ctx.cluster.compare_secret(spec.secret, data), remember_old(ctx, spec))
    except NotAllowed as error:
        raise Refused(error.message, remedy=f"Apply {OPTION}: kubectl apply -k {OPTION}.") from error
    except NotFound as error:
        raise Refused(
            f"There is no Secret {spec.secret}: it is made by hand the first time.",
            remedy=f"Where the key is: {_apply(ctx.target, spec.secret)}",
        ) from error
    return found


async def _used(ctx: Context, spec: ConfigsRotateSpec) -> str:
    """Return how the pod uses the Secret; empty where that can't be read."""
    try:
        found = await ctx.cluster.objects(Right("list", "pods"), "v1", ctx.target.selector)
    except AgentpodError:
        return ""
    return " ".join(sorted(secret_mount.uses(found.get("items") or (), spec.secret)))


def _keys(difference: SecretDifference) -> list[tuple[str, str]]:
    groups = (
        ("Changed", difference.changed),
        ("Added", difference.added),
        ("REMOVED", difference.removed),
        ("Unchanged", difference.unchanged),
    )
    return [(label, _named(keys)) for label, keys in groups if keys]


def _named(keys: Sequence[str]) -> str:
    """The first keys by their names, and how many more there are."""
    more = len(keys) - MOST_NAMED
    shown = [words.cut(key, 60) for key in keys[:MOST_NAMED]]
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _form(ctx: Context, spec: ConfigsRotateSpec) -> Reply:
    why = FormField(
        "reason",
        "Why?",
        hint="Approvers and the audit trail see it",
        max_length=requests.MAX_REASON,
        multiline=True,
    )
    note = f"{spec.secret} of {ctx.target.name} gets the values of its encrypted file: an approver decides."
    return requests.form(
        ctx, Form(labels.of(CONFIGS_ROTATE.name), CONFIGS_ROTATE.name, (why,), submit="Ask", note=note)
    )


def _apply(target: Target, secret: str) -> str:
    """The handbook's command that applies the decrypted manifest."""
    file = f"secrets/{target.namespace}/{secret}.yaml"
    return f"sops --decrypt {file} | kubectl apply -n {target.namespace} -f -"


def _by_hand(ctx: Context) -> Reply:
    """The handbook's steps with the target's names, and what would have the bot take them."""
    target = ctx.target
    steps = (
        f"{_apply(target, DEFAULT_SECRET)}\n"
        f"kubectl rollout restart -n {target.namespace} deployment/{target.deployment}"
    )
    settings = f"The bot does it, with approval, once targets[].configs_rotate is set and {OPTION} is applied"
    return Reply(
        f"Rotate the config files of {target.name} by hand: the bot has neither sops nor a key",
        body=("Run these where the repository with the encrypted file is, and its key:",),
        excerpts=(Excerpt(steps, "Steps", "rotate-configs.sh"),),
        buttons=shape.buttons(
            ctx, [("Config files", "configs"), ("Ask for a restart", restart_line("config files", target.name))]
        ),
        notes=(settings, "docs/approvals.md says how"),
        data={"target": target.name, "configured": False, "steps": steps.split("\n")},
    )


def rights(target: Target) -> Sequence[Right]:
    """Return the rights of the change, and to list ExternalSecrets, which may undo it."""
    found = CONFIGS_ROTATE.rights(target)
    return [*found, Right("list", "externalsecrets", "external-secrets.io")] if found else []


COMMAND = Command(
    "configs rotate",
    "Rotate config files from their encrypted file; an approver decides",
    Capability.REQUEST,
    run,
    RotateParams,
    group="Secrets",
    examples=('configs rotate --reason "new talosconfig"',),
    details=(
        "The file is decrypted with sops in the bot's memory. The card shows which keys of the Secret it adds, "
        "changes and removes, and no value. Once approved, the Secret is changed by one patch and read back. The "
        "approval is void when the file or the Secret has changed since. Without targets[].configs_rotate in the "
        f"settings, it says how to do it by hand. Needs {OPTION}."
    ),
    off=lambda ctx: "" if ctx.target.configs_rotate is not None else "targets[].configs_rotate",
    off_answer=lambda _: "says how to do it by hand",
    rights=rights,
)
