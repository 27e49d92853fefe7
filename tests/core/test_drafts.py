"""A click on a button that asks for a repair opens its form; the reason of the button's line is its beginning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from bot.domain.core.reply import FormField, Reply
from bot.domain.rbac import roles
from bot.domain.rbac.access import AccessPolicy, AccessRule
from bot.runbook.context import Caller, Context
from bot.runbook.dispatch import Dispatcher
from commands.registry import BUILTIN
from tests.commands.fakes import World, pod
from tests.commands.test_restart import _world
from tests.people import member

OPERATOR = AccessPolicy(rules=(AccessRule(role=roles.OPERATOR, users=("U1",)),))
CARD = "✋ Asked"


class Uncounted:
    """Keeps no metrics."""

    def command_done(self, command: str, outcome: str, seconds: float) -> None:
        """Count nothing."""


async def clicked(room: Any, line: str, surface: str = "button") -> Reply:
    caller = Caller(member("U1", "C1"), cast("Any", surface))

    def context(target: str | None, caller: Caller, *_: object) -> Context:
        return replace(room.context(), caller=caller, access=OPERATOR)

    async def silent(_: Reply) -> None:
        """No partial answers."""

    dispatcher = Dispatcher(BUILTIN, OPERATOR, context, Uncounted(), targets=("secure-agent-pod",))
    return await dispatcher.run(line, caller, request_id="x", progress=silent)


def reason(reply: Reply) -> FormField:
    assert reply.form is not None, reply.headline
    [field] = [field for field in reply.form.fields if field.name == "reason"]
    return field


@pytest.mark.parametrize(
    "line",
    [
        "restart --reason 'sshd is gone'",
        "restart --force --reason 'sshd is gone'",
        "ssh keys copy --reason 'sshd is gone'",
    ],
)
async def test_a_click_opens_the_form_with_the_lines_reason(line: str) -> None:
    reply = await clicked(_world(pod()), f"{line} --target secure-agent-pod")
    assert reason(reply).initial == "sshd is gone"
    assert reply.form is not None
    assert "--reason" not in reply.form.command, "the form's answer is the reason"


@pytest.mark.parametrize("surface", ["slash", "modal", "mention", "workflow"])
async def test_what_was_typed_or_submitted_is_asked_for_at_once(surface: str) -> None:
    reply = await clicked(_world(pod()), "restart --reason 'sshd is gone'", surface)
    assert reply.form is None


async def test_a_click_on_a_decision_or_a_plan_is_no_draft() -> None:
    assert (await clicked(World(), "deny r-22222222 --reason no")).form is None
    assert (await clicked(World(), "restart --reason x --dry-run")).form is None
