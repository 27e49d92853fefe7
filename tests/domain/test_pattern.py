"""Patterns that somebody wrote are searched in linear time, and what RE2 lacks is refused in words."""

from __future__ import annotations

import pytest

from bot.domain.core.pattern import pattern
from bot.domain.core.target import HANDBOOK_HEARTBEATS, ContainerTarget, ProcessRule


@pytest.mark.parametrize("text", ["^(a+)+$", "^(a|aa)+$", "(.*a){12}", r"^(\w+\s?)*$", "(a?){30}a{30}"])
def test_patterns_that_would_take_for_ever_do_not(text: str) -> None:
    assert not pattern(text).found("a" * 28 + "!" if text.endswith("$") else "b" * 5_000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(?=x)", "look-ahead"),
        ("(?<!x)y", "look-behind"),
        ("(?>a)", "linear time"),
        (r"(a)\1", "back-references"),
        (r"(?P<n>a)(?P=n)", "not supported"),
        ("(a{1000}){1000}", "up to 1,000"),
        ("(", "missing )"),
        ("[z-a]", "range"),
        ("a**", "repetition"),
        (r"x\Z", r"'\\Z'"),
        ("\ud800", "half a character"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression|supported") as caught:
        pattern(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["\ud800", "x\x00y", "", "\U0010ffff"])
def test_every_text_can_be_searched(text: str) -> None:
    assert pattern("x*").found(text)


def test_case_can_be_ignored() -> None:
    assert pattern("error", ignore_case=True).found("ERROR")
    assert not pattern("error").found("ERROR")


def test_the_rules_that_are_there_by_default_work() -> None:
    assert [
        p.name for p in ContainerTarget().processes if not pattern(p.match).found(f"/usr/bin/{p.name} -x")
    ] == []
    assert HANDBOOK_HEARTBEATS


@pytest.mark.parametrize("name", ["a.b", "c++", "my-app", "x[1]", "ü", "a b", "$x"])
def test_a_bare_name_is_searched_as_it_is_written(name: str) -> None:
    rule = ProcessRule.named(name)
    assert rule.is_bare
    assert pattern(rule.match).found(f"/opt/{name}")
