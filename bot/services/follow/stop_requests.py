"""Passes a click on Stop to the replica that follows the log: Slack sends each click to any one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from bot.ports.ledger import Ledger

MARK = "follow-stops"
"""The mark in the ledger that has the last requests, as JSON: who asked, by the id of the followed log."""
KEPT = 20


class StopRequests:
    """The requests to stop that went to another replica."""

    def __init__(self, ledger: Ledger | None) -> None:
        """``ledger`` is the one that several replicas share; None where there can be only one."""
        self._ledger = ledger

    @property
    def shared(self) -> bool:
        """Whether there may be another replica."""
        return self._ledger is not None

    async def ask(self, id_: str, user: str, *, own: bool = False) -> None:
        """Ask whichever replica follows it to stop. Raises as the ledger does.

        ``own``: the user may stop nobody else's, and only that replica knows whose it is.
        """
        assert self._ledger is not None  # noqa: S101 - `shared` says so
        async with self._ledger.writing() as writing:
            known = {**_known(await writing.mark(MARK)), _key(id_, user if own else ""): user}
            await writing.set_mark(MARK, json.dumps(dict(list(known.items())[-KEPT:])))

    async def asked(self, id_: str, starter: str) -> str | None:
        """Who asked to stop the one that ``starter`` began; None where nobody did. Raises as the ledger does."""
        if self._ledger is None:
            return None
        known = _known(await self._ledger.mark(MARK))
        return known.get(_key(id_)) or known.get(_key(id_, starter))


def _key(id_: str, owner: str = "") -> str:
    """The key of a request; one that counts only if ``owner`` began the log has a key of its own."""
    return f"{id_} if of {owner}" if owner else id_


def _known(text: str | None) -> Mapping[str, str]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return {str(id_): str(user) for id_, user in found.items()} if isinstance(found, dict) else {}
