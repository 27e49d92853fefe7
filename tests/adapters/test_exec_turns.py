"""Few commands run in a pod at a time, and the same one runs once for all who ask for it together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from bot.adapters.kubernetes.exec_turns import AT_ONCE, ExecTurns
from bot.domain.core.workload import ExecResult
from bot.errors import TimedOut, Transient
from tests.adapters.slack_bench import until


class Pod:
    """Counts the commands that run, each until the gate opens."""

    def __init__(self) -> None:
        self.turns, self.gate = ExecTurns(), asyncio.Event()
        self.started, self.running, self.most = 0, 0, 0

    async def command(self) -> ExecResult:
        self.started += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            return ExecResult("done", "", 0)
        finally:
            self.running -= 1

    def ask(self, key: str, pod: str = "p", run: Callable[[], object] | None = None) -> asyncio.Task[ExecResult]:
        return asyncio.create_task(self.turns.run(pod, key, run or self.command))  # type: ignore[arg-type]  # fakes


async def test_twenty_who_ask_for_the_same_start_one_command() -> None:
    pod = Pod()
    asked = [pod.ask("du") for _ in range(20)]
    await until(lambda: pod.running == 1)
    pod.gate.set()
    assert {result.stdout for result in await asyncio.gather(*asked)} == {"done"}
    assert pod.started == 1
    await pod.ask("du")
    assert pod.started == 2, "a result is not kept"


async def test_few_commands_run_in_a_pod_at_a_time_and_others_do_not_wait_for_them() -> None:
    pod = Pod()
    asked = [pod.ask(f"command {number}") for number in range(20)]
    await until(lambda: pod.running == AT_ONCE)
    other = pod.ask("command", pod="another")
    await until(lambda: pod.running == AT_ONCE + 1)
    pod.gate.set()
    await asyncio.gather(*asked, other)
    assert (pod.started, pod.most) == (21, AT_ONCE + 1)


async def test_a_command_ends_when_nobody_waits_for_it_any_more() -> None:
    pod = Pod()
    one, other = pod.ask("du"), pod.ask("du")
    await until(lambda: pod.running == 1)
    one.cancel()
    await asyncio.wait([one])
    assert pod.running == 1
    other.cancel()
    await until(lambda: pod.running == 0)
    again = pod.ask("du")
    await until(lambda: pod.running == 1)
    pod.gate.set()
    assert (await again).stdout == "done"


async def test_who_joined_late_does_not_share_the_other_s_deadline() -> None:
    pod, late = Pod(), asyncio.Event()

    async def times_out() -> ExecResult:
        await late.wait()
        raise TimedOut("no answer in 3 s")

    first = pod.ask("ps", run=times_out)
    await asyncio.sleep(0)
    second = pod.ask("ps")
    await asyncio.sleep(0)
    late.set()
    pod.gate.set()
    with pytest.raises(TimedOut):
        await first
    assert (await second).stdout == "done"


async def test_an_error_reaches_all_who_asked() -> None:
    pod = Pod()

    async def fails() -> ExecResult:
        await pod.gate.wait()
        raise Transient("the pod is gone")

    asked = [pod.ask("ps", run=fails) for _ in range(3)]
    await asyncio.sleep(0)
    pod.gate.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [str(error) for error in found] == ["the pod is gone"] * 3
