"""Changes of Secrets: a value goes from its form straight to the API server, once, and is kept nowhere.

What is kept is that it was done: the Secret carries the approval's id, so that also after a crash it can be told
whether the value was stored. The value itself is gone then, and has to be asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pydantic import SecretStr

from bot.domain import card, ssh_keys, words
from bot.domain.approval import State
from bot.domain.repair import SINK, Action, Case, Outcome, secret_snapshot
from bot.domain.reply import Reply
from bot.domain.rollout import APPROVAL_ANNOTATION
from bot.domain.workload import SecretFacts
from bot.errors import AgentpodError, Conflict, NotFound, Transient, Uncertain
from bot.ports import Clock, Cluster

logger = logging.getLogger("agentpod.repairs")

TRIES = 5
PAUSE = 1.0
"""Seconds between two of them."""
STOPPED = "agentpod stopped before the value was stored: ask again"


@dataclass
class Vault:
    """Makes changes of Secrets. Knows the API server and no ledger: what becomes of a case is its caller's."""

    clock: Clock
    cluster_of: Callable[[str], Cluster]

    async def store(self, case: Case, value: SecretStr) -> tuple[State, Outcome]:
        """Give the case's key its value."""
        return await self._change(case, lambda _: value.get_secret_value().encode())

    async def keys(self, case: Case) -> tuple[State, Outcome]:
        """Add or remove the case's SSH key."""
        cluster, details = self.cluster_of(case.target), case.details
        text = ""

        async def read() -> None:
            nonlocal text
            text = await cluster.authorized_keys(details["secret"], details["key"])

        def changed(_: SecretFacts) -> bytes:
            if case.action is Action.ADD_KEY:
                return ssh_keys.as_bytes(ssh_keys.added(text, ssh_keys.parse_key(details["line"])))
            return ssh_keys.as_bytes(ssh_keys.removed(text, details["fingerprint"]))

        try:
            await read()
            return await self._change(case, changed)
        except ssh_keys.BadKey as error:
            return self._ended(State.VOID, f"{error}")
        except AgentpodError as error:
            return self._failed(error)

    async def found(self, case: Case, why: str = STOPPED) -> tuple[State, Outcome]:
        """What became of a change that another process began, or whose end is not known: never made again.

        ``why`` is said where the value is not there.
        """
        for left in reversed(range(TRIES)):
            try:
                seen = await self.cluster_of(case.target).secret(case.details["secret"])
            except Transient as error:
                if not left:
                    return self._failed(error)
                await asyncio.sleep(error.retry_after or PAUSE)
            except AgentpodError as error:
                return self._failed(error)
            else:
                if _is_ours(seen, case):
                    return self._done()
                return self._ended(State.FAILED, why)
        raise AssertionError("unreachable")

    async def _change(self, case: Case, value: Callable[[SecretFacts], bytes]) -> tuple[State, Outcome]:
        """Look, compare with what was approved, change; look again where the answer is not clear."""
        cluster, details = self.cluster_of(case.target), case.details
        marks = {APPROVAL_ANNOTATION: case.id}
        for left in reversed(range(TRIES)):
            try:
                seen = await cluster.secret(details["secret"])
                if _is_ours(seen, case):
                    return self._done()
                if changes := case.request.snapshot.changes(secret_snapshot(seen)):
                    return self._ended(State.VOID, "; ".join(changes))
                await cluster.set_secret_key(seen, details["key"], value(seen), marks)
                return self._done()
            except (Conflict, Uncertain) as error:
                logger.info("look again: %s", error.message, extra={"case": case.id})
            except Transient as error:
                if not left:
                    return self._failed(error)
                await asyncio.sleep(error.retry_after or PAUSE)
            except AgentpodError as error:
                return self._failed(error)
        return await self.found(case, f"nothing was stored: the API server did not take it in {TRIES} tries")

    def _done(self) -> tuple[State, Outcome]:
        return State.SUCCEEDED, Outcome("stored; the pod has it after a restart", self.clock.now())

    def _ended(self, state: State, text: str) -> tuple[State, Outcome]:
        return state, Outcome(text, self.clock.now())

    def _failed(self, error: AgentpodError) -> tuple[State, Outcome]:
        gone = isinstance(error, NotFound)
        evidence = (error.remedy,) if error.remedy else ()
        said = words.lower_first(error.message).rstrip(".")
        text = said if gone else f"nothing was stored: {said}"
        return State.FAILED, Outcome(text, self.clock.now(), evidence)


def _is_ours(seen: SecretFacts, case: Case) -> bool:
    return seen.annotations.get(APPROVAL_ANNOTATION) == case.id


def answer(case: Case) -> Reply:
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
