"""Carries out `configs rotate`: decrypts the file again, and makes the Secret's data as the file, with one patch.

The patch is bound to the version of the Secret that was approved and carries the approval's id, by which it is
found after a crash. It has all keys, so sending it again makes the same Secret. Values are held in memory only.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

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
from bot.services.approvals.actions.execution import Stepwise, defect, inner
from bot.services.approvals.lease_holder import LeaseHolder
from bot.services.health.reads import CheckContext

logger = logging.getLogger("agentpod.repairs")

READ_BACK = timedelta(minutes=1)
"""How long to try to read the Secret after it was changed."""
MOST_KEYS = 5
"""Most keys that an outcome names."""
_MOVED = "the settings of the rotation were changed"

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """The Secret and the encrypted file."""

    secret: SecretFacts
    file: str
    """The file's SHA-256; empty where it can't be read."""
    same_settings: bool = True
    """Whether the settings still name the Secret and the file of the request."""


async def decrypted(ctx: CheckContext, spec: ConfigsRotateSpec) -> tuple[SecretData, str]:
    """Decrypt the file: the Secret's data, which is redacted from now on, and the file's SHA-256.

    Raises as `Decryption` does, and `Permanent` for a file that is no such Secret and for an unexpected error.
    """
    return await _prepared(_decrypted(ctx, spec))


async def remember_old(ctx: CheckContext, spec: ConfigsRotateSpec) -> None:
    """Have the values that the Secret has now redacted, also once it has others.

    Raises as `Cluster` does, and `Permanent` for an unexpected error.
    """
    old = await _prepared(ctx.cluster.secret_values([spec.secret], files=True))
    ctx.outside.learn(f"{ctx.target.name}/{spec.secret} before", old)


async def _prepared(work: Awaitable[T]) -> T:
    """Await work on values that sends nothing. Raises `Permanent` for an unexpected exception.

    Of that only kind and place are logged: its text may have a value in it.
    """
    try:
        return await work
    except AgentpodError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        places = ", ".join(f"{Path(each.filename).name}:{each.lineno}" for each in frames)
        logger.error("an unexpected %s while config files were prepared, at %s", type(error).__name__, places)
        raise Permanent(f"The values could not be prepared: {defect(error)}.") from None


async def _decrypted(ctx: CheckContext, spec: ConfigsRotateSpec) -> tuple[SecretData, str]:
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


class ConfigsRotate(Stepwise[Seen]):
    """See the module."""

    action = CONFIGS_ROTATE
    check = "Look before you ask again: `/agentpod secrets` and the Secret's annotations show who changed it."

    async def look(self, repair: RepairRequest, holder: LeaseHolder) -> Seen:
        """See `Stepwise`."""
        secret = holder.cluster_of(repair.target).secret(repair.details["secret"])
        if _spec(repair, holder) is None:
            return Seen(await secret, "", same_settings=False)
        return Seen(*await asyncio.gather(secret, _digest(repair, holder)))

    def snapshot(self, seen: Seen) -> Snapshot:
        """See `Stepwise`."""
        return snapshot(seen.secret, seen.file)

    def changes(self, repair: RepairRequest, seen: Seen) -> Sequence[str]:
        """See `Stepwise`."""
        return super().changes(repair, seen) if seen.same_settings else [_MOVED]

    def is_made(self, repair: RepairRequest, seen: Seen, *, tried: bool) -> bool:  # noqa: ARG002 - the id tells
        """See `Stepwise`."""
        return seen.secret.annotations.get(APPROVAL_ANNOTATION) == repair.id

    async def call(self, repair: RepairRequest, seen: Seen, holder: LeaseHolder) -> Seen:
        """See `Stepwise`. What was decrypted must be what was approved."""
        ctx, spec = holder.context_of(repair.target), _spec_now(repair, holder)
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
        data, _ = await decrypted(holder.context_of(repair.target), _spec_now(repair, holder))
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


def _spec(repair: RepairRequest, holder: LeaseHolder) -> ConfigsRotateSpec | None:
    """The settings of the rotation; None where they are not those of the request any more."""
    spec = holder.targets[repair.target].configs_rotate
    if spec is None or (spec.secret, spec.encrypted_file) != (repair.details["secret"], repair.details["file"]):
        return None
    return spec


def _spec_now(repair: RepairRequest, holder: LeaseHolder) -> ConfigsRotateSpec:
    """As `_spec`; raises `Permanent` where there is none."""
    spec = _spec(repair, holder)
    if spec is None:
        raise Permanent(f"{words.upper_first(_MOVED)} after the request.")
    return spec


async def _digest(repair: RepairRequest, holder: LeaseHolder) -> str:
    """The SHA-256 of the encrypted file; empty where it can't be read."""
    decryption = holder.context_of(repair.target).decryption
    try:
        return await decryption.digest(_spec_now(repair, holder)) if decryption is not None else ""
    except Permanent:
        return ""


async def _read_back(repair: RepairRequest, holder: LeaseHolder) -> tuple[RequestState, str]:
    """Compare the Secret with the file. Raises as `Cluster` does, and `TimedOut` where sops takes too long."""
    cluster, name = holder.cluster_of(repair.target), repair.details["secret"]
    try:
        data, file = await decrypted(holder.context_of(repair.target), _spec_now(repair, holder))
    except Permanent as error:
        return _not_compared(repair, await cluster.secret(name), inner(error))
    secret, other = await cluster.compare_secret(name, data)
    if file != repair.details["sha256"]:
        return _not_compared(repair, secret, "the encrypted file has changed since")
    if not other.any:
        return RequestState.SUCCEEDED, f"{words.plural(len(data.values), 'key')} as in the file"
    keys = words.listed([*other.added, *other.changed, *other.removed][:MOST_KEYS])
    return RequestState.FAILED, f"the values were stored, and then somebody changed the Secret: {keys}"


def _not_compared(repair: RepairRequest, secret: SecretFacts, why: str) -> tuple[RequestState, str]:
    """The end of a request whose file can't be compared with the Secret any more: by the approval's id in that."""
    if secret.annotations.get(APPROVAL_ANNOTATION) == repair.id:
        return RequestState.SUCCEEDED, f"stored; not compared, since {why}"
    return RequestState.FAILED, f"the values were stored, and then somebody changed the Secret; {why}"


EXECUTION = ConfigsRotate()
