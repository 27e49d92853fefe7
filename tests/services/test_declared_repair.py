"""Declared repairs: bound to what was approved, each step at most once, and every outcome is true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.approvals import card
from bot.domain.approvals.actions.declared_repair import DECLARED_REPAIR
from bot.domain.approvals.actions.steps_action import snapshot
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.forecast import WORSE
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.approvals.steps import PLAN, PlannedStep, dump_plan, log_of, plan_of
from bot.domain.core.workload import ExecResult
from bot.errors import NotAllowed, NotFound, Transient, Uncertain
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from bot.services.runbook import declared_repair
from tests.services.judged_again import worse
from tests.services.succession import succession
from tests.services.workbench import JONAS, MAYA, PRIYA, TARGET, Bench, FakeCluster, bench, opened, said

RUNBOOK = """
runbook: t
checks:
  services:
    title: Services
    exec: {command: [svstat]}
    expect: lines[0] == "up"
    says: "'all run'"
    fails: {says: "'sshd is ' + lines[0]", remedy: Read the log.}
repairs:
  start:
    summary: Start a service
    params: {service: {one_of: [sshd, cron]}}
    facts: {state: {exec: {command: [svstat, "{service}"]}}}
    only_if: state.lines[0] == "down"
    refusal: param.service + " runs already"
    steps:
      - exec: {command: [rm, -f, "/run/{service}.down"]}
      - exec: {command: [svc, -u, "{service}"], timeout: 5s}
        ok: [0, 3]
    verify: {check: services, within: 20s}
"""
NEEDED = """\
  root:
    title: Root
    exec: {command: [svstat]}
    expect: lines[0] == "ok"
