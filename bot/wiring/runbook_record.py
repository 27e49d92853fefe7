"""``agentpod runbook record NAME``: the live facts of a check or a diagnosis, redacted, as a test case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from bot.domain.core.outside import Outside
from bot.domain.rbac.access import Identity
from bot.runbook.context import Caller
from bot.services.runbook import recording
from bot.services.runbook.recording import Recorded
from bot.settings.model import Settings
from bot.wiring.connecting import connecting
from bot.wiring.parts import Parts


async def record(settings: Settings, outside: Outside, name: str, target: str | None) -> tuple[list[str], int]:
    """Read the facts in the target; returns lines to print and the exit code: 2 where a fact can't be read."""
    parts = Parts.build(settings, outside=outside)
    try:
        caller = Caller(Identity(user="", channel="terminal"), "terminal")
        ctx = parts.context("agentpod")(target, caller, "", _ignore)
        async with connecting(parts.clusters, ctx.target.name, outside, ctx.probe_timeout) as redaction:
            found = await recording.record(ctx, name)
    finally:
        await parts.close()
    said = lines_of(found, [redaction.note] if redaction.note else [])
    return list(outside.of(tuple(said))), 0 if found.whole else 2


async def _ignore(_: object) -> None:
    """Discard progress."""


def lines_of(found: Recorded, notes: Sequence[str] = ()) -> list[str]:
    """Return a test case as lines of a runbook file, below its notes and ``notes`` as comments."""
    text = yaml.dump([_plain(found.test)], Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000)
    body = [f"  {line}" if line else "" for line in text.removesuffix("\n").split("\n")]
    return ["tests:", *(f"  # {note}" for note in (*found.notes, *notes)), *body]


def _plain(value: Any) -> Any:
    return {key: _plain(inner) for key, inner in value.items()} if hasattr(value, "items") else value


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
