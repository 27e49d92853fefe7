"""A bot with a few made-up commands, connected to a local workspace by the real adapter."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bot.adapters.slack import SlackAdapter
from bot.domain.core.probes import Finding, Verdict
from bot.domain.core.reply import Button, Excerpt, Form, FormField, Reply
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.domain.rbac.roles import Capability
from bot.runbook.command import Command, NoParams
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher, ShowProgress
from bot.settings.model import HttpSettings, SlackSettings
from sandbox.slack import Message, Workspace, seed

MANIFEST = Path(__file__).parents[2] / "deploy" / "slack-manifest.yaml"
VIEWERS = AccessPolicy(rules=(AccessRule(role=roles.VIEWER, groups=(seed.ONCALL,), name="on-call"),))


@dataclass
class Counts:
    """An observer that records its calls."""

    acks: list[float] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    links: list[bool] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    commands: list[tuple[str, str]] = field(default_factory=list)

    def acked(self, kind: str, seconds: float) -> None:
        self.acks.append(seconds)

    def redelivered(self, kind: str) -> None:
        self.again.append(kind)

    def api_call(self, method: str, outcome: str, seconds: float) -> None:
        self.calls.append((method, outcome))

    def connected(self, connected: bool) -> None:
        self.links.append(connected)

    def delivery_failed(self, reason: str) -> None:
        self.lost.append(reason)

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        self.commands.append((command, outcome))


@dataclass
class Rig:
    """The parts that a test uses."""

    ws: Workspace
    counts: Counts
    gate: asyncio.Event
    slack: SlackAdapter
    runs: list[str]

    def runs_of(self, name: str) -> int:
        return self.runs.count(name)

    async def answer(self, channel: str, user: str, text: str, after: str = "0") -> Message:
        return await self.ws.wait_message(
            channel, lambda m: text in m.all_text(), user=user, after=after, timeout=15
        )


def _commands(gate: asyncio.Event, runs: list[str]) -> tuple[Command, ...]:
    async def status(ctx: Context, _: Any) -> Reply:
        runs.append("status")
        bad = Finding("ssh", "SSH", Verdict.FAIL, "no banner <!channel>", ("refused",), "Restart it.", "kubectl x")
        ok = Finding("pod", "Pod", Verdict.OK, "runs")
        steps = (Button("Fix", "fix"), Button("Why", "why"))
        return Reply("1 of 2 checks failed", Verdict.FAIL, findings=(ok, bad), buttons=steps)

    async def slow(ctx: Context, _: Any) -> Reply:
        runs.append("slow")
        await gate.wait()
        return Reply("slow is done")

    async def why(ctx: Context, _: Any) -> Reply:
        runs.append("why")
        await gate.wait()
        return Reply("the disk is full", command="why")

    async def steps(ctx: Context, _: Any) -> Reply:
        runs.append("steps")
        for number in range(20):
            await ctx.progress(Reply(f"step {number}", pending=("a",)))
            await asyncio.sleep(0.1)
        return Reply("steps are done")

    async def logs(ctx: Context, _: Any) -> Reply:
        lines = "\n".join(f"line {n} of the log" for n in range(2000))
        return Reply("2,000 lines", excerpts=(Excerpt(lines, filename="agent.log"),))

    async def crash(ctx: Context, _: Any) -> Reply:
        runs.append("crash")
        return Reply("it crashed", excerpts=(Excerpt("the last line"),), shows_log=True)

    async def fix(ctx: Context, _: Any) -> Reply:
        runs.append("fix")
        return Reply("fixed")

    async def export(ctx: Context, _: Any) -> Reply:
        records = "\n".join(f"record {n} of the audit trail" for n in range(120))
        return Reply("120 records", excerpts=(Excerpt(records, filename="audit.jsonl"),))

    async def ask(ctx: Context, _: Any) -> Reply:
        return Reply("Say why", form=Form("Why", "fix", (FormField("reason", "Reason"),)))

    return (
        *_in_windows(),
        Command("export", "s", Capability.HELP, export, NoParams),
        Command("ask", "s", Capability.HELP, ask, NoParams),
        Command("status", "s", Capability.VIEW, status, NoParams),
        Command("slow", "s", Capability.HELP, slow, NoParams),
        Command("steps", "s", Capability.HELP, steps, NoParams),
        Command("logs", "s", Capability.VIEW, logs, NoParams),
        Command("crash", "s", Capability.VIEW, crash, NoParams),
        Command("fix", "s", Capability.VIEW, fix, NoParams),
        Command("why", "s", Capability.VIEW, why, NoParams, threaded=True),
    )


def _in_windows() -> tuple[Command, ...]:
    async def glass(ctx: Context, _: Any) -> Reply:
        return Reply("Say why", form=Form("Break glass", "slow", (FormField("reason", "What is the emergency?"),)))

    async def menu(ctx: Context, _: Any) -> Reply:
        buttons = (Button("Slow", "slow"), Button("Fix", "fix"), Button("Form", "ask"), Button("Glass", "glass"))
        return Reply("the menu", buttons=buttons)

    async def long(ctx: Context, _: Any) -> Reply:
        return Reply("long", body=tuple(f"line {n}" for n in range(120)), notes=("the very end",))

    runs = {"glass": glass, "menu": menu, "long": long}
    return tuple(Command(name, "s", Capability.HELP, run, NoParams) for name, run in runs.items())


def settings(ws: Workspace, **more: Any) -> SlackSettings:
    return SlackSettings(bot_token=ws.bot_token, app_token=ws.app_token, api_url=ws.api_url, **more)


def adapter(conf: SlackSettings, counts: Counts, gate: asyncio.Event, runs: list[str]) -> SlackAdapter:
    def context(target: str | None, caller: Caller, request_id: str, progress: ShowProgress) -> Context:
        return Context(
            target=cast("Any", None),
            cluster=cast("Any", None),
            network=cast("Any", None),
            heartbeats=None,
            clock=cast("Any", None),
            caller=caller,
            access=VIEWERS,
            about=cast("Any", None),
            commands=(),
            request_id=request_id,
            progress=progress,
        )

    dispatcher = Dispatcher(_commands(gate, runs), VIEWERS, context, counts)
    return SlackAdapter(conf, dispatcher, VIEWERS, counts, "test")


@contextlib.asynccontextmanager
async def rig(*, missing_scope: str = "", **options: Any) -> AsyncIterator[Rig]:
    """A workspace and a bot connected over Socket Mode; the app isn't granted ``missing_scope``."""
    kept: dict[str, Any] = {"rate_limits": False, "file_processing_s": 0, "redelivery_s": ()}
    async with Workspace(MANIFEST, **(kept | options)) as ws:
        counts, gate, runs = Counts(), asyncio.Event(), []
        ws.core.faults.missing_scope = missing_scope
        slack = adapter(settings(ws), counts, gate, runs)
        await slack.start()
        task = asyncio.create_task(slack.run())
        try:
            await ws.wait_connected()
            yield Rig(ws, counts, gate, slack, runs)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await slack.stop()


@contextlib.asynccontextmanager
async def http_rig(port: int) -> AsyncIterator[Rig]:
    """A workspace and a bot in HTTP mode on ``port``."""
    url = f"http://127.0.0.1:{port}/slack/events"
    async with Workspace(MANIFEST, request_url=url, rate_limits=False, redelivery_s=()) as ws:
        counts, gate, runs = Counts(), asyncio.Event(), []
        http = HttpSettings(host="127.0.0.1", port=port)
        conf = settings(ws, mode="http", http=http, signing_secret=ws.signing_secret)
        slack = adapter(conf, counts, gate, runs)
        await slack.start()
        try:
            yield Rig(ws, counts, gate, slack, runs)
        finally:
            await slack.stop()


async def until(holds: Any, seconds: float = 10) -> None:
    """Poll until a condition holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - any condition, not one event
            await asyncio.sleep(0.01)