"""
FIRST, SECOND = ("rm", "-f", "/run/sshd.down"), ("svc", "-u", "sshd")


def book_of(text: str = RUNBOOK) -> CompiledRunbook:
    book, problems = compile_runbook(read(text, "t.yaml"), CelExpressions())
    assert book is not None, problems
    return book


@dataclass
class Services(FakeCluster):
    """A supervised service that is down until the second command runs."""

    state: str = "down"
    ran: list[tuple[str, ...]] = field(default_factory=list)
    names: str = "sshd\n"
    """What ``ls`` prints."""
    helps: bool = True
    codes: dict[tuple[str, ...], int] = field(default_factory=dict)
    unread: Exception | None = None
    unread_at_the_end: Exception | None = None
    """What reads raise once both steps have been sent."""
    no_program: bool = False
    prints: str = ""
    """What each step prints; empty: a line and a token."""
    in_step: asyncio.Event | None = None
    """A step that has begun waits for this."""

    async def exec(self, pod: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        assert (pod, container) == (self.pods_[-1].name, "kali")
        if self.unread is not None:
            raise self.unread
        if self.no_program:
            return ExecResult("", f"{argv[0]}: not found in the container (x)", 127)
        return ExecResult(self.names if argv[0] == "ls" else f"{self.state}\n", "", 0)

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        assert (container, stdin) == ("kali", None)
        assert seconds in (30, 5)
        self.sent += 1
        if self.sent == 2:
            self.unread = self.unread_at_the_end or self.unread
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if pod not in [one.name for one in self.pods_]:
            raise NotFound("no such pod")
        self.ran.append(tuple(argv))
        if self.in_step is not None:
            await self.in_step.wait()
        if tuple(argv) == SECOND and self.helps:
            self.state = "up"
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        if self.prints:
            return ExecResult(self.prints, "the end\n", self.codes.get(tuple(argv), 0))
        return ExecResult(f"{argv[0]} was run\ntoken=ghp_{'a' * 36}\n", "", self.codes.get(tuple(argv), 0))


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Services(), book=book_of())
        yield made
        await made.executor.stop(1)


def services(one: Bench) -> Services:
    return cast("Services", one.cluster)


async def asked(one: Bench, book: CompiledRunbook | None = None, needed: int = 1) -> RepairRequest:
    plan = declared_repair.plan(book or book_of(), "start", {"service": "sshd"}, TARGET)
    found = snapshot(plan, one.cluster.pods_[-1])
    details = {PLAN: dump_plan(plan)}
    proposal = Proposal(DECLARED_REPAIR, found, "why", "Starts it.", (), plan.line, details, needed=needed)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_an_approved_repair_runs_its_steps_once_and_is_checked(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, "Services: all run")
    assert services(one).ran == [FIRST, SECOND]
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline == f"✅ Done: start sshd on {TARGET.name}"
    facts = {fact.label: str(fact.value) for fact in shown.facts}
    assert facts["Step 2 of 2"].startswith("svc -u sshd, in kali: exit code 0")
    assert facts["Then checked"] == "Services: all run"


async def test_the_audit_trail_has_parameters_argv_exit_codes_and_redacted_output(one: Bench) -> None:
    repair = await asked(one)
    await approved(one, repair)
    records = [record for record in await one.trail() if record.subject == repair.id]
    request = next(record.data for record in records if record.kind == "request")
    assert request["parameters"] == {"service": "sshd"}
    assert request["steps"][1] == {"container": "kali", "argv": list(SECOND)}
    steps = [record.data for record in records if record.kind == "execution" and "step" in record.data]
    assert [(one_["step"], one_.get("begins"), one_.get("exit_code")) for one_ in steps] == [
        (1, True, None),
        (1, None, 0),
        (2, True, None),
        (2, None, 0),
    ]
    assert steps[1]["output"][0] == "rm was run"
    assert "ghp_" not in json.dumps([record.data for record in records], default=str)


@pytest.mark.parametrize("what", ["pod", "container", "image", "condition", "entry", "gone"])
async def test_what_changed_since_the_request_voids_it(one: Bench, what: str) -> None:
    repair, cluster, by = await asked(one), services(one), one
    if what == "pod":
        cluster._replace_pod("somebody")
        why = "the pod was replaced (pod-1 → pod-2)"
    elif what in ("container", "image"):
        [pod] = cluster.pods_
        changed = {"container": {"restarts": 1}, "image": {"image": "image:2"}}[what]
        cluster.pods_ = [replace(pod, containers=(replace(pod.containers[0], **changed),))]
        why = "kali was restarted"
    elif what == "condition":
        cluster.state = "up"
        why = "sshd runs already"
    else:
        text = RUNBOOK.replace("-f, ", "-rf, ") if what == "entry" else RUNBOOK.replace("  start:", "  other:")
        by = bench(one.ledger, name="two", like=one, book=book_of(text))
        why = {
            "entry": "its entry in the runbook was changed",
            "gone": "the runbook has no repair start with these parameters any more",
        }[what]
    ended = await approved(by, repair)
    assert (ended.state, said(ended)) == (RequestState.VOID, why)
    assert cluster.ran == []


EDITS = {
    "value": ("[sshd, cron]", "[cron]"),
    "needed": ("    steps:\n", "    approval: {needed: 3}\n    steps:\n"),
    "capability": ("    steps:\n", "    capability: decide\n    steps:\n"),
    "expect": ('lines[0] == "up"', 'lines[0] != "no"'),
    "remedy": ("Read the log", "Ask somebody"),
    "needed check": ('lines[0] == "ok"', 'lines[0] == "fine"'),
    "summary": ("Start a service", "Begin a service"),
    "condition": ('== "down"', '!= "up"'),
    "exit codes": ("ok: [0, 3]", "ok: [0, 4]"),
    "deadline": ("timeout: 5s", "timeout: 6s"),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_any_edit_of_the_entry_or_its_check_voids_it(one: Bench, edit: str) -> None:
    text = RUNBOOK.replace("repairs:", NEEDED + "repairs:").replace(
        "title: Services", "title: Services\n    needs: [root]"
    )
    repair = await asked(one, book_of(text))
    by = bench(one.ledger, name="two", like=one, book=book_of(text.replace(*EDITS[edit])))
    assert text != text.replace(*EDITS[edit])
    ended = await approved(by, repair)
    assert (ended.state, said(ended)) == (RequestState.VOID, "its entry in the runbook was changed")
    assert services(one).ran == []


async def test_an_edit_of_another_entry_voids_nothing(one: Bench) -> None:
    repair = await asked(one)
    book = book_of(RUNBOOK.replace("repairs:", NEEDED + "repairs:"))
    assert (
        await approved(bench(one.ledger, name="two", like=one, book=book), repair)
    ).state is RequestState.SUCCEEDED


@pytest.mark.parametrize("listed", [True, False])
async def test_a_name_that_its_fact_lists_no_more_voids_it(one: Bench, listed: bool) -> None:
    book = book_of(
        RUNBOOK.replace("{one_of: [sshd, cron]}", "{listed: {exec: {command: [ls, /run]}}, data: true}")
    )
    by = bench(one.ledger, name="two", like=one, book=book)
    services(one).names = "sshd\ncron\n" if listed else "cron\n"
    ended = await approved(by, await asked(one, book))
    if listed:
        assert ended.state is RequestState.SUCCEEDED
    else:
        assert (ended.state, said(ended)) == (RequestState.VOID, "`ls /run` does not list 'sshd' any more")
        assert services(one).ran == []


async def test_a_condition_that_can_not_be_judged_ends_it(one: Bench) -> None:
    repair = await asked(one)
    services(one).unread = NotAllowed("may not")
    ended = await approved(one, repair)
    assert ended.state is RequestState.FAILED
    assert said(ended) == "nothing was changed: may not"
    assert services(one).ran == []


async def test_a_condition_whose_program_is_missing_is_not_judged(one: Bench) -> None:
    repair = await asked(one)
    services(one).no_program = True
    ended = await approved(one, repair)
    assert (ended.state, services(one).ran) == (RequestState.FAILED, [])
    assert said(ended) == "nothing was changed: there is no svstat in kali"


async def test_a_step_without_an_answer_is_never_repeated_and_no_other_follows(one: Bench) -> None:
    services(one).after = [Uncertain("It is unknown whether the command ran: no answer in 30 s.")]
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.FAILED
    assert said(ended) == (
        "step 1 of 2 (rm -f /run/sshd.down, in kali): nobody knows whether it ran, and it is not repeated; "
        "the steps after it were not run: it is unknown whether the command ran: no answer in 30 s"
    )
    assert services(one).ran == [FIRST]


async def test_a_step_that_was_certainly_not_run_is_tried_again(one: Bench) -> None:
    services(one).before = [Transient("away"), Transient("away")]
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    assert services(one).ran == [FIRST, SECOND]


async def test_what_would_end_more_at_a_later_try_is_not_approved(one: Bench) -> None:
    services(one).before, one.executor.judge_again = [Transient("away")], worse  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    assert (ended.state, services(one).ran) == (RequestState.VOID, [])
    assert said(ended).startswith(WORSE)


async def test_a_refused_step_says_that_nothing_was_changed(one: Bench) -> None:
    services(one).before = [NotAllowed("may not create pods/exec")] * 100
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, "nothing was changed: may not create pods/exec")
    assert services(one).ran == []


@pytest.mark.parametrize(("code", "ok"), [(3, True), (4, False)])
async def test_only_declared_exit_codes_are_success(one: Bench, code: int, ok: bool) -> None:
    services(one).codes = {SECOND: code}
    ended = await approved(one, await asked(one))
    if ok:
        assert ended.state is RequestState.SUCCEEDED
    else:
        assert (ended.state, said(ended)) == (RequestState.FAILED, "step 2 of 2 ended with exit code 4")
        shown = card.card(ended, ApprovalPolicy())
        assert [(one.title, one.text.split("\n")[0]) for one in shown.excerpts] == [("Output", "svc was run")]
        assert "What to do" not in {fact.label for fact in shown.facts}


async def test_what_a_failed_step_printed_is_never_the_bot_s_advice(one: Bench) -> None:
    text = RUNBOOK.replace('      - exec: {command: [rm, -f, "/run/{service}.down"]}\n', "")
    book = book_of(text)
    by = bench(one.ledger, name="two", like=one, book=book)
    services(one).codes, services(one).prints = {SECOND: 1}, "<!channel> *x*\n"
    ended = await approved(by, await asked(one, book))
    for shown in (card.card(ended, ApprovalPolicy()), card.outcome(ended)):
        assert [(one.title, one.text) for one in shown.excerpts] == [("Output", "<!channel> *x*\nthe end")]
        facts = {fact.label: str(fact.value) for fact in shown.facts}
        assert "channel" not in str(facts)
        assert facts["Step 1 of 1"].startswith("svc -u sshd, in kali: exit code 1")


async def test_output_that_was_cut_says_so_and_keeps_its_end(one: Bench) -> None:
    services(one).codes, services(one).prints = {FIRST: 1}, "".join(f"line {n}\n" for n in range(100))
    ended = await approved(one, await asked(one))
    [output] = card.card(ended, ApprovalPolicy()).excerpts
    first, *rest = output.text.split("\n")
    assert first == "… what it printed before is left out"
    assert (rest[0], rest[-1]) == ("line 91", "the end")


async def test_output_that_would_make_the_record_unreadable_is_left_out(one: Bench) -> None:
    services(one).codes, services(one).prints = {FIRST: 1}, "password:\nx y\n"
    ended = await approved(one, await asked(one))
    [output] = card.card(ended, ApprovalPolicy()).excerpts
    assert output.text == "The output is left out: something in it looks like a secret."
    assert "exit code 1" in str(card.card(ended, ApprovalPolicy()).facts)


async def test_a_step_under_way_is_not_called_unknown(one: Bench) -> None:
    services(one).in_step = asyncio.Event()
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    now = await one.now(repair)
    facts = {fact.label: str(fact.value) for fact in card.card(now, ApprovalPolicy()).facts}
    assert facts["Step 1 of 2"].startswith("rm -f /run/sshd.down, in kali: runs since ")
    services(one).in_step.set()
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED


async def test_an_unexpected_error_of_the_first_read_ends_it_with_nothing_changed(one: Bench) -> None:
    services(one).unread = RuntimeError("x")
    ended = await approved(one, await asked(one))
    assert said(ended) == "nothing was changed: unexpected RuntimeError, see the bot's log"
    assert services(one).ran == []


async def test_an_unexpected_error_in_a_step_is_an_unknown_outcome_at_once(one: Bench) -> None:
    services(one).after = [RuntimeError("x")]
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.FAILED
    assert "nobody knows whether it ran, and it is not repeated" in said(ended)
    facts = {fact.label: str(fact.value) for fact in card.card(ended, ApprovalPolicy()).facts}
    assert facts["Step 1 of 2"].endswith("nobody knows whether it ran")
    assert services(one).ran == [FIRST]


def test_a_step_is_shown_as_it_would_be_typed() -> None:
    assert str(PlannedStep("kali", ("echo", "x -rf"), 1.0)) == "echo 'x -rf', in kali"


async def test_a_first_step_that_fails_is_the_last(one: Bench) -> None:
    services(one).codes = {FIRST: 1}
    ended = await approved(one, await asked(one))
    assert said(ended) == "step 1 of 2 ended with exit code 1; the steps after it were not run"
    assert services(one).ran == [FIRST]


@pytest.mark.parametrize("how", ["fails", "unknown"])
async def test_a_repair_that_does_not_help_has_failed(one: Bench, how: str) -> None:
    repair = await asked(one)
    services(one).helps = False
    if how == "unknown":
        services(one).unread_at_the_end = NotAllowed("may not")
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(2)
    await one.until(repair, lambda found: [run.ended is None for run in log_of(found.details).runs] == [False] * 2)
    one.clock.pass_(seconds=30)
    ended = await one.ended(repair)
    assert ended.state is RequestState.FAILED
    start = {
        "fails": "all steps were run, and it did not help: Services: sshd is down",
        "unknown": "all steps were run, and its effect is not known: Services: ",
    }
    assert said(ended).startswith(start[how])


async def test_the_file_can_ask_for_more_approvals_than_the_settings(one: Bench) -> None:
    repair = await asked(one, needed=2)
    await one.say(repair, Choice.APPROVE, JONAS)
    assert (await one.now(repair)).state is RequestState.OPEN
    await one.say(repair, Choice.APPROVE, PRIYA)
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED


async def test_a_step_under_way_when_its_process_dies_is_reported_by_the_next(one: Bench) -> None:
    services(one).in_step = asyncio.Event()
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until_sent(1)
    one.executor._tasks[repair.id].cancel()
    await one.idle(repair)
    two = bench(one.ledger, name="two", like=one, book=book_of())
    await two.executor.take_over(at_start=True)
    ended = await two.ended(repair)
    assert "nobody knows whether it ran, and it is not repeated" in said(ended)
    assert said(ended).endswith("the bot ended before it had the result")
    assert services(one).ran == [FIRST]


@pytest.mark.parametrize("steps", range(2, 60))
async def test_killed_between_any_two_steps_it_is_done_at_most_once(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Services(), book=book_of()) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        ran = list(services(one).ran)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        after = services(one).ran
        assert after[: len(ran)] == ran
        assert len(after) == len(set(after)), "a step was run twice"
        if ended.state is RequestState.SUCCEEDED:
            assert after == [FIRST, SECOND]
        else:
            assert ended.state is RequestState.FAILED
            assert "nobody knows whether it ran" in said(ended)
            assert after in ([], [FIRST], [FIRST, SECOND])
        await two.trail()


async def test_a_plan_that_can_not_be_read_is_carried_out_by_nobody(one: Bench) -> None:
    repair = await asked(one)
    async with one.ledger.writing() as tx:
        now = await tx.request(repair.id)
        assert now is not None
        await tx.save(replace(now, details={PLAN: '{"v":9}'}))
    ended = await approved(one, repair)
    assert said(ended).startswith("this version can't read what was to be done")
    assert services(one).ran == []
    assert plan_of(ended.details) is None
