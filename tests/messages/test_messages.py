"""Every message has an example, and no example has a finding that isn't accepted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bot.domain.approvals.actions.registry import builtin
from bot.domain.approvals.approval import RequestState, Rule
from bot.domain.core.outside import Outside
from bot.domain.incidents import sources
from bot.domain.incidents.problem import Reason
from bot.settings.model import Settings
from bot.wiring.outbox import Outbox
from commands.registry import BUILTIN as COMMANDS
from tests.commands.fakes import FakeClock
from tests.messages import of_alerts, page, rules
from tests.messages.example import Example

pytestmark = pytest.mark.xdist_group("messages")
NEW = "see tests/messages/rules.py; `make messages` draws them"
MENDED = "take them out of tests/messages/known.txt: make messages ARGS=--mended"


@pytest.fixture(scope="session")
def covered(examples: Sequence[Example]) -> frozenset[str]:
    return frozenset(name for example in examples for name in example.covers)


def test_every_command_has_an_example(covered: frozenset[str]) -> None:
    assert {f"command {command.name}" for command in COMMANDS} - covered == set()


def test_every_repair_has_a_card_in_every_state(covered: frozenset[str]) -> None:
    wanted = {
        f"request {action.name} {state.value}"
        for action in builtin()
        for state in RequestState
        if state is not RequestState.APPROVED or action.needs_value
    }
    assert wanted - covered == set()


def test_every_rule_of_decisions_has_an_answer(covered: frozenset[str]) -> None:
    assert {f"rule {rule.name}" for rule in Rule} - covered == set()


def test_every_source_of_alerts_has_an_alert_in_every_state(covered: frozenset[str]) -> None:
    states = of_alerts.states(next(iter(of_alerts.PROBLEMS.values()))[1])
    assert {f"source {one.name} {state}" for one in sources.BUILTIN for state in states} - covered == set()


def test_every_reason_has_a_note_in_the_thread(covered: frozenset[str]) -> None:
    assert {f"notice {reason.value}" for reason in Reason} - covered == set()


def test_every_kind_of_message_for_slack_has_an_example(covered: frozenset[str]) -> None:
    kinds = Outbox(Settings(), None, FakeClock(), Outside()).kinds  # type: ignore[arg-type]
    assert {f"kind {kind.name}" for kind in kinds if kind.sink == "slack"} - covered == set()


def test_only_the_example_of_a_crash_crashes(examples: Sequence[Example]) -> None:
    crashed = [e.name for e in examples if "went wrong inside agentpod" in repr(e.messages)]
    assert crashed == ["Refusals and errors: a defect of the bot"]


def test_no_message_has_a_finding_that_is_not_accepted(examples: Sequence[Example]) -> None:
    found = [one for example in examples for one in rules.check(example)]
    known = rules.known()
    assert sorted({str(one) for one in found if one.key not in known}) == [], NEW
    assert sorted(known - {one.key for one in found}) == [], MENDED


def test_the_page_holds_all_examples_and_reaches_nothing(examples: Sequence[Example]) -> None:
    text = page.page(examples)
    assert all(example.title.replace('"', '\\"') in text for example in examples)
    assert '"./' not in text.partition('<script type="importmap">')[2].partition("</script>")[0]
    assert "<!--" not in text.partition("<body")[2].partition('id="data"')[0]


def test_a_built_in_check_s_alert_offers_no_restart_of_the_pod() -> None:
    _, problem = of_alerts.PROBLEMS["a check fails"]
    assert (problem.subject, problem.restart, problem.advice) == ("Argo CD", False, "argocd")
