"""docs/runbook.md and examples/: what they show works as it stands. Its commands: `tests/docs`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.__main__ import main
from bot.runbook.file.loader import load
from bot.wiring.runbook_tools import compiled

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/runbook.md").read_text()
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runbook that the page writes step by step, in the current folder."""
    path = tmp_path / "my-pod.yaml"
    path.write_text("".join(re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)))
    monkeypatch.chdir(tmp_path)
    return path


def test_the_tests_of_the_guide_s_repair_pass(guide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [more] = re.findall(r"^```yaml tests\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    guide.write_text(re.sub(r"(\ntests:\n(?:[ -].*\n)+)", lambda found: found[1] + more, guide.read_text()))
    assert main(["runbook", "test", "my-pod.yaml"]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    assert said.count(": end-session") == 2
    assert ": gpu-sessions" in said


def test_the_guide_names_every_tool_and_only_those(capsys: pytest.CaptureFixture[str]) -> None:
    named = set(re.findall(r"`agentpod runbook (\w+)", PAGE))
    main(["runbook", "--help"])
    usage = set(re.findall(r"\b(lint|test|show|docs|rights|record|schema)\b", capsys.readouterr().out))
    assert named == usage


def test_a_mistake_is_answered_as_the_guide_says(guide: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guide.write_text(guide.read_text().replace("expect: double(lines[0]", "expect: double(line[0]"))
    assert main(["runbook", "lint", "my-pod.yaml"]) == 1
    said = capsys.readouterr().out
    assert "there is no 'line' here; did you mean 'lines'?" in said
    assert "there is no 'line' here; did you mean 'lines'?" in PAGE


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_start_and_their_tests_pass(path: Path) -> None:
    assert compiled(str(path)).runbook.tests


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_test_each_check_both_ways_and_each_diagnosis(path: Path) -> None:
    runbook = load(str(path)).runbook()
    for name in runbook.checks:
        verdicts = {test.then["verdict"] for test in runbook.tests if test.check == name}
        assert "ok" in verdicts, name
        assert verdicts & {"fail", "warn"}, name
    for name in runbook.diagnoses:
        causes = {test.then["cause"] for test in runbook.tests if test.diagnosis == name}
        assert "unknown" in causes, name
        assert len(causes) > 1, name


def test_there_are_examples_for_other_workloads() -> None:
    assert {path.stem for path in EXAMPLES} >= {"postgresql", "web-sidecar"}
