"""User-supplied patterns are searched in linear time, and what RE2 lacks is refused with an explanation."""

from __future__ import annotations

import pytest

from bot.domain.core.pattern import pattern
from bot.domain.core.target import HANDBOOK_HEARTBEATS, ContainerTarget, ProcessRule


@pytest.mark.parametrize("text", ["^(a+)+$", "^(a|aa)+$", "(.*a){12}", r"^(\w+\s?)*$", "(a?){30}a{30}"])
def test_patterns_with_catastrophic_backtracking_are_fast(text: str) -> None:
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
def test_unsupported_patterns_are_refused_with_an_explanation(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression|supported") as caught:
        pattern(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["\ud800", "x\x00y", "", "\U0010ffff"])
def test_every_text_can_be_searched(text: str) -> None:
    assert pattern("x*").found(text)


def test_case_can_be_ignored() -> None:
    assert pattern("error", ignore_case=True).found("ERROR")
    assert not pattern("error").found("ERROR")


def test_the_default_rules_work() -> None:
    assert [
        p.name for p in ContainerTarget().processes if not pattern(p.match).found(f"/usr/bin/{p.name} -x")
    ] == []
    assert HANDBOOK_HEARTBEATS


@pytest.mark.parametrize("name", ["a.b", "c++", "my-app", "x[1]", "ü", "a b", "$x"])
def test_a_bare_name_is_searched_literally(name: str) -> None:
    rule = ProcessRule.named(name)
    assert rule.is_bare
    assert pattern(rule.match).found(f"/opt/{name}")
