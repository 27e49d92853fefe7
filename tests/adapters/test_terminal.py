"""A reply in a shell: the same text, colours only on a terminal, JSON for scripts."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.adapters.terminal import as_json, print_reply
from bot.adapters.terminal.complaint import print_complaint
from bot.domain.core import words
from bot.domain.core.moments import MARK
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Excerpt, Fact, Reply, Table

REPLY = Reply(
    headline="Not healthy: vibe-kanban is not running",
    verdict=Verdict.FAIL,
    findings=(
        Finding("pod", "Pod", Verdict.OK, "1/1 ready"),
        Finding(
            "processes",
            "Processes",
            Verdict.FAIL,
            "vibe-kanban is not running",
            evidence=("sshd: pid 61 [bold]x[/bold]",),
            remedy="Look at the log. " * 12,
            run="agentpod logs",
        ),
    ),
    facts=(Fact("Node", "gpu-1"),),
    tables=(Table(("Pod", "Ready"), (("a-" + "x" * 100, "1/1"),), verdicts=(Verdict.OK,)),),
    excerpts=(Excerpt("line one\nline [red]two[/red]", title="Log"),),
    buttons=(Button("Logs", "logs"),),
    notes=("a note",),
)


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def _printed(stream: io.StringIO) -> str:
    print_reply(REPLY, output="text", stream=stream)
    return stream.getvalue()


def test_a_pipe_gets_plain_text_without_truncation() -> None:
    text = _printed(io.StringIO())
    assert "\x1b[" not in text
    for part in (
        "✗ Not healthy",
        "Look at the log. " * 11,
        "x" * 100,
        "[red]two[/red]",
        "[bold]x[/bold]",
        "a note",
    ):
        assert part in text


def test_problems_come_before_ok_findings() -> None:
    text = _printed(io.StringIO())
    assert text.index("Processes") < text.index("1/1 ready")


def test_what_proves_the_headline_stands_under_it() -> None:
    stream = io.StringIO()
    reply = Reply(
        "sshd does not run", Verdict.FAIL, ("Restart the pod.",), proof=Excerpt("sshd: not running", "ps")
    )
    print_reply(reply, output="text", stream=stream)
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        "✗ sshd does not run",
        "sshd: not running",
        "ps",
        "Restart the pod.",
    ]
    assert as_json(reply)["proof"] == {"text": "sshd: not running", "title": "ps", "filename": "output.txt"}


def test_emoji_that_begin_a_line_are_the_terminal_s_marks_or_left_out() -> None:
    stream = io.StringIO()
    body = ("🔴 CRITICAL sshd\ni-1", "🤫 the pod\nno alert", "Heartbeats:\n⚠️ a\n✅ b ✅", "🌤️ sshd runs again")
    print_reply(Reply("👀 Yours: sshd", body=body), output="text", stream=stream)
    shown = stream.getvalue().splitlines()
    assert shown[:3] == ["Yours: sshd", "✗ CRITICAL sshd", "i-1"]
    assert shown[3:] == ["the pod", "no alert", "Heartbeats:", "! a", "✓ b ✅", "sshd runs again"]


def test_an_attached_excerpt_is_left_out() -> None:
    stream = io.StringIO()
    print_reply(Reply("In short", excerpts=(Excerpt("all of it", attached=True),)), output="text", stream=stream)
    assert stream.getvalue() == "In short\n"


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[" in _printed(Terminal())


def test_the_no_color_variable_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    text = _printed(Terminal())
    assert "\x1b[31m" not in text
    assert "\x1b[1;31m" not in text


def test_json_holds_verdict_findings_and_exit_code() -> None:
    stream = io.StringIO()
    print_reply(REPLY, output="json", stream=stream)
    answer = json.loads(stream.getvalue())
    assert (answer["verdict"], answer["exit_code"]) == ("fail", 1)
    assert answer["findings"][1]["verdict"] == "fail"
    assert answer == as_json(REPLY)


@pytest.mark.parametrize(
    ("verdict", "code"), [(Verdict.OK, 0), (Verdict.WARN, 0), (Verdict.FAIL, 1), (Verdict.UNKNOWN, 2), (None, 0)]
)
def test_exit_codes(verdict: Verdict | None, code: int) -> None:
    assert Reply("x", verdict).exit_code == code


def test_an_error_has_the_same_exit_code_in_json_as_in_the_terminal() -> None:
    refused = Reply("There is no command foo.", data={"error": "UsageError"})
    assert as_json(refused)["exit_code"] == refused.exit_code == 2
    assert Reply("x", Verdict.FAIL, data={"error": "x"}).exit_code == 1


def test_outside_text_is_no_markup_in_tables_either() -> None:
    stream = io.StringIO()
    table = Table(("Key [/x]",), (("[/x]",),), title="agent-secrets, written by [/x][red]me")
    print_reply(Reply("one [/x]", tables=(table,)), output="text", stream=stream)
    assert stream.getvalue().count("[/x]") == 4


@pytest.mark.parametrize(
    ("encoding", "where", "says"),
    [("ascii", os.devnull, ""), ("utf-8", "/dev/full", "could not be written: No space left on device")],
)
def test_output_that_can_not_be_written_is_an_error(encoding: str, where: str, says: str) -> None:
    with Path(where).open("w") as stream:
        ended = subprocess.run(
            [sys.executable, "-m", "bot", "argocd"],
            stdout=stream,
            stderr=subprocess.PIPE,
            env=os.environ
            | {"PYTHONIOENCODING": encoding, "KUBECONFIG": "/made-up", "AGENTPOD_TARGETS": '[{"name": "web"}]'},
            check=False,
        )
    said = ended.stderr.decode()
    assert ended.returncode == 2
    assert says in said
    assert "Traceback" not in said


def test_a_list_stands_below_its_label_with_a_hanging_indent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = "\n• pod not ready (Ready: True, as of the last look)\n• no pod"
    stream = Terminal()
    facts = (Fact("Also found", lines), Fact("Node", "gpu-1"))
    print_reply(Reply("Well", facts=facts), output="text", stream=stream)
    shown = re.sub("\x1b\\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert shown[-5:] == [
        "Also found",
        "    • pod not ready (Ready: True, as of",
        "      the last look)",
        "    • no pod",
        "Node  gpu-1",
    ]


def test_times_are_in_the_terminal_s_zone_and_in_a_pipe_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2025, 1, 13, 22, 41, 7, tzinfo=UTC)
    own = words.moment(at)
    foreign = "2025-01-13 22:41 UTC"
    reply = Reply(
        f"Down since {own}",
        Verdict.FAIL,
        facts=(Fact(own, words.clock(at)),),
        excerpts=(Excerpt(f"{foreign} died\nwritten {own}", title=f"Read at {own}"),),
    )
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        for stream, shown, exactly in (
            (Terminal(), "2025-01-14 04:11 IST", "2025-01-14 04:11:07 IST"),
            (io.StringIO(), "2025-01-13 22:41 UTC", "2025-01-13 22:41:07 UTC"),
        ):
            print_reply(reply, output="text", stream=stream)
            text = stream.getvalue()
            for part in (
                f"Down since {shown}",
                f"Read at {shown}",
                exactly,
                f"{foreign} died",
                f"written {foreign}",
            ):
                assert part in text
            assert MARK not in text
    finally:
        monkeypatch.undo()
        time.tzset()
    data = as_json(reply)
    assert data["headline"] == "Down since 2025-01-13 22:41 UTC"
    assert MARK not in json.dumps(data, ensure_ascii=False)


def test_a_complaint_has_its_times_in_utc_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_complaint([f"Its token expired {words.moment(datetime(2025, 1, 13, 22, 41, tzinfo=UTC))}."])
    assert "expired 2025-01-13 22:41 UTC." in capsys.readouterr().err
