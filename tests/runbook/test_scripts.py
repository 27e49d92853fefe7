"""Nothing that is typed becomes code: slots in scripts, and in words that say what is run, are refused."""

from __future__ import annotations

import json

import pytest

from bot.domain.runbook.scripts import code_words
from tests.runbook.test_declared import command, compiled
from tests.runbook.test_declared_repairs import written

FREE = [
    "{pattern: '.+', data: true}",
    "{listed: {exec: {command: [ls]}}, data: true}",
    "{one_of: [a, 'b; reboot']}",
]
UNDECLARED = ["{pattern: '.+'}", "{pattern: '[a-z]+'}", "{listed: {exec: {command: [ls]}}}"]
PLAIN = [
    "{one_of: [sshd, cron.d/x]}",
    "{integer: [-5, 9]}",
    "{duration: [1s, 1h]}",
    "{pattern: '(?:[a-zA-Z0-9_./-]+|x\\d{2,})?', data: true}",
]
IN_CODE = [
    ["sh", "-c", "ls {p}"],
    ["sh", "{p}"],
    ["bash", "-lc", "ls {p}"],
    ["/bin/bash", "-euo", "pipefail", "-c", "ls {p}"],
    ["bash", "-o", "pipefail", "-c", "ls {p}"],
    ["fish", "--command=ls {p}"],
    ["env", "sh", "-c", "ls {p}"],
    ["env", "-u", "HOME", "LANG=C", "sh", "-c", "ls {p}"],
    ["env", "-S", "ls {p}"],
    ["env", "LD_PRELOAD={p}", "ls"],
    ["sudo", "-u", "postgres", "sh", "-c", "ls {p}"],
    ["nice", "-n", "5", "timeout", "-k", "1", "5", "sh", "-c", "ls {p}"],
    ["busybox", "sh", "-c", "ls {p}"],
    ["su", "-", "postgres", "-c", "ls {p}"],
    ["anything", "--flag", "sh", "-c", "ls {p}"],
    ["python3", "-c", "print('{p}')"],
    ["/usr/bin/python3.11", "-Ic", "print('{p}')"],
    ["python3", "-m", "{p}"],
    ["python3", "/scripts/{p}.py"],
    ["ssh", "host", "ls {p}"],
    ["ssh", "-o", "ProxyCommand=nc {p}", "host", "ls"],
    ["xargs", "sh", "-c", "ls {p}"],
    ["find", ".", "-exec", "sh", "-c", "ls {p}", ";"],
    ["find", ".", "-ok", "awk", "/{p}/", "{}", ";"],
    ["kubectl", "exec", "pod", "--", "python3", "-c", "{p}"],
    ["awk", "/{p}/", "/etc/passwd"],
    ["awk", "-F", ":", '$1 == "{p}"', "/etc/passwd"],
    ["gawk", "--source", "{p}"],
    ["sed", "-n", "/{p}/p", "/etc/passwd"],
    ["sed", "-e", "s/a/b/", "-e", "s/c/{p}/", "/etc/passwd"],
    ["perl", "-e", "print {p}"],
    ["perl", "-e", "1;", "-e", "print {p}"],
    ["perl", "-ne", "print", "{p}"],
    ["node", "-e", "log({p})"],
    ["node", "--eval=log({p})"],
    ["ruby", "-e", "puts {p}"],
    ["php", "-r", "echo {p};"],
    ["psql", "-U", "postgres", "-Atc", "select '{p}'"],
    ["mysql", "--execute=select '{p}'"],
    ["jq", "-r", ".[{p}]", "/x.json"],
    ["watch", "ls", "{p}"],
]
AS_DATA = [
    ["ls", "{p}"],
    ["sh", "-c", 'ls -- "$1"', "sh", "{p}"],
    ["bash", "-euo", "pipefail", "-c", 'ls -- "$1"', "bash", "--dir={p}"],
    ["env", "LANG={p}", "ls", "{p}"],
    ["timeout", "{p}", "ls"],
    ["sudo", "-u", "{p}", "ls"],
    ["python3", "-c", "import sys", "{p}", "-c"],
    ["python3", "/scripts/x.py", "{p}"],
    ["find", "{p}", "-name", "*.{p}"],
    ["find", ".", "-name", "{p}", "-exec", "ls", "{}", ";"],
    ["awk", "-v", "user={p}", "$1 == user", "{p}"],
    ["sed", "-n", "-e", "1p", "{p}"],
    ["perl", "-e", "print $ARGV[0]", "{p}"],
    ["psql", "-h", "{p}", "-c", "select 1"],
    ["jq", "-r", "--arg", "k", "{p}", ".[$k]", "{p}"],
    ["kubectl", "get", "node", "{p}"],
    ["grep", "-e", "{p}", "/bin/sh"],
    ["systemctl", "status", "ssh", "{p}"],
]
ONLY_DATA = [
    ["ls", "{p}"],
    ["ls", "--", "{p}"],
    ["/bin/cat", "/var/log/{p}.log"],
    ["grep", "-e", "{p}", "/bin/sh"],
    ["env", "LANG=C", "nice", "-n", "5", "stat", "{p}"],
    ["busybox", "tail", "-n", "5", "{p}"],
    ["sudo", "-u", "app", "rm", "-f", "--", "/run/{p}"],
]
MAY_RUN_IT = [
    ["dumb-init", "{p}"],
    ["setpriv", "--reuid", "1000", "{p}"],
    ["chpst", "-u", "app", "{p}"],
    ["setuser", "app", "{p}"],
    ["fakeroot", "{p}"],
    ["systemd-run", "{p}"],
    ["prlimit", "--nproc=1", "{p}"],
    ["runcon", "-t", "x", "{p}"],
    ["docker", "exec", "p", "{p}"],
    ["bwrap", "--bind", "/", "/", "{p}"],
    ["npx", "{p}"],
    ["yash", "-c", "ls {p}"],
    ["nu", "-c", "ls {p}"],
    ["bash-5", "-c", "ls {p}"],
    ["python3-dbg", "-c", "print({p})"],
    ["sg", "grp", "ls {p}"],
    ["tmux", "send-keys", "{p}"],
    ["tar", "-cf", "/dev/null", "--checkpoint-action=exec={p}", "x"],
    ["rsync", "-e", "{p}", "a", "b"],
    ["git", "-c", "core.pager={p}", "log"],
    ["bash", "-c", "$0", "{p}"],
    ["sh", "-c", 'eval "$1"', "sh", "{p}"],
    ["redis-cli", "eval", "{p}", "0"],
    ["duckdb", "-c", "select {p}"],
    ["a-program-that-nobody-knows", "{p}"],
    ["sudo", "-u", "{p}", "ls"],
    ["env", "FOO={p}", "ls"],
]
AS_PROGRAM = [["{p}"], ["env", "{p}"], ["timeout", "5", "/bin/{p}"], ["find", ".", "-exec", "{p}", ";"]]


