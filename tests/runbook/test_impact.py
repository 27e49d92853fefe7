"""What a restart would cost: bounded, unknown where it is not read; and the shipped commands do what they say."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bot.domain.approvals.forecast import LONGEST, MOST_SHOWN, Forecast, Loss, facts
from bot.domain.runbook.facts.exec import Exec
from bot.domain.runbook.record import Record
from bot.runbook.file.judge_repair import judge_impact
from bot.runbook.file.known import Unread
from bot.runbook.file.trial import NOW
from bot.wiring.runbook_tools import compiled as shipped
from tests.runbook.test_declared import compiled


def shown(shows: str, **record: Any) -> str:
    text = f"runbook: t\nimpact:\n  work:\n    title: W\n    exec: {{command: [x]}}\n    shows: {shows}\n"
    book, problems = compiled(text)
    assert book is not None, problems
    fact = record.pop("fact", None) or Record("exec", **record)
    return judge_impact(book.impact["work"], {"": fact}, NOW).text


@pytest.mark.parametrize(
    ("shows", "record", "said"),
    [
        ("lines", {"lines": ("a", "", " b ")}, "a; b"),
        ("lines", {"lines": ()}, "none"),
        ("'one text'", {"lines": ()}, "one text"),
        ("lines", {"lines": tuple("abcdefgh")}, "a; b; c; d; e; and 3 more"),
        ("lines", {"lines": ("a",), "truncated": True}, "a; and perhaps more"),
        ("lines", {"lines": (), "truncated": True}, "unknown: there was more output than is read"),
        (
            "'[' + lines[3] + ']'",
            {"lines": ("a",)},
            "unknown: there is no element 3: the list has 1, counted from 0",
        ),
        ("lines", {"fact": Unread("no answer in 3 s")}, "unknown: no answer in 3 s"),
    ],
)
def test_it_is_bounded_and_unknown_is_said(shows: str, record: dict[str, Any], said: str) -> None:
    assert shown(f'"{shows}"', **record) == said


def test_a_long_line_is_cut() -> None:
    assert len(shown("lines", lines=("x" * 1000,) * 100)) < (MOST_SHOWN + 1) * (LONGEST + 2)


def test_impacts_that_are_unknown_for_one_reason_share_a_line() -> None:
    down, slow = "kali is not running (CrashLoopBackOff)", "no answer in 3 s"
    found = [("Agent sessions that end", down), ("Jobs", ""), ("SSH sessions", down), ("Builds", slow)]
    losses = tuple(Loss(title, title, unknown=why) for title, why in found)
    assert facts(Forecast(losses=losses)) == [
        ("Not known", "Agent sessions that end, SSH sessions: kali is not running (CrashLoopBackOff)"),
        ("Jobs", "none"),
        ("Builds", f"unknown: {slow}"),
    ]


HOSTILE = {
    "agent-sessions": [
        "PID USER ELAPSED COMMAND",
        *(f"{n + 2} claude 1-00:00:00 claude {n}" for n in range(9_000)),
    ],
    "uncommitted-work": [line for n in range(4_500) for line in (f"repository /home/claude/repos/{n}//", " M a")],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_list_does_not_hold_up_the_bot(name: str) -> None:
    impact = shipped("secure-agent-pod").impact[name]
    outcome = {"exit_code": "0"} if name == "uncommitted-work" else {}
    record = Record("exec", tuple(HOSTILE[name]), outcome)
    began = time.process_time()
    said = judge_impact(impact, {"": record}, NOW).text
    assert time.process_time() - began < 1.0  # unbounded it takes many seconds
    assert said.endswith("; and many more")


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_the_shipped_command_finds_uncommitted_work_in_real_repositories(tmp_path: Path) -> None:
    impact = shipped("secure-agent-pod").impact["uncommitted-work"]
    for name in ("clean", "dirty", "a/deeper", "two\nlines", "two\nclean"):
        (tmp_path / name).mkdir(parents=True)
        git(tmp_path / name, "init", "-q")
        git(tmp_path / name, "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path / "clean", "worktree", "add", "-q", str(tmp_path / "worktree"))
    (tmp_path / "dirty/draft").write_text("x")
    (tmp_path / "two\nlines/draft").write_text("x")
    (tmp_path / "worktree/one").write_text("x")
    (tmp_path / "worktree/two").write_text("x")
    settings = impact.entry.facts[""].settings
    assert isinstance(settings, Exec)
    argv = [word.replace("/home/claude/repos", str(tmp_path)) for word in settings.command]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    record = Record("exec", tuple(done.stdout.splitlines()), {"exit_code": "0", "stderr": done.stderr})
    said = sorted(judge_impact(impact, {"": record}, NOW).text.split("; "))
    assert said == [f"{tmp_path}/dirty: 1 file", f"{tmp_path}/two?lines: 1 file", f"{tmp_path}/worktree: 2 files"]
