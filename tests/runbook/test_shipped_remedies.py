"""The shipped runbook's remedies write the bot's commands as code, with the name that each reader types."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from bot.domain.core import labels
from bot.domain.core.code import CODE, COMMAND
from bot.wiring.runbook_tools import compiled

BOOK = compiled("secure-agent-pod")
NAMES = [name for name in labels.LABELS if " " in name and "--" not in name]
BARE = re.compile(rf"\b(?:{'|'.join(map(re.escape, NAMES))}|[a-z]+ --[a-z]+)\b")
"""A command of two words, or a word with a flag: a single word may be no command."""


def remedies() -> Iterator[tuple[str, str]]:
    for name, check in BOOK.checks.items():
        yield name, check.entry.fails.remedy or ""
    for tree in BOOK.diagnoses.values():
        for cause in tree.causes:
            yield f"{tree.name} {cause.entry.name}", cause.entry.remedy or ""


@pytest.mark.parametrize(("of", "remedy"), list(remedies()))
def test_a_remedy_has_no_command_outside_of_code(of: str, remedy: str) -> None:
    assert BARE.findall(CODE.sub("", remedy)) == [], of


@pytest.mark.parametrize(("of", "remedy"), list(remedies()))
def test_the_commands_of_a_remedy_are_known(of: str, remedy: str) -> None:
    assert [line for line in COMMAND.findall(remedy) if not labels.of(line)] == [], of
