"""Rounds of a request, concurrent approvals, kills and restarts, with the checks after each round.

A round asks for a restart, for another value of a Secret, or for another SSH key. Meanwhile a bot is killed,
or the API server fails: it hangs for a while, or makes a change and loses the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.adapters.ledger.ledger import SqlLedger, open_ledger
from bot.adapters.sinks.slack import COPY
from bot.domain.approvals.actions.action import RepairAction
from bot.domain.approvals.actions.force_restart import FORCE_RESTART
from bot.domain.approvals.actions.restart import RESTART
from bot.domain.approvals.actions.secret_set import SECRET_SET
from bot.domain.approvals.actions.ssh_key_add import SSH_KEY_ADD
from bot.domain.approvals.approval import RequestState
from bot.domain.approvals.repair import RepairRequest
from bot.domain.core.audit import Verifier
from bot.errors import AgentpodError
from sandbox.environment import Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message
from tests.controlplane.agent_pod import AgentPod
from tests.postgres import Postgres
from tests.soak.bot import AWAY, CLAIM_POINTS, CLUSTER_POINTS, POINTS
from tests.soak.fleet import PATIENCE, Fleet, Tally
from tests.soak.stores import TRACES, Stores

ACTIONS = (RESTART,) * 4 + (FORCE_RESTART, SECRET_SET, SECRET_SET, SSH_KEY_ADD)
"""The requests to draw from; repeated entries are drawn more often."""
PAUSED = "paused"
"""The fault of an API server that is paused and answers its requests afterwards."""
OUTAGES = (PAUSED, *(f"{AWAY}{point}" for point in CLUSTER_POINTS))
LIVE = frozenset({RequestState.OPEN, RequestState.APPROVED, RequestState.EXECUTING})
UNTOUCHED = frozenset({RequestState.DENIED, RequestState.WITHDRAWN, RequestState.EXPIRED, RequestState.VOID})
MARKS = {
    RequestState.SUCCEEDED: "✅",
    RequestState.FAILED: "🔴",
    RequestState.DENIED: "⛔",
    RequestState.VOID: "🚫",
    RequestState.EXPIRED: "⌛",
    RequestState.WITHDRAWN: "↩️",
}


@dataclass(frozen=True)
class Seen:
    """The state of the cluster once nothing changes."""

    generation: int
    pods: int
    """The number of pods ever created."""
    secrets: Mapping[str, str]
    """Each Secret's resource version."""
    version: str = field(compare=False)
    """The resource version at which the Secrets were read."""


