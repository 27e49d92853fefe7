"""What the terminal knows of its own command line: completion in real shells, the man page, and the help."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bot.adapters.terminal import print_reply
from bot.adapters.terminal.complaint import print_complaint
from bot.domain.core.reply import Fact, Mention, Reply, Table, plain
from bot.errors import AgentpodError
from bot.runbook.arguments import is_positional
from bot.settings.loader import load
from bot.settings.model import Settings
from bot.wiring.command_line import completion, man_page
from bot.wiring.command_line.built import known
from bot.wiring.command_line.entries import EXIT_CODES, OWN, Entry, Flag, Known, Place
from bot.wiring.command_line.help_page import listing
from bot.wiring.command_line.tools import builtin, completion_script, show_man
from commands import registry

SETTINGS = {
    "targets": [
        {"name": "web", "heartbeats": [{"job": "backup", "stale_after": "1h"}]},
        {"name": "desk", "containers": [{"name": "main", "user": "u"}]},
    ]
}
RUNBOOK = """
runbook: mine
commands:
  drain:
    summary: How a queue is emptied
    exec: {command: [drain, '{speed}', '{mode}']}
    params: {speed: {one_of: [fast, slow]}, mode: {one_of: [dry, wet], default: dry}}
"""


def _shell(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: its completion is not covered")
    return found


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The completion scripts, by shell, for two targets."""
    folder, settings = tmp_path_factory.mktemp("completion"), Settings.model_validate(SETTINGS)
    found = {}
    for shell in completion.SHELLS:
        found[shell] = folder / f"agentpod.{shell}"
        found[shell].write_text(completion_script([shell], lambda: settings), encoding="utf-8")
    return found


LINES: list[tuple[str, list[str]]] = [
    ("st", ["status", "storage"]),
    ("secrets ", ["enter", "set"]),
    ("secrets set --re", ["--reason"]),
    ("logs --target ", ["desk", "web"]),
    ("logs --container ", ["kali", "main"]),
    ("heartbeats push ba", ["backup"]),
    ("--output ", ["json", "text"]),
    ("--output json lo", ["logs"]),
    ("logs --grep x --prev", ["--previous"]),
    ("help ssh ", ["info", "keys"]),
    ("help ssh keys ", ["add", "copy", "remove"]),
    ("digest ", ["today", "yesterday"]),
    ("completion ", ["bash", "fish", "zsh"]),
    ("runbook l", ["lint"]),
    ("check --a", ["--all"]),
    ("nothing ", []),
]


def _in_bash(script: Path, line: str) -> list[str]:
    """What bash offers for a line that begins with ``agentpod``."""
    program = """
        source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _agentpod
        [ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
    """
    typed = ["agentpod", *line.split(), *([""] if line.endswith(" ") else [])]
    ran = [_shell("bash"), "--norc", "-c", program, "bash", str(script), *typed]
    done = subprocess.run(ran, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(done.stdout.split())


@pytest.mark.parametrize(("line", "words"), LINES)
def test_bash_completes(scripts: dict[str, Path], line: str, words: list[str]) -> None:
    assert _in_bash(scripts["bash"], line) == words


@pytest.mark.parametrize(("line", "words"), LINES)
def test_fish_completes(scripts: dict[str, Path], line: str, words: list[str]) -> None:
    program = f"source {scripts['fish']}; complete -C 'agentpod {line}'"
    ran = [_shell("fish"), "--no-config", "-c", program]
    done = subprocess.run(ran, capture_output=True, text=True, check=True)
    assert (sorted(row.split("\t")[0] for row in done.stdout.splitlines()), done.stderr) == (words, "")


FLAGS = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}
FIRST = "agentpod() { printf '<%s>' \"$@\"; echo; }; "
STARTS = {"bash": FIRST, "zsh": FIRST + "autoload -Uz compinit; compinit -u -D; "}


