"""The list of commands knows all names, and imports a command's module when the command is first used."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import chain

import pytest

from bot.domain.core.registry import found_in
from bot.domain.core.reply import Reply
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command
from bot.runbook.command_list import CommandList
from bot.runbook.grammar import called
from commands.registry import BUILTIN, MODULES

PACKAGES = ("commands.observe", "commands.incidents", "commands.repair", "commands.admin")


async def _run(*_: object) -> Reply:
    return Reply("")


LATE = (
    "bot.wiring.watchers",
    "bot.services.incidents.watch_",
    "bot.services.incidents.incident_messages",
    "bot.services.digest",
    "bot.services.health.reads",
    "bot.domain.approvals.actions.restart",
    "sqlalchemy",
)
"""What only background tasks, messages and requests need."""
MINE = Command("mine", "Mine", Capability.VIEW, _run, aliases=("my own",))


def test_every_command_of_the_packages_has_its_line() -> None:
    found = {command.name for command in chain.from_iterable(found_in(package, Command) for package in PACKAGES)}
    assert set(MODULES) == found
    assert [command.name for command in BUILTIN] == list(MODULES)


def test_the_start_imports_no_command_and_a_command_only_its_own_module() -> None:
    """All modules of commands take a tenth of the time until Slack is connected."""
    code = (
        "import json, sys, bot.app, bot.wiring.parts\n"
        "from bot.runbook.grammar import parse\n"
        "from bot.settings.model import Settings\n"
        "commands = bot.wiring.parts.commands_of(Settings())[0]\n"
        "groups = ('commands.observe.', 'commands.incidents.', 'commands.repair.', 'commands.admin.')\n"
        "before = [m for m in sys.modules if m.startswith(groups)]\n"
        "parse('version', commands)\n"
        "print(json.dumps([before, [m for m in sys.modules if m.startswith(groups)]]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], ["commands.admin.version"]]


def test_the_start_imports_neither_watchers_nor_messages() -> None:
    code = (
        "import json, sys, bot.app; from bot.settings.model import Settings\n"
        "bot.app.Bot(Settings.model_validate({'slack': {'bot_token': 'xoxb-1', 'app_token': 'xapp-1'}}))\n"
        f"late = {LATE!r}\n"
        "print(json.dumps([m for m in sys.modules if m.startswith(late)]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_commands_are_found_by_name_and_alias() -> None:
    commands = BUILTIN.with_([MINE])
    assert commands.names[-2:] == ("mine", "my own")
    assert commands.get("my own") is commands.get("mine") is MINE
    assert commands.get("nothing") is None
    assert len(commands) == len(MODULES) + 1
    assert commands[-1] is MINE
    assert [command.name for command in commands[:2]] == list(MODULES)[:2]
    found = called("audit verify --all", commands)
    assert found is not None
    assert found.name == "audit verify"


@pytest.mark.parametrize("name", ["status", "mine", "my own"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"two commands are called '{name}'"):
        BUILTIN.with_([MINE, replace(MINE, name=name, aliases=())])


def test_the_settings_change_built_in_commands_only() -> None:
    commands = BUILTIN.with_([MINE]).changed(lambda command: replace(command, group="Repair"))
    assert {commands[0].group, commands[-1].group} == {"Repair", "Observe"}
    assert commands.get("pods") is commands.get("pods"), "made once"


def test_a_module_without_the_command_is_said() -> None:
    with pytest.raises(LookupError, match=r"commands\.admin\.version has no command 'verison'"):
        CommandList({"verison": "commands.admin.version"}).get("verison")
