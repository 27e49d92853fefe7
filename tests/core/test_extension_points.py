"""What is added from one file alone: nothing that is there has to learn of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.core.reply import Reply
from bot.domain.rbac.access import Identity, Role
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Caller, Context
from bot.settings.model import LedgerSettings, Settings
from bot.wiring.parts import Parts
from commands import registry


class _Uncounted:
    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        pass


async def _greet(ctx: Context, params: NoParams) -> Reply:
    return Reply(f"Hello from {ctx.target.name}")


GREET = Command("greet", "Say hello", Role.NONE, _greet, examples=("greet",), group="Observe")


async def _silent(_: Reply) -> None:
    pass


async def _answer(tmp_path: Path, line: str) -> Reply:
    settings = Settings(ledger=LedgerSettings(url=f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"))
    parts = Parts.build(settings, more=[GREET])
    try:
        caller = Caller(Identity(user="maya", channel="terminal"), "terminal")
        dispatcher = parts.dispatcher("agentpod", _Uncounted())
        return await dispatcher.run(line, caller, request_id="req-1", progress=_silent)
    finally:
        await parts.close()


async def test_a_command_is_run_explained_and_suggested(tmp_path: Path) -> None:
    assert (await _answer(tmp_path, "greet")).headline == "Hello from secure-agent-pod"
    assert "greet" in repr(await _answer(tmp_path, "help"))
    assert "Say hello" in repr(await _answer(tmp_path, "help greet"))
    assert "greet" in repr(await _answer(tmp_path, "gret"))


@pytest.mark.parametrize("name", ["status", "ack", GREET.name])
def test_two_commands_of_one_name_are_refused(name: str) -> None:
    again = Command(name, "Another one", Role.NONE, _greet)
    with pytest.raises(ValueError, match=f"two commands are called '{name}'"):
        registry.build([GREET, again])
