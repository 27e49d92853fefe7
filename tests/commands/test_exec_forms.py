"""Each command runs in the containers only what is declared for admission."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.errors import AgentpodError
from bot.ports.cluster import Cluster
from bot.runbook.command import Command
from bot.runbook.grammar import parse
from bot.wiring.exec_forms import all_exec_forms
from commands.registry import BUILTIN
from tests.commands.fakes import PODS, handbook
from tests.commands.test_rights import lines_of
from tests.commands.test_secrets import Room
from tests.services.workbench import bench, opened


class Ran:
    """Passes calls on to a cluster, and records what is run in containers."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster
        self.ran: list[tuple[str, Sequence[str]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def exec(self, pod: str, container: str, argv: Sequence[str], **more: Any) -> Any:
        self.ran.append((container, argv))
        return await self._cluster.exec(pod, container, argv, **more)


@pytest.mark.parametrize("command", BUILTIN, ids=lambda command: command.name or "(home)")
async def test_a_command_runs_only_what_is_declared(command: Command, tmp_path: Path) -> None:
    async with opened(tmp_path) as ledger:
        for pods in PODS.values():
            room = Room()
            room.cluster.pods_answer = list(pods)
            ran = Ran(room.cluster)
            repairs = bench(ledger).approval_service
            repairs.executor = repairs.executor.on(lambda _, ran=ran: cast("Cluster", ran))
            ctx = replace(room.context(), cluster=cast("Cluster", ran), ledger=ledger, repairs=repairs)
            for line in lines_of(command):
                with suppress(AgentpodError):
                    invocation = parse(line, BUILTIN)
                    await invocation.command.run(ctx, invocation.params)
            forms = all_exec_forms(ctx.target, handbook())
            undeclared = [one for one in ran.ran if not any(form.fits(*one) for form in forms)]
            assert undeclared == [], "declare it beside where it is made: bot/domain/rbac/exec_forms.py"
