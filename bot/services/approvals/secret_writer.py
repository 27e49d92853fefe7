"""Changes keys of Secrets: a value goes from its form straight to the API server and is stored nowhere else.

The write annotates the Secret with the approval's id, so that even after a crash the bot can find out whether the
value was stored. If it wasn't, the value is lost, and the requester has to ask again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from pydantic import SecretStr

from bot.domain.approvals import card
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import SINK, ExecutionResult, RepairRequest, secret_snapshot
from bot.domain.core import words
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.reply import Reply
from bot.domain.core.workload import SecretFacts
from bot.domain.health import ssh_keys
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.errors import AgentpodError, Conflict, NotFound, Transient, Uncertain
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.services.approvals import request_log
from bot.services.approvals.early_refusals import SETTLING, EarlyRefusals

logger = logging.getLogger("agentpod.repairs")

TRIES = 5
LOOKS = 20
"""How often the Secret is read to find out whether a write took effect."""
PAUSE = 1.0
"""Seconds between two attempts."""
LONGEST = 20.0
"""Longest pause between two tries, in seconds, whatever the API server asks for: a person is waiting."""
UNSURE = (
    "nobody knows whether the value was stored: the agentpod that had it stopped answering, "
    "and the value was not there at the last look"
)
STOPPED = "agentpod stopped before the value was stored: ask again"
NOT_TAKEN = f"the API server did not take it in {TRIES} tries: it was not there at the last look"
_NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was stored"

_LOOK = "Look before you ask again: `/agentpod secrets` shows when the Secret was changed."


class Clusters(Protocol):
    """Gives a target's cluster."""

    @property
    def cluster_of(self) -> Callable[[str], Cluster]:
        """The cluster of the target of that name."""
        ...


class RequestLease(Protocol):
    """The lease on the request that is being carried out."""

    async def confirm(self) -> object:
        """Renew the lease. Raises `LeaseLost` where another process has it."""
        ...

    async def wait(self, seconds: float, why: str) -> object:
        """Wait for ``seconds`` as the API server asked for, and show it on the card."""
        ...


