"""Helpers for the scenario tests: run a command as a user, and wait for the bot's final answer."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sandbox.environment import BotProcess, Sandbox
from sandbox.slack import seed
from sandbox.slack.message import Message

PATIENCE = 20.0
"""Seconds until a missing answer is a failure; a passing test never waits that long."""
ONE_EACH = [
    {"role": "operator", "users": [seed.MAYA]},
    {"role": "viewer", "users": [seed.PRIYA]},
    {"role": "approver", "users": [seed.LENA]},
    {"role": "viewer", "channels": [seed.OPS], "name": "ops"},
    {"role": "auditor", "users": [seed.JONAS]},
]
"""Access rules that give each role to one person, and show all else to whoever is in the channel."""


@dataclass
class Answer:
    """A final answer: its messages, and their text in one string."""

    messages: list[Message]
    text: str

    @property
    def first_line(self) -> str:
        """The first line, which a notification shows."""
        return self.messages[0].text.splitlines()[0]

    def block_types(self) -> list[str]:
        """The types of the answer's blocks, in order."""
        return [block["type"] for message in self.messages for block in message.blocks or []]

    def rows(self) -> list[list[str]]:
        """The rows of the tables, also of those shown as two lines a row, with the ids of mentioned users."""
        blocks = [block for message in self.messages for block in message.blocks or []]
        found = [[_cell(cell) for cell in row] for b in blocks if b["type"] == "table" for row in b["rows"]]
        sections = [s["elements"] for b in blocks if b["type"] == "rich_text" for s in b["elements"]]
        return found + [_two_lines(s) for s in sections if any(e.get("text") == "\n" for e in s)]


def _two_lines(elements: Sequence[Any]) -> list[str]:
    """The cells of a row that is shown as two lines; the second line names some by their columns."""
    texts = [_cell(element) for element in elements]
    end, cells = texts.index("\n"), [""]
    for text in texts[end + 1 :]:
        if text == " · ":
            cells.append("")
        elif cells[-1] or not text.endswith(": "):
            cells[-1] += text
    return [*"".join(texts[:end]).split(" · "), *cells]


def _cell(cell: Any) -> str:
    """A cell's text."""
    if "elements" in cell:
        return "".join(map(_cell, cell["elements"]))
    return str(cell.get("text") or cell.get("user_id") or cell.get("fallback", "")).replace("\u00a0", " ")


class World:
    """A sandbox with a bot in it."""

    def __init__(self, sandbox: Sandbox, bot: BotProcess) -> None:
        self.sandbox = sandbox
        self.bot = bot
        self.workspace = sandbox.workspace

    async def ask(self, text: str, user: str = seed.MAYA, channel: str = seed.OPS) -> Answer:
        """Run ``/agentpod TEXT`` and wait for the final answer."""
        done = await self.workspace.slash(user, channel, "/agentpod", text)
        assert done.ok, f"not acknowledged: {done.error}"
        return await self.final(lambda: done.messages)

    async def final(self, messages: Callable[[], list[Message]]) -> Answer:
        """Wait until ``messages()`` is a final answer: not empty, and nothing pending."""
        await until(lambda: is_final(messages()), lambda: f"no final answer: {words(messages())!r}")
        return Answer(list(messages()), words(messages()))

    async def break_(self, break_id: str, value: bool | str | None = True) -> None:
        """Switch a fault on."""
        await self.workspace.panel.apply(break_id, value)

    async def ready(self) -> tuple[int, list[str]]:
        """The status and the reasons of ``/readyz``."""
        async with aiohttp.ClientSession() as session, session.get(self.bot.ops_url + "/readyz") as response:
            return response.status, (await response.json())["reasons"]

    async def ready_becomes(self, status: int, reason: str = "") -> None:
        """Wait until ``/readyz`` answers ``status`` with ``reason`` among its reasons."""
        end = time.monotonic() + PATIENCE
        while True:
            seen, reasons = await self.ready()
            if seen == status and reason in " ".join(reasons):
                return
            assert time.monotonic() < end, f"readiness is {seen}, {reasons}; not {status}, {reason!r}"
            await asyncio.sleep(0.05)

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        async with aiohttp.ClientSession() as session, session.get(self.bot.ops_url + "/metrics") as response:
            text = await response.text()
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())

    async def metric_becomes(self, name: str, value: float, **labels: str) -> None:
        """Wait until a metric has this value."""
        end = time.monotonic() + PATIENCE
        while (seen := await self.metric(name, **labels)) != value:
            assert time.monotonic() < end, f"{name} is {seen}, not {value}"
            await asyncio.sleep(0.05)

    async def says(self, command: str, text: str) -> Answer:
        """Repeat a command until its answer contains ``text``."""
        end = time.monotonic() + PATIENCE
        while text not in (answer := await self.ask(command)).text:
            assert time.monotonic() < end, f"not {text!r}: {answer.text}"
            await asyncio.sleep(0.1)
        return answer

    async def healthy(self) -> Answer:
        """Wait until `status` is healthy; returns the answer, also if it never is."""
        end = time.monotonic() + PATIENCE
        while True:
            answer = await self.ask("status")
            if "Healthy" in answer.first_line or time.monotonic() > end:
                return answer
            await asyncio.sleep(0.2)


async def shell(env: Mapping[str, str], *line: str) -> tuple[int, str]:
    """Run ``agentpod LINE`` in a shell; returns its exit code and all that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        process = await BotProcess.spawn(("bot", *line), env, log)
        code = await process.wait()
        return code, await asyncio.to_thread(log.read_text, "utf-8")


def words(messages: list[Message]) -> str:
    """All text of messages, as a reader sees it."""
    return "\n".join(message.all_text() for message in messages)


def is_final(messages: list[Message]) -> bool:
    """Whether these messages are a final answer: there is one, and nothing in it is pending."""
    return bool(messages) and not any(mark in words(messages) for mark in ("⏳", ":hourglass"))


async def until(condition: Callable[[], bool], complaint: Callable[[], str], patience: float = PATIENCE) -> None:
    """Poll until a condition holds. Fails with ``complaint()`` after ``patience`` seconds."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(complaint())
        await asyncio.sleep(0.02)
