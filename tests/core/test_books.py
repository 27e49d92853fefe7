"""The targets' runbooks: a wrong file never starts, and what ships with the bot doesn't hold the start up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bot.domain.core.target import Target
from bot.errors import SettingsError
from bot.wiring.books import Books, declared_commands

CHECK = "{title: A, exec: {command: [x]}, expect: 'exit_code == 0'}"


def test_every_problem_of_every_file_is_reported_at_the_start(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("runbook: one\nchekcs: {}\n")
    other.write_text(
        f"runbook: other\nchecks: {{a: {CHECK}}}\ntests: [{{check: a, given: {{}}, then: {{verdict: ok}}}}]\n"
    )
    with pytest.raises(SettingsError) as caught:
        Books([Target(name="a", runbook=(str(one),)), Target(name="b", runbook=(str(other),))])
    assert "did you mean 'checks'?" in caught.value.problems[0]
    assert caught.value.problems[1] == (
        f"{other} line 3, test 1: a: verdict is 'unknown', expected 'ok': `x`: it is not recorded"
    )


def test_each_target_has_the_runbook_that_its_settings_name(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"runbook: own\nchecks: {{mine: {CHECK}}}\n")
    targets = [
        Target(name="a"),
        Target(name="b", runbook=("secure-agent-pod", str(own))),
        Target(name="c", runbook=()),
    ]
    books = Books(targets)
    assert list(books) == ["a", "b"]
    assert "mine" not in books["a"].checks
    assert {"mine", "ssh-keys-current"} <= set(books["b"].checks)
    assert books.get("c") is None


COMMAND = """runbook: c
commands:
  gpu: {summary: S, exec: {command: [x, "{p}"]}, params: {p: {one_of: [VALUE]}}}
"""


def test_a_command_of_a_file_is_a_command_of_the_bot_and_no_name_is_taken_twice(tmp_path: Path) -> None:
    own, other = tmp_path / "own.yaml", tmp_path / "other.yaml"
    own.write_text(COMMAND)
    targets = [Target(name="a", runbook=(str(own),)), Target(name="b", runbook=("secure-agent-pod", str(own)))]
    assert [command.name for command in declared_commands(Books(targets))] == ["gpu"]
    with pytest.raises(SettingsError, match=r"own.yaml line 3, commands.gpu: the bot has a command 'gpu'"):
        Books(targets, ["gpu"])
    other.write_text(COMMAND.replace("VALUE", "other"))
    with pytest.raises(SettingsError, match=r"other.yaml line 3, .*the runbook of target a has another"):
        declared_commands(Books([targets[0], Target(name="b", runbook=(str(other),))]))


def test_the_engine_is_not_loaded_at_the_start() -> None:
    """It takes a tenth of the time until Slack is connected."""
    code = (
        "import sys, bot.app, bot.wiring.parts; from commands import registry;"
        "from bot.settings.model import Settings; from bot.wiring.books import Books;"
        "from bot.wiring.books import declared_commands; declared_commands(Books(Settings().targets));"
        "print([m for m in sys.modules if m.startswith(('bot.runbook.file.', 'bot.domain.runbook', 'cel'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
