"""What lint refuses besides wrong expressions: names of facts, resources, tests; and all of it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.adapters.cel import CelExpressions
from bot.domain.runbook.facts.object import CLUSTER_WIDE
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.loader import load
from tests.runbook.test_declared import compiled

CHECK = {"title": "C", "exec": {"command": ["x"]}, "expect": "lines.size() > 0"}
DIAGNOSIS = {
    "title": "D",
    "facts": {"log": {"log": {}}, "ps": {"processes": {"expect": {"sshd": "sshd"}}}},
    "causes": [{"name": "bad", "proof": "log.lines[0]", "says": "'bad'"}],
}
BOOK = {"runbook": "r", "checks": {"c": CHECK}, "diagnoses": {"d": DIAGNOSIS}}


def problems(**more: Any) -> str:
    return compiled(yaml.safe_dump({**BOOK, **more}, sort_keys=False))[1]


def of_test(**test: Any) -> str:
    return problems(tests=[{"check": "c", "given": {"exec": "x"}, "then": {"verdict": "ok"}} | test])


def test_the_book_is_right() -> None:
    assert problems() == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"exce": "x"}, "given.exce: there is no fact 'exce'; did you mean 'exec'?"),
        ({"exec": None}, "given.exec: it is empty: write '' where nothing was printed"),
        ({"exec": ["x"]}, "given.exec: a fact is its text, or {text: …} with what came with it, and this is"),
        (
            {"exec": "Unreadable"},
            "exec: it would be the fact's text: write unreadable where it can't be",
        ),
        ({"exec": {}}, "given.exec: it is empty; it takes text, truncated, exit_code, stderr"),
        ({"exec": {"txt": "x"}}, "given.exec.txt: nothing called 'txt' comes with exec; did you mean 'text'?"),
        (
            {"exec": {"text": "x", "exit_code": "one"}},
            "exit_code: it takes a whole number, and this is 'one'",
        ),
        ({"exec": {"text": ["x"]}}, "given.exec.text: it takes a text, and this is ['x']"),
        ({"exec": {"text": None}}, "given.exec.text: it takes a text, and this is None"),
        ({"exec": {"text": "x", "truncated": "maybe"}}, "truncated: it takes true or false, and this is 'maybe'"),
    ],
)
def test_what_is_given_is_checked(given: dict[str, Any], said: str) -> None:
    assert said in of_test(given=given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"exec": "unreadable"},
        {"exec": ""},
        {"exec": 5},
        {"exec": {"text": "", "exit_code": 3, "stderr": "x", "truncated": True}},
    ],
)
def test_what_may_be_given_is_taken(given: dict[str, Any]) -> None:
    assert of_test(given=given) == ""


def test_expected_processes_come_with_their_fact() -> None:
    test = {"diagnosis": "d", "given": {"ps": {"text": "x", "sshd": "not running"}}, "then": {"cause": "unknown"}}
    assert problems(tests=[test]) == ""
    test["given"] = {"ps": {"text": "x", "cron": "not running"}}
    assert "nothing called 'cron' comes with processes" in problems(tests=[test])


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ({}, "then: it says nothing of what must come out; known: verdict, says, severity"),
        ({"verdikt": "ok"}, "then.verdikt: a check has no 'verdikt'; did you mean 'verdict'?"),
        ({"verdict": "fine"}, "then.verdict: 'fine' can't come out; did you mean 'fail'?"),
        ({"verdict": ["ok"]}, "then.verdict: it takes a text, and this is ['ok']"),
        ({"severity": "bad"}, "then.severity: 'bad' can't come out"),
    ],
)
def test_what_must_come_out_is_checked(then: dict[str, Any], said: str) -> None:
    assert said in of_test(then=then)


def test_a_cause_that_is_not_in_the_diagnosis_can_not_come_out() -> None:
    test = {"diagnosis": "d", "given": {"log": "x"}, "then": {"cause": "bda"}}
    assert "then.cause: 'bda' can't come out; did you mean 'bad'?" in problems(tests=[test])


@pytest.mark.parametrize("name", ["x y", "", "in", "now", "param", "a-b", "9a", "int", "Ä", "a.b", "null"])
def test_a_fact_has_a_name_that_expressions_can_use(name: str) -> None:
    entry = {"title": "C", "facts": {name: {"exec": {"command": ["x"]}}}, "expect": "true"}
    said = problems(checks={"c": entry})
    assert "a fact's name has letters, digits and _" in said or f"no fact can be called {name!r}" in said


@pytest.mark.parametrize("name", ["a", "A_b9", "_x", "lines", "log", "size", "timestamp", "duration", "has"])
def test_any_other_name_is_one_that_expressions_can_use(name: str) -> None:
    facts = {name: {"exec": {"command": ["x"]}}, "other": {"exec": {"command": ["y"]}}}
    entry = {"title": "C", "facts": facts, "expect": f"{name}.lines.size() > 0 && other.exit_code == 0"}
    assert problems(checks={"c": entry}) == ""


@pytest.mark.parametrize(("group", "resource"), [(g, r) for g, found in CLUSTER_WIDE.items() for r in found])
def test_a_resource_without_a_namespace_is_refused(group: str, resource: str) -> None:
    entry = {"title": "C", "kubernetes": {"resource": resource, "group": group}, "expect": "exists"}
    assert f"{resource} are in no namespace, and the bot has rights only within some" in problems(
        checks={"c": entry}
    )


def test_all_problems_are_reported_at_once() -> None:
    said = problems(
        checks={
            "c": {**CHECK, "needs": ["nothere"], "fails": {"offer": "rset"}},
            "broken": {"title": "B"},
            "other": {"title": "O", "check": {"name": "missing"}, "expect": "verdict == 'ok'"},
        },
        commands={"nope": {"disabled": True}},
        repairs={
            "fix": {
                "summary": "Fix it",
                "steps": [{"exec": {"command": ["x"]}}],
                "verify": {"check": "gone"},
                "impact": ["lost"],
            }
        },
        tests=[
            {"check": "e", "given": {}, "then": {"verdict": "ok"}},
            {"repair": "broken", "given": {}, "then": {"allowed": "maybe"}},
        ],
    )
    for one in (
        "checks.broken: it reads no fact",
        "checks.c.needs: there is no check 'nothere'",
        "checks.c.fails.offer: there is no repair 'rset'; did you mean 'restart'?",
        "checks.other.facts.: there is no check 'missing'",
        "commands.nope: there is nothing of this name to disable",
        "repairs.fix.verify.check: there is no check 'gone'",
        "repairs.fix.impact: there is no impact 'lost'",
        "tests.0.check: there is no check 'e'",
        "tests.1.repair: there is no repair 'broken'",
        "tests.1.then.allowed: 'maybe' can't come out",
    ):
        assert one in said, said


def test_an_entry_with_a_problem_is_not_missing() -> None:
    said = problems(
        checks={"c": {**CHECK, "needs": ["broken"]}, "broken": {"title": "B"}},
        tests=[{"check": "broken", "given": {}, "then": {"verdict": "ok"}}],
    )
    assert "there is no check" not in said


def test_what_a_file_may_have_that_can_not_be_read_is_not_missing(tmp_path: Path) -> None:
    book = {
        **BOOK,
        "extends": ["not-there.yaml"],
        "checks": {"c": {**CHECK, "needs": ["theirs"]}},
        "commands": {"nope": {"disabled": True}},
    }
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(book), "utf-8")
    found, said = compile_runbook(load(str(tmp_path / "own.yaml")), CelExpressions())
    assert found is None
    assert [one.place for one in said] == ["extends"]
