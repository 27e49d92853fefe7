"""`agentpod check`: validates the settings, tries every connection and permission, and reports all problems."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator

from bot.check import cluster, offline, routes, servers, tokens
from bot.check.report import Check, Impact, Report
from bot.domain.core.outside import Outside
from bot.errors import SettingsError
from bot.ports.decryption import Decryption
from bot.settings.model import Settings
from bot.settings.usable import Usable
from bot.wiring.parts import Parts


async def check_all(read: Usable, outside: Outside | None = None) -> Report:
    """Check the settings, then try all that the bot will need. Never raises for what it finds.

    With settings that can't be used nothing is connected to: what they show by themselves is reported at once.
    """
    settings = read.loaded.settings
    wrong = [Check("Settings", False, problem, impact=Impact.START) for problem in read.problems]
    wrong += [Check("Runbook", False, problem, impact=Impact.START) for problem in _runbook_problems(read)]
    if wrong:
        found = [*wrong, *_without_connection(read, _decryption(settings)), _NOT_TRIED]
        return Report.of(found, wrong_settings=True)
    parts = Parts.build(settings, outside=outside)
    try:
        groups = await asyncio.gather(
            servers.slack(settings), cluster.clusters(parts), servers.pushgateway(parts), servers.ledger(parts)
        )
        ways = cluster.routes(parts)
        before = [*_without_connection(read, parts.decryption)]
    finally:
        await parts.close()
    return Report.of([*before, *ways, *(check for group in groups for check in group)])


_NOT_TRIED = Check(
    "Connections", None, "none was tried, since the settings can't be used: correct them, then check again."
)


def _runbook_problems(read: Usable) -> list[str]:
    """What is wrong with the settings' runbooks; of targets with other mistakes only their files are checked."""
    from bot.wiring.parts import commands_of
    from bot.wiring.runbook_tools import compiled_all

    try:
        if read.judgeable(["targets", "approvals"]):
            commands_of(read.loaded.settings)
        else:
            compiled_all({target.runbook for target in read.loaded.settings.targets if target.runbook})
    except SettingsError as error:
        return list(error.problems)
    return []


def _decryption(settings: Settings) -> Decryption | None:
    if not any(target.configs_rotate is not None for target in settings.targets):
        return None
    from bot.adapters.sops import Sops  # not wanted by most

    return Sops()


def _without_connection(read: Usable, decryption: Decryption | None) -> Iterator[Check]:
    """Check what the settings show by themselves, but for what rests on those with mistakes."""
    settings = read.loaded.settings
    everything: Iterable[tuple[str, Callable[[], Iterable[Check]]]] = (
        (tokens.NEEDS, lambda: tokens.checks(settings)),
        ("access.rules access.roles", lambda: offline.check_access(settings)),
        ("access approvals targets", lambda: offline.approvals(settings)),
        ("bridge targets", lambda: offline.health_bridge(settings)),
        ("ledger.anchor", lambda: offline.anchor_file(settings)),
        ("targets", lambda: offline.config_rotation(settings, decryption)),
        ("alerts.maintenance targets", lambda: offline.unknown_in_maintenance(settings)),
        ("kubernetes targets", lambda: offline.unused_clusters(settings)),
        (routes.NEEDS, lambda: routes.routes_of(settings, os.environ)),
    )
    for needs, checks in everything:
        if read.judgeable(needs.split()):
            yield from checks()
