"""The audit trail names the target that a declared command read, by what that target's runbook says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.adapters.cel import CelExpressions
from bot.domain.core.target import Target
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher
from bot.runbook.file.compiled import CompiledRunbook, compile_runbook
from bot.runbook.file.loader import read
from commands import registry
from commands.shared import declared
from tests.commands.fakes import World, said
from tests.core.test_dispatch import Counted, _quiet
from tests.people import member

EXEC = "exec: {container: kali, command: [id]}"
HTTP = 'http: {url: "http://127.0.0.1:1/x"}'


def book(fact: str) -> CompiledRunbook:
    text = f"runbook: one\ncommands:\n  peek:\n    summary: Peek\n    {fact}\n    answer: lines\n"
    made, problems = compile_runbook(read(text, "one.yaml"), CelExpressions())
    assert made is not None, problems
    return made


async def recorded(world: World, facts: dict[str, str], line: str) -> list[tuple[str, str, str, str]]:
    """What is recorded of a line, where these targets' runbooks declare `peek` with these facts."""
    world.cluster.programs["id"] = said("uid=1\n")
    books = {target: book(fact) for target, fact in facts.items()}
    commands = registry.build(declared.commands(books))
    access = AccessPolicy(rules=(AccessRule(role=roles.OPERATOR, users=("U1",)),))
    names = ("green", "blue")
    found: list[tuple[str, str, str, str]] = []

    async def reads(who: str, command: str, typed: str, target: str) -> None:
        found.append((who, command, typed, target))

    def one(name: str) -> Context:
        target = Target(name=name, heartbeats=())
        ctx = replace(world.context(), target=target, book=books.get(name), access=access)
        return replace(ctx, commands=commands, targets=names, several=True)

    def make(named: str | None, *_: object) -> Context:
        return one(named) if named else replace(one(names[0]), others=(one(names[1]),))

    dispatcher = Dispatcher(commands, access, make, Counted(), targets=names, reads=reads)
    await dispatcher.run(line, Caller(member("U1", "C1"), "slash"), request_id="1", progress=_quiet)
    return found


@pytest.mark.parametrize(
    ("facts", "line", "target"),
    [
        ({"green": EXEC, "blue": EXEC}, "peek", "green"),
        ({"green": EXEC, "blue": EXEC}, "peek --target blue", "blue"),
        ({"blue": EXEC}, "peek", "blue"),
        ({"green": HTTP, "blue": EXEC}, "peek --target blue", "blue"),
        ({"green": HTTP, "blue": EXEC}, "peek", ""),
        ({"green": EXEC, "blue": HTTP}, "peek --target blue", ""),
        ({"blue": EXEC}, "peek --target green", ""),
    ],
)
async def test_the_record_names_the_target_that_was_read(
    world: World, facts: dict[str, str], line: str, target: str
) -> None:
    found = await recorded(world, facts, line)
    assert [(one[1], one[3]) for one in found] == ([("peek", target)] if target else [])