class Typing:
    """A shell on a terminal of its own."""

    def __init__(self, shell: str, flags: list[str], home: Path) -> None:
        """Start it, without the user's own files."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(HOME=str(home), TERM="dumb", ZDOTDIR=str(home))
            os.execv(shell, [shell, *flags])  # noqa: S606 - no shell around the shell
        self.screen = ""

    def type(self, text: str, until: str) -> str:
        """Type, and return what the shell shows from then on until it shows ``until``."""
        os.write(self.fd, text.encode())
        began, deadline = len(self.screen), time.monotonic() + 30
        while not re.search(until, self.screen[began:]):
            ready, _, _ = select.select([self.fd], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, self.screen
            self.screen += os.read(self.fd, 65536).decode(errors="replace")
        return self.screen[began:]

    def end(self) -> None:
        """End the shell."""
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("typed", "ran"),
    [
        ("logs --prev\t\n", "<logs><--previous>"),
        ("secrets s\t--re\t\n", "<secrets><set><--reason>"),
        ("logs --target we\t\n", "<logs><--target><web>"),
        ("heartbeats pu\tback\t\n", "<heartbeats><push><backup>"),
    ],
)
def test_tab_completes_what_is_typed(
    scripts: dict[str, Path], tmp_path: Path, shell: str, typed: str, ran: str
) -> None:
    typing = Typing(_shell(shell), FLAGS[shell], tmp_path)
    try:
        typing.type(f"{STARTS[shell]}source {scripts[shell]}; PS1='READ''Y> '\n", "READY> ")
        assert ran in typing.type(f"agentpod {typed}", r"<.*>\s")
    finally:
        typing.end()


HOSTILE = "a'b\"$(touch pwned)`touch pwned`\\ %s"


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_text_of_settings_and_runbooks_is_never_run(tmp_path: Path, shell: str) -> None:
    flag = Flag("--mode", HOSTILE, "MODE", (HOSTILE,))
    odd = Entry("odd", HOSTILE, (flag,), (Place("P", choices=(HOSTILE,)),))
    script = completion.script(shell, [*OWN, odd], Known())
    (tmp_path / "script").write_text(script, encoding="utf-8")
    tables = "__agentpod_words ''; __agentpod_flags odd; __agentpod_values 'odd|--mode'; __agentpod_places 'odd|0'"
    start = {"zsh": "compdef() { :; }; "}.get(shell, "")
    ran = [_shell(shell), "-c", f"{start}source {tmp_path}/script; {tables}"]
    done = subprocess.run(ran, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.count(HOSTILE) == 4
    assert not (tmp_path / "pwned").exists()


def test_every_flag_and_word_of_every_command_is_known() -> None:
    found = {one.name: one for one in builtin() if not one.own}
    for command in registry.build():
        fields = command.params.model_fields
        entry = found[command.name]
        assert len(entry.places) == sum(map(is_positional, fields.values()))
        assert len(entry.flags) == len(fields) - len(entry.places)


def test_without_settings_the_commands_are_completed_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    def unreadable() -> Settings:
        raise AgentpodError("The settings are wrong.")

    script = completion_script(["bash"], unreadable)
    assert "status" in script
    assert "without targets and declared commands: The settings are wrong." in capsys.readouterr().err


def test_declared_commands_and_their_choices_are_completed(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(RUNBOOK, encoding="utf-8")
    (tmp_path / "a.yaml").write_text("targets: [{name: web, runbook: [./mine.yaml]}]\n", encoding="utf-8")
    script = tmp_path / "script"
    settings = load(config=tmp_path / "a.yaml", environ={}).settings
    script.write_text(completion_script(["bash"], lambda: settings), encoding="utf-8")
    assert _in_bash(script, "dra") == ["drain"]
    assert _in_bash(script, "drain ") == ["fast", "slow"]
    assert _in_bash(script, "drain fast --mode ") == ["dry", "wet"]


@pytest.mark.parametrize("words", [[], ["tcsh"], ["bash", "zsh"]])
def test_another_shell_is_refused_with_those_that_are_known(words: list[str]) -> None:
    with pytest.raises(AgentpodError) as caught:
        completion_script(words, Settings)
    assert caught.value.remedy == "Usage: agentpod completion bash|zsh|fish"


def test_known_names_of_the_settings() -> None:
    found = known(Settings.model_validate(SETTINGS))
    assert found.targets == ("web", "desk")
    assert found.values["container"] == ("kali", "main")
    assert "backup" in found.values["job"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The man page in a file."""
    path = tmp_path_factory.mktemp("man") / "agentpod.1"
    path.write_text(man_page.page(builtin()), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "checker",
    [
        ["man", "--warnings", "--encoding=UTF-8", "-Tutf8", "-Z", "-l"],
        ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-z"],
        ["mandoc", "-T", "lint", "-W", "error"],
    ],
    ids=lambda checker: checker[0],
)
def test_the_man_page_has_no_mistakes(page: Path, checker: list[str]) -> None:
    ran = [_shell(checker[0]), *checker[1:], str(page)]
    done = subprocess.run(ran, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_man_page_has_every_command_flag_and_exit_code(page: Path) -> None:
    shown = [_shell("man"), "--encoding=UTF-8", "-l", str(page)]
    env = os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "", "MANPAGER": "cat"}
    text = subprocess.run(shown, capture_output=True, text=True, check=True, env=env).stdout
    text = " ".join(re.sub(r".\x08", "", text).split())
    for entry in builtin():
        assert f" {entry.name}" in text
        assert all(flag.name in text for flag in entry.flags)
    assert all(f"{code} {about[:20]}" in text for code, about in EXIT_CODES)


