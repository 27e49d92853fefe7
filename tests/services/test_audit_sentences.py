"""Every repair as the audit trail tells it: done, failed, and where nobody knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.ledger.ledger import SqlLedger
from bot.domain.approvals.actions import registry
from bot.domain.approvals.approval import Choice, RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.errors import NotAllowed, Uncertain
from tests.services import audit_sentences, pulling, two_containers
from tests.services import test_configs_rotate as configs
from tests.services import test_cron_run as scripts
from tests.services import test_crontab_change as crontab
from tests.services import test_declared_repair as declared
from tests.services import test_egress_create as egress_create
from tests.services import test_egress_repair as egress
from tests.services import test_heartbeat_push as heartbeat
from tests.services import test_secret_writer as secrets
from tests.services import test_ssh_keys_copy as copied
from tests.services.workbench import JONAS, Bench, FakeCluster, bench, opened

NO, LOST = NotAllowed("The bot may not do that."), Uncertain("It is unknown whether it took effect: no answer.")
HOWS = ("done", "failed", "unknown")


@dataclass
class Repair:
    """How an action's own tests ask for it, and what refuses it or loses its answer."""

    ask: Callable[[Bench], Awaitable[RepairRequest]]
    cluster: Callable[[], FakeCluster] = FakeCluster
    before: str = "before"
    """The cluster's field of errors that are raised instead of a change."""
    after: str = "after"
    """The same, once the change took effect."""
    more: Callable[[], dict[str, Any]] = dict
    """Further arguments of the bench."""
    value: str = ""
    """What its requester gives."""
    prepare: Callable[[Bench], None] = field(default=lambda _: None)


def _secret(**wanted: Any) -> Callable[[Bench], Awaitable[RepairRequest]]:
    return lambda one: secrets.asked(one, **wanted)


def _filled(one: Bench) -> None:
    one.cluster.file = f"{secrets.FIRST}\n{secrets.SECOND}\n".encode()


async def _undone(one: Bench) -> RepairRequest:
    pod = crontab.pod_of(one)
    pod.box.write(crontab.PREVIOUS, crontab.File(crontab.OTHER, "-rw-r-----"))
    return await crontab.asked(one, undo=True)


REPAIRS = {
    "configs rotate": Repair(
        configs.asked,
        configs.Configs,
        "errors",
        "lost",
        lambda: {"target": configs.WITH, "decryption": configs.Sealed()},
    ),
    "cron edit": Repair(crontab.asked, crontab.Pod),
    "cron run": Repair(scripts.asked, scripts.Scripts),
    "cron undo": Repair(_undone, crontab.Pod),
    "declared-repair": Repair(declared.asked, declared.Services, more=lambda: {"book": declared.book_of()}),
    "egress repair": Repair(
        egress.asked, egress.Cilium, more=lambda: {"book": egress.book(), "target": egress.WITH}
    ),
    "egress repair --create": Repair(
        egress_create.asked, egress_create.Gone, more=lambda: {"book": egress.book(), "target": egress.WITH}
    ),
    "heartbeats push": Repair(heartbeat.asked),
    "image pull": Repair(pulling.asked, pulling.Pulling),
    "image set": Repair(pulling.set_asked, pulling.Pulling),
    "restart": Repair(lambda one: one.ask()),
    "restart --container": Repair(two_containers.asked, two_containers.Two),
    "restart --force": Repair(lambda one: one.ask(force=True)),
    "secrets set": Repair(_secret(), value="hunter2222"),
    "ssh keys add": Repair(_secret(**secrets.adding()), prepare=_filled),
    "ssh keys copy": Repair(copied.asked, copied.Files),
    "ssh keys remove": Repair(_secret(**secrets.removing(secrets.FIRST)), prepare=_filled),
}


@asynccontextmanager
async def benched(repair: Repair, ledger: SqlLedger, how: str) -> AsyncIterator[Bench]:
    """A bench on which the repair is done, is refused, or gets no answer."""
    cluster, gateway = repair.cluster(), heartbeat.Gateway()
    more = repair.more()
    if isinstance(cluster, pulling.Pulling):
        more["registry"] = cluster.registry
    one = bench(ledger, cluster=cluster, **more)
    heartbeat.connect(one, gateway)
    repair.prepare(one)
    broken = gateway if repair.ask is heartbeat.asked else cluster
    if how != "done":
        which, error = (repair.before, NO) if how == "failed" else (repair.after, LOST)
        if isinstance(cluster, egress.Cilium):
            fails = cluster.errors if how == "failed" else cluster.lost
            fails |= {what: [error] * 99 for what in ("agent", "create")}
        else:
            setattr(broken, which, [error] * 99)
    if how == "unknown" and isinstance(cluster, two_containers.Two):
        cluster.deaf = True
    yield one
    await one.executor.stop(1)


async def carried_out(one: Bench, asked: RepairRequest, value: str) -> RepairRequest:
    """Approve it, and let the time pass that it waits for."""
    await one.say(asked, Choice.APPROVE, JONAS)
    if value:
        await secrets.give(one, asked, value)
    while not (now := await one.now(asked)).state.final:
        await asyncio.sleep(0.3)
        one.clock.pass_(seconds=40)
    return now


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("name", REPAIRS)
async def test_each_sentence_is_whole_and_true(tmp_path: Path, name: str, how: str) -> None:
    repair = REPAIRS[name]
    async with opened(tmp_path) as ledger, benched(repair, ledger, how) as one:
        ended = await carried_out(one, await repair.ask(one), repair.value)
        assert ended.action.name == name
        read = await audit_sentences.read(ledger)
        assert audit_sentences.flaws(read) == []
        assert (ended.state is RequestState.SUCCEEDED) == (how == "done") or how == "unknown"


def test_every_action_is_among_them() -> None:
    assert set(REPAIRS) == set(registry.builtin().names)
