"""Whether the pod has the Secrets' current values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.core.probes import Verdict
from bot.domain.core.target import Target
from bot.domain.core.workload import Container, ExternalSecret, Pod, SecretFacts, SecretKey, Uses
from bot.domain.health import judge_secrets, secret_memory
from bot.domain.health.secret_memory import Age, Remembered
from bot.errors import AgentpodError, NotAllowed, NotFound

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
STARTED = NOW - timedelta(hours=2)
POD = Pod(
    "p", "u", "Running", containers=(Container("kali", "i", ready=True, state="running", started_at=STARTED),)
)
CRASHING = replace(POD, containers=(Container("kali", "i", state="waiting", reason="CrashLoopBackOff"),))
TARGET = Target()


def using(pod: Pod, *names: str, required: bool = False) -> Pod:
    """The pod with references to Secrets."""
    found = frozenset(names)
    return replace(pod, uses=Uses(secrets=found, required_secrets=found if required else frozenset()))


BEFORE, AFTER, LATER = STARTED - timedelta(days=1), STARTED + timedelta(minutes=10), STARTED + timedelta(hours=1)
FACTS = SecretFacts("s", "u", "1", {"KEY": SecretKey(10, "abcd1234")}, changed_at=BEFORE, fingerprint_key="k")
TOUCHED = replace(FACTS, changed_at=NOW)
OTHER = replace(FACTS, keys={"KEY": SecretKey(10, "ffff0000")}, changed_at=NOW)


@pytest.mark.parametrize(
    ("facts", "pods", "verdict", "words"),
    [
        (FACTS, [POD], Verdict.OK, "1 key, and the pod has its values"),
        (replace(FACTS, changed_at=NOW, changed_surely=True), [POD], Verdict.WARN, "still has the old values"),
        (TOUCHED, [POD], Verdict.UNKNOWN, "whether a value changed is not known"),
        (replace(FACTS, changed_at=None), [POD], Verdict.UNKNOWN, "does not say when they were written"),
        (FACTS, [], Verdict.UNKNOWN, "whether the pod has them is not known: no pod is running"),
        (FACTS, [CRASHING], Verdict.UNKNOWN, "is not known: kali is not running (CrashLoopBackOff)"),
        (FACTS, NotAllowed("The bot may not list pods."), Verdict.UNKNOWN, "not known: the bot may not list pods"),
        (NotFound("gone"), [POD], Verdict.WARN, "whether the pod starts without it is not known"),
        (NotFound("gone"), NotAllowed("No."), Verdict.WARN, "whether the pod starts without it is not known"),
        (NotFound("gone"), [using(POD)], Verdict.WARN, "the pod does not use it"),
        (NotFound("gone"), [using(POD, "s")], Verdict.WARN, "the pod starts without it"),
        (NotFound("gone"), [using(POD, "s", required=True)], Verdict.FAIL, "the pod runs until it is restarted"),
        (NotFound("gone"), [using(CRASHING, "s", required=True)], Verdict.FAIL, "the pod can't start"),
        (NotAllowed("The bot may not get secrets."), [POD], Verdict.UNKNOWN, "may not get"),
    ],
)
def test_a_secret(facts: object, pods: object, verdict: Verdict, words: str) -> None:
    finding = judge_secrets.judge_secret("s", facts, pods, NOW, TARGET)
    assert finding.verdict is verdict
    assert words in finding.summary


@pytest.mark.parametrize(
    ("external", "verdict", "words"),
    [
        ((), Verdict.OK, "none configured"),
        (NotFound("no such kind"), Verdict.OK, "none configured: the operator is not installed"),
        (NotAllowed("The bot may not list it."), Verdict.UNKNOWN, "the bot may not list it"),
        ((ExternalSecret("e", "s", "False", "R", "no path"),), Verdict.FAIL, "e is not synced: no path"),
        ((ExternalSecret("e", "s", "False", "R"),), Verdict.FAIL, "e is not synced: R"),
        ((ExternalSecret("e", "s", "True", refreshed_at=NOW),), Verdict.OK, "1 synced"),
        ((ExternalSecret("e", "s", "False", message="store away"),), Verdict.FAIL, "e is not synced: store away"),
        ((ExternalSecret("e", "s"),), Verdict.UNKNOWN, "no word from the operator"),
        (NotAllowed("The bot may not list them."), Verdict.UNKNOWN, "the bot may not list them"),
    ],
)
def test_external_secrets(
    external: tuple[ExternalSecret, ...] | AgentpodError, verdict: Verdict, words: str
) -> None:
    finding = judge_secrets.judge_external(external, "agents", NOW)
    assert finding.verdict is verdict
    assert words in finding.summary


def looks(*seen: tuple[SecretFacts, datetime]) -> Remembered | None:
    """The memory after several polls."""
    memory = None
    for facts, at in seen:
        memory = secret_memory.from_json(secret_memory.to_json(secret_memory.noted(memory, facts, at)))
    return memory


@pytest.mark.parametrize(
    ("memory", "facts", "age"),
    [
        (looks((FACTS, BEFORE)), TOUCHED, Age.SAME),
        (looks((FACTS, AFTER)), TOUCHED, Age.SAME),  # it was written long ago at that look
        (looks((TOUCHED, LATER)), TOUCHED, Age.WRITTEN),
        (looks((FACTS, AFTER)), OTHER, Age.CHANGED),
        (looks((FACTS, BEFORE), (FACTS, AFTER)), replace(OTHER, changed_at=None), Age.CHANGED),
        (looks((FACTS, BEFORE), (FACTS, AFTER), (OTHER, LATER)), OTHER, Age.CHANGED),
        (looks((FACTS, BEFORE), (FACTS, AFTER), (OTHER, LATER)), replace(OTHER, changed_at=None), Age.CHANGED),
        (looks((OTHER, BEFORE - timedelta(days=1)), (FACTS, BEFORE)), TOUCHED, Age.SAME),
        (looks((FACTS, BEFORE)), replace(OTHER, changed_at=BEFORE), Age.SAME),
        (looks((FACTS, BEFORE)), OTHER, Age.WRITTEN),
        (looks((FACTS, BEFORE)), replace(FACTS, changed_at=None), Age.SAME),
        (looks((FACTS, AFTER)), replace(FACTS, keys={**FACTS.keys, "NEW": SecretKey(1, "a")}), Age.CHANGED),
        (looks((FACTS, AFTER)), replace(FACTS, keys={}), Age.CHANGED),
        (None, FACTS, Age.SAME),
    ],
)
def test_only_different_values_count_as_a_change(memory: Remembered | None, facts: SecretFacts, age: Age) -> None:
    assert secret_memory.age(facts, STARTED, memory) is age


@pytest.mark.parametrize(
    ("memory", "facts", "since", "known"),
    [
        (None, FACTS, BEFORE, False),
        (None, TOUCHED, NOW, False),
        (None, replace(TOUCHED, changed_surely=True), NOW, True),
        (None, replace(FACTS, changed_at=None), None, False),
        (looks((FACTS, AFTER)), TOUCHED, BEFORE, False),
        (looks((FACTS, NOW - timedelta(minutes=5))), OTHER, NOW, True),
        (looks((FACTS, NOW - timedelta(minutes=5))), replace(OTHER, changed_at=None), None, False),
        (looks((FACTS, BEFORE)), OTHER, NOW, False),  # a label may have been set long after the value
        (looks((FACTS, NOW - timedelta(minutes=5)), (OTHER, NOW)), OTHER, NOW, True),
        (looks((FACTS, BEFORE), (OTHER, NOW)), OTHER, NOW, False),
    ],
)
def test_a_write_alone_is_no_known_change(
    memory: Remembered | None, facts: SecretFacts, since: datetime | None, known: bool
) -> None:
    assert secret_memory.last_change(facts, memory) == secret_memory.Change(since, known)


def test_a_write_without_new_values_keeps_the_time_of_change() -> None:
    finding = judge_secrets.judge_secret("s", TOUCHED, [POD], NOW, TARGET, looks((FACTS, AFTER)))
    assert (finding.verdict, finding.summary) == (Verdict.OK, "1 key, and the pod has its values")


@pytest.mark.parametrize(("noted_with", "compared_with"), [("k", "other"), ("k", ""), ("", ""), ("", "k")])
def test_fingerprints_of_two_keys_are_not_compared(noted_with: str, compared_with: str) -> None:
    """As after a rotation of the token that they are keyed with, or in a process without a lasting key."""
    memory = secret_memory.noted(None, replace(FACTS, fingerprint_key=noted_with), AFTER)
    now = replace(OTHER, changed_at=BEFORE, fingerprint_key=compared_with)
    assert secret_memory.age(now, STARTED, memory) is secret_memory.age(now, STARTED, None) is Age.SAME
    assert secret_memory.last_change(now, memory) == secret_memory.Change(BEFORE, known=False)
    assert secret_memory.changed_at(now, memory) == BEFORE


def test_a_poll_with_another_key_begins_anew() -> None:
    memory = secret_memory.noted(None, FACTS, BEFORE)
    rotated = secret_memory.noted(memory, replace(OTHER, fingerprint_key="other"), NOW)
    assert (rotated.key, rotated.since, rotated.others_until) == ("other", NOW, None)


@pytest.mark.parametrize("text", ["", "nonsense", "{}", "[1]"])
def test_an_invalid_memory_is_none(text: str) -> None:
    assert secret_memory.from_json(text) is None


def test_a_restart_is_needed_only_after_a_change() -> None:
    assert not judge_secrets.restart_needed([Age.SAME, Age.UNKNOWN, Age.WRITTEN, None])
    assert judge_secrets.restart_needed([Age.SAME, Age.CHANGED])
    assert judge_secrets.age(NotFound("x"), [POD]) is None


def test_an_external_secret_that_is_not_synced_has_the_command_that_describes_it() -> None:
    finding = judge_secrets.judge_external((ExternalSecret("e", "s", "False", "R"),), "agents", NOW)
    assert finding.run == "kubectl -n agents describe externalsecret e"