def problems(words: list[str], param: str) -> str:
    return compiled(command(f"{{p: {param}}}", json.dumps(words)))[1]


@pytest.mark.parametrize("param", FREE)
@pytest.mark.parametrize("words", IN_CODE, ids=" ".join)
def test_free_text_in_code_is_refused(words: list[str], param: str) -> None:
    assert "what is typed as p would become part of what " in problems(words, param)


@pytest.mark.parametrize("param", PLAIN)
@pytest.mark.parametrize("words", IN_CODE, ids=" ".join)
def test_values_without_any_special_character_may_stand_in_code(words: list[str], param: str) -> None:
    assert problems(words, param) == ""


@pytest.mark.parametrize("param", FREE)
@pytest.mark.parametrize("words", AS_DATA, ids=" ".join)
def test_free_text_as_an_argument_is_allowed(words: list[str], param: str) -> None:
    assert problems(words, param) == ""


@pytest.mark.parametrize("param", UNDECLARED)
@pytest.mark.parametrize("words", ONLY_DATA, ids=" ".join)
def test_free_text_needs_no_declaration_where_the_program_runs_none_of_its_words(
    words: list[str], param: str
) -> None:
    assert problems(words, param) == ""


@pytest.mark.parametrize("param", UNDECLARED)
@pytest.mark.parametrize("words", [*MAY_RUN_IT, *IN_CODE], ids=" ".join)
def test_free_text_is_refused_where_the_program_may_run_it(words: list[str], param: str) -> None:
    assert problems(words, param) != ""


