"""Simulates a process that dies between two steps: what it has done stays, and it does nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from bot.ports.ledger import Writing


class Died(BaseException):
    """The process has died. Not an `Exception`, so that nothing in the bot handles it."""


class Life:
    """A process's life, which can be set to end after a number of steps."""

    def __init__(self) -> None:
        self.dead = False
        self._left: int | None = None

    def ends_after(self, steps: int) -> None:
        """Have it die at the step after that many."""
        self._left = steps

    def lives_on(self) -> None:
        """Cancel the planned death."""
        self._left = None

    def step(self) -> None:
        """Count one externally visible step. Raises `Died` at the last one and always afterwards."""
        if self._left is not None:
            self.dead, self._left = self.dead or self._left == 0, self._left - 1
        if self.dead:
            raise Died


class Mortal:
    """Wraps a port so that the process can die before each call and after it."""

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
    """Wraps a ledger. A death within a transaction rolls it back."""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        """See the port."""
        self._life.step()
        async with self._used.writing() as tx:
            yield tx
            self._life.step()
        self._life.step()
