"""No fact holds up the bot: a loop sees a bounded part of it, and what passes over the rest is unknown."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bot.domain.core.probes import Finding, Verdict
from bot.domain.runbook.bounded_values import LOOP, NESTED, TEXT, bounded_value
from bot.domain.runbook.expression import looped, loops, receiver
from bot.domain.runbook.record import Record
from bot.runbook.file.judge import FILTER, diagnose, judge_check
from tests.runbook.test_failed_facts import NOW, compiled

HOSTILE = tuple("a" * 94 + f"{number:06d}" for number in range(10_000))
LONG = tuple("a" * 8_000 + f"{number:06d}" for number in range(1_000))


def judged(expect: str, a: tuple[str, ...], b: tuple[str, ...] = ()) -> Finding:
    facts = {name: {"exec": {"command": [name]}} for name in ("a", "b")}
    book = compiled({"checks": {"c": {"title": "C", "expect": expect, "facts": facts, "status": True}}})
    given = {name: Record("exec", lines, {"exit_code": "0"}) for name, lines in (("a", a), ("b", b))}
    return judge_check(book.checks["c"], given, NOW)


WORST = [
    "a.lines.filter(l, l != '').size() > 0",
    "a.lines.map(l, l.split(' ')[0]).size() > 0",
    "a.lines.all(l, !l.matches('(a|b)*[0-9]{1,40}c$'))",
    "!a.lines.exists(l, b.lines.exists(m, l == m + 'x'))",
    "!a.lines.exists(l, b.lines.exists(m, l.contains(m.substring(0, m.size() / 2) + 'b')))",
    "!a.lines.exists(l, b.lines.filter(m, m != l).size() == 0)",
    "!a.lines.exists(l, b.lines.exists(m, l.matches('(a|b)*[0-9]{1,40}c$')))",
    "!a.lines.exists(l, b.stdout.contains(l + 'x'))",
]


@pytest.mark.parametrize("expect", WORST)
@pytest.mark.parametrize("lines", [HOSTILE, LONG], ids=["many", "long"])
def test_a_hostile_fact_does_not_hold_up_the_bot(expect: str, lines: tuple[str, ...]) -> None:
    judged(expect, ("x",), ("y",))  # loads the engine
    began = time.process_time()
    finding = judged(expect, lines, lines)
    assert time.process_time() - began < 1.0  # about 0.1; without the bounds two to ten seconds
    assert finding.verdict is Verdict.UNKNOWN


def test_what_a_loop_passes_over_is_unknown_with_the_remedy() -> None:
    finding = judged("a.lines.all(l, l.startsWith('a'))", HOSTILE)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.summary == "it can't be judged: a.lines is too long for a loop"
    assert finding.remedy == FILTER


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [
        ("a.lines.all(l, l.endsWith('9'))", Verdict.FAIL),
        ("a.lines.grep('009999$').size() == 1", Verdict.OK),
        ("a.lines[9999].endsWith('9') && a.lines.size() == 10000", Verdict.OK),
        ("a.stdout.endsWith('009999')", Verdict.OK),
        ("a.exit_code == 0 && ['x'].all(w, w == 'x')", Verdict.OK),
    ],
)
def test_what_is_certain_all_the_same_is_judged(expect: str, verdict: Verdict) -> None:
    assert judged(expect, HOSTILE).verdict is verdict


def test_a_cause_that_a_loop_may_have_missed_stays_open() -> None:
    cause = {"name": "c", "proof": "log.lines.filter(l, l == 'no')[0]", "says": "'No'"}
    book = compiled({"diagnoses": {"d": {"title": "D", "facts": {"log": {"log": {}}}, "causes": [cause]}}})
    found = diagnose(book.diagnoses["d"], {"log": Record("log", HOSTILE)}, NOW)
    assert [one.reason for one in found.open] == [f"log.lines is too long for a loop. {FILTER}"]


@pytest.mark.parametrize(
    ("value", "depth", "kept"),
    [
        (["a"] * 3_000, 0, 3_000),
        (["a"] * 3_000, 1, LOOP.elements),
        (["a"] * 3_000, 2, NESTED.elements),
        (["a" * 8_192] * 900, 1, LOOP.characters // 8_192),
        ([{"a": 1}] * 3_000, 1, LOOP.elements),
        ("a" * 100_000, 1, TEXT),
        ("a" * 100_000, 0, 100_000),
    ],
)
def test_values_are_cut_by_the_depth_of_the_loops(value: Any, depth: int, kept: int) -> None:
    bounded = bounded_value(value, depth)
    assert (len(bounded.value), bounded.cut) == (kept, kept < len(value))


def test_a_map_is_cut_where_a_loop_runs_over_it_and_so_are_the_lists_in_it() -> None:
    names = {f"metric_{number}": [{"value": 1.0}] for number in range(3_000)}
    assert bounded_value(names, 1, looped=False).value == names
    assert len(bounded_value(names, 1).value) == LOOP.elements
    assert len(bounded_value({"a": [1] * 3_000}, 1, looped=False).value["a"]) == LOOP.elements
    assert bounded_value([[0] * 1_000] * 900, 0).cut


@pytest.mark.parametrize(
    ("source", "depth"),
    [
        ("lines.size() > 0", 0),
        ("lines.grep('a.all(b, c')[0] == ')'", 0),
        ("lines.filter(l, l == '').map(l, l + 'x')", 1),
        ("lines.all(l, (l == 'a') || [1].exists(n, n == 1))", 2),
        ("lines.all(l, names.grep(l).size() == 0)", 2),
        ("a.all(x, x == 1) && b . exists (y, y == 2)", 1),
    ],
)
def test_the_depth_of_loops(source: str, depth: int) -> None:
    assert loops(source) == depth


def test_what_a_loop_runs_over() -> None:
    assert receiver("lines\n  .filter(x, x)\n .all(x, x)", 23) == "lines .filter(x, x)"
    source = "(a.b + c).filter(x, x in [')']).all(x, x == d['(']) && states.all(k, true)"
    assert receiver(source, source.index(".all")) == "(a.b + c).filter(x, x in [')'])"
    assert looped(source, "states")
    assert not looped(source, "c")
