"""Each command declares the Kubernetes rights that its calls need, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from bot.adapters.ledger.ledger import SqlLedger
from bot.domain.approvals.actions import registry as actions
from bot.domain.core.workload import Event, Pod, Right
from bot.domain.digest.when import When
from bot.domain.health.ssh_keys import parse_key
from bot.errors import AgentpodError
from bot.runbook.command import Command
from bot.runbook.grammar import parse
from bot.services.digest.post_digest import DigestMessages
from commands.registry import BUILTIN
from tests.commands.fakes import NOW, PODS, handbook
from tests.commands.test_secrets import ONE, Room
from tests.rights_used import RightsUsed
from tests.services.workbench import bench, opened

EVENTS = [
    Event("Warning", "Odd", "it is odd", f"{kind}/x", last_seen=NOW)
    for kind in ("pod", "service", "persistentvolumeclaim", "externalsecret")
]
"""Warnings about each kind of object that may be the target's."""
LINES = {
    "secrets set": 'secrets set GITHUB_TOKEN --reason "rotated"',
    "ssh keys add": f'ssh keys add --key "{ONE.rpartition(" ")[0]}" --reason "new"',
    "ssh keys remove": f'ssh keys remove {parse_key(ONE).fingerprint} --reason "gone"',
}
"""Lines of commands whose examples, or whose names alone, reach less than they can."""

VALUES = {"secrets set": "secrets enter"}
"""Action → the command that takes its value."""


def _named(command: Command) -> str:
    return command.name or "(home)"


def lines_of(command: Command) -> Iterator[str]:
    yield from command.examples or (command.name,)
    if command.name in LINES:
        yield LINES[command.name]


async def _used(command: Command, ledger: SqlLedger, pods: Sequence[Pod]) -> set[Right]:
    """The rights that the command's calls need, whether it succeeds or not."""
    room = Room()
    room.cluster.pods_answer, room.cluster.events_answer = list(pods), EVENTS
    used = RightsUsed(room.cluster)
    service = bench(ledger).approval_service
    service.executor = service.executor.on(lambda _: used.as_cluster)
    ctx = replace(room.context(), cluster=used.as_cluster, ledger=ledger, repairs=service)
    ctx = replace(ctx, digests=DigestMessages(ledger, ctx.clock, [ctx.target], When(time(9), "UTC"), None))
    for line in lines_of(command):
        with suppress(AgentpodError):
            invocation = parse(line, BUILTIN)
            await invocation.command.run(ctx, invocation.params)
    return used.rights


def _of_the_repair(command: Command) -> set[Right]:
    """The rights of the repairs that the command asks for, which are carried out after it has ended."""
    asked = [a for a in actions.builtin() if command.name in (a.name.partition(" --")[0], VALUES.get(a.name))]
    return {right for action in asked for right in action.rights(Room().target)}


@pytest.mark.parametrize("command", BUILTIN, ids=_named)
async def test_a_command_declares_the_rights_that_its_calls_need(command: Command, tmp_path: Path) -> None:
    book = handbook()
    of_runbook = (*command.runbook_rights(book, Room().target), *command.rights_beside(book, Room().target))
    declared = {*command.rights(Room().target), *of_runbook}
    every = _of_the_repair(command)
    async with opened(tmp_path) as ledger:
        for name, pods in PODS.items():
            used = await _used(command, ledger, pods)
            assert used - declared == set(), f"used but not declared, with the pod {name}"
            every |= used
    assert declared - every == set(), "declared but not used"
