"""Carries out `configs rotate`: decrypts the file again, and makes the Secret's data as the file, with one patch.

The patch is bound to the version of the Secret that was approved and carries the approval's id, by which it is
found after a crash. It has all keys, so sending it again makes the same Secret. Values are held in memory only.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain.approvals.actions.configs_rotate import CONFIGS_ROTATE, snapshot
from bot.domain.approvals.approval import RequestState, Snapshot
from bot.domain.approvals.repair import ExecutionResult, RepairRequest
from bot.domain.core import words
from bot.domain.core.config_rotation import ConfigsRotateSpec
from bot.domain.core.encrypted_file import UnusableFile, secret_data
from bot.domain.core.secret_data import SecretData, redactable
from bot.domain.core.workload import SecretFacts
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.errors import AgentpodError, Conflict, Permanent
from bot.services.approvals.actions.execution import Stepwise, inner
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.health.reads import CheckContext

READ_BACK = timedelta(minutes=1)
"""How long to try to read the Secret after it was changed."""
MOST_KEYS = 5
"""Most keys that an outcome names."""


@dataclass(frozen=True)
class Seen:
    """The Secret, and the SHA-256 of the encrypted file; empty where that can't be read."""

    secret: SecretFacts
    file: str


async def decrypted(ctx: CheckContext, spec: ConfigsRotateSpec) -> tuple[SecretData, str]:
    """Decrypt the file: the Secret's data, which is redacted from now on, and the file's SHA-256.

    Raises as `Decryption` does, and `Permanent` for a file that is no such Secret.
    """
    if ctx.decryption is None:
        raise Permanent("Nothing can be decrypted here.")
    found = await ctx.decryption.decrypt(spec)
    try:
        data = secret_data(found.document, spec.secret, ctx.target.namespace)
    except UnusableFile as error:
        why = words.lower_first(error.message).rstrip(".")
        raise Permanent(f"The encrypted file can't be used: {why}.", remedy=error.remedy) from None
    if not found.made_up:
        ctx.outside.learn(f"{ctx.target.name}/{spec.secret} in its file", redactable(data.values.values()))
    return data, found.sha256


async def remember_old(ctx: CheckContext, spec: ConfigsRotateSpec) -> None:
    """Have the values that the Secret has now redacted, also once it has others. Raises as `Cluster` does."""
    old = await ctx.cluster.secret_values([spec.secret], files=True)
    ctx.outside.learn(f"{ctx.target.name}/{spec.secret} before", old)


class ConfigsRotate(Stepwise[Seen]):
    """See the module."""

    action = CONFIGS_ROTATE
    check = "Look before you ask again: secrets and the Secret's annotations show who changed it."

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Seen:
        """See `Stepwise`."""
        secret = holder.cluster_of(repair.target).secret(repair.details["secret"])
        return Seen(*await asyncio.gather(secret, _digest(repair, holder)))

    def snapshot(self, seen: Seen) -> Snapshot:
        """See `Stepwise`."""
        return snapshot(seen.secret, seen.file)

    def is_made(self, repair: RepairRequest, seen: Seen, *, tried: bool) -> bool:  # noqa: ARG002 - the id tells
        """See `Stepwise`."""
        return seen.secret.annotations.get(APPROVAL_ANNOTATION) == repair.id

    async def call(self, repair: RepairRequest, seen: Seen, holder: LeaseHolder) -> Seen:
        """See `Stepwise`. What was decrypted must be what was approved."""
        ctx, spec = holder.context_of(repair.target), _spec(repair, holder)
        (data, file), _ = await asyncio.gather(decrypted(ctx, spec), remember_old(ctx, spec))
        if file != repair.details["sha256"]:
            raise Conflict("The encrypted file was changed meanwhile.")
        gone = dict.fromkeys(seen.secret.keys.keys() - data.values.keys())
        marks = {APPROVAL_ANNOTATION: repair.id}
        cluster = holder.cluster_of(repair.target)
        return Seen(await cluster.set_secret_data(seen.secret, {**data.values, **gone}, marks), file)

    async def plan(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Execution`."""
        await super().plan(repair, holder)
        data, _ = await decrypted(holder.context_of(repair.target), _spec(repair, holder))
        await holder.cluster_of(repair.target).compare_secret(repair.details["secret"], data)

    async def preview(self, repair: RepairRequest, holder: LeaseHolder, seen: Any = None) -> bool:  # noqa: ARG002
        """See `Execution`: with the keys and not the values, which nobody has approved yet."""
        cluster, details = holder.cluster_of(repair.target), repair.details
        secret = await cluster.secret(details["secret"])
        given: dict[str, bytes | None] = dict.fromkeys(details["set"].split(), b"<the value in the file>")
        gone = dict.fromkeys(details["removed"].split())
        await cluster.set_secret_data(secret, {**given, **gone}, {APPROVAL_ANNOTATION: repair.id})
        return True

    async def follow(self, repair: RepairRequest, holder: LeaseHolder) -> None:
        """See `Stepwise`: reads the Secret back."""
        until = (repair.sent_at or holder.clock.now()) + READ_BACK
        while True:
            try:
                state, text = await _read_back(repair, holder)
            except AgentpodError as error:
                if holder.clock.now() <= until:
                    repair = await holder.sleep(repair, holder.tick)
                    continue
                state, text = RequestState.FAILED, f"the values were stored, and not read back: {inner(error)}"
            if state is RequestState.SUCCEEDED:
                await holder.conclude(repair, state, ExecutionResult(text, holder.clock.now()))
            else:
                await holder.end(repair, state, text, self.check)
            return


def _spec(repair: RepairRequest, holder: LeaseHolder) -> ConfigsRotateSpec:
    """The settings of the rotation. Raises `Permanent` where they are not those of the request any more."""
    spec = holder.targets[repair.target].configs_rotate
    if spec is None or (spec.secret, spec.encrypted_file) != (repair.details["secret"], repair.details["file"]):
        raise Permanent("The settings of the rotation were changed after the request.")
    return spec


async def _digest(repair: RepairRequest, holder: LeaseHolder) -> str:
    """The SHA-256 of the encrypted file; empty where it can't be read, or the settings name another one."""
    decryption = holder.context_of(repair.target).decryption
    try:
        return await decryption.digest(_spec(repair, holder)) if decryption is not None else ""
    except Permanent:
        return ""


async def _read_back(repair: RepairRequest, holder: LeaseHolder) -> tuple[RequestState, str]:
    """Compare the Secret with the file. Raises as `Cluster` does, and `TimedOut` where sops takes too long."""
    ctx, cluster, name = (
        holder.context_of(repair.target),
        holder.cluster_of(repair.target),
        repair.details["secret"],
    )
    try:
        data, file = await decrypted(ctx, _spec(repair, holder))
    except Permanent:
        data, file = SecretData({}), ""
    secret, other = await cluster.compare_secret(name, data)
    if file != repair.details["sha256"]:
        if secret.annotations.get(APPROVAL_ANNOTATION) == repair.id:
            return RequestState.SUCCEEDED, "stored; not compared, since the encrypted file has changed since"
        return RequestState.FAILED, "the values were stored, and then the Secret and the file were changed"
    if not other.any:
        return RequestState.SUCCEEDED, f"{words.plural(len(data.values), 'key')} as in the file"
    keys = words.listed([*other.added, *other.changed, *other.removed][:MOST_KEYS])
    return RequestState.FAILED, f"the values were stored, and then somebody changed the Secret: {keys}"


EXECUTION = ConfigsRotate()