def test_man_takes_no_words() -> None:
    with pytest.raises(AgentpodError):
        show_man(["status"])


def test_the_help_fits_80_columns() -> None:
    commands = [(command.name, command.summary) for command in registry.build()]
    lines = listing(commands, 79).splitlines()
    assert max(map(len, lines)) <= 79
    assert len(listing(commands, None).splitlines()) < len(lines)


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KUBECONFIG": "/made-up"},
    )


def test_only_answers_go_to_standard_output() -> None:
    for words in (["nosuch"], ["logs", "--tail", "x"], ["completion"]):
        done = _run(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr
    done = _run("nosuch", "--output", "json")
    assert (done.returncode, done.stderr) == (2, "")
    assert '"exit_code": 2' in done.stdout


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def test_facts_are_wrapped_under_their_value_and_no_line_ends_in_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    print_reply(
        Reply("x", facts=(Fact("Label", "some words " * 20), Fact("L", "y"), Fact("Empty", ""))),
        output="text",
        stream=stream,
    )
    lines = stream.getvalue().splitlines()
    assert lines[2].startswith("Label  some")
    assert lines[-1] == "Empty"
    assert lines[3].startswith("       some") or lines[3].startswith("       words")
    assert all(line == line.rstrip() and len(line) <= 80 for line in lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Apply it: kubectl apply -k deploy/x.", ["Apply it:", "    kubectl apply -k deploy/x"]),
        ("See `agentpod check`.", ["See agentpod check."]),
        ("By hand: `sops -d a | kubectl a`. Then wait.", ["By hand:", "    sops -d a | kubectl a", "Then wait."]),
        (
            "Ask for it: `image set a:1 --container b`.",
            ["Ask for it:", "    agentpod image set a:1 --container b"],
        ),
        ("To clear it: `/agentpod storage`.", ["To clear it:", "    agentpod storage"]),
        ("`/agentpod storage` shows it; ask `Maya`.", ["agentpod storage shows it; ask Maya."]),
        ("Usage: agentpod logs [--tail N]", ["Usage: agentpod logs [--tail N]"]),
        ("It takes: `banner: none`.", ["It takes: banner: none."]),
        ("Look: kubectl get pods. Then wait.", ["Look: kubectl get pods. Then wait."]),
        ("Look: kubectl logs a: the log", ["Look: kubectl logs a: the log"]),
    ],
)
def test_a_command_that_ends_a_sentence_has_its_own_line_without_a_full_stop(text: str, lines: list[str]) -> None:
    stream = io.StringIO()
    print_reply(Reply("x", body=(text,)), output="text", stream=stream)
    assert stream.getvalue().splitlines()[1:] == lines


def test_a_long_word_is_not_broken_and_a_title_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream, digest = Terminal(), "sha256:" + "0" * 64
    table = Table(("A",), (("b",),), title="agent-secrets-tier2, changed 61 d ago")
    print_reply(Reply("x", facts=(Fact("Running digest", digest),), tables=(table,)), output="text", stream=stream)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in stream.getvalue().splitlines()]
    assert lines[2:4] == ["Running digest", f"    {digest}"]
    assert "agent-secrets-tier2, changed 61 d ago" in lines


def test_a_complaint_is_wrapped_and_its_list_indented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    print_complaint(["a word " * 20, "b"], title="The settings are wrong:")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "agentpod: The settings are wrong:"
    assert lines[1].startswith("  - a word")
    assert lines[2].startswith(("    a word", "    word"))
    assert lines[-1] == "  - b"
    assert max(map(len, lines)) <= 80


def test_a_channel_has_the_sign_of_one() -> None:
    assert plain(("see ", Mention("C012"), " of ", Mention("U012"))) == "see #C012 of @U012"


def test_something_left_undone_is_no_success() -> None:
    assert Reply("Commit it instead", left_undone=True).exit_code == 2


def test_what_follows_a_mark_is_indented_where_it_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    why = "can't be reached at 192.168.55.215:22: connection refused"
    print_reply(Reply("x", body=(f"Also not as it should be:\n✗ SSH {why}",)), output="text", stream=stream)
    assert stream.getvalue().splitlines()[2:] == [
        "✗ SSH can't be reached at 192.168.55.215:22: connection",
        "  refused",
    ]
