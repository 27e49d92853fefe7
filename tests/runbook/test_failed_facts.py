"""Unknown is never healthy: what failed, is absent or was cut says nothing, unless an expression asks that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Finding, Verdict
from bot.domain.runbook.record import MAX_LINE, bounded
from bot.runbook.file import trial
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.judge import Diagnosed, diagnose, judge_check
from bot.runbook.file.loader import read

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXEC = {"exec": {"command": ["dbcheck", "--all"]}}
FAILED = {"text": "", "exit_code": 1, "stderr": "FATAL: could not connect"}
WHY = "dbcheck ended with exit code 1: FATAL: could not connect"


def compiled(book: Mapping[str, Any]) -> CompiledRunbook:
    made, problems = compile_runbook(read(yaml.safe_dump({"runbook": "t", **book}), "t.yaml"), CelExpressions())
    assert made is not None, "\n".join(map(str, problems))
    return made


def judged(fact: Mapping[str, Any], expect: str, given: Any) -> Finding:
    check = compiled({"checks": {"c": {"title": "C", "expect": expect, "status": True, **fact}}}).checks["c"]
    facts = trial.facts_of(check.entry.facts, {"facts" if "facts" in fact else next(iter(fact)): given})
    assert not isinstance(facts, str), facts
    return judge_check(check, facts, NOW)


@pytest.mark.parametrize(
    "expect",
    [
        "!stdout.contains('ERROR')",
        "lines.all(l, !l.contains('ERROR'))",
        "stderr == '' || lines.size() == 0",
        "!stdout.contains('exit_code')",
        "stdout == r'\\d' || lines.all(l, l != \"'exit_code\")",
        "lines.size() == 0 // whatever the exit_code",
        "'''exit_code''' != stdout",
        "stdout != 'it\\'s exit_code'",
    ],
)
def test_a_check_of_a_command_that_failed_is_unknown_with_the_reason(expect: str) -> None:
    assert judged(EXEC, expect, {"text": "all good"}).verdict is Verdict.OK or "size" in expect
    finding = judged(EXEC, expect, FAILED)
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, WHY)


def test_it_is_unknown_also_where_the_expression_would_fail() -> None:
    finding = judged(EXEC, "lines.size() > 0", FAILED)
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, WHY)


@pytest.mark.parametrize(
    ("fact", "expect", "verdict"),
    [
        (EXEC, "exit_code == 0", Verdict.FAIL),
        (EXEC, "exit_code in [0, 1] && stdout == ''", Verdict.OK),
        ({"exec": {"command": ["grep", "x"], "ok": [0, 1]}}, "lines.size() == 0", Verdict.OK),
        ({"exec": {"command": ["grep", "x"], "ok": [0, 2]}}, "lines.size() == 0", Verdict.UNKNOWN),
    ],
)
def test_an_expression_with_the_exit_code_and_one_that_is_declared_are_judged(
    fact: Mapping[str, Any], expect: str, verdict: Verdict
) -> None:
    assert judged(fact, expect, FAILED).verdict is verdict


def test_the_exit_code_of_another_fact_does_not_count() -> None:
    book = compiled(
        {
            "checks": {
                "c": {
                    "title": "C",
                    "facts": {"a": EXEC, "b": EXEC},
                    "expect": "a.exit_code == 0 && b.stdout == ''",
                }
            }
        }
    )
    facts = trial.facts_of(book.checks["c"].entry.facts, {"a": "", "b": FAILED})
    assert not isinstance(facts, str)
    finding = judge_check(book.checks["c"], facts, NOW)
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, WHY)


@pytest.mark.parametrize(
    ("fact", "expect", "given", "why"),
    [
        (
            {"http": {"url": "http://x/health"}},
            "!body.contains('ERROR')",
            {"text": "upstream connect failure", "status": 503},
            "http://x/health answered with status 503",
        ),
        (
            {"metrics": {"url": "http://x/metrics"}},
            "metric['errors'] < 5.0",
            {"text": "errors 0", "status": 500},
            "http://x/metrics answered with status 500",
        ),
        (
            {"secret": {"name": "keys"}},
            "!('root' in keys)",
            {"text": "", "exists": False},
            "there is no Secret keys",
        ),
        (
            {"service": {"name": "web"}},
            "!waiting && !unserved",
            {"text": "", "exists": False},
            "there is no Service web",
        ),
        (
            {"kubernetes": {"resource": "deployments", "group": "apps", "name": "web"}},
            "!lines.exists(l, l.endsWith('False')) && objects.all(o, has(o.status))",
            {"text": "", "exists": False, "found": "no deployments web"},
            "there is no deployments web",
        ),
        (
            {"kubernetes": {"resource": "pods", "selector": "app=web"}},
            "lines.all(l, !l.endsWith('False'))",
            {"text": "", "exists": False, "found": "no pods with app=web in x"},
            "there is no pods with app=web in x",
        ),
        (
            {"tcp": {"host": "x", "port": 22}},
            "!banner.contains('OpenSSH_7')",
            {"text": "", "connected": False, "error": "refused"},
            "x:22: refused",
        ),
        (
            {"processes": {}},
            "processes.all(p, !p.defunct)",
            {"text": "PID USER COMMAND\n1 root init\n", "exit_code": 1},
            "the list of processes ended with exit code 1",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and len(value) == 1 else "",
)
def test_what_is_absent_or_an_error_is_unknown(
    fact: Mapping[str, Any], expect: str, given: Mapping[str, Any], why: str
) -> None:
    finding = judged(fact, expect, given)
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, why)


@pytest.mark.parametrize(
    ("fact", "expect", "given"),
    [
        ({"http": {"url": "http://x/"}}, "status == 503 && body != ''", {"text": "busy", "status": 503}),
        ({"http": {"url": "http://x/"}}, "body == ''", {"text": "", "status": 204}),
        ({"secret": {"name": "keys"}}, "!exists", {"text": "", "exists": False}),
        ({"service": {"name": "web"}}, "!exists || ready.size() > 0", {"text": "", "exists": False}),
        (
            {"kubernetes": {"resource": "pods", "name": "x"}},
            "absent.size() > 0",
            {"text": "", "exists": False, "found": "no pods x"},
        ),
        (
            {"kubernetes": {"resource": "pods"}},
            "objects.size() == 0",
            {"text": "", "exists": False, "found": "no pods in x"},
        ),
        ({"tcp": {"host": "x", "port": 1}}, "!connected", {"text": "", "connected": False, "error": "refused"}),
    ],
)
def test_an_expression_that_looks_at_just_that_is_judged(
    fact: Mapping[str, Any], expect: str, given: Mapping[str, Any]
) -> None:
    assert judged(fact, expect, given).verdict is Verdict.OK


# A line that was cut


def test_a_line_of_usual_length_is_whole() -> None:
    line = "x" * 2_494 + " ERROR"
    assert bounded((line,)) == ((line,), False)
    assert judged(EXEC, "lines.all(l, !l.contains('ERROR'))", line).verdict is Verdict.FAIL


def test_an_expression_that_passes_over_a_cut_line_is_unknown() -> None:
    line = "x" * MAX_LINE + " ERROR"
    assert bounded((line,)) == ((line[:MAX_LINE],), True)
    finding = judged(EXEC, "lines.all(l, !l.contains('ERROR'))", line)
    assert (finding.verdict, finding.summary) == (
        Verdict.UNKNOWN,
        "it can't be judged: there was more output than is read",
    )
    assert judged(EXEC, "lines.all(l, !l.contains('xx'))", line).verdict is Verdict.FAIL


# Causes and symptoms

TREE = {
    "diagnoses": {
        "d": {
            "title": "D",
            "facts": {"db": EXEC, "log": {"log": {}}},
            "symptom": "db.lines.size() == 9",
            "causes": [
                {"name": "down", "when": "db.stdout == ''", "proof": "log.lines[0]", "says": "'x'"},
                {"name": "stopped", "proof": "db.lines.grep('down')[0]", "says": "'x'"},
                {"name": "failed", "when": "db.exit_code == 1", "proof": "'exit_code: 1'", "says": "'x'"},
            ],
        }
    }
}


def diagnosed(given: Mapping[str, Any]) -> Diagnosed:
    diagnosis = compiled(TREE).diagnoses["d"]
    facts = trial.facts_of(diagnosis.facts, given)
    assert not isinstance(facts, str)
    return diagnose(diagnosis, facts, NOW)


def test_a_failed_command_neither_proves_a_cause_nor_rules_it_out_unless_the_exit_code_is_asked() -> None:
    found = diagnosed({"db": FAILED, "log": "a line"})
    assert [one.cause for one in found.claims] == ["failed"]
    assert [(one.cause, one.reason) for one in found.open] == [("down", WHY), ("stopped", WHY)]
    assert found.ruled_out == ()
    assert found.fits, "its symptom may be there"
    assert not diagnosed({"db": "up", "log": "a line"}).fits


def test_nothing_is_ruled_out_by_a_line_that_was_cut() -> None:
    found = diagnosed({"db": "x" * (MAX_LINE + 1), "log": "a line"})
    assert "stopped" in [one.cause for one in found.open]


def test_a_step_has_its_exit_codes_beside_the_command() -> None:
    step = {"exec": {"command": ["x"], "ok": [1]}}
    book = {"checks": {"c": {"title": "C", "expect": "true", **EXEC}}}
    repair = {"summary": "S", "steps": [step], "verify": {"check": "c"}}
    _, problems = compile_runbook(
        read(yaml.safe_dump({"runbook": "t", **book, "repairs": {"r": repair}}), "t.yaml"), CelExpressions()
    )
    assert "repairs.r.steps.0: ok stands beside exec, not in it" in "\n".join(map(str, problems))
