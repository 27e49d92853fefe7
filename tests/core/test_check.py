"""`agentpod check`: its verdict comes first, all mistakes come at once, and only what differs is shown."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.adapters.terminal.check_report import print_check
from bot.check import check_all
from bot.check.cluster import rights_checks
from bot.check.in_force import effective
from bot.check.report import Check, Impact, Report
from bot.domain.core.workload import Right
from bot.settings.loader import Loaded, load
from bot.settings.model import Settings
from bot.settings.naming import called
from bot.settings.usable import Usable, load_usable
from bot.wiring.rights import Beyond

GOOD, NOTE = Check("A", True, "fine"), Check("B", None, "as it is")


def _fails(detail: str, impact: Impact) -> Check:
    return Check("C", False, detail, impact=impact)


@pytest.mark.parametrize(
    ("checks", "headline", "code"),
    [
        ([GOOD], "Everything works.", 0),
        ([GOOD, NOTE, NOTE], "Everything works. 2 notes.", 0),
        (
            [GOOD, _fails("x is shut.", Impact.PART)],
            "The bot works, but not all of it: C: x is shut. 1 to fix.",
            1,
        ),
        (
            [_fails("no way in", Impact.WORK), NOTE],
            "The bot starts, but can't do its work: C: no way in. 1 to fix.",
            1,
        ),
        (
            [_fails("x", Impact.PART), _fails("y", Impact.WORK), _fails("no token.", Impact.START)],
            "The bot can't start: no token. 3 to fix in all.",
            1,
        ),
        (
            [_fails("X is not a setting. Did you mean Y?", Impact.START)],
            "The bot can't start: X is not a setting. Did you mean Y? 1 to fix.",
            1,
        ),
    ],
)
def test_the_headline_names_the_worst(checks: list[Check], headline: str, code: int) -> None:
    report = Report.of(checks)
    assert (report.headline, report.exit_code) == (headline, code)


def test_failures_come_first_worst_first_then_notes() -> None:
    part, start = _fails("x", Impact.PART), _fails("y", Impact.START)
    assert Report.of([GOOD, NOTE, part, start]).checks == (start, part, NOTE, GOOD)


def _file(tmp_path: Path, text: str) -> Path:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "a.yaml"


def _read(tmp_path: Path, text: str) -> Usable:
    return load_usable(config=_file(tmp_path, text), environ={})


WRONG = """
slack: {api_url: htp://x, channel: C0123456789}
digest: {timezone: Mars/One}
ledger: {anchor: {file: /nowhere/anchors.jsonl}}
access: {rules: [{role: boss, users: [U1]}]}
targets:
- name: web
  runbook: [./none.yaml]
  heartbeats: [{job: one, schedule: 0 9 * * *, timezone: Mars/One}, {job: two}]
"""


async def test_all_mistakes_come_at_once_before_anything_is_connected(tmp_path: Path) -> None:
    report = await check_all(_read(tmp_path, WRONG))
    found = [f"{check.title}: {check.detail}" for check in report.to_fix]
    for part in (
        "Settings: slack.api_url (a.yaml line 2)",
        "Settings: digest.timezone (a.yaml line 3)",
        "Settings: access.rules[#1].role (a.yaml line 5)",
        "Settings: targets[web].heartbeats[one].timezone (a.yaml line 9)",
        "Settings: targets[web].heartbeats[two] (a.yaml line 9)",
        f"Runbook: {tmp_path}/none.yaml",
        "Slack: slack.bot_token is not set.",
        "Slack: slack.app_token is not set.",
        "Anchor file: The folder /nowhere is missing",
    ):
        assert [one for one in found if one.startswith(part)], (part, found)
    assert report.exit_code == 2
    assert not [c for c in report.checks if c.title in ("Kubernetes", "Pushgateway", "Ledger")]


async def test_nothing_is_said_of_settings_that_rest_on_a_mistake(tmp_path: Path) -> None:
    text = "slack: {bot_tokn: x}\naccess: {rules: [{role: boss, users: [U1]}]}\n"
    report = await check_all(_read(tmp_path, text))
    assert [check.title for check in report.to_fix] == ["Settings", "Settings"]


@pytest.mark.parametrize("text", ["slack: {a: b\n", "- 1\n"])
async def test_a_file_that_can_not_be_read_is_the_only_problem(tmp_path: Path, text: str) -> None:
    report = await check_all(_read(tmp_path, text))
    assert [check.title for check in report.to_fix] == ["Settings"]


def test_settings_without_mistakes_are_read_as_ever(tmp_path: Path) -> None:
    path = _file(tmp_path, "targets: [{name: web}]\n")
    assert load_usable(config=path, environ={}) == Usable(load(config=path, environ={}))


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("SLACK__MODE", "sockett", "slack.mode (environment variable AGENTPOD_SLACK__MODE): "),
        ("LEDGER__KEEP", "x", "ledger.keep (environment variable AGENTPOD_LEDGER__KEEP): "),
        ("DIGEST__AT", "25:00", "digest.at (environment variable AGENTPOD_DIGEST__AT): "),
        ("SLACK__BOT_TOKEN", "a\nb", "slack.bot_token (environment variable AGENTPOD_SLACK__BOT_TOKEN): "),
        ("ACCESS", "x", "An environment variable holds no valid JSON"),
        ("TARGETS", "[{", "An environment variable holds no valid JSON"),
    ],
)
def test_a_wrong_variable_is_one_line(
    variable: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"AGENTPOD_{variable}", value)
    assert main(["check"]) == 2
    assert sum(line.startswith("✗ Settings: ") for line in capsys.readouterr().out.splitlines()) == 1
    assert [found.startswith(problem) for found in load_usable().problems] == [True]


def test_a_wrong_variable_beside_a_file_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTPOD_LEDGER__KEEP", "x")
    read = load_usable(config=_file(tmp_path, "targets: [{name: web}]\n"))
    assert (read.damaged, read.loaded.settings.target_names) == ({"ledger.keep"}, ("web",))


def test_settings_are_only_what_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTPOD_LEDGER__KEEP", "x")
    assert Settings.model_validate({}).ledger == load(environ={}).settings.ledger


DATA = {"a": [{"name": "x", "b": [{"job": "y"}, {}]}, {"name": "twice"}, {"name": "twice"}, {"name": "[ ]"}]}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.0.c", "a[x].c"),
        ("a.0.b.0.c", "a[x].b[y].c"),
        ("a.0.b.1", "a[x].b[#2]"),
        ("a.2.name", "a[#3].name"),
        ("a.3.c", "a[#4].c"),
        ("a.9.c", "a[#10].c"),
        ("d.e", "d.e"),
    ],
)
def test_an_item_of_a_list_has_its_own_name_else_its_place_from_one(path: str, name: str) -> None:
    assert called(path.split("."), DATA) == name


def _differing(loaded: Loaded) -> dict[str, str]:
    return {one.called: one.value for one in effective(loaded) if one.differs}


def test_only_what_differs_from_the_defaults_differs(tmp_path: Path) -> None:
    assert _differing(load(environ={})) == {}
    text = "log: {level: info, format: json}\n"
    text += "targets: [{name: web, node: n, heartbeats: [{job: a, stale_after: 1h}]}]\n"
    found = _differing(load(config=_file(tmp_path, text), environ={"AGENTPOD_SLACK__BOT_TOKEN": "xoxb-1"}))
    assert found == {
        "slack.bot_token": "set (6 characters)",
        "targets[web].node": "n",
        "targets[web].heartbeats[a].stale_after": "1 h",
        "log.format": "json",
    }


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


COMMAND = "kubectl auth can-i --list -n secure-agent-pod --as=system:serviceaccount:secure-agent-pod:agentpod"
CHECKS = (
    Check("Rights", False, "five of them are missing, " * 8, "Apply what grants them.", COMMAND),
    Check(
        "Beyond", None, "too much", f"Remove it. All it can do: `{COMMAND}`. Which binding gives it: `{COMMAND}`."
    ),
)


def _printed(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, *, whole: bool = False) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys, "stdout", stream)
    settings = list(effective(load(environ={"AGENTPOD_LOG__LEVEL": "debug"})))
    print_check("Not all of it works.", CHECKS, settings, whole=whole)
    return stream.getvalue().splitlines()


def test_a_terminal_of_80_columns_is_kept_to_and_commands_stay_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = _printed(monkeypatch, Terminal())
    assert lines[0] == "✗ Not all of it works."
    assert lines.count(f"    {COMMAND}") == 3
    assert [line for line in lines if len(line) > 80 and line.strip() != COMMAND] == []
    assert "  → Apply what grants them." in lines
    assert "    Which binding gives it:" in lines
    assert "`" not in "".join(lines)


def test_a_pipe_gets_one_line_for_each_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _printed(monkeypatch, io.StringIO())
    assert f"✗ Rights: {CHECKS[0].detail.strip()}" in [line.rstrip() for line in lines]
    assert lines.count(f"    {COMMAND}") == 3


def test_settings_at_their_defaults_are_shown_on_request_only(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = _printed(monkeypatch, io.StringIO())
    shown = lines[lines.index("Settings that differ from their defaults") :]
    assert shown[1] == "  log.level = debug   (environment variable AGENTPOD_LOG__LEVEL)"
    assert len(shown) == 3
    assert shown[2].endswith("agentpod check --all shows them.")
    assert "  log.format = auto" in _printed(monkeypatch, io.StringIO(), whole=True)


def test_five_missing_rights_are_one_sentence_and_one_command() -> None:
    missing = [Right("list", kind) for kind in ("pods", "events", "services")]
    missing += [Right("create", "pods/exec"), Right("get", "applications", "argoproj.io", namespace="argocd")]
    [found] = rights_checks("Target x", 22, missing, Beyond("x"))
    assert found.detail.startswith(
        "5 of 22 rights are missing: list pods, events and services; create pods/exec; "
    )
    assert found.run == "kubectl apply -k deploy/overlays/mine && kubectl apply -k deploy/options/argocd"
