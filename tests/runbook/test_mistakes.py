"""Common mistakes of a runbook's author: each is named with what to write instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.adapters.cel import CelExpressions
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.loader import load, read

CHECK = """
runbook: try
checks:
  lag:
    title: Lag
    facts:
      lag: {metrics: {url: "http://metrics:9100/metrics"}}
      run: {exec: {container: kali, command: [lag]}}
    expect: %s
    says: %s
"""


def problems(text: str) -> str:
    return "\n".join(map(str, compile_runbook(read(text, "try.yaml"), CelExpressions())[1]))


# Expressions


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("run.exit_code = 0", "write == to compare, not =."),
        ("run.exit_code == 0 and true", "write &&, not 'and'."),
        ("run.exit_code == 0 or true", "write ||, not 'or'."),
        ("not (run.exit_code == 0)", "write !, not 'not'."),
        ("not run.exit_code == 0", "write !, not 'not'."),
        ("run.exit_code <> 0", "write != where two differ, not <>."),
        ("len(run.lines) == 0", "there is no 'len' here; write size(…)."),
        ("run.lines.length == 0", "list(string) has no 'length'; write size(…)."),
        ("run.exit_code == 0 && True", "there is no 'True' here; write true."),
        (
            "run.lines.contains('x')",
            "contains is for one text, not a list: write lines.exists(l, l.contains(…)).",
        ),
        ("double(run.lines[0]) < 1000", "< takes two of one type, and these are double and int: write 1000.0."),
        ("1000 > double(run.lines[0])", "> takes two of one type, and these are int and double: write 1000.0."),
        ("double(run.lines[0]) < run.exit_code", "double and int: write double(…) around the int."),
        (
            "run.lines[0] > 5",
            "> takes two of one type, and these are string and int: write int(…) around the text.",
        ),
        (
            "run.exit_code == '0'",
            "== takes two of one type, and these are int and string: write 0 without quotes.",
        ),
        ("run.stdout == 'a and b = c' && run.exit_code = 0", "write == to compare, not =."),
    ],
)
def test_common_mistakes_of_conditions_say_what_to_write(expect: str, said: str) -> None:
    assert said in problems(CHECK % (f'"{expect}"', "\"'fine'\""))


def test_what_only_looks_like_a_mistake_is_taken() -> None:
    assert problems(CHECK % ("\"run.stdout == 'this and that = 1'\"", "\"'not or and'\"")) == ""


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ("Redis is full", """a text needs quotes inside the quotes: "'Redis is full'"."""),
        ("Full", """a text needs quotes inside the quotes: "'Full'"."""),
        ("The disk's full", """a text needs quotes inside the quotes: '"The disk''s full"'."""),
        ("run.exit_code", "this is of type int, and string is needed: write string(…) around it."),
        ("\"'exit code ' + run.exit_code\"", "these are string and int: write string(…) around the int."),
        ("run.lnes[0]", "there is no 'run.lnes' here; did you mean 'run.lines'?"),
    ],
)
def test_common_mistakes_of_texts_say_what_to_write(says: str, said: str) -> None:
    assert said in problems(CHECK % ('"true"', says))


def test_the_proposed_text_is_right() -> None:
    assert problems(CHECK % ('"true"', """'"The disk''s full"'""")) == ""


# The file


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "severity: warning",
            "checks.lag.severity: there is no setting 'severity'; it belongs under fails or alert.",
        ),
        ("remedy: Wait.", "there is no setting 'remedy'; it belongs under fails."),
        ("offer: restart", "there is no setting 'offer'; it belongs under fails."),
        ("every: 1m", "there is no setting 'every'; it belongs under alert."),
        ("command: [x]", "there is no setting 'command'; it belongs under exec."),
        ("expects: x", "there is no setting 'expects'; did you mean 'expect'?"),
    ],
)
def test_a_setting_in_the_wrong_place_says_where_it_belongs(line: str, said: str) -> None:
    assert said in problems(CHECK % ('"true"', "\"'fine'\"") + f"    {line}\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "    remedy: Restart it: then wait",
            "try.yaml line 11: it is not valid YAML: mapping values are not allowed here: "
            "put a text that holds a colon in quotes.\n"
            "      remedy: Restart it: then wait\n"
            "                        ^",
        ),
        (
            "    says: 'down: ' + x",
            "nothing can follow what ends a text, a list or a mapping: put the whole in quotes.",
        ),
        (
            "    fails: !(x)",
            "try.yaml line 11: a tag is not taken: put a text that begins with ! in quotes.",
        ),
        ('    says: "\\d"', "found unknown escape character 'd': write '…' around a text with a backslash"),
        ("    alert: {every: a[0]}", "a bracket is not closed, or a text that holds one needs quotes"),
        ("    needs: [up\n    title: x", "a bracket is not closed"),
        ("    title: @x", "put a text that begins with it in quotes"),
        ("\ttitle: x", "try.yaml line 11: it is not valid YAML: a tab, where YAML takes blanks only.\n  "),
        ("checks: {}", "try.yaml line 11: 'checks' is given twice, first in line 3: put them together under one."),
        ("runbook: x", "try.yaml line 11: 'runbook' is given twice, first in line 2: keep one."),
    ],
)
def test_what_is_no_yaml_is_shown_with_its_line_and_what_helps(line: str, said: str) -> None:
    assert said in problems(CHECK % ('"true"', "\"'fine'\"") + line + "\n")


def test_a_runbook_that_is_not_there_is_named_where_it_is_extended(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("runbook: own\nextends:\n  - secure-agnet-pod\n  - missing.yaml\n", "utf-8")
    shipped, missing = map(str, load(str(own)).problems)
    assert (
        missing == f"{own} line 4, extends: {tmp_path}/missing.yaml: it can't be read: No such file or directory."
    )
    assert shipped == (
        f"{own} line 3, extends: secure-agnet-pod: no runbook of this name ships with the bot; "
        "did you mean 'secure-agent-pod'?"
    )


# Commands and containers

POD = """
runbook: try
pod: {containers: [{name: worker}, {name: redis}]}
"""


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "fifo")
    [problem] = load(str(fifo)).problems
    assert problem.message == "it can't be read: it is not a regular file"


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (
            "checks: {a: {title: A, exec: {container: reddis, command: [x]}, expect: 'true'}}",
            "checks.a.exec.container",
        ),
        (
            "checks: {a: {title: A, facts: {l: {log: {container: reddis}}}, expect: 'true'}}",
            "checks.a.facts.l.log.container",
        ),
        (
            "diagnoses: {d: {title: D, causes: [{name: c, says: \"'x'\", proof: 'p.lines[0]', "
            "facts: {p: {processes: {container: reddis}}}}]}}",
            "diagnoses.d.causes.0.facts.p.processes.container",
        ),
        ("commands: {c: {summary: C, exec: {container: reddis, command: [x]}}}", "commands.c.exec.container"),
        (
            "commands: {c: {summary: C, exec: {container: redis, command: [x, '{n}']}, "
            "params: {n: {listed: {exec: {container: reddis, command: [x]}}}}}}",
            "commands.c.params.n.listed.exec.container",
        ),
        (
            "repairs: {r: {summary: R, steps: [{exec: {container: reddis, command: [x]}}], verify: {check: a}}}\n"
            "checks: {a: {title: A, exec: {container: redis, command: [x]}, expect: 'true'}}",
            "repairs.r.steps.0.exec.container",
        ),
    ],
)
def test_a_container_that_the_file_s_own_pod_lacks_is_named(entry: str, place: str) -> None:
    message = f"try.yaml line 4, {place}: pod.containers of this file has no 'reddis'; did you mean 'redis'?"
    assert message in problems(POD + entry + "\n")


def test_without_containers_of_its_own_a_file_may_read_any() -> None:
    entry = "checks: {a: {title: A, exec: {container: reddis, command: [x]}, expect: 'true'}}"
    assert problems(f"runbook: try\n{entry}\n") == ""


@pytest.mark.parametrize(
    "command",
    [["dmesg", "|", "tail"], ["a", "&&", "b"], ["a", "-x", "b", ">", "f"], ["a", "2>&1"], ["a", ";", "b"]],
)
def test_a_word_for_a_shell_is_refused(command: list[str]) -> None:
    said = problems(f"runbook: try\nchecks: {{a: {{title: A, exec: {{command: {command}}}, expect: 'true'}}}}\n")
    [word] = [word for word in command if not word.isalpha() and word != "-x"]
    place = f"checks.a.exec.command.{command.index(word)}"
    assert said == (
        f"try.yaml line 2, {place}: no shell reads {word!r}, so the program gets it as an argument: "
        f"use [sh, -c, '… {word} …']."
    )


@pytest.mark.parametrize(
    "command",
    [["cut", "-d", "|", "f"], ["grep", "|", "f"], ["psql", "-F", "|"], ["sh", "-c", "a | b"], ["find", "x", ";"]],
)
def test_a_word_that_the_program_takes_is_none_for_a_shell(command: list[str]) -> None:
    assert (
        problems(f"runbook: try\nchecks: {{a: {{title: A, exec: {{command: {command}}}, expect: 'true'}}}}\n")
        == ""
    )


def test_what_cannot_be_seen_in_a_name_is_written_by_its_code_point() -> None:
    said = problems(CHECK % ('"true"', "\"'fine'\"") + '    "aler\\u202et": {}\n')
    assert "checks.lag.aler<U+202E>t: there is no setting 'aler<U+202E>t'; " in said


# Texts and settings


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ('" "', "a.title: it shows nothing: only blanks and characters that can't be seen."),
        ('"\\u2800\\u200B"', "a.title: it shows nothing"),
        ('"\\u202Elive"', "a.title: it has characters that can't be seen, here in <>: <U+202E>live."),
        ('"a\\u200Bb"', "here in <>: a<U+200B>b."),
        ('"हिन्दी 👩\u200d💻 naïve\\u00A0é"', ""),
    ],
)
def test_a_title_that_people_cannot_read_is_refused(title: str, said: str) -> None:
    text = f"runbook: try\nchecks: {{a: {{title: {title}, log: {{}}, expect: 'true'}}}}\n"
    found = "\n".join(map(str, read(text, "try.yaml").problems))
    assert said in found
    assert bool(said) is bool(found)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("severtiy: critical", "did you mean 'severity', under fails or alert?"),
        ("tial: 5", "did you mean 'tail', under log?"),
        ("titel: A", "did you mean 'title'?"),
        ("secrt: {}", "did you mean 'secret'?"),
        ("zzzz: 1", "known: title, facts, "),
    ],
)
def test_a_mistyped_setting_is_compared_with_all_that_may_stand_there_or_below(setting: str, said: str) -> None:
    text = f"runbook: try\nchecks: {{a: {{title: A, log: {{}}, expect: 'true', {setting}}}}}\n"
    assert said in "\n".join(map(str, read(text, "try.yaml").problems))