@dataclass
class SecretWriter:
    """Changes Secrets. Talks to the API server only; the caller records the result in the ledger."""

    clock: Clock
    cluster_of: Callable[[str], Cluster]
    pause: float = PAUSE
    settling: float = SETTLING
    """See `EarlyRefusals`."""

    async def store(
        self, repair: RepairRequest, value: SecretStr, lease: RequestLease
    ) -> tuple[RequestState, ExecutionResult]:
        """Write the value to the request's key of a Secret."""

        async def given() -> bytes:
            return value.get_secret_value().encode()

        return await self._change(repair, given, lease)

    async def file(
        self,
        repair: RepairRequest,
        change: Callable[[str], bytes],
        lease: RequestLease,
        *,
        sent: bool,
        off: Sequence[str],
    ) -> tuple[RequestState, ExecutionResult]:
        """Change the file of SSH keys in a Secret. ``sent``: another process may have changed it already.

        ``off``: what the settings have switched off since the request; nothing is written where there is any.
        ``change`` turns the file's text into its new content; it may raise `ssh_keys.BadKey`, which ends the
        request as void.
        """
        secret, key = repair.details["secret"], repair.details["key"]

        async def changed() -> bytes:
            return change(await self.cluster_of(repair.target).authorized_keys(secret, key))

        try:
            return await self._change(repair, changed, lease, sent=sent, off=off)
        except ssh_keys.BadKey as error:
            return self._ended(RequestState.VOID, f"{error}")

    async def found(
        self, repair: RepairRequest, lease: RequestLease, why: str = STOPPED
    ) -> tuple[RequestState, ExecutionResult]:
        """Find out whether a write whose result isn't known took effect. Never repeats the write.

        ``why`` is the outcome's text where the value isn't there.
        """
        refusals = EarlyRefusals(self.settling)
        for left in reversed(range(LOOKS)):
            try:
                seen = await self.cluster_of(repair.target).secret(repair.details["secret"])
            except Transient as error:
                if not left:
                    return self._failed(error, sent=True)
                await self._rest(error, lease)
            except AgentpodError as error:
                if not refusals.may_pass(error) or not left:
                    return self._failed(error, sent=True)
                await asyncio.sleep(self.pause)
            else:
                if _is_ours(seen, repair):
                    return self._done()
                if why == UNSURE and left:  # the other process's call may still be in flight
                    await asyncio.sleep(self.pause)
                    continue
                look = () if why != UNSURE else (_LOOK,)
                return RequestState.FAILED, ExecutionResult(why, self.clock.now(), look)
        raise AssertionError("unreachable")

    async def _change(
        self,
        repair: RepairRequest,
        value: Callable[[], Awaitable[bytes]],
        lease: RequestLease,
        *,
        sent: bool = False,
        off: Sequence[str] = (),
    ) -> tuple[RequestState, ExecutionResult]:
        """Read the Secret, compare it with what was approved, write; read again where the answer is unclear.

        ``value`` is called after the read whose resource version the write is bound to, so a change in between is
        a `Conflict`. ``sent``: the write may have happened already.
        """
        failed: AgentpodError | None = None
        refusals, left = EarlyRefusals(self.settling), TRIES
        while left:
            left -= 1
            try:
                return await self._once(repair, value, lease, sent, off)
            except (Conflict, Uncertain) as error:
                sent = sent or isinstance(error, Uncertain)
                if isinstance(error, Uncertain):
                    request_log.unsure(repair, error.message)
            except Transient as error:
                failed = error
                await self._rest(error, lease)
            except AgentpodError as error:
                if not refusals.may_pass(error):
                    return self._failed(error, sent=sent)
                left += 1  # not counted as a try: `EarlyRefusals` bounds these by time
                await asyncio.sleep(self.pause)
        return (
            await self.found(repair, lease, NOT_TAKEN)
            if sent or failed is None
            else self._failed(failed, sent=False)
        )

    async def _once(
        self,
        repair: RepairRequest,
        value: Callable[[], Awaitable[bytes]],
        lease: RequestLease,
        sent: bool,
        off: Sequence[str],
    ) -> tuple[RequestState, ExecutionResult]:
        """One try. Raises as the cluster does."""
        cluster, details = self.cluster_of(repair.target), repair.details
        seen = await cluster.secret(details["secret"])
        if _is_ours(seen, repair):
            return self._done()
        if changes := [*off, *repair.action.changes(repair.request.snapshot, secret_snapshot(seen))]:
            text = "; ".join(changes)
            ended = self._ended(RequestState.FAILED, f"{_NOBODY_KNOWS}: {text}")
            return ended if sent else self._ended(RequestState.VOID, text)
        wanted = await value()
        await lease.confirm()
        await cluster.set_secret_key(seen, details["key"], wanted, {APPROVAL_ANNOTATION: repair.id})
        request_log.sent(repair)
        return self._done()

    async def _rest(self, error: Transient, lease: RequestLease) -> None:
        seconds = min(error.retry_after or self.pause, LONGEST)
        if seconds > self.pause:
            await lease.wait(seconds, error.message)
        else:
            await asyncio.sleep(seconds)

    def _done(self) -> tuple[RequestState, ExecutionResult]:
        return RequestState.SUCCEEDED, ExecutionResult("stored; the pod has it after a restart", self.clock.now())

    def _ended(self, state: RequestState, text: str) -> tuple[RequestState, ExecutionResult]:
        return state, ExecutionResult(text, self.clock.now())

    def _failed(self, error: AgentpodError, *, sent: bool) -> tuple[RequestState, ExecutionResult]:
        """The outcome of a failure. With ``sent`` the text doesn't claim that nothing was stored."""
        said = words.lower_first(error.message).rstrip(".")
        if sent:
            return RequestState.FAILED, ExecutionResult(f"{_NOBODY_KNOWS}: {said}", self.clock.now(), (_LOOK,))
        evidence = (error.remedy,) if error.remedy else ()
        text = said if isinstance(error, NotFound) else f"nothing was stored: {said}"
        return RequestState.FAILED, ExecutionResult(text, self.clock.now(), evidence)


def _is_ours(seen: SecretFacts, repair: RepairRequest) -> bool:
    return seen.annotations.get(APPROVAL_ANNOTATION) == repair.id


async def plan_change(repair: RepairRequest, holder: Clusters, value: bytes) -> None:
    """Make the calls of a change in order, for a dry run."""
    cluster, details = holder.cluster_of(repair.target), repair.details
    seen = await cluster.secret(details["secret"])
    await cluster.set_secret_key(seen, details["key"], value, {APPROVAL_ANNOTATION: repair.id})


def answer(repair: RepairRequest) -> Reply:
    """The answer to whoever gave the value."""
    shown = card.outcome(repair)
    return replace(shown, notes=(repair.id,))


def case_id(sink: str) -> str:
    """The id of the request that a form's sink belongs to; empty for any other sink."""
    return sink.removeprefix(SINK) if sink.startswith(SINK) else ""


def only(values: Mapping[str, SecretStr]) -> SecretStr | None:
    """The value that a form gave, without trailing line ends from pasting; None where it is empty."""
    given = values.get("value")
    text = given.get_secret_value().rstrip("\r\n") if given is not None else ""
    return SecretStr(text) if text else None


def is_text(value: SecretStr) -> bool:
    """Whether the value can be encoded as UTF-8: JSON may bring half of a surrogate pair."""
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError:
        return False
    return True
