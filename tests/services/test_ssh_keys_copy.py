"""Copies of the SSH keys: the pod's file is the old one or the approved one, and every outcome is true."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.approvals import card
from bot.domain.approvals.actions.ssh_keys_copy import SSH_KEYS_COPY, snapshot
from bot.domain.approvals.approval import ApprovalPolicy, Choice, RequestState
from bot.domain.approvals.repair import Proposal, RepairRequest
from bot.domain.core.workload import ExecResult
from bot.errors import NotAllowed, NotFound, Transient, Uncertain
from bot.services.approvals.actions.ssh_keys_copy import exec_forms
from tests import handbook
from tests.services.succession import succession
from tests.services.workbench import JONAS, KEY, MAYA, SECRET, TARGET, Bench, FakeCluster, bench, opened, said

OLD, NEW = b"ssh-ed25519 AAAA old\n", b"ssh-ed25519 BBBB new\n"
FILE, MOUNT = "/home/claude/.ssh/authorized_keys", "/etc/agent/ssh-keys/authorized_keys"
BESIDE = f"{FILE}.agentpod"


@dataclass
class Files(FakeCluster):
    """A pod with its own file of keys, and the Secret's mounted one."""

    files: dict[str, bytes] = field(default_factory=lambda: {FILE: OLD, MOUNT: NEW})
    codes: dict[str, int] = field(default_factory=dict)
    """Program → the exit code that it ends with, having done nothing."""
    seen: list[bytes] = field(default_factory=list)
    """What the pod's file was after each command."""
    unread: Exception | None = None

    async def exec(self, pod: str, container: str, argv: Sequence[str], **_: Any) -> ExecResult:
        assert argv[0] == "sha256sum"
        self._declared(container, argv)
        if self.unread is not None:
            raise self.unread
        return ExecResult("".join(f"{sha(self.files[p])}  {p}\n" for p in argv[1:] if p in self.files), "", 0)

    async def run_once(
        self, pod: str, container: str, argv: Sequence[str], *, seconds: float, **_: Any
    ) -> ExecResult:
        assert seconds == 10
        self._declared(container, argv)
        self.sent += 1
        if pod not in [one.name for one in self.pods_]:
            raise NotFound("no such pod")
        if self.before and (error := self.before.pop(0)) is not None:
            raise error
        if code := self.codes.get(argv[0]):
            return ExecResult("", f"{argv[0]}: no\n", code)
        if argv[0] == "install":
            self.files[argv[-1]] = self.files[argv[-2]]
        elif argv[0] == "mv":
            self.files[argv[-1]] = self.files.pop(argv[-2])
        else:
            self.files.pop(argv[-1], None)
        self.seen.append(self.files[FILE])
        if self.after and (error := self.after.pop(0)) is not None:
            raise error
        return ExecResult("", "", 0)

    def _declared(self, container: str, argv: Sequence[str]) -> None:
        assert any(form.fits(container, argv) for form in exec_forms(handbook.TARGET)), argv


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
async def one(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as ledger:
        made = bench(ledger, cluster=Files())
        yield made
        await made.executor.stop(1)


def files(one: Bench) -> Files:
    return cast("Files", one.cluster)


async def asked(one: Bench) -> RepairRequest:
    details = {"secret": SECRET, "key": KEY, "container": "kali", "file": FILE, "mount": MOUNT, "sha256": sha(NEW)}
    found = snapshot(files(one).secret_, files(one).pods_[-1])
    proposal = Proposal(SSH_KEYS_COPY, found, "why", "Copies them.", details=details)
    return (await one.approval_service.ask(proposal, TARGET.name, one.caller(MAYA))).repair


async def approved(one: Bench, repair: RepairRequest) -> RepairRequest:
    await one.say(repair, Choice.APPROVE, JONAS)
    return await one.ended(repair)


async def test_an_approved_copy_is_made_and_read_back(one: Bench) -> None:
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, f"{FILE} is the same as in the Secret")
    assert files(one).files == {FILE: NEW, MOUNT: NEW}
    assert files(one).seen == [OLD, NEW], "it is renamed as a whole"
    shown = card.card(ended, ApprovalPolicy())
    assert shown.headline == f"✅ SSH keys copied into {TARGET.name}"
    assert [b.command for b in shown.buttons] == [f'ssh keys --target "{TARGET.name}"']
    [request] = [r.data for r in await one.trail() if r.kind == "request"]
    assert (request["file"], request["mount"], request["sha256"]) == (FILE, MOUNT, sha(NEW))


@pytest.mark.parametrize("what", ["secret", "pod"])
async def test_what_changed_since_the_request_voids_it(one: Bench, what: str) -> None:
    repair = await asked(one)
    if what == "secret":
        files(one).change_secret(b"other")
        why = f"the Secret {SECRET} was changed"
    else:
        files(one)._replace_pod("somebody")
        why = "the pod was replaced (pod-1 → pod-2)"
    ended = await approved(one, repair)
    assert (ended.state, said(ended), files(one).sent) == (RequestState.VOID, why, 0)


async def test_a_mounted_file_that_is_still_old_is_waited_for(one: Bench) -> None:
    files(one).files[MOUNT] = OLD
    repair = await asked(one)
    await one.say(repair, Choice.APPROVE, JONAS)
    one.clock.pass_(seconds=90)
    assert files(one).sent == 0
    files(one).files[MOUNT] = NEW
    assert (await one.ended(repair)).state is RequestState.SUCCEEDED
    assert files(one).files[FILE] == NEW