@dataclass
class Proof:
    """One run of the proof."""

    pod: AgentPod
    sandbox: Sandbox
    fleet: Fleet
    ledger: SqlLedger
    postgres: Postgres | None
    dice: random.Random
    tally: Tally
    stores: Stores
    database: str
    """The database's name on PostgreSQL."""
    last: Seen | None = None
    """The state after the previous round."""

    async def round(self, number: int, fault: str = "", action: RepairAction | None = None) -> None:
        """Run one request to its end; with a given ``fault``, the request is never withdrawn."""
        self.tally.rounds += 1
        reason = f"round {number}"
        action = action or self.dice.choice(ACTIONS)
        withdrawn = not fault and self.dice.random() < 0.1
        fault = fault or self._fault(action)
        if self.dice.random() < 0.2:
            await asyncio.sleep(1.0)  # give a late duplicate time to appear before the next kill
        before = await self._settled()
        self._judge_between(f"before round {number}", before)
        await self._arm(fault)
        repair = await self._asked(reason, action)
        if withdrawn:
            await self._click(repair, reason, [(seed.MAYA, 2)])  # withdrawn while others decide
        trouble = asyncio.create_task(self._disturb(fault))
        try:
            repair = await self._decided(repair, reason)
        finally:
            await trouble
        after = self.last = await self._settled()
        said = f"round {number} ({fault}, {action.name}, {repair.id} {repair.state.value}: {_text(repair)})"
        if action.restarts:
            self._judge_restart(said, repair, before, after)
        else:
            await self._judge_store(said, repair, before, after)
        await self._true_card(repair, reason)

    def _judge_between(self, when: str, now: Seen) -> None:
        """Check that nothing changed between rounds: without an approval, a change is a late duplicate."""
        if self.last is not None and now != self.last:
            self.tally.doubled += 1
            self._complain(f"{when}: nobody asked for what is {now}, and was {self.last}")

    def _fault(self, action: RepairAction) -> str:
        claims = CLAIM_POINTS if action.needs_value else ()
        point = self.dice.choice((*POINTS, *CLUSTER_POINTS, *claims, *OUTAGES, "timed", "timed"))
        commits = 14 if action.restarts else 6
        most = {"commit": commits, "look": 3, "post": 3, "edit": 4}.get(point.rpartition("-")[2], 1)
        return f"{point}:{self.dice.randint(1, most)}"

    async def _arm(self, fault: str) -> None:
        self.tally.outages += fault.startswith(OUTAGES)
        place = self.dice.randrange(self.fleet.count)
        await self.fleet.arm(place, "" if fault.startswith(("timed", PAUSED)) else fault)
        await self.sandbox.workspace.panel.apply("slack-duplicate", self.dice.random() < 0.3)

    async def _disturb(self, fault: str) -> None:
        if fault.startswith("timed"):
            await asyncio.sleep(self.dice.uniform(0, 2.5))
            self.fleet.kill(self.dice.randrange(self.fleet.count))
        if fault.startswith(PAUSED):
            await self._pause()
        if self.postgres is not None and self.dice.random() < 0.15:
            await asyncio.sleep(self.dice.uniform(0, 1.0))
            await asyncio.to_thread(self.postgres.stop)
            await asyncio.sleep(self.dice.uniform(0.5, 2.0))
            self.postgres.start()  # in this thread, since the server ends with the thread that started it

    async def _pause(self) -> None:
        """Pause the API server, for longer or shorter than a call's deadline."""
        await asyncio.sleep(self.dice.uniform(0, 0.8))
        server = self.pod.plane.processes["kube-apiserver"]
        server.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.dice.uniform(1, 4))
        finally:
            server.send_signal(signal.SIGCONT)

    async def _asked(self, reason: str, action: RepairAction) -> RepairRequest:
        """Repeat the request until the ledger has it, as a user would who gets no answer."""
        line = f'{action.name} --reason "{reason}"' if action.restarts else self.stores.line(action, reason)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            await self.sandbox.workspace.slash(seed.MAYA, seed.OPS, "/agentpod", line)
            wait = time.monotonic() + 4
            while time.monotonic() < wait:
                if repair := await self._case(reason):
                    return repair
                await asyncio.sleep(0.05)
        raise AssertionError(f"{reason} was never asked\n{self.fleet.log()}")

    async def _case(self, reason: str) -> RepairRequest | None:
        with contextlib.suppress(AgentpodError):
            return next((c for c in await self.ledger.requests(limit=5) if c.reason == reason), None)
        return None

    def _cards(self, reason: str) -> list[Message]:
        """The card and its copies."""
        here = self.sandbox.workspace.messages(seed.OPS)
        return [m for m in here if reason in m.all_text().splitlines() and "Asked by" in m.all_text()]

    async def _decided(self, repair: RepairRequest, reason: str) -> RepairRequest:
        """Let several people click at once until the request is decided, enter the value, and wait for the end."""
        end, clicked, given = time.monotonic() + PATIENCE, 0.0, 0.0
        while time.monotonic() < end:
            repair = await self._case(reason) or repair
            if repair.state not in LIVE:
                return repair
            if repair.state is RequestState.OPEN and time.monotonic() - clicked > 4:
                who = [(seed.JONAS, 0), (seed.PRIYA, 0), (seed.JONAS, 0)][: self.dice.randint(1, 3)]
                if await self._click(repair, reason, who):
                    clicked = time.monotonic()
            if (
                repair.state is RequestState.APPROVED
                and time.monotonic() - given > 4
                and await self.stores.give(repair)
            ):
                given = time.monotonic()
            await asyncio.sleep(0.05)
        return repair

    async def _click(self, repair: RepairRequest, reason: str, who: Sequence[tuple[str, int]]) -> bool:
        """Click the card's buttons, by position, concurrently; False while there is no card."""
        cards = [c for c in self._cards(reason) if "needs approval" in c.text]
        if not cards or repair.state is not RequestState.OPEN:
            return False
        clicks = [self.sandbox.workspace.click(user, cards[-1], f"agentpod:run:{n}") for user, n in who]
        await asyncio.gather(*clicks, return_exceptions=True)
        return True

    async def _settled(self) -> Seen:
        """Wait until nothing changes; returns that state."""
        end = time.monotonic() + PATIENCE
        while True:
            found = self.pod.plane.call("GET", self.pod.deployment_path)
            status, meta = found.get("status", {}), found["metadata"]
            still = status.get("observedGeneration") == meta["generation"] and status.get("readyReplicas") == 1
            if (still and status.get("updatedReplicas") == 1) or time.monotonic() > end:
                return Seen(meta["generation"], len(self._made()), *self.stores.versions())
            await asyncio.sleep(0.05)

    def _made(self) -> set[str]:
        """The creation events of all pods ever created here by a ReplicaSet."""
        events = self.pod.plane.call("GET", f"{self.pod.path}/events?limit=5000")["items"]
        return {e["message"] for e in events if e["reason"] == "SuccessfulCreate"}

    def _judge_restart(self, said: str, repair: RepairRequest, before: Seen, after: Seen) -> None:
        rollouts, pods = after.generation - before.generation, after.pods - before.pods
        self.tally.rollouts += pods
        if pods > 1 or rollouts > 1 or before.secrets != after.secrets:
            self.tally.doubled += 1
            self._complain(f"{said}: {rollouts} rollouts, {pods} pods; Secrets {before.secrets}, {after.secrets}")
        self._judge_end(said, repair)
        nothing = repair.state in UNTOUCHED or (
            repair.state is RequestState.FAILED and "nothing was" in _text(repair)
        )
        if (nothing and pods) or (repair.state is RequestState.SUCCEEDED and pods != 1):
            self._untrue(f"{said}: {pods} pods were made")

    async def _judge_store(self, said: str, repair: RepairRequest, before: Seen, after: Seen) -> None:
        writes = await asyncio.to_thread(self.stores.writes, before.version)
        self.tally.stores += len(writes)
        if len(writes) > 1 or (before.generation, before.pods) != (after.generation, after.pods):
            self.tally.doubled += 1
            self._complain(f"{said}: {len(writes)} writes; {before}, {after}")
        self._judge_end(said, repair)
        if untrue := self.stores.untrue(repair, writes):
            self._untrue(f"{said}: {untrue}")

    def _judge_end(self, said: str, repair: RepairRequest) -> None:
        if repair.state in LIVE:
            self.tally.lost += 1
            self._complain(f"{said}: not at its end\n{self.fleet.log()}")

    def _untrue(self, text: str) -> None:
        self.tally.untrue += 1
        self._complain(f"{text}\n{self.fleet.log()}")

    def _complain(self, text: str) -> None:
        self.tally.complaints.append(text)

    async def _true_card(self, repair: RepairRequest, reason: str) -> None:
        """Check that the card shows the outcome, and that a requester who had to enter a value was notified."""
        mark, end = MARKS.get(repair.state, "?"), time.monotonic() + PATIENCE
        to_tell = repair.action.needs_value and repair.approved
        while time.monotonic() < end:
            cards = self._cards(reason)
            told = not to_tell or self.stores.told(repair, mark)
            if cards and mark in cards[-1].text and told and not self._stale(repair):
                return
            await asyncio.sleep(0.05)
        if stale := self._stale(repair):
            self._untrue(f"{reason}: {stale}")
        cards = [c.text for c in self._cards(reason)]
        self._untrue(f"{reason}: the card says {cards}, it is {repair.state.value}; told: {not to_tell}")

    def _stale(self, repair: RepairRequest) -> str:
        """What is wrong with the approvers' direct messages about an ended request; empty for nothing."""
        for user in (seed.JONAS, seed.PRIYA):
            here = self.sandbox.workspace.messages(seed.DMS[user], user)
            mine = [m for m in here if f"{repair.id}" in m.all_text() and "The card is in" in m.all_text()]
            if mine and "'Approve'" in str(mine[-1].blocks):
                return f"{user} still has buttons"
            if len(mine) > 1 and COPY not in mine[-1].all_text():
                return f"{user} got {len(mine)} messages"
        return ""

    async def end(self) -> None:
        """Check at the end that the audit trail is intact, no message is pending, and no value was leaked."""
        check = Verifier()
        async for record in self.ledger.records():
            check.broken_by(record)
        if check.broken() is not None:
            self._complain(f"the audit trail is broken: {check.broken()}")
        end = time.monotonic() + PATIENCE
        while await self.ledger.waiting():
            if time.monotonic() > end:
                self._complain(f"{await self.ledger.waiting()} messages are still owed")
                break
            await asyncio.sleep(0.1)
        self._judge_between("at the end", await self._settled())
        kept = await asyncio.to_thread(self._kept)
        if b"round 1" not in kept or any(trace in kept for trace in TRACES):
            self._complain("a value is in the ledger, or in what a bot wrote; or neither was found")

    def _kept(self) -> bytes:
        """Everything that the bots wrote: the ledger and their logs."""
        files = [f for pattern in ("agentpod.db*", "*.log") for f in self.sandbox.folder.glob(pattern)]
        dump = self.postgres.dump(self.database) if self.postgres else b""
        return dump + b"".join(f.read_bytes() for f in files)


