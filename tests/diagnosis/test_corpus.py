"""The shipped runbook on the corpus: correct causes, each with its proof, which one line decides."""

from __future__ import annotations

from functools import cache

import pytest

from bot.runbook.file.compiled import CompiledRunbook
from bot.wiring.runbook_tools import compiled
from tests.diagnosis import corpus
from tests.diagnosis.__main__ import NEEDED
from tests.diagnosis.corpus import Result, Scenario

SCENARIOS = corpus.scenarios()
LEAST = 80


@cache
def book() -> CompiledRunbook:
    return compiled("secure-agent-pod")


@cache
def results() -> list[Result]:
    return [corpus.run(book(), scenario) for scenario in SCENARIOS]


def test_there_are_enough_scenarios_each_with_a_title_of_its_own() -> None:
    assert len(SCENARIOS) >= LEAST
    assert len({(one.tree, one.title) for one in SCENARIOS}) == len(SCENARIOS)


def test_nearly_all_first_causes_are_correct() -> None:
    wrong = [f"{r.scenario.title}: {r.cause}, expected {r.scenario.expect}" for r in results() if not r.correct]
    assert len(wrong) <= (1 - NEEDED) * len(SCENARIOS), "\n".join(wrong)


def test_each_claim_has_a_verbatim_line_of_its_facts() -> None:
    assert [claim for one in results() for claim in one.unsupported] == []


def test_the_cited_line_withdraws_a_correct_answer_and_no_other_line_changes_it() -> None:
    assert [f"{one.scenario.title}: {said}" for one in results() for said in one.unstable] == []


@pytest.mark.parametrize("name", corpus.causes(book()))
def test_each_cause_of_the_shipped_runbook_is_the_answer_of_a_scenario(name: str) -> None:
    assert any(one.scenario.expect == name and one.correct for one in results())


def test_a_scenario_that_gives_an_unknown_fact_is_refused() -> None:
    with pytest.raises(AssertionError, match="unknown facts"):
        Scenario("x", "unknown", {"pdo": "x"}, "crash").facts(book())
