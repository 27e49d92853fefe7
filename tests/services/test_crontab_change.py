"""Changes of the crontab: made once, void after an edit, kept with the version before, and read by cron."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals.actions.cron_edit import CRON_EDIT
from bot.domain.approvals.actions.cron_undo import CRON_UNDO
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.crontab_change import CHANGE, CrontabChange, dump_change, snapshot
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core.cron.edit import Part, digest
from bot.domain.core.workload import ExecResult, LogText
from bot.errors import AgentpodError, NotAllowed, Transient, Uncertain
from bot.services.approvals.actions import crontab_execution
from bot.services.approvals.crontab_file import SECONDS, exec_forms
from sandbox.cluster.files import File
from sandbox.cluster.processes import Table
from sandbox.cluster.shell import Container
from tests.services.succession import succession
from tests.services.workbench import JONAS, MAYA, START, TARGET, Bench, FakeCluster, bench, opened, said

PATH = "/home/claude/.crontab"
PREVIOUS = f"{PATH}.agentpod-previous"
OLD, NEW, OTHER = "*/5 * * * * a\n# kept\n", "*/10 * * * * ä\n# kept\n", "# somebody else's\n"
EDIT = (Part(0, 0, ("*/10 * * * * ä",)), Part(1, 1))
INFO = 'time="2026-11-24T09:00:01Z" level=info msg="read crontab: /home/claude/.crontab"'
FATAL = 'time="2026-11-24T09:00:01Z" level=fatal msg="bad crontab line: \'x\' (use -debug for details)"'


FORMS = exec_forms(TARGET)


@dataclass
class Pod(FakeCluster):
    """A pod whose files are those of the pretend one."""

    box: Container = field(default_factory=lambda: Container(Table((), START, START)))
    changed: list[str] = field(default_factory=list)
    """The programs that changed something, in order."""
    log_: list[str] = field(default_factory=lambda: [INFO])
    no_log: AgentpodError | None = None
    renames: int = 0
    """How often the crontab was replaced."""
    edit_at: int = -1
    """Before which of the programs somebody else edits the crontab."""

    def __post_init__(self) -> None:
        self.box.written[PATH] = self.box.files[PATH] = File(OLD, "-rw-r-----")

    def text(self, path: str = PATH) -> str | None:
        file = self.box.files.get(path)
        return file.text if file is not None else None

    async def exec(self, pod: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        assert pod == self.pods_[-1].name
        assert any(form.fits(container, argv) for form in FORMS), argv
        if argv[0] == "stat":
            modes = [self.box.files[path].mode for path in argv[3:]]
            return ExecResult(
                "".join(f"{'81a0' if m == '-rw-r-----' else '81a4'} 1000 1000\n" for m in modes), "", 0
            )
        return self._run(argv, b"")

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, stdin: bytes | None = None
    ) -> ExecResult:
        assert (pod, seconds) == (self.pods_[-1].name, SECONDS)
        assert any(form.fits(container, argv, stdin=stdin is not None) for form in FORMS), argv
        self.sent += 1
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if len(self.changed) == self.edit_at:
            self.box.write(PATH, File(OTHER))
        self.changed.append(argv[0])
        self.renames += argv[0] == "mv" and argv[-1] == PATH
        result = self._run(argv, stdin or b"")
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return result

    def _run(self, argv: Sequence[str], stdin: bytes) -> ExecResult:
        done = self.box.execute(list(argv), stdin)
        return ExecResult(done.out.decode(), done.err.decode(), done.code)

    async def logs(self, pod: str, container: str, **_: Any) -> LogText:
        assert (pod, container) == (self.pods_[-1].name, "kali")
        if self.no_log is not None:
            raise self.no_log
        return LogText(tuple(self.log_))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crontab_execution, "LOG_WITHIN", crontab_execution.LOG_WITHIN / 100_000)


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Pod())
        yield made
        await made.executor.stop(1)


def pod_of(one: Bench) -> Pod:
    return cast("Pod", one.cluster)


async def asked(one: Bench, *, undo: bool = False) -> RepairRequest:
    pod = pod_of(one)
    before, after = digest(pod.text() or ""), digest((pod.text(PREVIOUS) or "") if undo else NEW)
    change = CrontabChange("kali", PATH, before, after, len(NEW.encode()), None if undo else EDIT)
    found = snapshot(pod.pods_[-1], before, after if undo else "")
    action = CRON_UNDO if undo else CRON_EDIT
    details = {CHANGE: dump_change(change)}
    proposal = Proposal(action, found, "why", "It is replaced.", (), after[:12], details)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_an_edit_replaces_the_file_and_keeps_its_mode_and_the_version_before(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    assert said(ended) == "the file has the new content, and supercronic has read it"
    pod = pod_of(one)
    assert (pod.text(), pod.box.files[PATH].mode) == (NEW, "-rw-r-----")
    assert pod.text(PREVIOUS) == OLD
    assert not [path for path in pod.box.files if path.endswith(("-new", "-old"))]
    ended = await approved(one, await asked(one, undo=True))
    assert ended.state is RequestState.SUCCEEDED
    assert (pod.text(), pod.text(PREVIOUS), pod.renames) == (OLD, NEW, 2)


@pytest.mark.parametrize("undo", [False, True])
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("lost", ["before", "after"])
async def test_a_call_without_an_answer_is_looked_at_and_the_change_made_once(
    one: Bench, undo: bool, number: int, lost: str
) -> None:
    pod = pod_of(one)
    if undo:
        pod.box.write(PREVIOUS, File(NEW, "-rw-r-----"))
    setattr(pod, lost, [*[None] * number, Uncertain("It is unknown whether the command ran: no answer.")])
    ended = await approved(one, await asked(one, undo=undo))
    assert (ended.state, pod.text(), pod.text(PREVIOUS)) == (RequestState.SUCCEEDED, NEW, OLD)
    assert pod.renames == 1


@pytest.mark.parametrize("at", range(4))
async def test_an_edit_by_somebody_else_is_never_overwritten(one: Bench, at: int) -> None:
    pod = pod_of(one)
    pod.edit_at = at
    ended = await approved(one, await asked(one))
    if at < 3:
        assert (ended.state, said(ended)) == (RequestState.VOID, "the crontab was edited meanwhile")
        assert (pod.text(), pod.renames) == (OTHER, 0)
    else:  # between the comparison and the rename
        assert (pod.text(), pod.text(PREVIOUS)) == (NEW, OLD)


async def test_another_pod_voids_it(one: Bench) -> None:
    repair, pod = await asked(one), pod_of(one)
    pod._replace_pod("somebody")
    ended = await approved(one, repair)
    assert (ended.state, said(ended)) == (RequestState.VOID, "the pod was replaced (pod-1 → pod-2)")
    assert (pod.text(), pod.changed) == (OLD, [])


async def test_a_refusal_says_that_nothing_was_changed(one: Bench) -> None:
    pod_of(one).before = [NotAllowed("The bot may not create pods/exec.")] * 100
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.FAILED
    assert said(ended) == "nothing was changed: the bot may not create pods/exec"


async def test_a_file_that_can_not_be_written_says_that_nothing_was_changed(one: Bench) -> None:
    pod = pod_of(one)
    pod.box.full = True
    ended = await approved(one, await asked(one))
    assert (ended.state, pod.text()) == (RequestState.FAILED, OLD)
    assert "nothing was changed: cp failed: " in said(ended)
    assert "No space left" in said(ended)


async def test_a_crontab_that_supercronic_refuses_names_the_line_and_the_remedy(one: Bench) -> None:
    pod_of(one).log_ = [INFO, FATAL, INFO, FATAL]
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.FAILED
    assert said(ended).startswith("supercronic refused the new crontab and ended: bad crontab line: 'x'")
    assert ended.outcome is not None
    assert ended.outcome.evidence == ("`/agentpod cron undo` restores the previous version.",)


@pytest.mark.parametrize(
    ("log", "error", "part"),
    [
        ([], None, "since its log does not say so. Without -inotify"),
        ([f'{INFO} job.command="x"', "read crontab: x"], None, "not known whether supercronic has read it"),
        ([], Transient("The API server is busy."), "since its log can't be read: the API server is busy"),
    ],
)
async def test_what_the_log_does_not_say_is_not_claimed(
    one: Bench, log: list[str], error: AgentpodError | None, part: str
) -> None:
    pod_of(one).log_, pod_of(one).no_log = log, error
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.SUCCEEDED
    assert part in said(ended)


@pytest.mark.parametrize("steps", range(2, 74, 1))
async def test_killed_between_any_two_steps_it_is_made_once(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Pod()) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        pod = pod_of(one)
        assert ended.state is RequestState.SUCCEEDED, said(ended)
        assert (pod.text(), pod.text(PREVIOUS), pod.renames) == (NEW, OLD, 1)
        await two.trail()
