"""A condition that is true only because a list is empty is unknown, unless it says what empty means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Verdict
from bot.runbook.file import trial
from bot.runbook.file.judge import diagnose
from bot.runbook.file.judge_repair import judge_condition
from tests.runbook.test_failed_facts import NOW, compiled, judged

PRINTS = {"exec": {"command": ["list"]}}
METRICS = {"metrics": {"url": "http://localhost/metrics"}}
POLICIES = {"kubernetes": {"resource": "ciliumnetworkpolicies", "group": "cilium.io", "version": "v2"}}
NONE_OF_THEM: list[tuple[Mapping[str, Any], str, Any, str]] = [
    (PRINTS, "lines.all(l, l == 'up')", "", "lines"),
    (PRINTS, "!lines.exists(l, l == 'down')", "", "lines"),
    (PRINTS, "exit_code == 0 && lines\n  .all (l, l == 'up')", "", "lines"),
    (PRINTS, "lines.filter(l, l != 'a, (\\'').all(l, size(l) > 3)", "", "lines.filter(l, l != 'a, (\\'')"),
    (PRINTS, "lines.grep('job').all(l, l.contains('ok'))", "other\n", "lines.grep('job')"),
    (PRINTS, "lines.exists(l, !l.split(' ').filter(w, w == 'x').exists(w, w == 'y'))", "a\n", "l.split(' ')"),
    (METRICS, "samples.filter(s, s.name == 'errors').all(s, s.value < 5.0)", "up 1\n", "samples.filter("),
    (METRICS, "sum(samples.filter(s, s.name == 'errors').map(s, s.value)) < 5.0", "up 1\n", "the list that sum()"),
    (POLICIES, "exists && objects.all(o, o.valid)", {"text": "items: []\n", "exists": "true"}, "objects"),
]


@pytest.mark.parametrize(("fact", "expect", "given", "empty"), NONE_OF_THEM)
def test_a_check_with_nothing_to_judge_is_unknown(
    fact: Mapping[str, Any], expect: str, given: Any, empty: str
) -> None:
    finding = judged(fact, expect, given)
    assert finding.verdict is Verdict.UNKNOWN
    assert f"nothing to judge: {empty}" in finding.summary


@pytest.mark.parametrize(
    ("expect", "given", "verdict"),
    [
        ("size(lines) == 0 || lines.all(l, l == 'up')", "", Verdict.OK),
        ("lines.all(l, l == 'up') || lines.size() == 0", "", Verdict.OK),
        ("size(lines) > 0 && lines.all(l, l == 'up')", "", Verdict.FAIL),
        ("lines.grep('ERROR').size() == 0", "", Verdict.OK),
        ("lines.filter(l, l.matches('ERROR')) == []", "", Verdict.OK),
        ("lines.exists(l, l == 'up')", "", Verdict.FAIL),
        ("exit_code == 0 || lines.all(l, l == 'up')", "", Verdict.OK),
        ("['a', 'b'].all(w, lines.exists(l, l == w))", "a\nb\n", Verdict.OK),
        ("lines.all(l, l.matches('^.all\\\\(x') || l != '.exists(')", "up\n", Verdict.OK),
        ("lines.all(l, l == 'up')", "up\n", Verdict.OK),
        ("!lines.exists(l, l == 'down')", "up\n", Verdict.OK),
        ("!lines.exists(l, l == 'down')", "down\n", Verdict.FAIL),
    ],
)
def test_what_does_not_depend_on_an_empty_list_is_judged(expect: str, given: str, verdict: Verdict) -> None:
    assert judged(PRINTS, expect, given).verdict is verdict


def test_a_cause_whose_condition_had_nothing_to_judge_stays_open() -> None:
    cause = {
        "name": "c",
        "when": "!jobs.lines.exists(l, l == 'up')",
        "proof": "ps.lines[0]",
        "says": "'It is down'",
    }
    facts = {"jobs": PRINTS, "ps": {"exec": {"command": ["ps"]}}}
    book = compiled({"diagnoses": {"d": {"title": "D", "facts": facts, "causes": [cause]}}})
    read = trial.facts_of(book.diagnoses["d"].facts, {"jobs": "", "ps": "sleep\n"})
    assert not isinstance(read, str)
    found = diagnose(book.diagnoses["d"], read, NOW)
    assert (found.claim, found.ruled_out) == (None, ())
    assert [one.reason for one in found.open] == ["nothing to judge: jobs.lines is empty"]


def test_a_repair_whose_condition_had_nothing_to_judge_is_refused() -> None:
    repair = {
        "summary": "Restart the queue",
        "facts": {"jobs": PRINTS},
        "only_if": "jobs.lines.all(l, l == 'idle')",
        "steps": [{"exec": {"container": "kali", "command": ["restart-queue"]}}],
        "verify": {"check": "v"},
    }
    check = {"title": "V", "expect": "exit_code == 0", "status": True, **PRINTS}
    book = compiled({"checks": {"v": check}, "repairs": {"r": repair}})
    for given, holds in (("idle\n", True), ("busy\n", False), ("", None)):
        read = trial.facts_of(book.repairs["r"].entry.facts, {"jobs": given})
        assert not isinstance(read, str)
        condition = judge_condition(book.repairs["r"], read, {}, NOW)
        assert condition.holds is holds
    assert condition.why == "its condition can't be judged: nothing to judge: jobs.lines is empty"


def test_a_sum_of_nothing_has_no_value_in_a_text_either() -> None:
    engine = CelExpressions().compile("string(sum(lines.map(l, double(l))))", {"lines": "list(string)"}, "string")
    assert engine.evaluate({"lines": ["1.5", "2"]}) == "3.5"
    with pytest.raises(Exception, match=r"nothing to judge: the list that sum\(\) adds up is empty"):
        engine.evaluate({"lines": []})
