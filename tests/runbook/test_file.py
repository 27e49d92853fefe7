"""A runbook file: read, checked, and judged. Every mistake is named with its line and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Verdict
from bot.domain.runbook.kind import FactKind
from bot.domain.runbook.kinds import KINDS
from bot.domain.runbook.record import Record
from bot.runbook.file import trial
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.judge import FILTER, Diagnosed, answering, diagnose, judge_check
from bot.runbook.file.known import Unread
from bot.runbook.file.loader import load, load_all, read, shipped_names

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
GOOD = """
runbook: try
checks:
  up:
    title: Services
    exec: {command: [s6-svstat]}
    expect: exit_code == 0 && lines.all(l, l.startsWith("up"))
    fails:
      verdict: warn
      says: "'down: ' + lines.filter(l, !l.startsWith('up'))[0]"
"""


def compiled(text: str) -> CompiledRunbook:
    book, problems = compile_runbook(read(text, "try.yaml"), CelExpressions())
    assert book is not None, "\n".join(map(str, problems))
    return book


def problems(text: str) -> str:
    return "\n".join(map(str, compile_runbook(read(text, "try.yaml"), CelExpressions())[1]))


# What is refused


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("check: {}", "try.yaml line 2, check: there is no section 'check'; did you mean 'checks'?"),
        ("checks: {a: {title: A, exec: {comand: [x]}, expect: 'true'}}", "'comand'; did you mean 'command'?"),
        ("checks: {a: {title: A, exce: {command: [x]}, expect: 'true'}}", "'exce'; did you mean 'exec'?"),
        ("checks: {a: {title: A, exec: {command: [x]}, expects: 'true'}}", "did you mean 'expect'?"),
        ("checks: {a: {title: A, expect: 'true'}}", "it reads no fact; kinds: "),
        ("checks: {a: {title: A, exec: {command: [x]}, expect: exit_cod == 0}}", "did you mean 'exit_code'?"),
        (
            "checks: {a: {title: A, exec: {command: [x]}, expect: exit_code}}",
            "this is of type int, and bool is needed",
        ),
        ("checks: {a: {title: A, exec: {command: [x]}, expect: 'exit_code == '}}", "Syntax error"),
        ('checks: {a: {title: A, exec: {command: [x, "a\\nb"]}, expect: "true"}}', "checks.a.exec.command.1"),
        ("checks: {a: {title: A, log: {grep: '(?=x)'}, expect: 'true'}}", "look-ahead"),
        ("checks: {a: {title: A, processes: {expect: {b: '('}}, expect: 'true'}}", "not a regular expression"),
        ("checks: {a: {title: A, exec: {command: []}, expect: 'true'}}", "checks.a.exec.command"),
        ("checks: {a: {title: A, exec: {command: [x], timeout: soon}, expect: 'true'}}", "write 30s, 10m"),
        ("checks: {a: {title: A, exec: {command: [x]}, expect: 'true', needs: [b]}}", "there is no check 'b'"),
        ("checks: {A b: {title: A, exec: {command: [x]}, expect: 'true'}}", "a name has small letters"),
        ("diagnoses: {d: {title: D, causes: []}}", "diagnoses.d.causes"),
        ("diagnoses: {d: {title: D, causes: [{name: c, says: \"'x'\"}]}}", "proof: it is missing"),
        ("tests: [{check: nope, given: {}, then: {}}]", "there is no check 'nope'"),
        ("checks: {a: {disabled: true}}", "checks.a: there is nothing of this name to disable; there is none"),
        ("version: '1'", "version: it takes a number, 1, and this is '1'"),
        ("version: true", "version: it takes a number, 1, and this is true"),
        ("checks: {a: {title: A, exec: {command: []}, expect: 'true'}}", "exec.command: it needs at least one"),
        ("checks: {a: {title: A, exec: {command: x}, expect: 'true'}}", "exec.command: it takes a list"),
        ("checks: {a: {title: A, exec: {command: [x]}, expect: 'true', status: 5}}", "it takes true or false"),
        ("checks: {a: {title: '', exec: {command: [x]}, expect: 'true'}}", "checks.a.title: it is empty"),
        ("checks: {a: {title: [], exec: {command: [x]}, expect: 'true'}}", "checks.a.title: it takes text"),
        ('checks: {a: {title: "A\\nb", exec: {command: [x]}, expect: "true"}}', "title: it takes one line"),
        ("checks: {a: {title: A, exec: {command: [x]}, expect: 'true', fails: x}}", "fails: it takes settings of"),
        (
            "checks: {a: {title: A, exec: {command: [x]}, expect: 'true', fails: {verdict: bad}}}",
            "fails.verdict: it takes fail or warn",
        ),
        ("checks: {a: {title: A, log: {tail: 0}, expect: 'true'}}", "log.tail: it takes at least 1"),
        ("checks: {a: {title: A, log: {tail: 99999}, expect: 'true'}}", "log.tail: it takes at most 10,000"),
        ("checks: {a: {title: A, log: {tail: x}, expect: 'true'}}", "log.tail: it takes a whole number"),
        ("checks: {" + "a" * 61 + ": {}}", "a name has small letters, digits and -, at most 60 of them"),
        ("commands: {a: {summary: A}}", "commands.a: it reads no fact; kinds: "),
        ("version: 2", "this bot reads files of version 1, and this one says 2"),
        ("checks: {a: {disabled: true, title: A}}", "an entry that is disabled has nothing else"),
        ("checks: [a]", "it takes settings of its own below it"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_would_be_right(more: str, said: str) -> None:
    found = problems(f"runbook: try\n{more}\n")
    assert said in found
    assert found.startswith("try.yaml line 2")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("12", "and this is 12"),
        ("no", "and this is false"),
        ("a b", "and this is 'a b'"),
        ("x" * 5_000, "and this is 'xxx"),
        ("[a]", "and this is ['a']"),
        ("1.5", "and this is 1.5"),
        ("A", "and this is 'A'"),
        ("''", "the runbook needs a name: runbook: my-pod"),
        ("", "the runbook needs a name: runbook: my-pod"),
    ],
)
def test_a_wrong_name_is_one_line_with_its_place(name: str, said: str) -> None:
    found = problems(f"version: 1\nrunbook: {name}\n")
    assert found.startswith("try.yaml line 2, runbook: ")
    assert said in found
    assert len(found.splitlines()) == 1
    assert len(found) < 200


def test_more_entries_than_are_taken_is_a_problem_also_of_several_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checks = "".join(f"  {name}{n}: {{disabled: true}}\n" for n in range(200))
        (tmp_path / f"{name}.yaml").write_text(f"runbook: {name}\nchecks:\n" + checks)
    (tmp_path / "own.yaml").write_text("runbook: own\nextends: [a.yaml, b.yaml]\n")
    one = "{title: T, exec: {command: [x]}, expect: 'true'}"
    for name in ("a", "b"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(path.read_text().replace("{disabled: true}", one))
    book, found = compile_runbook(load("own.yaml", tmp_path), CelExpressions())
    assert book is None
    assert [one.message for one in found] == ["it has 400 entries, more than 300"]
    assert found[0].line == 2


def test_containers_of_two_runbooks_may_be_more_than_one_may_have(tmp_path: Path) -> None:
    for name in ("a", "b"):
        containers = ", ".join(f"{{name: {name}{n}}}" for n in range(15))
        (tmp_path / f"{name}.yaml").write_text(f"runbook: {name}\npod: {{containers: [{containers}]}}\n")
    (tmp_path / "own.yaml").write_text("runbook: own\nextends: [a.yaml, b.yaml]\n")
    assert len(load("own.yaml", tmp_path).pod.containers) == 30


def test_an_expression_s_mistake_is_shown_under_its_text() -> None:
    text = GOOD.replace("exit_code == 0 &&", "exit_code == '0' &&")
    assert problems(text).endswith(
        "== takes two of one type, and these are int and string: write 0 without quotes.\n"
        "  exit_code == '0' && lines.all(l, l.startsWith(\"up\"))\n"
        "            ^"
    )


def test_all_problems_are_reported_at_once() -> None:
    text = "runbook: x\nchekcs: {}\nchecks:\n  a: {title: A, exec: {command: [x]}, expect: nope}\n  b: {}\n"
    assert len(problems(text).splitlines()) == 6, "four problems, one of them with two lines of its expression"


def test_checks_that_need_each_other_in_a_circle_are_refused() -> None:
    entry = "{{title: T, exec: {{command: [x]}}, expect: 'true', needs: [{}]}}"
    text = "runbook: x\nchecks:\n  a: " + entry.format("b") + "\n  b: " + entry.format("a") + "\n"
    assert "a → b → a is a circle" in problems(text)


def test_a_cause_that_can_never_be_the_answer_is_refused() -> None:
    cause = "{{name: {}, proof: 'log.lines[0]', says: \"'x'\"}}"
    head = "runbook: x\ndiagnoses:\n  d:\n    title: D\n    facts: {log: {log: {}}}\n"
    text = head + f"    causes: [{cause.format('a')}, {cause.format('b')}]\n"
    assert "it can never be the answer: 'a' before it has the same proof" in problems(text)


@pytest.mark.parametrize("text", ["", "a: [", "runbook: x\n---\nb: 1\n", "- 1\n", "\x00", "runbook: &a [*a]"])
def test_what_is_no_runbook_is_refused_without_a_traceback(text: str) -> None:
    assert problems(text)


def test_a_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("runbook: a\nextends: [b.yaml]\n")
    (tmp_path / "b.yaml").write_text("runbook: b\nextends: [a.yaml]\n")
    assert "extends itself" in str(load("a.yaml", tmp_path).problems[0])


def test_a_circle_is_shown_once_however_its_paths_are_written(tmp_path: Path) -> None:
    (tmp_path / "rb").mkdir()
    (tmp_path / "rb/a.yaml").write_text("runbook: a\nextends: [./../rb/b.yaml]\n")
    (tmp_path / "rb/b.yaml").write_text("runbook: b\nextends: [../rb/../rb/a.yaml]\n")
    [problem] = load("rb/a.yaml", tmp_path).problems
    rb = tmp_path / "rb"
    assert problem.message == f"{rb / 'a.yaml'} → {rb / 'b.yaml'} → {rb / 'a.yaml'} extends itself"


def test_a_chain_that_is_too_long_is_no_circle(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"r{number}.yaml").write_text(f"runbook: r\nextends: [r{number + 1}.yaml]\n")
    found = "\n".join(map(str, load("r0.yaml", tmp_path).problems))
    assert "more than 10 runbooks extend each other" in found
    assert "itself" not in found


@pytest.mark.parametrize("bases", ["[b.yaml, c.yaml]", "[c.yaml, b.yaml]"])
def test_what_is_to_be_disabled_has_to_be_somewhere_in_what_is_extended(tmp_path: Path, bases: str) -> None:
    (tmp_path / "own.yaml").write_text(f"runbook: own\nextends: {bases}\nchecks: {{up: {{disabled: true}}}}\n")
    (tmp_path / "b.yaml").write_text(GOOD)
    (tmp_path / "c.yaml").write_text("runbook: c\n")
    assert compile_runbook(load("own.yaml", tmp_path), CelExpressions())[1] == []
    (tmp_path / "b.yaml").write_text(GOOD.replace("  up:", "  ups:"))
    [problem] = compile_runbook(load("own.yaml", tmp_path), CelExpressions())[1]
    assert str(problem) == (
        f"{tmp_path / 'own.yaml'} line 3, checks.up: there is nothing of this name to disable; did you mean 'ups'?"
    )


def test_a_file_extends_those_beside_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.yaml").write_text("runbook: a\nextends: [sub/b.yaml]\n")
    (tmp_path / "sub/b.yaml").write_text("runbook: b\nextends: [a.yaml]\n")
    (tmp_path / "sub/a.yaml").write_text("runbook: c\nchecks: {up: {disabled: true}}\n")
    assert load(str(tmp_path / "a.yaml")).problems == []
    assert load("a.yaml", tmp_path).entries["checks"] == {"up": None}


def test_an_unknown_shipped_runbook_and_a_missing_file_are_named(tmp_path: Path) -> None:
    assert "did you mean 'secure-agent-pod'?" in str(load("secure-agent-pot").problems[0])
    assert "No such file" in str(load("x.yaml", tmp_path).problems[0])


@pytest.mark.parametrize("kind", list(KINDS), ids=lambda kind: kind.name)
def test_the_variables_of_every_kind_can_be_used_without_a_name(kind: FactKind) -> None:
    assert CelExpressions().compile("true", kind.variables, "bool").evaluate({})


# Several files


def test_an_entry_of_the_same_name_replaces_and_disabled_removes(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(GOOD + "  other: {title: Other, exec: {command: [x]}, expect: 'true'}\n")
    (tmp_path / "own.yaml").write_text(
        "runbook: own\nextends: [base.yaml]\nchecks:\n  other: {disabled: true}\n"
        "  up: {title: Mine, exec: {command: [y]}, expect: 'true'}\n"
    )
    book = load("own.yaml", tmp_path).runbook()
    assert {name: check.title for name, check in book.checks.items()} == {"up": "Mine"}
    assert book.name == "own"


def test_a_later_file_lies_over_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(GOOD)
    book = load_all(["secure-agent-pod", str(tmp_path / "own.yaml")]).runbook()
    assert {"up", "ssh-keys-current"} <= set(book.checks)


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_runbook_has_no_problem_and_passes_its_tests(name: str) -> None:
    book, found = compile_runbook(load(name), CelExpressions())
    assert book is not None, "\n".join(map(str, found))
    assert [one.wrong for one in trial.run(book) if one.wrong] == []


# A check


@pytest.mark.parametrize(
    ("fact", "verdict", "says"),
    [
        (Record("exec", ("up a", "up b"), {"exit_code": "0"}), Verdict.OK, "As expected"),
        (Record("exec", ("up a", "down b"), {"exit_code": "0"}), Verdict.WARN, "down: down b"),
        (Record("exec", (), {}), Verdict.UNKNOWN, "it can't be judged: exit_code was not read"),
        (
            Record("exec", ("up a",), {"exit_code": "0"}, truncated=True),
            Verdict.UNKNOWN,
            "more output than is read",
        ),
        (Record("exec", ("down",), {"exit_code": "0"}, truncated=True), Verdict.WARN, "down: down"),
        (Record("exec", ("up",), {"exit_code": "1"}), Verdict.WARN, "Services: not as expected"),
        (Unread("the pod does not answer"), Verdict.UNKNOWN, "`s6-svstat`: the pod does not answer"),
    ],
)
def test_a_check_is_ok_only_if_all_was_read_and_is_as_expected(fact: Any, verdict: Verdict, says: str) -> None:
    finding = judge_check(compiled(GOOD).checks["up"], {"": fact}, NOW)
    assert finding.verdict is verdict
    assert says in finding.summary


def test_a_pattern_that_is_made_of_a_fact_and_can_not_be_used_makes_a_check_unknown() -> None:
    text = GOOD.replace('lines.all(l, l.startsWith("up"))', "size(lines.grep(lines[0])) == 0")
    finding = judge_check(compiled(text).checks["up"], {"": Record("exec", ("(",), {"exit_code": "0"})}, NOW)
    assert finding.verdict is Verdict.UNKNOWN
    assert "not a regular expression" in finding.summary


# A diagnosis

CRASH = """
runbook: try
diagnoses:
  crash:
    title: Crash
    facts: {log: {log: {}}, ps: {processes: {}}}
    causes:
      - name: always
        when: size(log.lines) > 0
        proof: log.lines[0] + " and more"
        says: "'made up'"
      - name: download
        proof: log.lines.filter(l, l.contains("Download failed"))[0]
        says: "'it could not be downloaded'"
        remedy: Check the network.
      - name: process
        when: ps.running.sshd == false
        proof: "'sshd: not running'"
        says: "'sshd does not run'"