@pytest.mark.parametrize("param", ["{one_of: [a, b]}", "{integer: [1, 9]}", "{duration: [1s, 1h]}"])
@pytest.mark.parametrize("words", MAY_RUN_IT[1:3], ids=" ".join)
def test_values_that_the_file_has_need_no_declaration(words: list[str], param: str) -> None:
    assert problems(words, param) == ""


def test_the_problem_says_how_to_declare_it() -> None:
    assert problems(["nice", "dumb-init", "{p}"], "{pattern: '[a-z]+'}") == (
        "try.yaml line 5, commands.c.exec.command.2: dumb-init is not known to take what is typed as p as data: "
        "it may be a program, an option or code there. If dumb-init runs no part of it, add `data: true` to the "
        "parameter; or list its values with one_of.\n"
        "  {p}\n"
        "  ^"
    )
    assert problems(["nice", "dumb-init", "{p}"], "{pattern: '[a-z]+', data: true}") == ""


@pytest.mark.parametrize("param", [*FREE, *PLAIN])
@pytest.mark.parametrize("words", AS_PROGRAM, ids=" ".join)
def test_no_parameter_is_the_program(words: list[str], param: str) -> None:
    assert "a parameter can't be the program that runs" in problems(words, param)


@pytest.mark.parametrize(
    "pattern",
    [
        "[A-z]+",
        "[^a]",
        ".",
        "[a-z ]",
        "(?i)s",
        "[+-z]",
        r"\\s",
        r"\\W",
        "a|;",
        "[;]",
        "[[:punct:]]",
        r"\\x3b",
        "$",
        r"\\pP",
    ],
)
def test_a_pattern_that_matches_other_characters_is_free_text(pattern: str) -> None:
    said = problems(["sh", "-c", "ls {p}"], f'{{pattern: "{pattern}"}}')
    assert "would become part of what sh runs" in said, said


def test_an_argument_that_may_be_an_option_can_give_a_script() -> None:
    words = ["perl", "-e", "print $ARGV[0]", "{p}"]
    assert problems(words, "{pattern: '.+', data: true}") == ""
    assert "would become part of what perl runs" in problems(
        words, "{pattern: '.+', data: true, leading_dash: true}"
    )


def test_the_problem_shows_line_and_caret_and_what_to_write() -> None:
    assert problems(["sh", "-c", "ls {p}"], "{pattern: '.+'}") == (
        "try.yaml line 5, commands.c.exec.command.2: what is typed as p would become part of what sh runs: "
        "give it to the script as an argument, such as [sh, -c, 'ls -- \"$1\"', sh, '{where}'].\n"
        "  ls {p}\n"
        "     ^"
    )


def test_steps_and_facts_of_repairs_are_checked_as_well() -> None:
    free = {"service": {"pattern": ".+"}, "how-long": {"duration": ["1s", "1m"], "default": "5s"}}
    script = ["sh", "-c", "svc {service} {how-long}"]
    _, said = compiled(written(repairs__start__params=free, repairs__start__steps__0__exec__command=script))
    assert "repairs.start.steps.0.exec.command.2: what is typed as service would become part" in said
    _, said = compiled(written(repairs__start__params=free, repairs__start__facts__state__exec__command=script))
    assert "repairs.start.facts.state.exec.command.2: what is typed as service would become part" in said


def test_a_word_is_found_once_and_never_beyond_the_command() -> None:
    assert [code.word for code in code_words(["sh", "-c", "x"])] == [0, 1, 2]
    assert code_words([]) == []
