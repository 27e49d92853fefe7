"""`agentpod policy test`: cases against the settings, and clear errors for files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.__main__ import main
from bot.runbook.policy_cases.cases import MOST_CASES
from bot.settings.loader import load
from bot.wiring.policy_cli import run
from commands.registry import BUILTIN
from tests.core.policy_settings import CASES, SETTINGS

ROOT = Path(__file__).parents[2]
PEOPLE = CASES[: CASES.index("cases:")]


@pytest.fixture
def tested(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the command on a text; returns exit code, standard output and standard error."""

    def test(text: str, settings: str = SETTINGS) -> tuple[int, str, str]:
        config, file = tmp_path / "settings.yaml", tmp_path / "cases.yaml"
        config.write_text(settings)
        file.write_text(text)
        code = main(["--config", str(config), "policy", "test", str(file)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err.replace(str(file), "cases.yaml")

    return test


def test_the_example_fits_the_example_settings() -> None:
    loaded = load(config=ROOT / "deploy/settings.example.yaml", environ={})
    lines, code = run(["test", str(ROOT / "deploy/policy-test.example.yaml")], loaded)
    assert (code, lines[-1]) == (0, "21 of 21 cases passed")


def test_cases_of_two_targets_and_two_approvals_pass(tested) -> None:
    code, out, _ = tested(CASES)
    assert (code, [line for line in out.splitlines() if not line.startswith("ok    line ")]) == (
        0,
        ["40 of 40 cases passed"],
    )


def _case(text: str) -> str:
    return f"{PEOPLE}cases:\n  - {{{text}}}\n"


@pytest.mark.parametrize(
    ("case", "expected", "got"),
    [
        (
            "who: op, in: C0000000OPS, run: logs, expect: refused",
            "refused",
            "allowed by operators (access rule 4, operator), settings.yaml line 8",
        ),
        (
            "who: op, in: C0000000OPS, run: logs, expect: allowed, rule: 1",
            "allowed by access rule 1",
            "allowed by operators (access rule 4, operator), settings.yaml line 8",
        ),
        (
            "who: blue, in: dm, run: logs, expect: allowed",
            "allowed",
            "refused: it needs the role operator (capability read-logs) for green, and you are an approver for "
            "blue (rule: leads of blue); nearest: leads of blue (access rule 5, approver), settings.yaml line 9",
        ),
        (
            "who: stranger, in: dm, run: approve, expect: refused, because: you are a bot",
            "refused because of 'you are a bot'",
            "refused: it needs the role approver (capability decide) for green, and no access rule names you "
            "here; nearest: leads (access rule 6, approver), settings.yaml line 10",
        ),
        ("who: stranger, in: dm, run: help, expect: refused", "refused", "allowed: it is open to everybody"),
        (
            "who: oncall, run: restart, expect: allowed, approvals: 1",
            "a request that needs 1 approval",
            "a request that needs 2 approvals",
        ),
        (
            "who: op, in: C0000000OPS, run: logs, expect: allowed, approvals: 1",
            "a request that needs 1 approval",
            "no request",
        ),
        (
            "who: oncall, run: restart --dry-run, expect: allowed, approvals: 2",
            "a request that needs 2 approvals",
            "no request",
        ),
        (
            "who: oncall, run: restart --dry-run, expect: allowed, approve: [lead, lead2], then: executed",
            "a request, which people decide on",
            "restart --dry-run makes none",
        ),
        (
            "who: oncall, run: restart, expect: allowed, approvers: [U00000LEAD1]",
            "its card mentions U00000LEAD1",
            "U00000LEAD1 and U00000LEAD2",
        ),
        (
            "who: oncall, run: restart, expect: allowed, approve: [lead], then: executed",
            "executed, after approve by lead",
            "waiting, 1 more needed",
        ),
        (
            "who: oncall, run: restart, expect: allowed, approve: [blue, lead], then: executed",
            "that it counts, after approve by blue",
            "refused: it needs the role approver (capability decide) for green, and you are a viewer (rule: "
            "team) and an approver for blue (rule: leads of blue); nearest: leads of blue (access rule 5, "
            "approver), settings.yaml line 9",
        ),
        (
            "who: oncall, run: restart, expect: allowed, approve: [oncall, oncall], then: refused",
            "that it counts, after approve by oncall",
            "refused: it needs the role approver (capability decide) for green, and you are a quiet-operator "
            "(rule: on-call); nearest: leads (access rule 6, approver), settings.yaml line 10",
        ),
        (
            "who: lead, run: restart, expect: allowed, approve: [lead], then: refused, because: no access rule",
            "refused because of 'no access rule'",
            "refused: four eyes: whoever asked or joined can't approve it",
        ),
        (
            "who: op, in: C0000000OPS, run: logs, expect: allowed, approve: [lead], then: executed",
            "a request, which people decide on",
            "logs makes none",
        ),
    ],
)
def test_a_failure_says_expected_got_and_the_rule_with_its_line(
    tested, case: str, expected: str, got: str
) -> None:
    code, out, _ = tested(_case(case))
    head, *lines, last = out.splitlines()
    assert (code, head[:10], last) == (1, "FAIL  line", "0 of 1 case passed")
    assert lines == [f"      expected: {expected}", f"      got: {got}"]


def test_an_only_names_who_is_too_many_and_who_is_missing(tested) -> None:
    code, out, _ = tested("only:\n  - {run: approve, may: [U1, U00000LEAD1]}\n")
    assert (code, out.splitlines()) == (
        1,
        [
            "FAIL  line 2: who may run approve",
            "      expected: U1 and U00000LEAD1, and no one else",
            "      got: U00000LEAD2 by leads (access rule 6, approver), settings.yaml line 10 as well",
            "      got: U1 may not",
            "0 of 1 case passed",
        ],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            _case("who: op, in: general, run: logs, expect: allowed"),
            "line 11, cases.1.in: takes a channel's id, such as",
        ),
        (_case("who: op, run: logs, expect: maybe"), "line 11, cases.1.expect: it takes allowed or refused."),
        (_case("who: op, run: logs"), "line 11, cases.1.expect: this is missing, and each entry has it."),
        (
            _case("who: op, run: logs, expct: allowed"),
            "line 11, cases.1.expct: there is no such field; did you mean 'expect'?",
        ),
        (
            _case("who: opp, run: logs, expect: allowed"),
            "'opp' is neither a name of people nor a user's id; did you mean 'op'?",
        ),
        (
            _case("who: op, run: lgs, expect: allowed"),
            "cases.1.run: There is no command 'lgs'. Did you mean 'logs'?",
        ),
        (_case("who: op, run: restart --now, expect: allowed"), "cases.1.run: restart has no flag '--now'."),
        (
            _case("who: op, run: logs --target bleu, expect: allowed"),
            "cases.1.run: the settings have no target 'bleu'; did you mean 'blue'?",
        ),
        (
            _case("who: op, run: logs --target blue, target: green, expect: allowed"),
            "cases.1.target: the line names another target, 'blue': leave one out.",
        ),
        (
            _case("who: op, run: restart, expect: allowed, approve: [lead]"),
            "cases.1: needs then, for what comes of",
        ),
        (_case("who: op, run: restart, expect: allowed, then: denied"), "cases.1: has then, and nobody votes."),
        (
            _case("who: op, run: restart, expect: allowed, approve: [lead], deny: [lead], then: denied"),
            "cases.1: has approve and deny: make a case of each.",
        ),
        (
            _case("who: op, run: restart, expect: refused, rule: 9"),
            "cases.1.rule: there is no access rule 9: the settings have 6 access rules.",
        ),
        (
            _case("who: op, run: restart, expect: refused, rule: lead"),
            "cases.1.rule: no access rule is called 'lead'; did you mean 'leads'?",
        ),
        (
            _case("who: op, run: restart, expect: refused, approvals: 2"),
            "cases.1: a refused command makes no request: leave out approvals, approvers and votes.",
        ),
        (
            _case("who: op, run: logs, expect: allowed, because: x"),
            "cases.1: has because, and nothing is refused.",
        ),
        (
            _case("who: op, run: restart, expect: allowed, approve: lead, then: denied"),
            "cases.1.approve: it takes a list.",
        ),
        (
            "people:\n  op: {user: maya}\ncases: []\n",
            "line 2, people.op.user: takes a user's id, such as U0123456789, not",
        ),
        ("people: {}\n", "cases.yaml has no cases: list some under cases or only."),
        ("", "cases.yaml has no cases: list some under cases or only."),
        ("only:\n  - {run: help, may: []}\n", "line 2, only.1.run: everybody may run it, whatever the rules say."),
        ("cases: [\n", "is not valid YAML"),
        ("cases: 1\ncases: 2\n", "'cases' is given twice"),
        (
            f"cases: [{'{who: U1, run: status, expect: allowed}, ' * (MOST_CASES + 1)}]",
            "cases: it has more than 1,000",
        ),
        (f"# {'x' * 300_000}\n", "has more than 256 KiB: divide it into several files."),
        (f"cases: {'[' * 200}\n", "is nested"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line_and_what_is_right(tested, text: str, said: str) -> None:
    code, out, err = tested(text)
    assert (code, out) == (2, "")
    assert err.startswith("agentpod: The policy test cases.yaml is wrong:\n")
    assert said in err
    assert "Input should" not in err


def test_only_some_of_many_problems_are_listed(tested) -> None:
    _, _, err = tested(f"cases: [{'{who: nobody, run: status, expect: allowed}, ' * 50}]")
    assert len(err.splitlines()) == 22
    assert err.endswith("… and 30 more problems.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["policy"], "agentpod policy needs a subcommand: test."),
        (["policy", "tset", "x"], "There is no tool 'tset' for the policy; did you mean 'test'?"),
        (["policy", "test"], "test needs a FILE, such as deploy/policy-test.example.yaml."),
        (["policy", "test", "a", "b"], 'test takes no "b".'),
        (
            ["policy", "test", "/nowhere/cases.yaml"],
            "/nowhere/cases.yaml can't be read: No such file or directory.",
        ),
        (["policy", "test", "/"], "/ can't be read: Is a directory."),
    ],
)
def test_wrong_usage_is_explained(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTPOD_CONFIG", str(ROOT / "deploy/settings.example.yaml"))
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_without_access_rules_nothing_is_judged(tested) -> None:
    code, out, err = tested(CASES, "approvals: {needed: 1}\n")
    assert (code, out) == (2, "")
    assert err.startswith("agentpod: There is no access rule to judge by.")
    assert "Add access.rules to the settings" in err


def test_without_a_settings_file_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("AGENTPOD_CONFIG", raising=False)
    assert main(["policy", "test", str(ROOT / "deploy/policy-test.example.yaml")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "No settings file was read: give --config FILE or set AGENTPOD_CONFIG." in shown.err


def test_binary_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "cases.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    config = str(ROOT / "deploy/settings.example.yaml")
    assert main(["--config", config, "policy", "test", str(file)]) == 2
    assert "it is not UTF-8 text" in capsys.readouterr().err


def test_a_rule_of_a_variable_is_named_with_that(tested, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTPOD_ACCESS__RULES", '[{"role": "viewer", "users": ["U1"]}]')
    code, out, _ = tested("cases:\n  - {who: U1, run: status, expect: refused}\n")
    assert code == 1
    assert "got: allowed by access rule 1 (viewer), environment variable AGENTPOD_ACCESS__RULES" in out


def test_help_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: agentpod policy test FILE")


def test_without_a_channel_a_request_by_direct_message_is_refused(tested) -> None:
    settings = SETTINGS.replace("  channel: C0000000OPS\n", "  channel: null\n")
    case = _case("who: oncall, run: restart, expect: refused, because: no channel where approvers would see it")
    assert tested(case, settings)[0] == 0
    assert tested(_case("who: oncall, in: C0000000OPS, run: restart, expect: allowed"), settings)[0] == 0


def test_each_command_that_requests_a_repair_is_known_as_such() -> None:
    asking = {c.name for c in BUILTIN if c.approvals_at_least}
    assert {"restart", "secrets set", "ssh keys add", "ssh keys remove", "cron edit", "cron run"} <= asking
    assert not {"withdraw", "secrets enter", "approve", "logs", "heartbeats push", "ack"} & asking


def test_pushing_heartbeats_needs_what_the_settings_say(tested) -> None:
    case = _case("who: oncall, run: heartbeats push, expect: allowed, approvals: {count}")
    for setting, count in (("operator", 0), ("approval", 2)):
        settings = SETTINGS.replace("  needed: 2\n", f"  needed: 2\n  heartbeats_push: {setting}\n")
        assert tested(case.replace("{count}", str(count)), settings)[0] == 0
