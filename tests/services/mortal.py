"""A process that dies between two steps: what it has done stays, and nothing that follows is done any more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from bot.ports.ledger import Writing


class Died(BaseException):
    """The process is gone. No `Exception`: nothing in the bot may handle it."""


class Life:
    """Ends after so many steps, once that is set."""

    def __init__(self) -> None:
        self.dead = False
        self._left: int | None = None

    def ends_after(self, steps: int) -> None:
        """The step after that many is its last."""
        self._left = steps

    def lives_on(self) -> None:
        """It does not end by itself any more."""
        self._left = None

    def step(self) -> None:
        """One thing that the world could notice. Raises `Died` at the last one and ever after."""
        if self._left is not None:
            self.dead, self._left = self.dead or self._left == 0, self._left - 1
        if self.dead:
            raise Died


class Mortal:
    """What a process uses of the world: it can die before each call, and after it was made."""

    def __init__(self, used: Any, life: Life) -> None:
        self._used, self._life = used, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._used, name)
        if not iscoroutinefunction(found):
            return found

        @wraps(found)
        async def call(*given: Any, **named: Any) -> Any:
            self._life.step()
            answer = await found(*given, **named)
            self._life.step()
            return answer

        return call


class MortalLedger(Mortal):
    """A ledger: one can also die in a transaction, which is then as if it had never begun."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """See the port."""
        self._life.step()
        async with self._used.writing() as tx:
            yield tx
            self._life.step()
        self._life.step()
