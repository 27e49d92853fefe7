"""Whether the pod has the secrets as they are now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain import judge_secrets
from bot.domain.probes import Verdict
from bot.domain.workload import Container, ExternalSecret, Pod, SecretFacts, SecretKey
from bot.errors import AgentpodError, NotAllowed, NotFound

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
STARTED = NOW - timedelta(hours=2)
POD = Pod(
    "p", "u", "Running", containers=(Container("kali", "i", ready=True, state="running", started_at=STARTED),)
)
FACTS = SecretFacts("s", "u", "1", {"KEY": SecretKey(10, "abcd1234")}, changed_at=STARTED - timedelta(days=1))


@pytest.mark.parametrize(
    ("facts", "pods", "verdict", "words"),
    [
        (FACTS, [POD], Verdict.OK, "1 key, changed"),
        (replace(FACTS, changed_at=NOW), [POD], Verdict.WARN, "still has the old values"),
        (FACTS, [], Verdict.UNKNOWN, "whether the pod has them is not known"),
        (FACTS, NotAllowed("no right"), Verdict.UNKNOWN, "not known"),
        (NotFound("gone"), [POD], Verdict.WARN, "there is no such Secret"),
        (NotAllowed("The bot may not get secrets."), [POD], Verdict.UNKNOWN, "may not get"),
    ],
)
def test_a_secret(facts: object, pods: object, verdict: Verdict, words: str) -> None:
    finding = judge_secrets.judge_secret("s", facts, pods, NOW)
    assert finding.verdict is verdict
    assert words in finding.summary


@pytest.mark.parametrize(
    ("external", "verdict", "words"),
    [
        ((), Verdict.OK, "none configured"),
        ((ExternalSecret("e", "s", "True", refreshed_at=NOW),), Verdict.OK, "1 synced"),
        ((ExternalSecret("e", "s", "False", message="store away"),), Verdict.FAIL, "e is not synced: store away"),
        ((ExternalSecret("e", "s"),), Verdict.UNKNOWN, "no word from the operator"),
        (NotAllowed("The bot may not list them."), Verdict.UNKNOWN, "the bot may not list them"),
    ],
)
def test_external_secrets(
    external: tuple[ExternalSecret, ...] | AgentpodError, verdict: Verdict, words: str
) -> None:
    finding = judge_secrets.judge_external(external, NOW)
    assert finding.verdict is verdict
    assert words in finding.summary


def test_a_restart_is_needed_only_after_a_change() -> None:
    assert not judge_secrets.restart_needed([FACTS], [POD])
    assert judge_secrets.restart_needed([FACTS, replace(FACTS, changed_at=NOW)], [POD])
    assert not judge_secrets.restart_needed([NotFound("x")], [POD])