async def test_an_unexpected_error_while_it_is_waited_for_changes_nothing(one: Bench) -> None:
    files(one).files[MOUNT] = OLD
    repair = await asked(one)
    read = files(one).exec

    async def breaks(*given: Any, **more: Any) -> ExecResult:
        if len(given[2]) == 2:  # the mounted file alone: all reads but these read the pod's own as well
            raise KeyError("defect")
        return await read(*given, **more)

    files(one).exec = breaks  # type: ignore[method-assign]
    ended = await approved(one, repair)
    text = "nothing was changed: unexpected KeyError, see the bot's log"
    assert (ended.state, said(ended), files(one).sent) == (RequestState.FAILED, text, 0)


async def test_a_mounted_file_that_stays_old_fails_with_the_remedy(one: Bench) -> None:
    files(one).files[MOUNT] = OLD
    repair = await asked(one)
    deciding = asyncio.create_task(one.say(repair, Choice.APPROVE, JONAS))
    await one.until(repair, lambda found: found.state is RequestState.EXECUTING)
    await asyncio.sleep(0.05)
    one.clock.pass_(seconds=130)
    ended = await one.ended(repair)
    await deciding
    assert said(ended) == f"nothing was changed: {MOUNT} in kali is not as the Secret after 2 min"
    assert ended.outcome is not None
    assert "never by subPath. Restart the pod instead" in ended.outcome.evidence[0]
    assert (files(one).sent, files(one).files[FILE]) == (0, OLD)


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_command_without_an_answer_is_judged_by_the_file(one: Bench, lost: int) -> None:
    files(one).after = [*[None] * lost, Uncertain("It is unknown whether the command ran.")]
    ended = await approved(one, await asked(one))
    assert (ended.state, files(one).files[FILE]) == (RequestState.SUCCEEDED, NEW)
    assert BESIDE not in files(one).files


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [
        ("install", 1, "nothing was changed: install ended with exit code 1: install: no"),
        ("install", 127, "nothing was changed: There is no install in kali"),
        ("mv", 1, "nothing was changed: mv ended with exit code 1: mv: no"),
    ],
)
async def test_a_command_that_fails_changes_nothing_and_leaves_nothing_behind(
    one: Bench, program: str, code: int, text: str
) -> None:
    files(one).codes = {program: code}
    ended = await approved(one, await asked(one))
    assert ended.state is RequestState.FAILED
    assert said(ended).lower() == text.lower()
    assert files(one).files == {FILE: OLD, MOUNT: NEW}


async def test_what_was_not_approved_is_never_put_in_place(one: Bench) -> None:
    """The mounted file changes between the look and the copy."""
    cluster = files(one)
    run = cluster.run_once

    async def changed(*given: Any, **named: Any) -> ExecResult:
        if given[2][0] == "install" and cluster.sent == 0:
            cluster.files[MOUNT] = b"evil\n"
            cluster.change_secret(b"evil\n")
        return await run(*given, **named)

    cluster.run_once = changed  # type: ignore[method-assign]
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.VOID, f"the Secret {SECRET} was changed")
    assert cluster.files == {FILE: OLD, MOUNT: b"evil\n"}


async def test_transient_and_permanent_refusals(one: Bench) -> None:
    files(one).before = [Transient("away")]
    assert (await approved(one, await asked(one))).state is RequestState.SUCCEEDED
    files(one).files[FILE] = OLD
    files(one).before = [NotAllowed("may not create pods/exec")] * 100
    ended = await approved(one, await asked(one))
    assert (ended.state, said(ended)) == (RequestState.FAILED, "nothing was changed: may not create pods/exec")


async def test_a_file_that_can_not_be_read_back_says_so(one: Bench) -> None:
    repair = await asked(one)
    run = files(one).run_once

    async def blind(*given: Any, **named: Any) -> ExecResult:
        done = await run(*given, **named)
        if given[2][0] == "mv":
            files(one).unread = NotAllowed("may not")
        return done

    files(one).run_once = blind  # type: ignore[method-assign]
    await one.say(repair, Choice.APPROVE, JONAS)
    await one.until(repair, lambda found: found.sent_at is not None)
    one.clock.pass_(minutes=2)
    assert said(await one.ended(repair)) == "the keys were copied, and could not be read back: may not"


@pytest.mark.parametrize("steps", range(2, 40))
async def test_killed_between_any_two_steps_the_file_is_whole(tmp_path: Path, steps: int) -> None:
    """The first process dies after ``steps`` calls of the ledger and the cluster; the next one takes over."""
    async with succession(tmp_path, cluster=Files()) as both:
        one = both.one
        repair = await asked(one)
        await both.dies(repair, steps)
        assert set(files(one).seen) <= {OLD, NEW}
        two = await both.next(repair)
        await two.executor.take_over(at_start=True)
        ended = await two.ended(repair)
        assert (ended.state, said(ended)) == (RequestState.SUCCEEDED, f"{FILE} is the same as in the Secret")
        assert files(one).files == {FILE: NEW, MOUNT: NEW}
        assert set(files(one).seen) <= {OLD, NEW}
        await two.trail()
