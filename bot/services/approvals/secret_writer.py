"""Changes of Secrets: a value goes from its form straight to the API server, once, and is kept nowhere.

What is kept is that it was done: the Secret carries the approval's id, so that also after a crash it can be told
whether the value was stored. The value itself is gone then, and has to be asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from pydantic import SecretStr

from bot.domain.approvals import card
from bot.domain.approvals.approval import State
from bot.domain.approvals.repair import SINK, ExecutionResult, RepairRequest, secret_snapshot
from bot.domain.core import words
from bot.domain.core.reply import Reply
from bot.domain.core.workload import SecretFacts
from bot.domain.health import ssh_keys
from bot.domain.health.rollout import APPROVAL_ANNOTATION
from bot.errors import AgentpodError, Conflict, NotFound, Transient, Uncertain
from bot.ports.clock import Clock
from bot.ports.cluster import Cluster
from bot.services.approvals import request_log
from bot.services.approvals.early_refusals import SETTLING, Doubt

logger = logging.getLogger("agentpod.repairs")

TRIES = 5
LOOKS = 20
"""How often one looks whether what was sent is there."""
PAUSE = 1.0
"""Seconds between two of them."""
LONGEST = 20.0
"""Seconds that are waited between two tries, whatever the API server asks for: somebody waits with a value."""
UNSURE = (
    "nobody knows whether the value was stored: the agentpod that had it stopped answering, "
    "and the value was not there at the last look"
)
STOPPED = "agentpod stopped before the value was stored: ask again"
NOT_TAKEN = f"the API server did not take it in {TRIES} tries: it was not there at the last look"
_NOBODY_KNOWS = "it may have been sent, and nobody knows whether it was stored"

_LOOK = "Look before you ask again: secrets shows when the Secret was changed."


class Holder(Protocol):
    """Whoever holds the case while it is worked at."""

    async def still(self) -> object:
        """Make sure that the case is still this process's. Raises where it is not."""
        ...

    async def wait(self, seconds: float, why: str) -> object:
        """Wait as long as the API server asked for, and show it."""
        ...


