"""Records what changed between two looks at a target, or at the bot's own settings.

What was seen last is a mark in the ledger, compared and replaced in one transaction: of two replicas one records a
change, and a bot that was away records what changed meanwhile, with the last look as its earliest time. The first
look of all records nothing. While nothing changes, a look costs a comparison in memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from typing import Any

from bot.domain.core import words
from bot.domain.core.change import Change
from bot.domain.core.lazy_dataclass import dataclass
from bot.domain.core.look import Compare, Fingerprints, Look, Merge, State, is_ahead, last_of
from bot.domain.core.outside import Outside
from bot.errors import AgentpodError
from bot.ports.clock import Clock
from bot.ports.ledger import Ledger, Writing

logger = logging.getLogger("agentpod.changes")

KEPT_EVERY = timedelta(minutes=5)
"""Time between two comparisons with the ledger, which keep the time of the last look, while nothing changes."""
LAG = timedelta(minutes=1)
"""How long another replica may still see what was there before."""
MOST = 50
"""Most changes that are recorded of one look; the last one then counts those that are not."""


def first_mark(target: str) -> str:
    """Mark in the ledger: when the first look at the target was compared, from which on changes are recorded."""
    return f"changes-first:{target}"


def _newer(_: State, after: State) -> State:
    return after


@dataclass(frozen=True)
class _Kept:
    """What the ledger has of the last look."""

    state: State
    at: datetime
    order: str = ""
    key: str = ""


@dataclass
class ChangeLog:
    """Compares looks, and records changes. No failure of the ledger gets out: the next look makes up for it."""

    ledger: Ledger
    fingerprints: Fingerprints | None = None
    """None: what would be compared by fingerprints isn't."""
    outside: Outside = field(default_factory=Outside)
    clock: Clock | None = None
    """None: each look is compared as soon as it is read."""
    _last: dict[str, _Kept] = field(default_factory=dict)
    """The last look of this process, by mark."""
    _written: dict[str, datetime] = field(default_factory=dict)
    """When this process last wrote the time of a look."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def note(self, look: Look, compare: Compare, merge: Merge = _newer) -> bool:
        """Record what changed since the last look; returns whether anything did.

        ``merge`` makes the state to compare the next look with, where one look doesn't see all of it.
        """
        last = self._last.get(look.mark)
        if last is not None and last.state == look.state and not self._due(look):
            self._last[look.mark] = _Kept(look.state, look.at, look.order)
            return False
        try:
            async with self.ledger.writing() as tx:
                found = await self._noted(tx, look, compare, merge, last)
        except AgentpodError as error:
            which = {"target": look.target, "kind": look.kind}
            logger.warning("what changed was not recorded: %s", error.message, extra=which)
            return False
        if found is None:
            return False
        self._last[look.mark] = _Kept(look.state, look.at, look.order)
        self._written[look.mark] = look.at
        return bool(found)

    def holds(self, look: Look) -> bool:
        """Whether the look was compared with the ledger, and is the last one."""
        last = self._last.get(look.mark)
        return last is not None and last.state == look.state

    def soon(self, make: Callable[[], Look | None], compare: Compare) -> None:
        """Compare a look in a task of its own, for callers that must not wait; ``make`` runs in a thread."""
        task = asyncio.ensure_future(self._made(make, compare))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _made(self, make: Callable[[], Look | None], compare: Compare) -> None:
        look = await asyncio.to_thread(make)
        if look is not None:
            await self.note(look, compare)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("what changed was not recorded", exc_info=error)

    async def settled(self) -> None:
        """Wait until no look is being compared."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _due(self, look: Look) -> bool:
        """Whether the look is compared with the ledger although this process saw no change: others may have."""
        written = self._written.get(look.mark)
        return written is None or look.at - written >= KEPT_EVERY or is_ahead(written, look.at)

    async def _noted(
        self, tx: Writing, look: Look, compare: Compare, merge: Merge, last: _Kept | None
    ) -> list[Change] | None:
        """Compare with the ledger within its transaction; None for a look at an older state, which counts not."""
        key = self.fingerprints.id if self.fingerprints is not None and look.fingerprinted else ""
        before = _from_json(await tx.mark(look.mark))
        now = self.clock.now() if self.clock is not None else look.at
        if before is not None and not is_ahead(before.at, now) and _is_older(look, before):
            return None
        if before is None and await tx.mark(first_mark(look.target)) is None:
            await tx.set_mark(first_mark(look.target), min(look.at, now).isoformat())
        found: list[Change] = []
        state = look.state
        if before is not None and before.key == key:
            state, differences = _compared(before.state, look, compare, merge)
            since = await self._last_look(tx, look, before, last)
            found = [Change(look.target, look.kind, *self.outside.of(one), look.at, since) for one in differences]
        await tx.add_changes(found)
        await tx.set_mark(look.mark, _to_json(_Kept(state, look.at, look.order, key)))
        return found

    async def _last_look(self, tx: Writing, look: Look, before: _Kept, last: _Kept | None) -> datetime:
        """When the state before was seen last, by any process."""
        times: list[datetime | None] = [before.at]
        if last is not None and last.state == before.state:
            times.append(last.at)
        if look.seen_by:
            times.append(words.moment_of(await tx.mark(look.seen_by)))
        nearly = [min(at, look.at) for at in times if at is not None and not is_ahead(at, look.at)]
        return last_of(nearly, look.at)


def _compared(
    before: State, look: Look, compare: Compare, merge: Merge
) -> tuple[State, Sequence[tuple[str, str, str]]]:
    """The state to keep, and what changed; nothing where the ledger's state is of another version's format."""
    try:
        state = merge(before, look.state)
        return state, _bounded(compare(before, state))
    except ValueError:
        logger.warning("the last look can't be read", extra={"target": look.target, "kind": look.kind})
        return look.state, ()


def _bounded(found: Sequence[tuple[str, str, str]]) -> Sequence[tuple[str, str, str]]:
    """At most `MOST` changes."""
    if len(found) <= MOST:
        return found
    return [*found[: MOST - 1], ("", "", f"{len(found) - MOST + 1:,} more changed, which are not recorded singly")]


def _is_older(look: Look, before: _Kept) -> bool:
    if look.order and before.order:
        return look.order < before.order and look.at - before.at < LAG
    return look.at < before.at


def _to_json(kept: _Kept) -> str:
    return json.dumps(
        {"at": kept.at.isoformat(), "order": kept.order, "key": kept.key, "state": dict(kept.state)},
        ensure_ascii=False,
    )


def _from_json(text: str | None) -> _Kept | None:
    """Deserialize; None for what is not there, and for what `_to_json` did not write."""
    try:
        found: Any = json.loads(text or "")
        state = {str(name): str(value) for name, value in found["state"].items()}
        at = words.moment_of(found["at"])
        return _Kept(state, at, str(found["order"]), str(found["key"])) if at is not None else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
