"""`cron run`: sent once, recorded before, refused when the script is gone, and truthful about an unknown end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.actions.cron_run import CRON_RUN
from bot.domain.approvals.actions.steps_action import snapshot
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.approvals.steps import PLAN, dump_plan
from bot.domain.core.workload import ExecResult
from bot.errors import NotFound, Permanent, Transient, Uncertain
from bot.ports.ledger import Ledger, Writing
from bot.services.approvals.actions.cron_run import exec_forms, plan_for
from tests.services.succession import succession
from tests.services.workbench import JONAS, MAYA, PRIYA, TARGET, Bench, FakeCluster, bench, opened, said

SCRIPT, FORMS = "/opt/scripts/audit-digest.sh", exec_forms(TARGET)


@dataclass
class Scripts(FakeCluster):
    """A pod with one script."""

    there: int = 0
    """The exit code of ``test -x``."""
    code: int = 0
    prints: str = "digest sent\n"
    ran: list[tuple[str, ...]] = field(default_factory=list)

    async def exec(self, pod: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        assert any(form.fits(container, argv) for form in FORMS)
        assert tuple(argv) == ("test", "-x", SCRIPT)
        return ExecResult("", "", self.there)

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        assert any(form.fits(container, argv) for form in FORMS)
        assert (seconds, stdin) == (300.0, None)
        self.sent += 1
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if pod not in [one.name for one in self.pods_]:
            raise NotFound("no such pod")
        self.ran.append(tuple(argv))
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return ExecResult(self.prints, "", self.code)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Scripts())
        yield made
        await made.executor.stop(1)


def pod_of(one: Bench) -> Scripts:
    return cast("Scripts", one.cluster)


async def asked(one: Bench) -> RepairRequest:
    plan = plan_for(TARGET, "audit-digest.sh")
    assert plan is not None
    found = snapshot(plan, one.cluster.pods_[-1])
    proposal = Proposal(CRON_RUN, found, "why", "It is run.", (), plan.line, {PLAN: dump_plan(plan)})
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_it_is_run_once_and_its_output_is_on_the_card(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert (ended.state, pod_of(one).ran) == (RequestState.SUCCEEDED, [(SCRIPT,)])
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline == f"✅ Ran audit-digest.sh on {TARGET.name}"
    facts = {fact.label: str(fact.value) for fact in shown.facts}
    assert facts["Result"].startswith("exit code 0, ")
    assert [one_.text for one_ in shown.excerpts] == ["digest sent"]


async def test_a_failure_has_its_exit_code_and_redacted_output(one: Bench) -> None:
    pod_of(one).code, pod_of(one).prints = 7, f"GITHUB_TOKEN=ghp_{'a1' * 18}\nno network\n"
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, "audit-digest.sh ended with exit code 7")
    [output] = card.card(ended, ApprovalPolicy()).excerpts
    assert "no network" in output.text
    assert "ghp_" not in output.text


@pytest.mark.parametrize("what", ["gone", "pod", "settings", "unknown"])
async def test_what_changed_since_the_request_ends_it(one: Bench, what: str) -> None:
    repair, by, state = await asked(one), one, RequestState.VOID
    if what == "gone":
        pod_of(one).there, why = 1, "audit-digest.sh is gone, or not executable any more"
    elif what == "unknown":
        pod_of(one).there, state = 126, RequestState.FAILED
        why = "nothing was changed: not known whether audit-digest.sh is executable: test ended with exit code 126"
    elif what == "pod":
        one.cluster._replace_pod("somebody")
        why = "the pod was replaced (pod-1 → pod-2)"
    else:
        spec = TARGET.crontab
        assert spec is not None
        other = TARGET.model_copy(update={"crontab": spec.model_copy(update={"scripts": "/opt/other"})})
        one.executor.targets = {TARGET.name: other}
        why = "the settings for the scripts were changed"
    ended = await approved(by, repair)
    assert (ended.state, said(ended), pod_of(one).ran) == (state, why, [])


async def test_one_that_never_ends_is_not_repeated_and_not_claimed_to_have_ended(one: Bench) -> None:
    pod_of(one).after = [Uncertain("It is unknown whether the command ran: no answer in 300 s.")]
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.FAILED
    assert said(ended) == (
        "audit-digest.sh was sent, and nobody knows how it ended: it may still run, or not have begun. "
        "It is not repeated: it is unknown whether the command ran: no answer in 300 s"
    )
    assert pod_of(one).ran == [(SCRIPT,)]


async def test_one_that_was_certainly_not_run_is_tried_again(one: Bench) -> None:
    pod_of(one).before = [Transient("away"), Transient("away")]
    assert (await approved(one, await asked(one))).state is RequestState.SUCCEEDED
    assert pod_of(one).ran == [(SCRIPT,)]


@pytest.mark.parametrize("steps", range(2, 40))
async def test_killed_between_any_two_steps_it_is_run_at_most_once(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Scripts()) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        ran = pod_of(one).ran
        if ended.state is RequestState.SUCCEEDED:
            assert ran == [(SCRIPT,)]
        else:
            assert "nobody knows how it ended" in said(ended)
            assert ran in ([], [(SCRIPT,)])
        await two.trail()


class FailingLedger:
    """A ledger of which one transaction fails for good, with nothing written."""

    def __init__(self, ledger: Ledger, number: int) -> None:
        self._ledger, self._left = ledger, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Writing]:
        self._left -= 1
        if self._left == 0:
            raise Permanent("The ledger is read-only.")
        async with self._ledger.writing() as tx:
            yield tx


@pytest.mark.parametrize("number", range(1, 6))
async def test_a_script_that_ran_is_never_said_to_have_changed_nothing(tmp_path: Path, number: int) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger, cluster=Scripts())
        repair = await asked(one)
        one.approval_service.ledger = one.executor.ledger = cast("Ledger", FailingLedger(ledger, number))
        with suppress(Permanent):
            await one.say(repair, Choice.APPROVE, JONAS)
        await asyncio.gather(*one.executor._tasks.values(), return_exceptions=True)
        two = bench(ledger, name="two", like=one)
        if (await two.now(repair)).state is RequestState.OPEN:
            await two.say(repair, Choice.APPROVE, PRIYA)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        ran = pod_of(one).ran
        assert len(ran) <= 1
        assert ran == [] or "nothing was changed" not in said(ended)
