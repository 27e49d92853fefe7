"""``agentpod policy test FILE``: runs policy cases against the settings, without Slack."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bot.domain.core import words
from bot.errors import AgentpodError, SettingsError
from bot.runbook.file.problem import nearest_word
from bot.runbook.policy_cases.judging import Judge
from bot.runbook.policy_cases.reading import read
from bot.runbook.policy_cases.report import run as run_cases
from bot.settings import runbook_pod
from bot.settings.loader import Loaded
from bot.wiring.parts import commands_of

USAGE = "Usage: agentpod policy test FILE [--config FILE]; docs/access.md says what FILE holds"


EXAMPLE = "deploy/policy-test.example.yaml"
_FILE = "No settings file was read: give --config FILE or set AGENTPOD_CONFIG."
_RULES = "Add access.rules to the settings, such as {role: viewer, channels: [C0123456789]}."


def _from_file(loaded: Loaded) -> bool:
    """Whether the settings have a value from a settings file; the runbook's pod fills in others."""
    own = (origin for origin in loaded.origins.values() if not origin.startswith(runbook_pod.ORIGIN))
    return any(" line " in origin for origin in own)


def run(given: Sequence[str], loaded: Loaded) -> tuple[list[str], int]:
    """Run the tool. Returns lines to print and the exit code: 1 where a case failed.

    Raises AgentpodError for wrong usage and for a wrong file.
    """
    if len(given) != 2 or given[0] != "test":
        raise AgentpodError(_wrong_usage(given), remedy=USAGE)
    if not loaded.settings.access.rules:
        raise AgentpodError("There is no access rule to judge by.", remedy=_RULES if _from_file(loaded) else _FILE)
    judge = judge_of(loaded)
    try:
        file = read(Path(given[1]), judge.commands, judge.targets, judge.access.rules)
    except SettingsError as error:
        raise AgentpodError("\n".join([f"The policy test {given[1]} is wrong:", *error.problems])) from None
    lines, failed = run_cases(file, judge)
    return lines, int(failed > 0)


def judge_of(loaded: Loaded) -> Judge:
    """What judges by these settings. Raises SettingsError for a wrong runbook."""
    settings = loaded.settings
    return Judge(
        settings.access,
        settings.approvals,
        commands_of(settings)[0],
        settings.target_names,
        settings.slack.channel or "",
        partial(_place_of, loaded),
    )


def _place_of(loaded: Loaded, number: int) -> str:
    """Where the settings have the rule of that number: its line, or the variable that holds all rules."""
    whole = loaded.origin("access.rules")
    return loaded.origin(f"access.rules.{number - 1}") if " line " in whole else whole


def _wrong_usage(given: Sequence[str]) -> str:
    if not given:
        return "agentpod policy needs a subcommand: test."
    if given[0] != "test":
        return f"There is no tool {given[0]!r} for the policy; {nearest_word(given[0], ['test'])}"
    return (
        f"test needs a FILE, such as {EXAMPLE}."
        if len(given) == 1
        else f"test takes no {words.quoted(' '.join(given[2:]))}."
    )
