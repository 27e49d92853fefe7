"""A program that the container does not have: it proves nothing and rules nothing out, unless that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.probes import Verdict
from bot.domain.runbook.record import Record
from bot.runbook.file.compiled import CompiledCause, CompiledRunbook, compile_runbook
from bot.runbook.file.judge import Diagnosed, diagnose, judge_check
from bot.runbook.file.known import Fact
from bot.runbook.file.loader import read
from bot.runbook.file.trial import NOW
from bot.wiring.runbook_tools import compiled
from tests.diagnosis.corpus import Scenario

BOOK = compiled("secure-agent-pod")
NOT_RUN = [
    ("127", "{}: not found in the container (OCI runtime exec failed: no such file or directory)"),
    ("127", "sh: 1: {}: not found"),
    ("126", "{}: Permission denied"),
    ("127", ""),
]


def missing(command: str, code: str, stderr: str) -> Record:
    outcome = {"exit_code": code} | ({"stderr": stderr.format(command)} if stderr else {})
    return Record("exec", (), outcome, f"`{command} -x` in kali", NOW)


def commands_of_trees() -> Iterator[tuple[str, str, str]]:
    for name, tree in BOOK.diagnoses.items():
        for fact, use in tree.facts.items():
            if use.kind.name == "exec":
                yield name, fact, use.settings.command[0]  # type: ignore[attr-defined]  # the kind's settings


def needs(cause: CompiledCause, fact: str) -> bool:
    return f"{fact}." in f"{cause.entry.when} {cause.entry.proof}"


def judged(name: str, facts: Mapping[str, Fact]) -> Diagnosed:
    return diagnose(BOOK.diagnoses[name], facts, NOW)


@pytest.mark.parametrize(("code", "stderr"), NOT_RUN)
@pytest.mark.parametrize(("tree", "fact", "program"), list(commands_of_trees()))
def test_causes_of_the_shipped_trees_stay_open_without_their_program(
    tree: str, fact: str, program: str, code: str, stderr: str
) -> None:
    healthy = Scenario("healthy", "unknown", {}, tree).facts(BOOK)[tree]
    found = judged(tree, {**healthy, fact: missing(program, code, stderr)})
    asking = {c.entry.name for c in BOOK.diagnoses[tree].causes if needs(c, fact) and "no_program" in c.entry.when}
    affected = {c.entry.name for c in BOOK.diagnoses[tree].causes if needs(c, fact)} - asking
    assert affected | asking
    assert found.claims == ()
    assert {one.cause for one in found.open} == affected
    said = f"{program} can't be run in kali" if code == "126" else f"there is no {program} in kali"
    assert {one.reason for one in found.open} <= {said}
    assert {one.cause for one in found.ruled_out} >= asking
    # The error of a program that could not run is no line that rules a cause out.
    assert {(one.by, one.looked_at) for one in found.ruled_out if one.cause in asking} <= {(None, ())}


@pytest.mark.parametrize("name", [n for n, c in BOOK.checks.items() if "exec" in str(c.entry.facts)])
def test_checks_of_the_shipped_runbook_are_unknown_without_their_program(name: str) -> None:
    check = BOOK.checks[name]
    uses = check.entry.facts
    gone = {key: missing("prog", "127", "") for key, use in uses.items() if use.kind.name == "exec"}
    others = {
        key: Record(use.kind.name, ("changed: 2026-01-01T09:00:00+00:00",), {}, use.source, NOW)
        for key, use in uses.items()
        if use.kind.name != "exec"
    }
    finding = judge_check(check, {**others, **gone}, NOW)
    assert (finding.verdict, finding.summary) == (Verdict.UNKNOWN, "there is no prog in kali")


ASKED = """
runbook: try
checks:
  has-curl:
    title: curl
    exec: {command: [curl, --version]}
    expect: WHEN
    fails: {says: "'the image has no curl'"}
diagnoses:
  image:
    title: The image
    facts: {curl: {exec: {command: [curl, --version]}}}
    causes:
      - name: no-curl
        when: CAUSE
        proof: "'exit_code: ' + string(curl.exit_code)"
        says: "'The image has no curl'"
"""


def asking(when: str, cause: str) -> CompiledRunbook:
    book, problems = compile_runbook(
        read(ASKED.replace("WHEN", when).replace("CAUSE", cause), "try.yaml"), CelExpressions()
    )
    assert book is not None, problems
    return book


@pytest.mark.parametrize(
    ("when", "cause"),
    [("exit_code != 127", "curl.exit_code == 127"), ("'!no_program'", "curl.no_program"), ("exit_code == 0", "")],
)
def test_an_expression_that_asks_for_exactly_that_is_answered(when: str, cause: str) -> None:
    book = asking(when, cause or "curl.exit_code > 0")
    gone, there = missing("curl", "127", ""), Record("exec", ("curl 8.1",), {"exit_code": "0"}, "", NOW)
    verdict = judge_check(book.checks["has-curl"], {"": gone}, NOW).verdict
    claim = diagnose(book.diagnoses["image"], {"curl": gone}, NOW).claim
    if not cause:
        assert (verdict, claim) == (Verdict.UNKNOWN, None)
        return
    assert verdict is Verdict.FAIL
    assert claim is not None
    assert claim.proof.line == "exit_code: 127"
    assert judge_check(book.checks["has-curl"], {"": there}, NOW).verdict is Verdict.OK
    assert diagnose(book.diagnoses["image"], {"curl": there}, NOW).claim is None


@pytest.mark.parametrize(
    ("stderr", "program"),
    [
        ("bash: line 1: jq: command not found", "jq"),
        ("env: ‘jq’: No such file or directory", "jq"),
        ("timeout: failed to run command ‘jq’: No such file or directory", "jq"),
        ("/usr/bin/jq: not found in the container (x)", "/usr/bin/jq"),
        ("something else", "curl"),
    ],
)
def test_the_program_that_is_missing_is_named(stderr: str, program: str) -> None:
    book = asking("exit_code == 0", "curl.exit_code > 0")
    record = Record("exec", (), {"exit_code": "127", "stderr": stderr}, "`curl --version` in kali", NOW)
    assert judge_check(book.checks["has-curl"], {"": record}, NOW).summary == f"there is no {program} in kali"