@dataclass
class SecretWriter:
    """Makes changes of Secrets. Knows the API server and no ledger: what becomes of a case is its caller's."""

    clock: Clock
    cluster_of: Callable[[str], Cluster]
    pause: float = PAUSE
    settling: float = SETTLING
    """Seconds for which a refusal of the API server is not believed."""

    async def store(self, case: RepairRequest, value: SecretStr, holder: Holder) -> tuple[State, ExecutionResult]:
        """Give the case's key its value."""

        async def given() -> bytes:
            return value.get_secret_value().encode()

        return await self._change(case, given, holder)

    async def file(
        self, case: RepairRequest, change: Callable[[str], bytes], holder: Holder, *, sent: bool
    ) -> tuple[State, ExecutionResult]:
        """Change the file of SSH keys. ``sent``: another process may have done it already.

        ``change`` makes of the file what it should be, and raises `ssh_keys.BadKey` where it can't become so.
        """
        secret, key = case.details["secret"], case.details["key"]

        async def changed() -> bytes:
            return change(await self.cluster_of(case.target).authorized_keys(secret, key))

        try:
            return await self._change(case, changed, holder, sent=sent)
        except ssh_keys.BadKey as error:
            return self._ended(State.VOID, f"{error}")

    async def found(
        self, case: RepairRequest, holder: Holder, why: str = STOPPED
    ) -> tuple[State, ExecutionResult]:
        """What became of a change that another process began, or whose end is not known: never made again.

        ``why`` is said where the value is not there.
        """
        doubt = Doubt(self.settling)
        for left in reversed(range(LOOKS)):
            try:
                seen = await self.cluster_of(case.target).secret(case.details["secret"])
            except Transient as error:
                if not left:
                    return self._failed(error, sent=True)
                await self._rest(error, holder)
            except AgentpodError as error:
                if not doubt.of(error) or not left:
                    return self._failed(error, sent=True)
                await asyncio.sleep(self.pause)
            else:
                if _is_ours(seen, case):
                    return self._done()
                if why == UNSURE and left:  # a call of the other one may still be under way
                    await asyncio.sleep(self.pause)
                    continue
                look = () if why != UNSURE else (_LOOK,)
                return State.FAILED, ExecutionResult(why, self.clock.now(), look)
        raise AssertionError("unreachable")

    async def _change(
        self, case: RepairRequest, value: Callable[[], Awaitable[bytes]], holder: Holder, *, sent: bool = False
    ) -> tuple[State, ExecutionResult]:
        """Look, compare with what was approved, change; look again where the answer is not clear.

        What the ``value`` is made of is read after the look that the change is bound to. ``sent``: it may have
        been made already.
        """
        failed: AgentpodError | None = None
        doubt, left = Doubt(self.settling), TRIES
        while left:
            left -= 1
            try:
                return await self._once(case, value, holder, sent)
            except (Conflict, Uncertain) as error:
                sent = sent or isinstance(error, Uncertain)
                if isinstance(error, Uncertain):
                    request_log.unsure(case, error.message)
            except Transient as error:
                failed = error
                await self._rest(error, holder)
            except AgentpodError as error:
                if not doubt.of(error):
                    return self._failed(error, sent=sent)
                left += 1  # it ends by itself
                await asyncio.sleep(self.pause)
        return (
            await self.found(case, holder, NOT_TAKEN)
            if sent or failed is None
            else self._failed(failed, sent=False)
        )

    async def _once(
        self, case: RepairRequest, value: Callable[[], Awaitable[bytes]], holder: Holder, sent: bool
    ) -> tuple[State, ExecutionResult]:
        """One try. Raises as the cluster does."""
        cluster, details = self.cluster_of(case.target), case.details
        seen = await cluster.secret(details["secret"])
        if _is_ours(seen, case):
            return self._done()
        if changes := case.action.changes(case.request.snapshot, secret_snapshot(seen)):
            text = "; ".join(changes)
            ended = self._ended(State.FAILED, f"{_NOBODY_KNOWS}: {text}")
            return ended if sent else self._ended(State.VOID, text)
        wanted = await value()
        await holder.still()
        await cluster.set_secret_key(seen, details["key"], wanted, {APPROVAL_ANNOTATION: case.id})
        request_log.sent(case)
        return self._done()

    async def _rest(self, error: Transient, holder: Holder) -> None:
        seconds = min(error.retry_after or self.pause, LONGEST)
        if seconds > self.pause:
            await holder.wait(seconds, error.message)
        else:
            await asyncio.sleep(seconds)

    def _done(self) -> tuple[State, ExecutionResult]:
        return State.SUCCEEDED, ExecutionResult("stored; the pod has it after a restart", self.clock.now())

    def _ended(self, state: State, text: str) -> tuple[State, ExecutionResult]:
        return state, ExecutionResult(text, self.clock.now())

    def _failed(self, error: AgentpodError, *, sent: bool) -> tuple[State, ExecutionResult]:
        """``sent``: it may have been made, so that no error says that it was not."""
        said = words.lower_first(error.message).rstrip(".")
        if sent:
            return State.FAILED, ExecutionResult(f"{_NOBODY_KNOWS}: {said}", self.clock.now(), (_LOOK,))
        evidence = (error.remedy,) if error.remedy else ()
        text = said if isinstance(error, NotFound) else f"nothing was stored: {said}"
        return State.FAILED, ExecutionResult(text, self.clock.now(), evidence)


def _is_ours(seen: SecretFacts, case: RepairRequest) -> bool:
    return seen.annotations.get(APPROVAL_ANNOTATION) == case.id


def answer(case: RepairRequest) -> Reply:
    """What whoever gave the value is told."""
    shown = card.outcome(case)
    return replace(shown, notes=(case.id,))


def case_id(sink: str) -> str:
    """The case that a sink belongs to; empty for another one."""
    return sink.removeprefix(SINK) if sink.startswith(SINK) else ""


def only(values: Mapping[str, SecretStr]) -> SecretStr | None:
    """The one value of a form; line ends that pasting left at its end are not part of it."""
    given = values.get("value")
    text = given.get_secret_value().rstrip("\r\n") if given is not None else ""
    return SecretStr(text) if text else None


def is_text(value: SecretStr) -> bool:
    """Whether it can be stored: JSON may bring half of a surrogate pair, which is no character."""
    try:
        value.get_secret_value().encode()
    except UnicodeEncodeError:
        return False
    return True