"""


def diagnosed(log: Any, ps: Any = None) -> Diagnosed:
    facts: Mapping[str, Any] = {"log": log, "ps": ps or Unread("no answer")}
    return diagnose(compiled(CRASH).diagnoses["crash"], facts, NOW)


def log(*lines: str, truncated: bool = False) -> Record:
    return Record("log", lines, source="log", at=NOW, truncated=truncated)


def test_a_cause_is_claimed_with_the_line_that_shows_it() -> None:
    claim = diagnosed(log("a", "Download failed: x", "b")).claim
    assert claim is not None
    assert (claim.cause, claim.proof.line, claim.proof.source) == ("download", "Download failed: x", "log")


def test_the_claim_goes_with_its_line_and_with_no_other() -> None:
    record = log("a", "Download failed: x", "b")
    assert diagnosed(record.without("Download failed: x")).claim is None
    for other in ("a", "b"):
        assert diagnosed(record.without(other)).claim == diagnosed(record).claim


def test_a_proof_that_is_no_line_of_a_fact_proves_nothing() -> None:
    found = diagnosed(log("a"))
    assert found.claims == ()
    assert [one.reason for one in found.open if one.cause == "always"] == [
        "its proof is no line of its facts: a and more"
    ]


def test_what_can_not_be_read_leaves_a_cause_open_and_is_named() -> None:
    found = diagnosed(Unread("the API server does not answer"))
    assert found.claim is None
    assert {one.cause for one in found.open} == {"always", "download", "process"}
    assert {why.reason for why in found.unread.values()} == {"the API server does not answer", "no answer"}


def test_nothing_is_ruled_out_by_a_log_that_was_cut() -> None:
    assert "download" in {one.cause for one in diagnosed(log("a", truncated=True)).open}
    assert "download" in {one.cause for one in diagnosed(log("a")).ruled_out}


def test_what_is_absent_is_proven_by_a_line_that_says_so() -> None:
    ps = Record("processes", ("PID COMMAND", "1 x"), {"sshd": "not running"})
    assert [one.cause for one in diagnosed(log(), ps).claims] == ["process"]


def test_a_cause_that_looks_at_too_much_is_open_not_ruled_out() -> None:
    text = CRASH.replace(
        'log.lines.filter(l, l.contains("Download failed"))[0]', 'log.lines.filter(l, l == "zzz")[0]'
    )
    many = log(*(f"line {n}" for n in range(20_000)))
    found = diagnose(compiled(text).diagnoses["crash"], {"log": many, "ps": Unread("no answer")}, NOW)
    reason = next(one.reason for one in found.open if one.cause == "download")
    assert reason == f"log.lines is too long for a loop. {FILTER}"


def test_grep_finds_a_line_in_a_long_log() -> None:
    text = CRASH.replace(
        'log.lines.filter(l, l.contains("Download failed"))[0]', 'log.lines.grep("^Download f.il")[0]'
    )
    many = log(*(f"line {n}" for n in range(19_999)), "Download failed: x")
    claim = diagnose(compiled(text).diagnoses["crash"], {"log": many, "ps": Unread("no answer")}, NOW).claim
    assert claim is not None
    assert claim.proof.line == "Download failed: x"


def test_a_line_that_several_facts_hold_is_cited_from_the_one_that_the_cause_names() -> None:
    text = (
        "runbook: x\ndiagnoses:\n  d:\n    title: D\n"
        "    facts: {a: {secret: {name: one}}, b: {secret: {name: two}}}\n"
        "    causes: [{name: c, when: '!b.exists', proof: \"'exists: false'\", says: \"'x'\"}]\n"
    )
    facts = {name: Record("secret", (), {"exists": "false"}, source=name) for name in ("a", "b")}
    claim = diagnose(compiled(text).diagnoses["d"], facts, NOW).claim
    assert claim is not None
    assert claim.proof.source == "b"


@pytest.mark.parametrize(
    ("symptom", "answers"),
    [("size(log.lines) > 0", True), ("size(log.lines) > 9", False), ("size(ps.lines) > 0", True)],
)
def test_unasked_only_a_diagnosis_answers_whose_symptom_may_be_there(symptom: str, answers: bool) -> None:
    book = compiled(CRASH.replace("title: Crash", f"title: Crash\n    symptom: {symptom}"))
    facts: Mapping[str, Any] = {"log": log("Download failed: x"), "ps": Unread("no answer")}
    found = diagnose(book.diagnoses["crash"], facts, NOW)
    assert found.claim is not None
    assert (answering([found]) is not None) is answers


# Its own tests


def test_a_runbook_s_tests_say_what_differs() -> None:
    text = GOOD + (
        "tests:\n"
        "  - {check: up, given: {exec: 'down'}, then: {verdict: warn}}\n"
        "  - {check: up, given: {exec: 'down'}, then: {verdict: ok}}\n"
        "  - {check: up, given: {exec: unreadable}, then: {verdict: unknown}}\n"
        "  - {check: up, given: {exec: {text: 'up', exit_code: 2}}, then: {verdict: warn}}\n"
    )
    assert [one.wrong for one in trial.run(compiled(text))] == [
        "",
        "verdict is 'warn', expected 'ok'",
        "",
        "",
    ]
