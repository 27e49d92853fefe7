"""Restarts of one container: one command, at most once, judged by the container's own restart count."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.forecast import WORSE
from bot.domain.approvals.repair import restarted_by
from bot.domain.approvals.steps import log_of
from bot.errors import NotAllowed, Refused, Transient, Uncertain
from tests.services.judged_again import worse
from tests.services.succession import succession
from tests.services.two_containers import KILL, Two, approved, asked, two
from tests.services.workbench import JONAS, TARGET, Bench, bench, opened, said


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Two())
        yield made
        await made.executor.stop(1)


@pytest.mark.parametrize("container", ["kali", "proxy"])
async def test_one_container_is_restarted_once_and_the_rest_of_the_pod_stays(one: Bench, container: str) -> None:
    ended = await approved(one, await asked(one, container))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, "0 → 1")
    assert two(one).ran == [(container, KILL)]
    assert [c.restarts for c in two(one).pods_[0].lasting if c.name != container] == [0]
    assert two(one).rollouts == []
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline.startswith(f"✅ Restarted {container} in {TARGET.name}")
    facts = {fact.label: str(fact.value) for fact in shown.facts}
    assert facts["Command"] == f"kill 1, in {container}: exit code 0"
    assert facts["Restart count"] == "0 → 1"


async def test_a_connection_that_died_with_the_container_is_judged_by_the_restart_count(one: Bench) -> None:
    two(one).after = [Uncertain("It is unknown whether the command ran: the connection broke.")]
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended), two(one).sent) == (RequestState.SUCCEEDED, "0 → 1", 1)
    facts = {fact.label: str(fact.value) for fact in card.card(ended, ApprovalPolicy()).facts}
    assert facts["Command"] == "kill 1, in kali: no answer says how it ended"


async def test_without_an_answer_and_without_a_restart_nobody_knows_and_it_is_not_repeated(one: Bench) -> None:
    two(one).deaf, two(one).after = True, [Uncertain("It is unknown whether the command ran: no answer.")]
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    one.clock.pass_(seconds=50)
    assert (await one.now(repair)).state is RequestState.EXECUTING, "its deadline may not have passed"
    one.clock.pass_(seconds=60)
    ended = await one.ended(repair)
    assert said(ended) == (
        "kill 1, in kali: nobody knows whether it ran: it is unknown whether the command ran: no answer; "
        "kali was not restarted; it is not repeated"
    )
    assert (ended.state, two(one).sent) == (RequestState.FAILED, 1)


async def test_a_main_process_that_ignores_the_signal_fails_with_the_reason(one: Bench) -> None:
    two(one).deaf = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    one.clock.pass_(seconds=46)
    ended = await one.ended(repair)
    assert said(ended) == "the main process of kali did not end within 45 s of kill 1, in kali"
    assert ended.outcome is not None
    assert ended.outcome.evidence == (
        "A process with id 1 ignores every signal that it does not handle. Set stop for kali in the runbook's "
        "section pod, or ask for a restart of the pod: restart.",
    )
    assert restarted_by(ended) is None, "a later crash is no restart of this request"


@pytest.mark.parametrize(
    ("code", "wait", "text"),
    [
        (127, 0, "kali has no program kill: nothing was changed"),
        (1, 11, "kill 1, in kali, ended with exit code 1, and kali was not restarted"),
    ],
)
async def test_a_command_that_failed_says_so(one: Bench, code: int, wait: int, text: str) -> None:
    two(one).code, two(one).prints = code, f"kill: not permitted\ntoken=ghp_{'a' * 36}\n"
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    one.clock.pass_(seconds=wait)
    ended = await one.ended(repair)
    assert (ended.state, said(ended)) == (RequestState.FAILED, text)
    assert "ghp_" not in str(card.card(ended, ApprovalPolicy()))


async def test_a_container_that_never_gets_ready_fails_and_was_restarted(one: Bench) -> None:
    two(one).unready = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: found.sent_at is not None)
    one.clock.pass_(minutes=11)
    ended = await one.ended(repair)
    assert said(ended).startswith("kali was restarted (0 → 1), and is not ready after 11 min: kali")
    assert restarted_by(ended) == ("uid-1", "kali", 1)


async def test_a_container_that_waits_to_be_started_again_has_ended(one: Bench) -> None:
    two(one).deaf = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    two(one).end("kali", restarts=0, state="waiting", reason="CrashLoopBackOff", ready=False)
    await one.until(repair, lambda found: found.sent_at is not None)
    one.clock.pass_(minutes=2)
    two(one).end("kali", state="running", reason=None, ready=True)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED


@pytest.mark.parametrize("what", ["pod", "restarted", "image", "stop"])
async def test_what_changed_since_the_request_voids_it(one: Bench, what: str) -> None:
    repair = await asked(one)
    if what == "pod":
        two(one)._replace_pod("somebody")
        why = "the pod was replaced (pod-1 → pod-2)"
    elif what == "restarted":
        two(one).end("kali")
        why = "kali was restarted (restart count 0 → 1)"
    elif what == "image":
        two(one).end("kali", restarts=0, image="image:2")
        why = "the image of kali was changed (image:1 → image:2)"
    else:
        stop = tuple(c.model_copy(update={"stop": ("kill", "-INT", "1")}) for c in TARGET.containers)
        one.executor.targets = {TARGET.name: TARGET.model_copy(update={"containers": stop})}
        why = "the command that ends its main process was changed"
    ended = await approved(one, repair)
    assert (ended.state, said(ended), two(one).sent) == (RequestState.VOID, why, 0)


async def test_another_container_that_was_restarted_voids_nothing(one: Bench) -> None:
    repair = await asked(one)
    two(one).end("proxy")
    assert (await approved(one, repair)).state is RequestState.SUCCEEDED


async def test_a_command_that_was_certainly_not_run_is_tried_again_or_refused(one: Bench) -> None:
    two(one).before = [Transient("away")]
    assert (await approved(one, await asked(one))).state is RequestState.SUCCEEDED
    two(one).before = [NotAllowed("may not create pods/exec")] * 100
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, "nothing was changed: may not create pods/exec")
    assert len(two(one).ran) == 1


async def test_what_would_end_more_at_a_later_try_is_not_approved(one: Bench) -> None:
    two(one).before, one.executor.judge_again = [Transient("away")], worse  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    assert (ended.state, two(one).ran) == (RequestState.VOID, [])
    assert said(ended).startswith(WORSE)


async def test_a_pod_that_is_replaced_meanwhile_ends_it(one: Bench) -> None:
    two(one).deaf = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(
        repair, lambda found: "steps" in found.details and log_of(found.details).runs[0].ended is not None
    )
    two(one)._replace_pod("somebody")
    ended = await one.ended(repair)
    assert said(ended) == "kill 1, in kali, ended with exit code 0, and then the pod was replaced: pod-2 is there"


async def test_on_a_node_that_stopped_reporting_nothing_is_claimed(one: Bench) -> None:
    two(one).deaf = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    [now] = two(one).pods_
    lost = (*now.conditions[1:], replace(now.conditions[0], status="False", reason="NodeLost"))
    two(one).pods_ = [replace(now, conditions=lost, reason="NodeLost")]
    one.clock.pass_(minutes=2)
    assert (await one.now(repair)).state is RequestState.EXECUTING
    one.clock.pass_(minutes=9)
    ended = await one.ended(repair)
    assert said(ended) == (
        "kill 1, in kali, ended with exit code 0, and whether kali was restarted is not known: "
        "its node has stopped reporting"
    )


async def test_a_restart_of_the_pod_and_one_of_a_container_exclude_each_other(one: Bench) -> None:
    await asked(one)
    with pytest.raises(Refused, match=r"restart --container kali\) is already open for the same pod"):
        await one.ask()
    with pytest.raises(Refused, match="is already open for the same pod"):
        await asked(one, "proxy")


async def test_the_same_request_is_joined(one: Bench) -> None:
    assert (await asked(one)).id == (await asked(one)).id


async def test_a_pod_that_can_not_be_read_any_more_ends_it_without_a_claim(one: Bench) -> None:
    two(one).deaf = True
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    two(one).unread = Transient("The API server is away.")
    one.clock.pass_(minutes=11)
    ended = await one.ended(repair)
    assert said(ended).endswith("and whether it was restarted is not known: the API server is away")


@pytest.mark.parametrize("deaf", [False, True])
@pytest.mark.parametrize("steps", range(2, 44))
async def test_killed_between_any_two_steps_it_is_sent_at_most_once(
    tmp_path: Path, steps: int, deaf: bool
) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Two(deaf=deaf)) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        sent = two(one).sent
        next_ = await both.next(repair)
        begun = "steps" in (await next_.now(repair)).details
        await next_.executor.take_over(at_start=True)
        if deaf or (begun and not two(one).ran):
            await next_.until(repair, lambda found: "steps" in found.details or found.state.final)
            one.clock.pass_(minutes=2)
        ended = await next_.ended(repair)
        assert two(one).sent == max(sent, 1) or (not sent and "nobody knows" in said(ended)), (
            "sent again, or never"
        )
        if deaf:
            assert ended.state is RequestState.FAILED
            assert "nobody knows whether it ran" in said(ended) or "did not end within" in said(ended)
        elif two(one).ran:
            assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, "0 → 1")
        else:
            assert "nobody knows whether it ran" in said(ended)
        await next_.trail()