def _text(repair: RepairRequest) -> str:
    return repair.outcome.text if repair.outcome else ""


@asynccontextmanager
async def prepared(
    pod: AgentPod, *, postgres: Postgres | None, seed_: int, between: bool = True
) -> AsyncIterator[Proof]:
    """Start everything: one bot on SQLite or two on PostgreSQL. ``between``: see `Fleet`."""
    database = f"soak_{pod.namespace.replace('-', '_')}"
    url = postgres.create(database) if postgres else ""
    settings: dict[str, Any] = {
        "probes": {"timeout": "2s"},
        "pushgateway": {"url": ""},
    }
    if url:
        settings["ledger"] = {"url": url}
    tally = Tally()
    target = pod.where() | {"argocd": None}
    async with Sandbox(
        rate_limits=False, kubeconfig=pod.kubeconfig(), target=target, settings=settings
    ) as sandbox:
        fleet = Fleet(sandbox, 2 if postgres else 1, tally, between=between)
        await fleet.start()
        path = url or f"sqlite+aiosqlite:///{Path(sandbox.folder) / 'agentpod.db'}"
        ledger = await open_ledger(path, exclusive=False)
        try:
            dice = random.Random(seed_)  # noqa: S311 - a test's dice
            stores = Stores(pod, sandbox.workspace, dice)
            yield Proof(pod, sandbox, fleet, ledger, postgres, dice, tally, stores, database)
        finally:
            await fleet.stop()
            await ledger.close()
