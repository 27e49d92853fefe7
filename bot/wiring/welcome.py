"""Builds the welcomes at their first use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from bot.domain.rbac.access import Identity
from bot.ports.ledger import Ledger
from bot.settings.model import Settings

if TYPE_CHECKING:
    from bot.services.welcome.welcomes import Welcomes


class LazyWelcomes:
    """Welcomes people and channels, and wakes the outbox."""

    def __init__(self, settings: Settings, ledger: Ledger, changed: Callable[[], None]) -> None:
        """``changed`` is called when a message was enqueued."""
        self._settings, self._ledger, self._changed = settings, ledger, changed

    @cached_property
    def _welcomes(self) -> Welcomes:
        from bot.services.welcome.welcomes import Welcomes

        return Welcomes(self._ledger, self._settings.access, self._settings.slack.command)

    async def person(self, who: Identity) -> bool:
        """See `Welcomes`."""
        return self._woken(await self._welcomes.person(who))

    async def channel(self, id_: str) -> bool:
        """See `Welcomes`."""
        return self._woken(await self._welcomes.channel(id_))

    def _woken(self, enqueued: bool) -> bool:
        if enqueued:
            self._changed()
        return enqueued
