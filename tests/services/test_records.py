"""Finished pods, such as evicted ones, are not part of the snapshot that an approval is bound to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import TargetState
from bot.domain.core.workload import Deployment, Pod
from tests.services.workbench import JONAS, TARGET, bench, opened, pod


def record(number: int, phase: str = "Failed") -> Pod:
    return replace(pod(number), phase=phase, reason="Evicted", containers=(), conditions=())


RECORDS = [record(11), record(12, "Succeeded")]


@pytest.mark.parametrize("force", [False, True], ids=["rolled out", "forced"])
@pytest.mark.parametrize(
    ("before", "after"),
    [(RECORDS, []), (RECORDS, RECORDS[1:]), ([], RECORDS), (RECORDS, RECORDS)],
    ids=["cleared away", "one cleared away", "more of them", "as they were"],
)
async def test_finished_pods_that_come_and_go_do_not_void_a_request(
    tmp_path: Path, force: bool, before: list[Pod], after: list[Pod]
) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        one.cluster.pods_ = [*before, pod(1)]
        repair = await one.ask(force=force)
        assert repair.request.snapshot.pods == (("pod-1", "uid-1"),)
        one.cluster.pods_ = [*after, pod(1)]
        await one.say(repair, Choice.APPROVE, JONAS)
        assert (await one.ended(repair)).state is RequestState.SUCCEEDED
        assert one.cluster.deleted == (["uid-1"] if force else []), "the records stay"
        assert one.cluster.sent == 1
        await one.executor.stop(1)


async def test_pod_evicted_after_the_request_is_a_change(tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        one = bench(ledger)
        repair = await one.ask(force=True)
        one.cluster.pods_ = [record(1), pod(2)]
        await one.say(repair, Choice.APPROVE, JONAS)
        assert (await one.ended(repair)).state is RequestState.VOID
        assert one.cluster.sent == 0
        await one.executor.stop(1)


def test_terminating_pod_is_not_in_the_snapshot() -> None:
    look = TargetState(Deployment(TARGET.deployment, "uid-d"), (*RECORDS, replace(pod(3), deleting=True), pod(4)))
    assert look.snapshot.pods == (("pod-4", "uid-4"),)
