"""Helpers for the tests of repairs: request one, find its card, click it, read its thread."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.scenarios.talk import PATIENCE, Answer, World, until, words

APPROVE, DENY, WITHDRAW = "agentpod:run:0", "agentpod:run:1", "agentpod:run:2"


@dataclass
class Repair:
    """One request, and its card."""

    world: World
    id: str
    after: str = "0"
    """The ts of the channel's last message before the request: older messages aren't searched for the card."""

    @property
    def card(self) -> Message:
        """The card; if there are copies, the newest."""
        found = self.cards()
        assert found, f"no card of {self.id}"
        return found[-1]

    def cards(self) -> list[Message]:
        """The card and its copies; empty until the card is posted."""
        here = takewhile(
            lambda m: float(m.ts) > float(self.after), reversed(self.world.workspace.messages(seed.OPS))
        )
        return [m for m in here if self._is_card(m)][::-1]

    def _is_card(self, message: Message) -> bool:
        return f"{self.id} · asked " in message.all_text()

    async def shows(self, text: str, patience: float = PATIENCE) -> Message:
        """Wait until the card contains ``text``."""
        said = lambda: f"the card says {words(self.cards())!r}"  # noqa: E731 - it is an argument
        await until(lambda: text in words(self.cards()[-1:]), said, patience)
        return self.card

    async def click(self, user: str, button: str = APPROVE) -> Answer:
        """Click one of the card's buttons; returns the answer."""
        done = await self.world.workspace.click(user, self.card, button)
        assert done.ok, done.error
        return await self.world.final(lambda: done.messages)

    def thread(self) -> list[Message]:
        """The replies in the card's thread."""
        card = self.card
        found = self.world.workspace.messages(seed.OPS, thread_ts=card.ts)
        return [m for m in found if m.ts != card.ts]

    async def thread_says(self, text: str) -> None:
        """Wait until the thread's only message contains ``text``; it may come before the card's update."""
        await until(lambda: text in words(self.thread()), lambda: words(self.thread()))
        assert len(self.thread()) == 1


def id_in(text: str) -> str:
    """Extract the request's id from a text."""
    found = re.search(r"r-[a-z0-9]{8}", text)
    assert found, text
    return found.group(0)


async def asked(world: World, line: str, user: str = seed.MAYA) -> Repair:
    """Request a repair and wait for its card, which is new: the request doesn't join an earlier one."""
    before = [m.ts for m in world.workspace.messages(seed.OPS)]
    answer = await world.ask(line, user)
    repair = Repair(world, id_in(answer.text), after=max(before, key=float, default="0"))
    await until(lambda: bool(repair.cards()), lambda: f"no card; {world.bot.output()[-2000:]}")
    return repair


def direct(world: World, user: str = seed.MAYA) -> list[str]:
    """The texts in the user's direct messages with the bot."""
    return [m.text for m in world.workspace.messages(seed.DMS[user], user)]
