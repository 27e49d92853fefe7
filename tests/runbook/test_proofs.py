"""A cause is claimed by a line, ruled out only where all was looked at, and open with its reason otherwise."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Verdict
from bot.runbook.file import trial
from bot.runbook.file.compiled import compile_runbook
from bot.runbook.file.judge import Diagnosed, diagnose
from bot.runbook.file.loader import read
from bot.wiring import runbook_tools
from tests.runbook.test_failed_facts import NOW, compiled, judged

LOG = {"log": {"log": {}}}
RUNS = {"x": {"exec": {"command": ["x"]}}, "y": {"exec": {"command": ["y"]}}}
METRICS = {"m": {"metrics": {"url": "http://localhost/metrics"}}}


def book_of(facts: Mapping[str, Any], *causes: Mapping[str, Any]) -> dict[str, Any]:
    made = [{"name": f"c{number}", "says": "'It is so'", **cause} for number, cause in enumerate(causes)]
    return {"diagnoses": {"d": {"title": "D", "facts": facts, "causes": made}}}


def found_by(facts: Mapping[str, Any], cause: Mapping[str, Any], given: Mapping[str, Any]) -> Diagnosed:
    diagnosis = compiled(book_of(facts, cause)).diagnoses["d"]
    recorded = trial.facts_of(diagnosis.facts, given)
    assert not isinstance(recorded, str), recorded
    return diagnose(diagnosis, recorded, NOW)


def outcome(found: Diagnosed) -> str:
    """What came out of a diagnosis with one cause."""
    if found.claim is not None:
        return found.claim.proof.line
    return found.open[0].reason if found.open else "ruled out"


# However many lines there are


@pytest.mark.parametrize("size", [1, 50, 51, 1_000, 10_000])
def test_a_cause_that_many_lines_show_is_claimed_by_the_first_and_by_another_without_it(size: int) -> None:
    lines = [f"12:{number:05} FATAL too many clients" for number in range(size)]
    cause = {"proof": "log.lines.grep('FATAL')[0]", "refuted": "log.lines[0]"}
    begin = time.process_time()
    assert outcome(found_by(LOG, cause, {"log": "\n".join(["start", *lines])})) == lines[0]
    without = "\n".join(["start", *lines[1:]])
    assert outcome(found_by(LOG, cause, {"log": without})) == (lines[1] if size > 1 else "ruled out")
    assert outcome(found_by(LOG, cause, {"log": "\n".join(["start", *lines[:-1], "x"])})) == (
        lines[0] if size > 1 else "ruled out"
    )
    assert time.process_time() - begin < 2


def test_a_full_disk_is_named_however_often_the_log_says_it() -> None:
    crash = runbook_tools.compiled("secure-agent-pod").diagnoses["crash"]
    status = "status.containerStatuses[0]"
    pod = (
        f"metadata.name: p-1\n{status}.name: kali\n{status}.ready: false\n"
        f"{status}.state.waiting.reason: CrashLoopBackOff\n{status}.lastState.terminated.reason: Error\n"
    )
    full = "".join(f"cp: error writing 'f{number}': No space left on device\n" for number in range(51))
    given = {"pod": {"text": pod, "Ready": "False"}, "previous": {"text": full, "container": "kali"}, "events": ""}
    recorded = trial.facts_of(crash.facts, given)
    assert not isinstance(recorded, str)
    assert [one.cause for one in diagnose(crash, recorded, NOW).claims] == ["disk-full"]


# What can't be evaluated is open, with its reason


@pytest.mark.parametrize(
    ("facts", "cause", "given", "reason"),
    [
        (
            METRICS,
            {"when": "m.metric['q'] > 100.0", "proof": "m.lines.grep('^q')[0]"},
            {"m": 'q{a="1"} 500\nq{a="2"} 500\n'},
            "q has 2 samples, not one",
        ),
        (
            METRICS,
            {"when": "m.metric['q'] > 100.0", "proof": "m.lines.grep('^q')[0]"},
            {"m": "q +Inf\nx 1\n"},
            "this sample is no finite number: q +Inf",
        ),
        (
            RUNS,
            {"proof": "x.lines.filter(l, int(l.split('|')[1]) > 60)[0]"},
            {"x": "a|90\nb|\n"},
            "cannot convert string to int",
        ),
        (
            RUNS,
            {"proof": "x.lines.filter(l, y.lines.grep(l)[0] == 'b is down')[0]"},
            {"x": "a\nb\n", "y": "b is down\n"},
            "nothing matched",
        ),
        (
            RUNS,
            {"when": "x.lines[0] == 'bad' || y.lines[0] == 'bad'", "proof": "y.lines.grep('bad')[0]"},
            {"x": "", "y": "unreadable"},
            "`y`: it is not recorded",
        ),
        (
            RUNS,
            {"proof": "x.lines[0] == 'bad' || y.lines[0] == 'bad' ? 'bad' : ''"},
            {"x": "", "y": "unreadable"},
            "`y`: it is not recorded",
        ),
        (
            RUNS,
            {"when": "x.lines[0] == 'bad'", "proof": "y.lines[0]"},
            {"x": "", "y": "a"},
            "`x`: none of its lines says so",
        ),
        (RUNS, {"proof": "x.lines[1]"}, {"x": "a"}, "there is no element 1: the list has 1, counted from 0"),
        (LOG, {"proof": "log.lines.grep(log.lines[0])[0]"}, {"log": "a(b"}, "not a regular expression"),
    ],
)
def test_what_can_not_be_evaluated_is_neither_proven_nor_ruled_out(
    facts: Mapping[str, Any], cause: Mapping[str, Any], given: Mapping[str, Any], reason: str
) -> None:
    found = found_by(facts, cause, given)
    assert (found.claims, found.ruled_out) == ((), ())
    assert reason in found.open[0].reason


@pytest.mark.parametrize(
    "proof",
    [
        "x.lines[0]",
        "x.lines.filter(l, l == 'bad')[0]",
        "[x.lines.grep('bad')].map(found, found[size(found) - 1])[0]",
        "[x.lines].map(l, l[size(l) - 1]).filter(l, [x.lines].all(m, m[0] == l)).filter(l, l == 'bad')[0]",
        "''",
    ],
)
def test_the_first_of_no_lines_is_no_proof(proof: str) -> None:
    assert outcome(found_by(RUNS, {"proof": proof}, {"x": ""})) == "ruled out"


# Patterns


@pytest.mark.parametrize(
    ("proof", "said", "column"),
    [
        ("log.lines.filter(l, l.matches('(?<=a)b'))[0]", "look-behind", 31),
        ("log.lines.grep('(?<=a)b')[0]", "look-behind", 16),
        ("log.lines.filter(l, matches(l, 'a('))[0]", "missing )", 32),
        ("log.lines.grep('((a{1,100}){1,100}){1,100}')[0]", "a repetition takes two counts", 16),
        ("log.lines.grep('a')[0] +\n 'é' + log.lines.grep(r'\\q')[0]", "invalid escape sequence", 23),
    ],
)
def test_a_pattern_that_re2_does_not_take_is_shown_where_it_stands(proof: str, said: str, column: int) -> None:
    text = yaml.safe_dump({"runbook": "t", **book_of(LOG, {"proof": proof})}, width=1_000)
    _, [problem] = compile_runbook(read(text, "t.yaml"), CelExpressions())
    assert (problem.place, problem.column) == ("diagnoses.d.causes.0.proof", column)
    assert said in problem.message
    assert problem.line > 0


# A fact that was cut

STARTING = {"log": {"text": "t1 starting\nt2 x\n", "truncated": True}}


@pytest.mark.parametrize(
    "cause",
    [
        {"when": "!log.lines.exists(l, l.contains('ready'))", "proof": "log.lines.grep('starting')[0]"},
        {"when": "log.lines.all(l, !l.contains('ready'))", "proof": "log.lines.grep('starting')[0]"},
        {"when": "log.lines.size() < 5", "proof": "log.lines.grep('starting')[0]"},
        {"when": "size(log.lines.grep('ready')) == 0", "proof": "log.lines.grep('starting')[0]"},
        {"when": "0 == size(log.lines.grep('ready'))", "proof": "log.lines.grep('starting')[0]"},
        {"proof": "log.lines.exists(l, l.contains('ready')) ? '' : log.lines.grep('starting')[0]"},
        {"proof": "log.lines.filter(l, !log.lines.exists(m, m == 'ready'))[0]"},
        {"proof": "log.lines[size(log.lines) - 2]"},
        {"proof": "log.lines.exists_one(l, l.contains('starting')) ? 't1 starting' : ''"},
    ],
)
def test_nothing_is_proven_by_what_is_missing_from_a_fact_that_was_cut(cause: Mapping[str, str]) -> None:
    whole = found_by(LOG, cause, {"log": "t1 starting\nt2 x\n"})
    assert outcome(whole) == "t1 starting"
    found = found_by(LOG, cause, STARTING)
    assert (found.claims, found.ruled_out) == ((), ())
    assert found.open[0].reason == "log was too long to be read whole"


@pytest.mark.parametrize(
    "cause",
    [
        {"proof": "log.lines.grep('starting')[0]"},
        {"when": "log.lines.exists(l, l.contains('t2'))", "proof": "log.lines.filter(l, !l.contains('t2'))[0]"},
        {
            "when": "size(log.lines) > 1 && !(log.lines.size() == 0)",
            "proof": "(log.lines + ['x']).grep('t1')[0]",
        },
        {"when": "'t2 x' in log.lines || 5 < size(log.lines)", "proof": "log.lines.map(l, l).grep('t1')[0]"},
        {"proof": "log.lines.exists(log, log == 't2 x') ? log.lines.grep('t1')[0] : ''"},
        {"when": "log.container == ''", "proof": "log.lines.grep('starting')[0]"},
    ],
)
def test_a_line_that_is_there_proves_its_cause_also_in_a_fact_that_was_cut(cause: Mapping[str, str]) -> None:
    assert outcome(found_by(LOG, cause, STARTING)) == "t1 starting"


def test_what_a_loop_does_not_see_is_not_missing_either() -> None:
    many = "\n".join(["starting", *(f"line {number}" for number in range(5_000)), "ready"])
    cause = {"when": "!log.lines.exists(l, l == 'ready')", "proof": "log.lines.grep('starting')[0]"}
    found = found_by(LOG, cause, {"log": many})
    assert (found.claims, found.ruled_out) == ((), ())
    assert "log.lines is too long for a loop" in found.open[0].reason


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [
        ("lines.exists(l, l == 'ready')", Verdict.UNKNOWN),
        ("size(lines.grep('ready')) > 0", Verdict.UNKNOWN),
        ("lines.all(l, l != 'bad')", Verdict.FAIL),
        ("exit_code == 0 && size(lines.grep('bad')) == 0", Verdict.FAIL),
        ("lines.size() < 1 && exit_code == 0", Verdict.FAIL),
        ("!stdout.contains('bad')", Verdict.FAIL),
    ],
)
def test_a_check_does_not_fail_by_what_is_missing_from_a_fact_that_was_cut(expect: str, verdict: Verdict) -> None:
    given = {"text": "bad\n", "exit_code": 0, "truncated": True}
    assert judged({"exec": {"command": ["x"]}}, expect, given).verdict is verdict


# A check that is unknown

MEMORY = {"mem": {"check": {"name": "mem"}}}


@pytest.mark.parametrize(
    ("cause", "unknown"),
    [
        ({"proof": "mem.summary"}, "there is no m in kali"),
        ({"proof": "mem.lines[0]"}, "there is no m in kali"),
        ({"when": "mem.verdict == 'fail'", "proof": "mem.summary"}, "there is no m in kali"),
        ({"when": "mem.verdict != 'ok'", "proof": "mem.summary"}, "there is no m in kali"),
        ({"when": "mem.verdict == 'unknown'", "proof": "mem.summary"}, "unknown: there is no m in kali"),
        ({"when": "mem.verdict in ['fail', 'unknown']", "proof": "mem.summary"}, "unknown: there is no m in kali"),
    ],
)
def test_a_check_that_is_unknown_proves_nothing_unless_that_is_asked(
    cause: Mapping[str, str], unknown: str
) -> None:
    book = book_of(MEMORY, cause)
    book["checks"] = {"mem": {"title": "M", "expect": "lines[0] == 'ok'", **RUNS["x"]}}
    diagnosis = compiled(book).diagnoses["d"]
    recorded = trial.facts_of(diagnosis.facts, {"mem": {"text": "unknown: there is no m in kali"}})
    assert not isinstance(recorded, str)
    assert outcome(diagnose(diagnosis, recorded, NOW)) == unknown


# What an expression asks about

FAILED = {"text": "bad\n", "exit_code": 1}


@pytest.mark.parametrize(
    ("cause", "result"),
    [
        ({"proof": "x.lines.grep('bad')[0]", "refuted": "x.exit_code == 0 ? x.lines[0] : ''"}, "x ended with"),
        (
            {"when": "!x.lines.exists(l, l == 'up')", "proof": "'exit_code: ' + string(x.exit_code)"},
            "x ended with",
        ),
        ({"proof": "x.lines.filter(exit_code, exit_code == 'bad')[0]"}, "x ended with"),
        ({"proof": "x.lines.filter(x, x != 'x.exit_code')[0]"}, "x ended with"),
        ({"when": "x.exit_code == 1", "proof": "x.lines.grep('bad')[0]"}, "bad"),
        ({"proof": "x.exit_code == 1 ? x.lines[0] : ''"}, "bad"),
    ],
)
def test_each_expression_of_a_cause_asks_for_itself(cause: Mapping[str, str], result: str) -> None:
    assert outcome(found_by(RUNS, cause, {"x": FAILED})).startswith(result)


@pytest.mark.parametrize(
    ("expect", "verdict"),
    [
        ("lines.all(exit_code, exit_code != 'up')", Verdict.UNKNOWN),
        ("exit_code != 1", Verdict.UNKNOWN),
        ("exit_code != 1 || lines.size() < 127", Verdict.UNKNOWN),
        ("exit_code == 0 && 'no_program' != 'exit_code == 127'", Verdict.UNKNOWN),
        ("exit_code != 127", Verdict.FAIL),
        ("exit_code in [0, 127]", Verdict.OK),
        ("126 > exit_code", Verdict.FAIL),
        ("no_program", Verdict.OK),
    ],
)
def test_a_missing_program_is_unknown_unless_just_that_is_asked(expect: str, verdict: Verdict) -> None:
    assert judged(RUNS["x"], expect, {"text": "", "exit_code": 127}).verdict is verdict


# Which fact a line is cited from


def test_a_line_is_cited_from_the_fact_that_the_cause_names() -> None:
    facts = {"log": {"log": {"container": "a"}}, "syslog": {"log": {"container": "b"}}}
    given = {"log": "bad\n", "syslog": "bad\n"}
    for name, source in (("syslog", "log of b"), ("log", "log of a")):
        found = found_by(facts, {"proof": f"{name}.lines.filter(l, l != 'log.')[0]"}, given)
        assert found.claim is not None
        assert found.claim.proof.source == source


def test_a_line_of_a_fact_that_the_cause_does_not_name_proves_nothing() -> None:
    found = found_by(RUNS, {"when": "x.exit_code == 0", "proof": "'bad'"}, {"x": "up", "y": "bad"})
    assert found.claims == ()
    assert found.open[0].reason == "its proof is no line of its facts: bad"
