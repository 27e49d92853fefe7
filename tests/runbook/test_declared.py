"""Commands that a runbook declares: what is refused at start, and which values a parameter takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.cel import CelExpressions
from bot.domain.runbook.facts.exec import KIND, Exec
from bot.domain.runbook.kind import FactUse
from bot.domain.runbook.param import Param, filled
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.runbook.file.several_targets import clashes

TAKEN = {"logs", "secrets set", "can-i"}


def compiled(text: str, file: str = "try.yaml") -> tuple[CompiledRunbook | None, str]:
    book, problems = compile_runbook(read(text, file), CelExpressions(), TAKEN, {"services"})
    return book, "\n".join(map(str, problems))


def command(params: str, words: str = "[x, '{p}']", name: str = "c") -> str:
    return (
        f"runbook: t\ncommands:\n  {name}:\n    summary: S\n    exec: {{command: {words}}}\n    params: {params}\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (command("{}", name="logs"), "line 3, commands.logs: the bot has a command 'logs' of its own"),
        (command("{}", name="secrets"), "commands.secrets: the bot has a command"),
        (command("{p: {}}"), "line 6, commands.c.params.p: a parameter takes one of one_of, pattern, integer"),
        (command("{p: {one_of: [a], pattern: b}}"), "and it has one_of and pattern"),
        (command("{p: {patern: b}}"), "commands.c.params.p.patern: there is no setting 'patern'; did you mean 'p"),
        (command("{p: {pattern: '(['}}"), "not a regular expression"),
        (command("{p: {pattern: '(?=a)'}}"), "look-ahead"),
        (command("{p: {integer: [5, 1]}}"), "the least is more than the most"),
        (command("{p: {integer: 5}}"), "commands.c.params.p.integer"),
        (command("{p: {duration: [soon, 1d]}}"), "write 30s, 10m, 3h, 1h30m or 2d"),
        (command("{p: {duration: [2h, 1h]}}"), "the least is more than the most"),
        (
            command("{p: {one_of: [a], default: b}}"),
            "the default is not taken: 'b' is not taken; it takes one of a",
        ),
        (command("{p: {pattern: '.+', default: -a}}"), "the default is not taken: it begins with a dash"),
        (command("{p: {pattern: 'a)|(?:b'}}"), "commands.c.params.p: not a regular expression"),
        (command("{p: {pattern: 'a|b)(?:'}}"), "commands.c.params.p: not a regular expression"),
        (command("{p: {pattern: 'a\\'}}"), "commands.c.params.p: not a regular expression"),
        (command("{p: {pattern: '\\Qa'}}"), "commands.c.params.p: not a regular expression"),
        (command("{p: {one_of: a}}"), "commands.c.params.p.one_of: it takes a list"),
        (command("{p: {one_of: [a, 1]}}"), "commands.c.params.p.one_of.1: it takes text"),
        (command("{q: {one_of: [a]}}"), "commands.c.params.q: no word of the command has a slot {q}; known: p"),
        (command("{pid: {one_of: [a]}}", "[x, '{pit}']"), "has a slot {pid}; did you mean 'pit'?"),
        (command("{p: {one_of: [a]}}", "['{p}']"), "a parameter can't be the program that runs"),
        (command("{target: {one_of: [a]}}", "[x, '{target}']"), "a parameter can't be called 'target'"),
        (command("{id: {one_of: [a]}}", "[x, '{id}']"), "a parameter can't be called 'id'"),
        (command("{p: {listed: {exce: {command: [ls]}}}}"), "commands.c.params.p"),
        (
            "runbook: t\ncommands:\n  c:\n    summary: S\n    log: {}\n    params: {p: {one_of: [a]}}\n",
            "parameters fill words of exec's command, and this reads log",
        ),
        (
            "runbook: t\nchecks:\n  services: {title: A, exec: {command: [x]}, expect: 'true'}\n",
            "line 3, checks.services: the bot has a check 'services' of its own",
        ),
        ("runbook: t\ncommands:\n  c:\n    summary: S\n    check: {name: nope}\n", "there is no check 'nope'"),
        (
            "runbook: t\ndiagnoses:\n  d:\n    title: T\n    facts: {pod: {pod: {}}}\n    causes:\n"
            "      - {name: a, proof: 'pod.lines[0]', says: '\"A\"', same_as: service}\n",
            "line 7, diagnoses.d.causes.0.same_as: `status` has no check 'service'; did you mean 'services'?",
        ),
    ],
)
def test_a_mistake_in_a_command_is_named_with_its_line(text: str, said: str) -> None:
    book, problems = compiled(text)
    assert book is None
    assert said in problems
    assert problems.startswith("try.yaml line ")


def test_braces_of_no_parameter_are_literal() -> None:
    book, problems = compiled(command("{p: {one_of: [a]}}", "[awk, '{print}', '{p}']"))
    assert problems == ""
    assert book is not None
    assert book.lines["c"] == ("try.yaml", 3)


NUMBER: dict[str, Any] = {"integer": (-5, 500)}
LISTED: dict[str, Any] = {"listed": FactUse(KIND, Exec(command=("ls",)))}


@pytest.mark.parametrize(
    ("param", "text", "result"),
    [
        ({"one_of": ("a", "b")}, "a", "a"),
        ({"one_of": ("a", "b")}, "A", None),
        ({"pattern": "[a-z]+"}, "abc", "abc"),
        ({"pattern": "[a-z]+"}, "abc; rm", None),
        ({"pattern": "a|b"}, "ab", None),
        ({"pattern": "(?s).*"}, "a\nb", None),
        ({"pattern": ".*"}, "a\x00b", None),
        ({"pattern": ".*"}, "\u202eabc", None),
        ({"pattern": ".*"}, "", None),
        ({"pattern": ".*"}, "-rf", None),
        ({"pattern": ".*", "leading_dash": True}, "-rf", "-rf"),
        ({"pattern": ".*"}, "x" * 200, "x" * 200),
        ({"pattern": ".*"}, "x" * 201, None),
        ({"pattern": ".*"}, "'; $(reboot) `x` \" & | >", "'; $(reboot) `x` \" & | >"),
        ({"pattern": "[a-z]+"}, "<@U1>", None),
        (NUMBER, "0500", "500"),
        (NUMBER, "501", None),
        (NUMBER, "+7", "7"),
        (NUMBER, "-5", "-5"),
        (NUMBER, "-6", None),
        ({"integer": (0, 9)}, "-5", None),
        ({"integer": (0, 9)}, "-0", None),
        ({"one_of": ("-a", "--all")}, "--all", "--all"),
        ({"one_of": ("-a", "--all")}, "-b", None),
        (LISTED, "-rf", None),
        (NUMBER, "5.0", None),
        (NUMBER, "٣", None),
        (NUMBER, "9" * 100, None),
        ({"duration": ("1s", "1d")}, "1h30m", "1h30m"),
        ({"duration": ("1s", "1d")}, "2d", None),
        ({"duration": ("1s", "1d")}, "999999d999999d999999d", None),
        ({"duration": ("1s", "1d")}, "soon", None),
        ({"duration": ("1s", "1d")}, " 5s", None),
        (LISTED, "anything", "anything"),
    ],
)
def test_a_parameter_takes_what_it_declares_and_nothing_else(param: Any, text: str, result: str | None) -> None:
    if result is None:
        with pytest.raises(ValueError, match=r"it |take"):
            Param(**param).accepted(text)
    else:
        assert Param(**param).accepted(text) == result


def test_a_value_fills_its_slot_and_is_not_searched_for_slots() -> None:
    words = ("find", "{dir}", "-name", "*.{kind}", "{print}")
    assert filled(words, {"dir": "{kind}", "kind": "{dir} x"}) == (
        "find",
        "{kind}",
        "-name",
        "*.{dir} x",
        "{print}",
    )


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_value_never_makes_another_word(first: str, second: str) -> None:
    words = filled(("run", "{a}", "--x={b}"), {"a": first, "b": second})
    assert words == ("run", first, f"--x={second}")


def test_targets_may_have_a_command_of_one_name_only_with_the_same_parameters() -> None:
    one, _ = compiled(command("{p: {one_of: [a]}}"), "one.yaml")
    same, _ = compiled(command("{p: {one_of: [a]}}", "[other, '{p}']"), "same.yaml")
    two, _ = compiled(command("{p: {one_of: [b]}}"), "two.yaml")
    assert one is not None
    assert two is not None
    assert same is not None
    assert clashes({"a": one, "b": same}) == []
    [problem] = clashes({"a": one, "b": two, "c": two})
    assert str(problem).startswith(
        "two.yaml line 3, commands.c: the runbook of target a has another command of this name (one.yaml line 3)"
    )
